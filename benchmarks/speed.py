"""Decode and prefill speed of SmolLM2 against llama.cpp and ONNX Runtime, in alternating rounds.

Every engine lives in its own process and measures once per round, so that a slow minute of the machine hits all alike; what counts is
the median of the ratios of the rounds.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import peers
import support

WORKERS = Path(__file__).with_name("workers.py")
DECODE, PREFILL = 64, 128

# Name, measurement of the first, measurement of the second, what the ratio must be at least (none: told, not judged).
RATIOS = (
    ("decode int8 / llama.cpp Q8_0", ("int8", f"decode {DECODE}"), ("llama.cpp", f"decode {DECODE}"), 1.5),
    ("decode int8 60 % / int8", ("int8-60", f"decode {DECODE}"), ("int8", f"decode {DECODE}"), 1.0),
    # ONNX Runtime computes the logits of all tokens, as the graph says; so does llmopt here.
    ("prefill int8 / onnxruntime, plain graph", ("int8", f"prefill-all {PREFILL}"), ("onnxruntime-dynamo", f"prefill-all {PREFILL}"), 1.0),
    ("prefill int8 / onnxruntime, fused graph", ("int8", f"prefill-all {PREFILL}"), ("onnxruntime-genai", f"prefill-all {PREFILL}"), 1.0),
    ("prefill int8 / llama.cpp Q8_0, last logits", ("int8", f"prefill {PREFILL}"), ("llama.cpp", f"prefill {PREFILL}"), None),
    ("prefill with all logits / last logits", ("int8", f"prefill-all {PREFILL}"), ("int8", f"prefill {PREFILL}"), None),
)


class Worker:
    """An engine in its own process."""

    def __init__(self, python: Path, engine: str, model: Path, threads: int):
        command = [str(python), str(WORKERS), engine, str(model), str(threads)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.about = self._read()

    def measure(self, what: str) -> float:
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return float(self._read())

    def _read(self) -> str:
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"error: {' '.join(self.process.args)} ended with {self.process.wait()}")
        return line.strip()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def start_workers(threads: int) -> dict[str, Worker]:
    model, own = support.get_model("genai"), Path(sys.executable)
    dense = support.compile_library(model, ["-quant=int8"], "speed-int8")
    sparse = support.compile_library(model, ["-quant=int8", "-sparsity=0.6"], "speed-int8-60")
    return {
        "int8": Worker(own, "llmopt", dense, threads),
        "int8-60": Worker(own, "llmopt", sparse, threads),
        "llama.cpp": Worker(peers.llama_python(), "llama.cpp", peers.llama_model(), threads),
        "onnxruntime-dynamo": Worker(own, "onnxruntime", peers.onnxruntime_model("dynamo"), threads),
        "onnxruntime-genai": Worker(own, "onnxruntime", peers.onnxruntime_model("genai"), threads),
    }


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all the figures")
    options = parser.parse_args()

    workers = start_workers(options.threads)
    for name, worker in workers.items():
        print(f"{name:20} {worker.about}", flush=True)
    wanted = list(dict.fromkeys(pair for _, first, second, _ in RATIOS for pair in (first, second)))
    for name, what in wanted:  # the first touch of weights and caches is not measured
        workers[name].measure(what)
    speeds: dict[tuple[str, str], list[float]] = {pair: [] for pair in wanted}
    for _ in range(options.rounds):
        for name, what in wanted:
            speeds[name, what].append(workers[name].measure(what))
    for worker in workers.values():
        worker.close()

    failures, ratios = [], {}
    for (name, what), values in speeds.items():
        figures = spread(values)
        print(f"{name:20} {what:16} {figures['median']:8.1f} tokens/s  ({figures['min']:.1f} to {figures['max']:.1f})")
    for name, first, second, least in RATIOS:
        ratios[name] = spread([a / b for a, b in zip(speeds[first], speeds[second])])
        figures = ratios[name]
        bar = f", at least {least}" if least else ""
        print(f"{name:42} {figures['median']:5.2f}  ({figures['min']:.2f} to {figures['max']:.2f}){bar}")
        if least and figures["median"] < least:
            failures.append(f"{name}: {figures['median']:.2f}{bar}")
    if options.json:
        result = {
            "threads": options.threads,
            "engines": {name: worker.about for name, worker in workers.items()},
            "tokens_per_s": {f"{name}, {what}": {**spread(values), "rounds": values} for (name, what), values in speeds.items()},
            "ratios": ratios,
        }
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return support.verdict(failures)


if __name__ == "__main__":
    sys.exit(main())
