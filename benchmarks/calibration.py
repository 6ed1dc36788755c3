"""Perplexity of models that llmopt prunes with calibration, against simple PyTorch versions of the same methods.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import argparse
import json
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
    oracle: float | None  # perplexity of the PyTorch version, with the same tokens; none: what ONNX Runtime's GPTQ has, measured now
    bar: float  # largest ratio to it
    samples: int | None = None  # 0: the model's own tokens; none: as many as the oracle
    increase: bool = False  # the ratio is that of the increases over float32


def sparse(ratio: str, method: str = "auto", *flags: str) -> tuple[str, ...]:
    return (f"-sparsity={ratio}", f"-sparsity-method={method}", *flags)


def grouped(pattern: str, method: str = "auto", *flags: str) -> tuple[str, ...]:
    return (f"-sparsity-pattern={pattern}", f"-sparsity-method={method}", *flags)


FLOAT = ("-act=none", "-embedding-quant=none")
INT8 = ("-quant=int8", *FLOAT)


def rounded(quant: str, group: int, method: str = "auto") -> tuple[str, ...]:
    return (f"-quant={quant}", f"-group-size={group}", f"-quant-method={method}", *FLOAT)


ORT_GROUP = 32  # columns that share a scale where ONNX Runtime's GPTQ is compared
ROWS = (
    Row("novels-rtn-int4-g32", NOVELS, rounded("int4", 32, "rtn"), 43.510, 1.02),
    Row("novels-rtn-int4-g128", NOVELS, rounded("int4", 128, "rtn"), 43.556, 1.02),
    Row("novels-rtn-int3-g64", NOVELS, rounded("int3", 64, "rtn"), 45.521, 1.02),
    Row("novels-gptq-int4-g32", NOVELS, rounded("int4", 32, "gptq"), 43.295, 1.02),
    Row("novels-gptq-int4-g128", NOVELS, rounded("int4", 128, "gptq"), 43.324, 1.02),
    Row("novels-gptq-int3-g64", NOVELS, rounded("int3", 64, "gptq"), 44.549, 1.02),
    Row("novels-default-int4-g128", NOVELS, rounded("int4", 128), 43.324, 1.0, increase=True),
    Row("novels-default-int4-g32", NOVELS, rounded("int4", 32), 43.295, 1.0, increase=True),
    Row("novels-default-int3-g64", NOVELS, rounded("int3", 64), 44.549, 0.85, increase=True),
    Row("novels-onnxruntime-int4-g32", NOVELS, rounded("int4", ORT_GROUP), None, 1.0, increase=True),
    Row("novels-default-nf4", NOVELS, ("-quant=nf4", *FLOAT), 43.415, 1.0, increase=True),
    Row("novels-magnitude-50", NOVELS, sparse("0.5", "magnitude"), 45.894, 1.02),
    Row("novels-wanda-50", NOVELS, sparse("0.5", "wanda"), 45.600, 1.02),
    Row("novels-sparsegpt-50", NOVELS, sparse("0.5", "sparsegpt"), 44.722, 1.02),
    Row("novels-sparsegpt-60", NOVELS, sparse("0.6", "sparsegpt"), 46.845, 1.02),
    Row("novels-sparsegpt-2:4", NOVELS, grouped("2:4", "sparsegpt"), 47.129, 1.02),
    Row("novels-sparsegpt-50-int4-g32", NOVELS, sparse("0.5", "sparsegpt", *rounded("int4", 32, "gptq")), 44.891, 1.02),
    Row("novels-alps-60", NOVELS, sparse("0.6", "alps"), 45.225, 1.02),
    Row("novels-default-60-int8", NOVELS, sparse("0.6", "auto", *INT8), 46.814, 0.55, increase=True),
    Row("novels-default-2:4", NOVELS, grouped("2:4"), 47.129, 1.0),
    Row("novels-default-50-int4-g32", NOVELS, sparse("0.5", "auto", *rounded("int4", 32)), 44.891, 1.0),
    Row("rtn-int8", SMOLLM2, INT8, 24.29, 1.02),
    Row("rtn-int4-g32", SMOLLM2, rounded("int4", 32, "rtn"), 31.06, 1.02),
    Row("rtn-nf4", SMOLLM2, ("-quant=nf4", "-quant-method=rtn", *FLOAT), 28.53, 1.02),
    Row("gptq-int4-g32", SMOLLM2, rounded("int4", 32, "gptq"), 31.87, 1.02),
    Row("gptq-int4-g64", SMOLLM2, rounded("int4", 64, "gptq"), 33.23, 1.02),
    Row("magnitude-50", SMOLLM2, sparse("0.5", "magnitude"), 436, 1.05),
    Row("magnitude-60", SMOLLM2, sparse("0.6", "magnitude"), 4284, 1.05),
    Row("wanda-50", SMOLLM2, sparse("0.5", "wanda"), 44.9, 1.02),
    Row("wanda-60", SMOLLM2, sparse("0.6", "wanda"), 115.0, 1.05),
    Row("wanda-2:4", SMOLLM2, grouped("2:4", "wanda"), 138.2, 1.05),
    Row("sparsegpt-50", SMOLLM2, sparse("0.5", "sparsegpt"), 40.7, 1.02),
    Row("sparsegpt-60", SMOLLM2, sparse("0.6", "sparsegpt"), 75.2, 1.02),
    Row("sparsegpt-2:4", SMOLLM2, grouped("2:4", "sparsegpt"), 71.0, 1.02),
    Row("sparsegpt-60-int8", SMOLLM2, sparse("0.6", "sparsegpt", *INT8), 79.4, 1.02),
    Row("sparsegpt-60-int4-g32", SMOLLM2, sparse("0.6", "sparsegpt", *rounded("int4", 32, "gptq")), 87.7, 1.02),
    Row("alps-60", SMOLLM2, sparse("0.6", "alps"), 51.7, 1.02),
    Row("default-60-int8", SMOLLM2, sparse("0.6", "auto", *INT8), 79.4, 0.65, samples=32),
    Row("default-60-int8-own-tokens", SMOLLM2, sparse("0.6", "auto", *INT8), 79.4, 1.0, samples=0),
    Row("default-2:4", SMOLLM2, grouped("2:4"), 71.0, 0.75, samples=32),
    Row("default-int4-g32", SMOLLM2, rounded("int4", 32), 31.06, 1.0, samples=32),
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
    calibrates = not {"-quant-method=rtn", "-sparsity-method=magnitude"} & set(row.flags) and row.flags != INT8
    flags = [*row.flags, f"-calib-seqlen={text.length}"] if calibrates else [*row.flags]
    with tempfile.TemporaryDirectory() as scratch:
        if calibrates and samples:
            calibration = Path(scratch) / "calibration.npy"
            np.save(calibration, tokens_of(text, text.calibration, samples))
            flags += [f"-calib={calibration}", f"-calib-samples={samples}"]
        library = support.compile_library(support.get_model(form, text.model), flags, f"calibration-{row.name}")
    return measure(library, tokens_of(text, text.evaluation, text.windows), threads)


def perplexity_of_onnxruntime(text: Text, form: str, threads: int) -> float:
    """Of its own GPTQ with a float head, and the first of the samples: more change nothing, as it passes no error on."""
    import onnxruntime_gptq

    head_dim = json.loads((support.get_model("hf", text.model) / "config.json").read_text())["head_dim"]
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / "model.onnx"
        samples = tokens_of(text, text.calibration, 8)
        onnxruntime_gptq.quantize(support.get_model(form, text.model) / "model.onnx", samples, ORT_GROUP, head_dim, output)
        return onnxruntime_gptq.perplexity(output, tokens_of(text, text.evaluation, text.windows), head_dim, threads)


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
    print(f"{'row':28s} {'reference':>9s} {'llmopt':>9s} {'ratio':>6s} {'bar':>6s} {'seconds':>8s}")
    for row in ROWS:
        if options.row and row.name not in options.row:
            continue
        start = time.monotonic()
        value = perplexity(row, options.form, options.threads)
        oracle = perplexity_of_onnxruntime(row.text, options.form, options.threads) if row.oracle is None else row.oracle
        base = row.text.floating if row.increase else 0
        ratio = (value - base) / (oracle - base)
        passed = ratio <= row.bar
        numbers = f"{oracle:9.3f} {value:9.3f} {ratio:6.3f} {row.bar:6.2f} {time.monotonic() - start:8.0f}"
        print(f"{row.name:28s} {numbers}  {'PASSED' if passed else 'FAILED'}", flush=True)
        if not passed:
            failures.append(f"{row.name}: {value:.3f}, {ratio:.3f} of the reference's {oracle:.3f}, at most {row.bar}")
    return support.verdict(failures)


if __name__ == "__main__":
    sys.exit(main())
