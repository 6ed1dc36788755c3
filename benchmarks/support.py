"""What the benchmarks share: models, compiled libraries, texts and the references.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort

from llmopt import locate

ROOT = Path(__file__).resolve().parents[1]
FORMS = ("genai", "dynamo", "torchscript")


def get_model(form: str, name: str = "smollm2") -> Path:
    """Directory of a model in one form, made if need be."""
    command = [str(ROOT / "scripts/get-model"), name, "--form", form]
    return Path(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()[-1])


def get_shape(name: str) -> Path:
    """Directory of a model with random weights."""
    command = [str(ROOT / "scripts/get-model"), f"shape:{name}"]
    return Path(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()[-1])


def corpora() -> Path:
    return Path(os.environ.get("LLMOPT_CORPORA") or ROOT.parent / "shared/corpora")


def compile_library(model: Path, flags: Sequence[str], name: str) -> Path:
    """Compiles with the tools of LLMOPT_HOME, always anew."""
    output = ROOT / "build-release/benchmarks" / f"{name}.so"
    output.parent.mkdir(parents=True, exist_ok=True)
    command = [str(locate.tool("llmopt-compile")), str(model / "model.onnx"), *flags, "-o", str(output)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        sys.exit(f"error: {' '.join(command)} ended with {run.returncode}:\n{run.stdout}{run.stderr}")
    return output


def open_onnxruntime(directory: Path, threads: int = 0) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return ort.InferenceSession(str(directory / "model.onnx"), options, providers=["CPUExecutionProvider"])


def load_pytorch(checkpoint: Path):
    """The checkpoint in PyTorch, float32."""
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    return transformers.AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()


def relative_difference(actual: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference relative to max(1, |expected|); not a number anywhere is infinite."""
    difference = np.abs(actual - expected) / np.maximum(1, np.abs(expected))
    return float(np.where(np.isnan(difference), np.inf, difference).max(initial=0))


def untokenize_wikitext(text: str) -> str:
    """Plain text from the corpus' tokenised form."""
    text = text.replace(" @-@ ", "-").replace(" @,@ ", ",").replace(" @.@ ", ".")
    text = re.sub(r" ([.,;:!?)\]%])", r"\1", text)
    text = re.sub(r"([(\[]) ", r"\1", text)
    return text.replace(" n't", "n't").replace(" 's", "'s")


def wikitext_windows(tokenizer_file: Path, windows: int, length: int) -> np.ndarray:
    """The first windows of the WikiText-2 test split, [windows, length] token ids."""
    from tokenizers import Tokenizer

    path = corpora() / "text/wikitext2-test.txt"
    if not path.is_file():
        sys.exit(f"error: {path} not found: LLMOPT_CORPORA must name the directory that holds text/wikitext2-test.txt")
    tokens = Tokenizer.from_file(str(tokenizer_file)).encode(untokenize_wikitext(path.read_text(encoding="utf-8"))).ids
    return np.array(tokens[: windows * length], np.uint32).reshape(windows, length)


def verdict(failures: Sequence[str]) -> int:
    """Prints what failed, if anything; returns the exit code."""
    for failure in failures:
        print(f"FAILED: {failure}")
    print("FAILED" if failures else "PASSED")
    return 1 if failures else 0
