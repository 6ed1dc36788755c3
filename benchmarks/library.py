"""Libraries of llmopt for benchmarks/compare: compiling them, and what they say of themselves.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import functools
import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import peers
import support
from perplexity import measure

from llmopt import locate

WINDOWS, LENGTH = 8, 1024


@functools.cache
def compile(model: Path, name: str, *flags: str) -> Path:
    """Anew in every run of the command."""
    try:
        return support.compile_library(model, flags, f"compare-{name}")
    except SystemExit as error:
        raise peers.PeerError(str(error)) from None


def compile_cost(model: Path, *flags: str) -> tuple[float, float]:
    """Seconds and bytes at the peak of one compilation."""
    output = support.ROOT / "build-release/benchmarks/compare-cost.so"
    output.parent.mkdir(parents=True, exist_ok=True)
    command = [str(locate.tool("llmopt-compile")), str(model / "model.onnx"), *flags, "-o", str(output)]
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    errors = process.stderr.read()
    # wait4 gives the peak of this child alone, unlike getrusage.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise peers.PeerError(f"{' '.join(command)} ended with {process.returncode}: {errors}")
    return time.monotonic() - start, usage.ru_maxrss * 1024


@functools.cache
def inspect(library: Path) -> dict:
    command = [str(locate.tool("llmopt-inspect")), "-json", str(library)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def matrices(library: Path) -> list[dict]:
    """Weights that every token multiplies: neither vectors nor tables that only rows are taken of."""
    weights = [weight for weight in inspect(library)["weights"] if not weight["format"].endswith("raw")]
    return [weight for weight in weights if not weight["kernel"].startswith("embedding") or "," in weight["kernel"]]


def bytes_per_token(library: Path, context: int) -> float:
    """Bytes that a decode step reads: weights, and the keys and values of a context."""
    about = inspect(library)
    element = {"f32": 4, "bf16": 2, "int8": 1}[about.get("kv", "f32")]
    cache = 2 * about["layers"] * about["kv_heads"] * about["head_dim"] * element * context
    return sum(weight["bytes"] for weight in matrices(library)) + cache


def products_per_token(library: Path, tokens: int) -> float:
    """Multiply-adds with weights per token of a prompt, of which only the last has logits; attention is not counted."""
    about = inspect(library)
    total = 0.0
    for weight in matrices(library):
        size = weight["rows"] * weight["columns"]
        total += size / tokens if weight["rows"] == about["vocabulary"] else size
    return total


def float_bytes(model: Path) -> float:
    """Bytes of a model's float weights."""
    return (model / "model.onnx.data").stat().st_size


def cosine(first: Path, second: Path) -> float:
    """Smallest cosine of the mean-pooled embeddings of 16 texts in two libraries of an encoder."""
    import llmopt

    random = np.random.default_rng(0)
    ids = random.integers(1000, 30000, (16, 64), dtype=np.int64)
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    pooled = []
    for path in (first, second):
        with llmopt.Model(path) as model, model.session() as session:
            (states,) = session.run(feed).values()
            mean = states.mean(axis=1)
            pooled.append(mean / np.linalg.norm(mean, axis=1, keepdims=True))
    return float((pooled[0] * pooled[1]).sum(axis=1).min())


def perplexity(library: Path, threads: int) -> float:
    checkpoint = support.get_model("hf")
    return measure(library, support.wikitext_windows(checkpoint / "tokenizer.json", WINDOWS, LENGTH), threads)
