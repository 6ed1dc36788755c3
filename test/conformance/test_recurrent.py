"""RNN, GRU and LSTM with all their options, against ONNX Runtime.

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
onnxruntime = pytest.importorskip("onnxruntime")

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
STEPS, BATCH, WIDTH, HIDDEN = 5, 3, 7, 19

# operator, optional inputs, attributes
CASES = {
    "rnn": ("RNN", ["B", "initial_h"], {"direction": "reverse", "activations": ["HardSigmoid"]}),
    "rnn_lengths": ("RNN", ["sequence_lens"], {"direction": "bidirectional", "activations": ["Relu", "Softsign"], "clip": 0.7}),
    "gru": ("GRU", ["B", "initial_h"], {}),
    "gru_reverse": ("GRU", ["B", "sequence_lens", "initial_h"], {"direction": "reverse", "clip": 0.9}),
    "gru_linear_before_reset": ("GRU", ["B", "sequence_lens"], {"direction": "bidirectional", "linear_before_reset": 1}),
    "lstm": ("LSTM", ["B"], {"direction": "bidirectional"}),
    "lstm_lengths": ("LSTM", ["B", "sequence_lens", "initial_h", "initial_c"], {"direction": "bidirectional"}),
    "lstm_peepholes": ("LSTM", ["initial_c", "P"], {"direction": "reverse"}),
    "lstm_coupled": ("LSTM", ["B"], {"input_forget": 1}),
    "lstm_activations": ("LSTM", ["B"], {"activations": ["HardSigmoid", "LeakyRelu", "Tanh"], "activation_alpha": [0.3, 0.1], "activation_beta": [0.4]}),
}


def make_inputs(operator: str, optional: list[str], directions: int) -> dict:
    generator = np.random.default_rng(0)
    gates = GATES[operator]
    shapes = {
        "X": (STEPS, BATCH, WIDTH),
        "W": (directions, gates * HIDDEN, WIDTH),
        "R": (directions, gates * HIDDEN, HIDDEN),
        "B": (directions, 2 * gates * HIDDEN),
        "sequence_lens": (BATCH,),
        "initial_h": (directions, BATCH, HIDDEN),
        "initial_c": (directions, BATCH, HIDDEN),
        "P": (directions, 3 * HIDDEN),
    }
    arrays = {name: generator.normal(0, 0.4, shape).astype(np.float32) for name, shape in shapes.items() if name in ["X", "W", "R", *optional]}
    if "sequence_lens" in arrays:
        arrays["sequence_lens"] = np.array([STEPS, 1, 3], np.int32)
    return {name: arrays.get(name) for name in shapes}


def make_model(operator: str, inputs: dict, attributes: dict):
    names = [name if array is not None else "" for name, array in inputs.items()]
    while not names[-1]:
        names.pop()
    outputs = ["Y", "Y_h", "Y_c"] if operator == "LSTM" else ["Y", "Y_h"]
    node = onnx.helper.make_node(operator, names, outputs, hidden_size=HIDDEN, **attributes)

    def describe(name: str):
        array = inputs[name]
        shape = ["steps", "batch", WIDTH] if name == "X" else array.shape
        return onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), shape)

    graph = onnx.helper.make_graph(
        [node],
        "recurrent",
        [describe(name) for name in names if name],
        [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)


def write_tensors(directory: Path, kind: str, arrays: list, names: list[str]) -> None:
    for i, (array, name) in enumerate(zip(arrays, names, strict=True)):
        (directory / f"{kind}_{i}.pb").write_bytes(onnx.numpy_helper.from_array(array, name).SerializeToString())


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_onnxruntime(case, tmp_path):
    operator, optional, attributes = CASES[case]
    inputs = make_inputs(operator, optional, 2 if attributes.get("direction") == "bidirectional" else 1)
    model = make_model(operator, inputs, attributes)
    onnx.save(model, tmp_path / "model.onnx")
    feeds = {name: array for name, array in inputs.items() if array is not None}
    expected = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds)
    data = tmp_path / "test_data_set_0"
    data.mkdir()
    write_tensors(data, "input", [feeds[value.name] for value in model.graph.input], [value.name for value in model.graph.input])
    write_tensors(data, "output", expected, [value.name for value in model.graph.output])
    result = subprocess.run([locate.tool("llmopt-check"), tmp_path, "-rtol=1e-5", "-atol=1e-5"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
