"""How fast models are read and imported: SmolLM2 in every form, and a generated graph of many nodes.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import support
from onnx import TensorProto, helper, numpy_helper

from llmopt import locate

MODEL_SECONDS, GRAPH_SECONDS = 3.0, 5.0
WIDTH, HEADS = 64, 4


class Graph:
    """Nodes that are named by counting."""

    def __init__(self):
        self.nodes: list[onnx.NodeProto] = []

    def add(self, operator: str, *inputs: str, **attributes) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=f"/{operator}_{len(self.nodes)}", **attributes))
        return name

    def block(self, x: str) -> str:
        """What exporters write for a layer: a product, heads, shape arithmetic, slices, a softmax and a sum."""
        y = self.add("Add", self.add("MatMul", x, "weight"), "bias")
        y = self.add("Transpose", self.add("Reshape", y, "split"), perm=[0, 2, 1, 3])
        length = self.add("Slice", self.add("Shape", y), "two", "three")
        y = self.add("Slice", y, "zero", length, "two")
        half = self.add("Slice", y, "zero", "eight", "three")
        other = self.add("Neg", self.add("Slice", y, "eight", "end", "three"))
        y = self.add("Softmax", self.add("Concat", other, half, axis=3), axis=-1)
        y = self.add("Reshape", self.add("Transpose", y, perm=[0, 2, 1, 3]), "join")
        return self.add("Add", x, self.add("Mul", y, self.add("Sigmoid", y)))


def make_graph(nodes: int) -> onnx.ModelProto:
    graph = Graph()
    x = "x"
    while len(graph.nodes) < nodes:
        x = graph.block(x)
    constants = {
        "weight": np.ones((WIDTH, WIDTH), np.float32),
        "bias": np.ones(WIDTH, np.float32),
        "split": np.array([0, 0, HEADS, WIDTH // HEADS], np.int64),
        "join": np.array([0, 0, WIDTH], np.int64),
        "end": np.array([np.iinfo(np.int64).max], np.int64),
    } | {name: np.array([value], np.int64) for name, value in (("zero", 0), ("two", 2), ("three", 3), ("eight", 8))}
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "length", WIDTH]) for name in ("x", x)]
    initializers = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    body = helper.make_graph(graph.nodes, "generated", values[:1], values[1:], initializers)
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def measure(model: Path, emit: str, repeat: int) -> float:
    """The best time of a few, in seconds."""
    command = [str(locate.tool("llmopt-compile")), str(model), f"-emit={emit}", "-o", "/dev/null"]
    times = []
    for _ in range(repeat):
        begin = time.monotonic()
        subprocess.run(command, stderr=subprocess.DEVNULL, check=True)
        times.append(time.monotonic() - begin)
    return min(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=20000, help="of the generated graph (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="runs, of which the best counts (default: %(default)s)")
    options = parser.parse_args()

    rows = [(f"SmolLM2, {form}", support.get_model(form) / "model.onnx", MODEL_SECONDS) for form in support.FORMS]
    failures = []
    with tempfile.TemporaryDirectory() as directory:
        generated = Path(directory) / "model.onnx"
        onnx.save(make_graph(options.nodes), generated)
        rows.append((f"{options.nodes} nodes", generated, GRAPH_SECONDS))
        for name, model, limit in rows:
            for emit in ("onnx", "llmopt"):
                seconds = measure(model, emit, options.repeat)
                print(f"{name:22} -emit={emit:7} {seconds:6.2f} s  (at most {limit:.0f})")
                failures += [f"{name} took {seconds:.2f} s"] if seconds > limit else []
    return support.verdict(failures)


if __name__ == "__main__":
    sys.exit(main())
