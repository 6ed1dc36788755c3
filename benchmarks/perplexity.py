"""Perplexity of compiled models on the first windows of WikiText-2's test split, measured by llmopt-eval.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import support

from llmopt import locate
from llmopt.tokenizer import directory_beside


def measure(library: Path, windows: np.ndarray, threads: int) -> float:
    """What llmopt-eval says: each window starts afresh, its first token is not predicted."""
    with tempfile.TemporaryDirectory() as scratch:
        tokens = Path(scratch) / "tokens.npy"
        np.save(tokens, windows)
        shape = [f"-windows={windows.shape[0]}", f"-window={windows.shape[1]}"]
        command = [str(locate.tool("llmopt-eval")), str(library), str(tokens), *shape, f"-threads={threads}", "-json"]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        sys.exit(f"error: {' '.join(command)} ended with {run.returncode}:\n{run.stderr}")
    return json.loads(run.stdout)["perplexity"]


def measure_pytorch(checkpoint: Path, windows: np.ndarray) -> float:
    import torch

    model = support.load_pytorch(checkpoint)
    total = 0.0
    with torch.no_grad():
        for window in torch.from_numpy(windows.astype(np.int64)):
            logits = model(window[None]).logits[0, :-1]
            total += torch.nn.functional.cross_entropy(logits, window[1:], reduction="sum").item()
    return math.exp(total / (windows.shape[0] * (windows.shape[1] - 1)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library", type=Path, nargs="*", help="compiled models of SmolLM2")
    parser.add_argument("--reference", action="store_true", help="measure PyTorch in float32 too, and print the ratios")
    parser.add_argument("--at-most", type=float, metavar="X", help="fail if a model has more")
    parser.add_argument("--windows", type=int, default=8)
    parser.add_argument("--length", type=int, default=1024, help="tokens of a window (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    checkpoint = support.get_model("hf")
    windows = support.wikitext_windows(checkpoint / "tokenizer.json", options.windows, options.length)
    expected = measure_pytorch(checkpoint, windows) if options.reference else None
    if expected is not None:
        print(f"{expected:9.4f}  PyTorch, float32", flush=True)
    failures = []
    for library in options.library:
        own = directory_beside(library) / "tokenizer.json"
        if own.is_file() and own.read_bytes() != (checkpoint / "tokenizer.json").read_bytes():
            sys.exit(f"error: {library} has another tokenizer than SmolLM2")
        value = measure(library, windows, options.threads)
        ratio = f"  ({100 * (value / expected - 1):+.3f} %)" if expected is not None else ""
        print(f"{value:9.4f}  {library}{ratio}", flush=True)
        if options.at_most is not None and value > options.at_most:
            failures.append(f"{library}: {value:.4f}, at most {options.at_most}")
    return support.verdict(failures) if options.at_most is not None else 0


if __name__ == "__main__":
    sys.exit(main())
