"""Time of ResNet-50 and MobileNetV2, f32 and int8, batch 1, against ONNX Runtime, in alternating rounds.

The weights are random; batch normalization has the statistics of random images, so that activations have sizes as in a trained model.
int8 is what ONNX Runtime's quantizer writes (Q/DQ, weights per channel), compiled with -fold-qdq. Every engine lives in its own
process; what counts is the median of the ratios of the rounds.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import support

MODELS = ("resnet50", "mobilenetv2")
LEAST_RATIO = 0.8
# Relative L2 difference of the logits in f32. In int8 rounding at every layer adds up: ONNX Runtime with all its optimizations is 0.09
# (ResNet-50) and 0.07 (MobileNetV2) from itself without any, so the bar is twice this distance, measured in the same run.
TOLERANCE = 1e-3
SPREADS = 2.0
EXECUTIONS = 10  # of a measurement
# Seconds before a measurement of either engine: threads of ONNX Runtime spin for some 50 ms after an execution, which takes a core from
# whoever measures next.
PAUSE = 0.15
INPUT = "image"


def images(count: int, seed: int) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.standard_normal((1, 3, 224, 224), np.float32) for _ in range(count)]


# ----------------------------------------------------------------------------------------------------------------------
# Models
# ----------------------------------------------------------------------------------------------------------------------


def build(name: str):
    """The PyTorch model with the normalization of random images."""
    import torch
    import transformers

    torch.manual_seed(1)
    kind, config = {
        "resnet50": (transformers.ResNetForImageClassification, transformers.ResNetConfig(num_labels=1000)),
        "mobilenetv2": (transformers.MobileNetV2ForImageClassification, transformers.MobileNetV2Config(num_labels=1000)),
    }[name]
    model = kind(config)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # a plain average
            module.reset_running_stats()
    model.train()
    with torch.no_grad():
        model(torch.from_numpy(np.concatenate(images(8, seed=2))))
    return model.eval()


def export(name: str, path: Path) -> None:
    import torch

    class Logits(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, image):
            return self.model(image).logits

    example = (torch.from_numpy(images(1, seed=3)[0]),)
    torch.onnx.export(Logits(build(name)).eval(), example, str(path), input_names=[INPUT], output_names=["logits"], dynamo=False, opset_version=17)


def quantize(source: Path, target: Path) -> None:
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self.feeds = iter([{INPUT: image} for image in images(4, seed=4)])

        def get_next(self):
            return next(self.feeds, None)

    quantization.quantize_static(
        str(source), str(target), Reader(), per_channel=True, activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8
    )


def make_model(name: str, kind: str) -> Path:
    """Directory of a model, made if need be."""
    directory = support.ROOT / "build-release/benchmarks/vision" / f"{name}-{kind}"
    if not (directory / "done").exists():
        directory.mkdir(parents=True, exist_ok=True)
        if kind == "f32":
            export(name, directory / "model.onnx")
        else:
            quantize(make_model(name, "f32") / "model.onnx", directory / "model.onnx")
        (directory / "done").touch()
    return directory


# ----------------------------------------------------------------------------------------------------------------------
# Engines
# ----------------------------------------------------------------------------------------------------------------------


def load(engine: str, path: str, threads: int):
    """What an engine says about itself, and its function of an image."""
    if engine == "llmopt":
        import llmopt

        model = llmopt.Model(path, threads=threads)
        session = model.session()
        return f"llmopt, {model.isa}", lambda image: session.run({INPUT: image})["logits"]
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    if engine == "onnxruntime-plain":
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    inference = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return f"onnxruntime {ort.__version__}", lambda image: inference.run(None, {INPUT: image})[0]


def work(engine: str, path: str, threads: int) -> int:
    """The process of an engine: for every line on standard input, the milliseconds of an execution."""
    about, run = load(engine, path, threads)
    image = images(1, seed=5)[0]
    print(json.dumps({"about": about, "logits": run(image).ravel().tolist()}), flush=True)
    for _ in sys.stdin:
        time.sleep(PAUSE)
        run(image)  # the caches hold the weights of the engine before
        times = []
        for _ in range(EXECUTIONS):
            start = time.perf_counter()
            run(image)
            times.append(time.perf_counter() - start)
        print(statistics.median(times) * 1e3, flush=True)
    return 0


class Worker:
    """An engine in its own process."""

    def __init__(self, engine: str, path: Path, threads: int):
        command = [sys.executable, __file__, "--worker", engine, str(path), "--threads", str(threads)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": str(threads)})
        greeting = json.loads(self._read())
        self.about, self.logits = greeting["about"], np.array(greeting["logits"])

    def measure(self) -> float:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self._read())

    def _read(self) -> str:
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"error: {' '.join(self.process.args)} ended with {self.process.wait()}")
        return line

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def distance(actual: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(actual - expected) / np.linalg.norm(expected))


def compare(name: str, kind: str, options: argparse.Namespace) -> dict:
    model = make_model(name, kind)
    flags = ["-fold-qdq"] if kind == "int8" else []
    library = support.compile_library(model, [*flags, *options.flags.split()], f"vision-{name}-{kind}")
    own, peer = Worker("llmopt", library, options.threads), Worker("onnxruntime", model / "model.onnx", options.threads)
    tolerance = TOLERANCE
    if kind == "int8":
        plain = Worker("onnxruntime-plain", model / "model.onnx", options.threads)
        plain.close()
        tolerance = SPREADS * distance(peer.logits, plain.logits)
    times = [(own.measure(), peer.measure()) for _ in range(options.rounds + 1)][1:]
    own.close()
    peer.close()
    ratios = [theirs / ours for ours, theirs in times]
    return {
        "model": name,
        "kind": kind,
        "engines": [own.about, peer.about],
        "difference": distance(own.logits, peer.logits),
        "tolerance": tolerance,
        "milliseconds": statistics.median(ours for ours, _ in times),
        "onnxruntime_milliseconds": statistics.median(theirs for _, theirs in times),
        "ratio": statistics.median(ratios),
        "ratios": ratios,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--kinds", default="f32,int8")
    parser.add_argument("--flags", default="", help="more flags of llmopt-compile")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all the figures")
    parser.add_argument("--worker", nargs=2, metavar=("ENGINE", "MODEL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return work(*options.worker, options.threads)

    failures, results = [], []
    for name in options.models.split(","):
        for kind in options.kinds.split(","):
            result = compare(name, kind, options)
            results.append(result)
            label = f"{name} {kind}"
            print(
                f"{label:18} llmopt {result['milliseconds']:7.2f} ms, onnxruntime {result['onnxruntime_milliseconds']:7.2f} ms: "
                f"{result['ratio']:.2f} times as fast ({min(result['ratios']):.2f} to {max(result['ratios']):.2f}), difference {result['difference']:.2g}",
                flush=True,
            )
            if result["ratio"] < LEAST_RATIO:
                failures.append(f"{label}: {result['ratio']:.2f} times as fast as onnxruntime, at least {LEAST_RATIO}")
            if not result["difference"] <= result["tolerance"]:
                failures.append(f"{label}: relative difference {result['difference']:.2g}, at most {result['tolerance']:.2g}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return support.verdict(failures)


if __name__ == "__main__":
    sys.exit(main())
