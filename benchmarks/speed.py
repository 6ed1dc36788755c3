"""Decode and prefill speed of SmolLM2 against llama.cpp and ONNX Runtime, in alternating rounds.

Every engine lives in its own process and measures once per round, so that a slow minute of the machine hits all alike; what counts is
the median of the ratios of the rounds.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import argparse
import json
import sys
from pathlib import Path

import peers
import support
from judge import Report, Row, measure
from rounds import Engine, Pair

DECODE, PREFILL = "16 64", 128

# Name, measurement of the first, of the second, what the ratio must be at least (none: told, not judged).
RATIOS = (
    ("decode int8 / llama.cpp Q8_0", Pair("int8", f"decode {DECODE}"), Pair("llama.cpp", f"decode {DECODE}"), 1.5),
    ("decode int8 60 % / int8", Pair("int8-60", f"decode {DECODE}"), Pair("int8", f"decode {DECODE}"), 1.0),
    # ONNX Runtime computes the logits of all tokens, as the graph says; so does llmopt here.
    ("prefill int8 / onnxruntime, plain graph", Pair("int8", f"prefill-all {PREFILL}"), Pair("onnxruntime-dynamo", f"prefill-all {PREFILL}"), 1.0),
    ("prefill int8 / onnxruntime, fused graph", Pair("int8", f"prefill-all {PREFILL}"), Pair("onnxruntime-genai", f"prefill-all {PREFILL}"), 1.0),
    ("prefill int8 / llama.cpp Q8_0, last logits", Pair("int8", f"prefill {PREFILL}"), Pair("llama.cpp", f"prefill {PREFILL}"), None),
    ("prefill with all logits / last logits", Pair("int8", f"prefill-all {PREFILL}"), Pair("int8", f"prefill {PREFILL}"), None),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all the figures")
    options = parser.parse_args()

    model = support.get_model("genai")
    engines = {
        "int8": Engine("llmopt", support.compile_library(model, ["-quant=int8"], "speed-int8")),
        "int8-60": Engine("llmopt", support.compile_library(model, ["-quant=int8", "-sparsity=0.6", "-sparsity-method=magnitude"], "speed-int8-60")),
        "llama.cpp": Engine("llama.cpp", peers.llama_model(), peers.llama_python()),
        "onnxruntime-dynamo": Engine("onnxruntime", peers.onnxruntime_model("dynamo")),
        "onnxruntime-genai": Engine("onnxruntime", peers.onnxruntime_model("genai")),
    }
    report = Report()
    rows = [Row(name, first, (second,), least) for name, first, second, least in RATIOS]
    measure(report, engines, rows, options.rounds, options.threads)
    report.print()
    if options.json:
        options.json.write_text(json.dumps({"threads": options.threads, **report.as_json()}, indent=2) + "\n")
    return support.verdict(report.failures)


if __name__ == "__main__":
    sys.exit(main())
