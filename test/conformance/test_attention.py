"""Attention of few and many rows, of few and many keys, against its definition.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))

from llmopt import locate  # noqa: E402  (the path comes first)

np = pytest.importorskip("numpy")
onnx = pytest.importorskip("onnx")

BATCH, HEADS = 2, 3
SCALE = 0.2

# columns of keys and of values: for panels, but for the last
WIDTHS = {"narrow": (24, 16), "equal": (32, 32), "wide": (64, 128), "odd": (32, 20)}
# rows and keys: few rows, one panel and a part, several blocks of rows, more keys than scores of all rows are kept of
LENGTHS = {"few": (7, 65), "some": (16, 5), "many": (150, 130), "long": (70, 1090)}


def make_model(columns: int, value_columns: int):
    def node(operator: str, inputs: list[str], output: str, **attributes):
        return onnx.helper.make_node(operator, inputs, [output], **attributes)

    nodes = [
        node("Transpose", ["key"], "turned", perm=[0, 1, 3, 2]),
        node("MatMul", ["query", "turned"], "products"),
        node("Mul", ["products", "scale"], "scaled"),
        node("Add", ["scaled", "bias"], "scores"),
        node("Softmax", ["scores"], "probabilities", axis=-1),
        node("MatMul", ["probabilities", "value"], "output"),
    ]
    shapes = {
        "query": ["batch", HEADS, "rows", columns],
        "key": ["batch", HEADS, "keys", columns],
        "value": ["batch", HEADS, "keys", value_columns],
        "bias": ["batch", 1, "rows", "keys"],
    }
    inputs = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    outputs = [onnx.helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, None)]
    scale = onnx.numpy_helper.from_array(np.float32(SCALE), "scale")
    graph = onnx.helper.make_graph(nodes, "attention", inputs, outputs, [scale])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)


def make_inputs(rows: int, keys: int, columns: int, value_columns: int) -> dict:
    generator = np.random.default_rng(0)
    shapes = {"query": (HEADS, rows, columns), "key": (HEADS, keys, columns), "value": (HEADS, keys, value_columns), "bias": (1, rows, keys)}
    arrays = {name: generator.standard_normal((BATCH, *shape), np.float32) for name, shape in shapes.items()}
    # Keys that count for nothing, as a mask has it.
    arrays["bias"][1, :, :, keys - keys // 3 :] = -np.inf
    return arrays


def attention(query, key, value, bias):
    scores = query.astype(np.float64) @ key.swapaxes(-1, -2).astype(np.float64) * SCALE + bias
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return (powers / powers.sum(-1, keepdims=True) @ value).astype(np.float32)


@pytest.mark.parametrize("width", WIDTHS)
def test_agrees_with_definition(width, tmp_path):
    onnx.save(make_model(*WIDTHS[width]), tmp_path / "model.onnx")
    for number, (rows, keys) in enumerate(LENGTHS.values()):
        inputs = make_inputs(rows, keys, *WIDTHS[width])
        directory = tmp_path / f"test_data_set_{number}"
        directory.mkdir()
        for index, (name, array) in enumerate(inputs.items()):
            (directory / f"input_{index}.pb").write_bytes(onnx.numpy_helper.from_array(array, name).SerializeToString())
        (directory / "output_0.pb").write_bytes(onnx.numpy_helper.from_array(attention(**inputs), "output").SerializeToString())
    command = [str(locate.tool("llmopt-check")), "-rtol=1e-5", "-atol=1e-5", str(tmp_path)]
    check = subprocess.run(command, capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stdout + check.stderr
