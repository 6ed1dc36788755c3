"""Compares float32 libraries with ONNX Runtime, row by row: SmolLM2 in three ONNX forms, on each instruction set.

Five prompts of 5 to 200 tokens one by one and in batches of three, prefill and 32 decode steps, through the ONNX signature (`run`) and
through sequences (`step`). Both sides are fed the reference's greedy tokens, so that one near-tie does not hide what follows.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import feeds
import numpy as np
import prompts
import support

import llmopt
from llmopt.tokenizer import ChatTokenizer

TOLERANCE = 2e-3  # relative to max(1, |reference|)
NEAR_TIE = 4e-3  # difference of the two best logits below which the greedy token is not decided
STEPS = 32
BATCHES = ((0,), (1,), (2,), (3,), (4,), (0, 2, 4), (1, 3, 4))


@dataclasses.dataclass
class Score:
    """Rows compared so far."""

    rows: int = 0
    worst: float = 0.0
    near_ties: int = 0  # rows whose greedy token is not decided in the reference
    differing_ties: int = 0  # of these, rows where it differs
    wrong_tokens: int = 0  # decided rows where it differs

    def add(self, actual: np.ndarray, expected: np.ndarray) -> None:
        if actual.shape != expected.shape:
            raise ValueError(f"logits are {actual.shape}, expected {expected.shape}")
        self.rows += len(expected)
        self.worst = max(self.worst, support.relative_difference(actual, expected))
        second, first = np.sort(np.partition(expected, -2, axis=-1)[:, -2:], axis=-1).T
        tie = first - second <= NEAR_TIE
        differs = actual.argmax(axis=-1) != expected.argmax(axis=-1)
        self.near_ties += int(tie.sum())
        self.differing_ties += int((tie & differs).sum())
        self.wrong_tokens += int((~tie & differs).sum())

    def good(self) -> bool:
        return self.rows > 0 and self.worst <= TOLERANCE and self.wrong_tokens == 0


@dataclasses.dataclass
class Reference:
    """What ONNX Runtime computes for one batch of prompts."""

    prompts: list[list[int]]
    logits: list[list[np.ndarray]]  # [1 + steps][batch]
    tokens: list[list[int]]  # [steps][batch], greedy


def reference(session, past: feeds.Tensors, batch: list[list[int]], steps: int, left: bool) -> Reference:
    names = [output.name for output in session.get_outputs()]
    chosen = []

    def greedy(_step, rows):
        chosen.append([int(row[-1].argmax()) for row in rows])
        return chosen[-1]

    logits = list(feeds.drive(lambda feed: dict(zip(names, session.run(names, feed))), past, batch, steps, left, greedy))
    return Reference(batch, logits, chosen)


def references(directory: Path, config: dict, batches: Sequence[list[list[int]]], left: bool, steps: int = STEPS) -> list[Reference]:
    session = support.open_onnxruntime(directory)
    names = [value.name for value in session.get_inputs()]
    return [
        reference(session, feeds.empty_past(names, len(batch), config["num_key_value_heads"], config["head_dim"]), batch, steps, left)
        for batch in batches
    ]


def compare(library: Path, isa: str, threads: int, expected: Sequence[Reference], left: bool) -> dict[str, Score]:
    """Scores by way ("run", "step") and batch size."""
    scores: dict[str, Score] = {}
    with llmopt.Model(library, threads=threads, isa=isa) as model:
        info = model.info
        for case in expected:
            # A session each: a library-owned output is as large as its largest call.
            with model.session(max_batch=len(case.prompts)) as session:
                past = feeds.empty_past(model.inputs, len(case.prompts), info.kv_heads, info.head_dim)
                steps = len(case.tokens)
                ways = {
                    "run": feeds.drive(session.run, past, case.prompts, steps, left, lambda step, _: case.tokens[step]),
                    "step": feeds.drive_steps(session, case.prompts, steps, lambda step, _: case.tokens[step]),
                }
                for way, produced in ways.items():
                    score = scores.setdefault(f"{way} {len(case.prompts)}", Score())
                    for rows, wanted in zip(produced, case.logits, strict=True):
                        for row, want in zip(rows, wanted, strict=True):
                            score.add(row, want)
    return scores


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--forms", default=",".join(support.FORMS), help="ONNX forms (default: %(default)s)")
    parser.add_argument("--isa", default="avx512vnni,avx2", help="variants to check (default: %(default)s)")
    parser.add_argument("--mcpu", default="native,x86-64-v3", help="CPUs to compile for (default: %(default)s)")
    parser.add_argument("--model", default="smollm2", help="model of scripts/get-model (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    config = json.loads((support.get_model("hf", options.model) / "config.json").read_text())
    failures = []
    print(f"{'form':12} {'isa':11} {'way':5} {'batch':>5} {'rows':>6} {'worst':>9} {'near-ties':>9} {'differ':>6} {'wrong':>5}")
    for form in options.forms.split(","):
        start = time.monotonic()
        directory = support.get_model(form, options.model)
        tokenizer = ChatTokenizer(directory)
        texts = [tokenizer.encode(text)[:length] for text, length in zip(prompts.TEXTS, prompts.LENGTHS)]
        left = form != "genai"
        expected = references(directory, config, [[texts[index] for index in batch] for batch in BATCHES], left)
        library = support.compile_library(directory, ["-quant=none", f"-mcpu={options.mcpu}"], f"accuracy-{form}")
        for isa in options.isa.split(","):
            for name, score in compare(library, isa, options.threads, expected, left).items():
                way, batch = name.split()
                print(
                    f"{form:12} {isa:11} {way:5} {batch:>5} {score.rows:6} {score.worst:9.2e} {score.near_ties:9} "
                    f"{score.differing_ties:6} {score.wrong_tokens:5}",
                    flush=True,
                )
                if not score.good():
                    failures.append(f"{form} on {isa}, {way} with batch {batch}: {score}")
        print(f"  {form}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    return support.verdict(failures)


if __name__ == "__main__":
    sys.exit(main())
