"""Perplexity of models that llmopt prunes with calibration, against simple PyTorch versions of the same methods.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import support
from perplexity import measure


@dataclass(frozen=True)
class Text:
    """What a model is calibrated and measured with; the number of windows and their length."""

    model: str
    calibration: str
    evaluation: str
    samples: int
    windows: int
    length: int
    floating: float  # perplexity of the model in float32


SMOLLM2 = Text("smollm2", "wikitext2-valid", "wikitext2-test", 16, 8, 1024, 24.175)
NOVELS = Text("novels-6m", "novels-calibration", "novels-valid", 128, 64, 256, 43.184)


@dataclass(frozen=True)
class Row:
    name: str
    text: Text
    flags: tuple[str, ...]
    oracle: float  # perplexity of the PyTorch version, with the same tokens
    bar: float  # largest ratio to it
    samples: int | None = None  # 0: the model's own tokens; none: as many as the oracle
    increase: bool = False  # the ratio is that of the increases over float32


def sparse(ratio: str, method: str = "auto", *flags: str) -> tuple[str, ...]:
    return (f"-sparsity={ratio}", f"-sparsity-method={method}", *flags)


INT8 = ("-quant=int8", "-act=none", "-embedding-quant=none")
ROWS = (
    Row("novels-wanda-50", NOVELS, sparse("0.5", "wanda"), 45.600, 1.02),
    Row("novels-sparsegpt-50", NOVELS, sparse("0.5", "sparsegpt"), 44.722, 1.02),
    Row("novels-sparsegpt-60", NOVELS, sparse("0.6", "sparsegpt"), 46.845, 1.02),
    Row("novels-alps-60", NOVELS, sparse("0.6", "alps"), 45.225, 1.02),
    Row("novels-default-60-int8", NOVELS, sparse("0.6", "auto", *INT8), 46.814, 0.55, increase=True),
    Row("wanda-50", SMOLLM2, sparse("0.5", "wanda"), 44.9, 1.02),
    Row("sparsegpt-50", SMOLLM2, sparse("0.5", "sparsegpt"), 40.7, 1.02),
    Row("sparsegpt-60", SMOLLM2, sparse("0.6", "sparsegpt"), 75.2, 1.02),
    Row("sparsegpt-60-int8", SMOLLM2, sparse("0.6", "sparsegpt", *INT8), 79.4, 1.02),
    Row("alps-60", SMOLLM2, sparse("0.6", "alps"), 51.7, 1.02),
    Row("default-60-int8", SMOLLM2, sparse("0.6", "auto", *INT8), 79.4, 0.65, samples=32),
    Row("default-60-int8-own-tokens", SMOLLM2, sparse("0.6", "auto", *INT8), 79.4, 1.0, samples=0),
)


def tokens_of(text: Text, corpus: str, count: int) -> np.ndarray:
    """The first tokens of a text, untokenised as the oracle does."""
    from transformers import AutoTokenizer

    path = support.corpora() / f"text/{corpus}.txt"
    if not path.is_file():
        sys.exit(f"error: {path} not found: LLMOPT_CORPORA must name the directory that holds text/{corpus}.txt")
    tokenizer = AutoTokenizer.from_pretrained(support.get_model("hf", text.model))
    plain = support.untokenize_wikitext(path.read_text(encoding="utf-8"))
    return np.array(tokenizer(plain)["input_ids"][: count * text.length], np.uint32).reshape(count, text.length)


def perplexity(row: Row, form: str, threads: int) -> float:
    text = row.text
    samples = text.samples if row.samples is None else row.samples
    flags = [*row.flags, f"-calib-seqlen={text.length}"]
    with tempfile.TemporaryDirectory() as scratch:
        if samples:
            calibration = Path(scratch) / "calibration.npy"
            np.save(calibration, tokens_of(text, text.calibration, samples))
            flags += [f"-calib={calibration}", f"-calib-samples={samples}"]
        library = support.compile_library(support.get_model(form, text.model), flags, f"calibration-{row.name}")
    return measure(library, tokens_of(text, text.evaluation, text.windows), threads)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("row", nargs="*", help=f"all, or: {', '.join(row.name for row in ROWS)}")
    parser.add_argument("--form", choices=support.FORMS, default="genai", help="exporter of the model (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    unknown = set(options.row) - {row.name for row in ROWS}
    if unknown:
        parser.error(f"no row {', '.join(sorted(unknown))}")

    failures = []
    print(f"{'row':28s} {'PyTorch':>9s} {'llmopt':>9s} {'ratio':>6s} {'bar':>6s} {'seconds':>8s}")
    for row in ROWS:
        if options.row and row.name not in options.row:
            continue
        start = time.monotonic()
        value = perplexity(row, options.form, options.threads)
        base = row.text.floating if row.increase else 0
        ratio = (value - base) / (row.oracle - base)
        passed = ratio <= row.bar
        numbers = f"{row.oracle:9.3f} {value:9.3f} {ratio:6.3f} {row.bar:6.2f} {time.monotonic() - start:8.0f}"
        print(f"{row.name:28s} {numbers}  {'PASSED' if passed else 'FAILED'}", flush=True)
        if not passed:
            failures.append(f"{row.name}: {value:.3f}, {ratio:.3f} of PyTorch's {row.oracle}, at most {row.bar}")
    return support.verdict(failures)


if __name__ == "__main__":
    sys.exit(main())
