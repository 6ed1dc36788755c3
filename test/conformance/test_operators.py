"""Operators with options that the node tests of ONNX leave out, against ONNX Runtime or ONNX's reference.

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

from onnx.reference import ReferenceEvaluator  # noqa: E402

RANDOM = np.random.default_rng(0)


def normal(*shape: int, dtype=np.float32):
    return RANDOM.normal(0, 1, shape).astype(dtype)


def boxes(count: int):
    corner = RANDOM.random((2, count, 2)).astype(np.float32) * 10
    return np.concatenate([corner, corner + 1 + RANDOM.random((2, count, 2)).astype(np.float32) * 4], -1)


def scalar(value, dtype=np.int64):
    return np.array(value, dtype)


def vector(*values, dtype=np.int64):
    return np.array(values, dtype)


ROIS = np.array([[0, 0, 7, 9], [-3, 2, 12.5, 8], [4, 4, 4.2, 4.1]], np.float32)
CORNERS = np.array([[0, 0, 0, 7, 9], [1, 2, 2, 12, 8], [1, 4, 4, 4, 4]], np.float32)
IMAGE, IMAGE3D = normal(2, 3, 8, 10), normal(2, 3, 4, 5, 6)
GRID, GRID3D = normal(2, 6, 7, 2) * 0.9, normal(2, 3, 4, 5, 3) * 0.9
REAL, COMPLEX = normal(2, 30, 3, 1), normal(2, 30, 3, 2)
SIGNAL = normal(2, 160)
LABELS = RANDOM.integers(0, 5, (3, 4))

# operator, opset, inputs (None: left out), attributes; "reference": ONNX Runtime does not have it. Inputs that are no float
# tensors of data are constants.
CASES = {
    **{
        f"grid_sample_{mode}_{padding}_{aligned}": ("GridSample", 20, [IMAGE, GRID], {"mode": mode, "padding_mode": padding, "align_corners": aligned})
        for mode in ["linear", "nearest", "cubic"]
        for padding in ["zeros", "border", "reflection"]
        for aligned in [0, 1]
        if (mode, padding, aligned) != ("nearest", "zeros", 1)
    },
    "grid_sample_16": ("GridSample", 16, [IMAGE, GRID], {"mode": "bicubic", "padding_mode": "reflection"}),
    "grid_sample_3d": ("GridSample", 20, [IMAGE3D, GRID3D], {"mode": "linear", "padding_mode": "border"}),
    "grid_sample_f64": ("GridSample", 20, [IMAGE.astype(np.float64), GRID.astype(np.float64)], {}, "reference"),
    "col2im": ("Col2Im", 18, [normal(2, 12, 12), vector(7, 9), vector(2, 3)], {"strides": [2, 2], "pads": [1, 0, 0, 1], "dilations": [1, 2]}),
    "nms": ("NonMaxSuppression", 11, [boxes(30), RANDOM.random((2, 3, 30)).astype(np.float32), vector(7), vector(0.4, dtype=np.float32), vector(0.2, dtype=np.float32)], {}),
    "nms_centers": ("NonMaxSuppression", 11, [boxes(30), RANDOM.random((2, 3, 30)).astype(np.float32), vector(40), vector(0.1, dtype=np.float32)], {"center_point_box": 1}),
    "nms_nothing": ("NonMaxSuppression", 11, [boxes(5), RANDOM.random((2, 3, 5)).astype(np.float32), vector(4), None, vector(2, dtype=np.float32)], {}),
    "roi_align": ("RoiAlign", 16, [IMAGE, ROIS, vector(0, 1, 1)], {"output_height": 3, "output_width": 4, "spatial_scale": 0.7}),
    "roi_align_10": ("RoiAlign", 10, [IMAGE, ROIS, vector(0, 1, 1)], {"output_height": 2, "output_width": 2, "sampling_ratio": 3}),
    "max_roi_pool": ("MaxRoiPool", 1, [IMAGE, CORNERS], {"pooled_shape": [3, 2], "spatial_scale": 0.8}),
    "dft_real": ("DFT", 20, [REAL, None, scalar(1)], {}, "reference"),
    "dft_onesided_padded": ("DFT", 20, [REAL, scalar(37), scalar(1)], {"onesided": 1}, "reference"),
    "dft_cut": ("DFT", 17, [COMPLEX, scalar(24)], {"axis": 1}, "reference"),
    "dft_inverse": ("DFT", 20, [COMPLEX, None, scalar(-3)], {"inverse": 1}, "reference"),
    "dft_half": ("DFT", 20, [COMPLEX, scalar(56), scalar(1)], {"inverse": 1, "onesided": 1}, "reference"),
    "dft_f64": ("DFT", 20, [REAL.astype(np.float64), None, scalar(1)], {"onesided": 1}, "reference"),
    "stft": ("STFT", 17, [SIGNAL, scalar(10), RANDOM.random(24).astype(np.float32), scalar(24)], {}),
    "stft_complex": ("STFT", 17, [normal(2, 90, 2), scalar(7), None, scalar(20)], {"onesided": 0}, "reference"),
    "deform_conv": ("DeformConv", 19, [normal(2, 4, 7, 8), normal(6, 2, 3, 3), normal(2, 36, 4, 4), normal(6), RANDOM.random((2, 18, 4, 4)).astype(np.float32)], {"group": 2, "offset_group": 2, "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "unique": ("Unique", 11, [RANDOM.integers(0, 6, (3, 9)).astype(np.float32)], {"sorted": 0}),
    "unique_axis": ("Unique", 11, [RANDOM.integers(0, 2, (3, 9, 2)).astype(np.float32)], {"axis": 1}),
    "det": ("Det", 11, [normal(2, 3, 6, 6)], {}),
    "mel_weights": ("MelWeightMatrix", 17, [scalar(20), scalar(400), scalar(16000), scalar(20.0, np.float32), scalar(7600.0, np.float32)], {}),
    "cum_prod": ("CumProd", 26, [normal(3, 20, 5), scalar(1)], {"exclusive": 1, "reverse": 1}, "reference"),
    "loss_ignored": ("SoftmaxCrossEntropyLoss", 13, [normal(3, 5, 4), LABELS, RANDOM.random(5).astype(np.float32)], {"ignore_index": 2}),
    "loss_sum": ("NegativeLogLikelihoodLoss", 13, [normal(3, 5, 4), LABELS], {"reduction": "sum"}),
    "affine_grid": ("AffineGrid", 20, [normal(2, 3, 4), vector(2, 1, 3, 4, 5)], {"align_corners": 1}, "reference"),
}  # fmt: skip
OUTPUTS = {"Unique": 4, "SoftmaxCrossEntropyLoss": 1}


def make_model(operator: str, opset: int, inputs: list, attributes: dict):
    names = [f"x{i}" if array is not None else "" for i, array in enumerate(inputs)]
    outputs = [f"y{i}" for i in range(OUTPUTS.get(operator, 1))]
    node = onnx.helper.make_node(operator, names, outputs, **attributes)
    constants, values = [], []
    for name, array in zip(names, inputs, strict=True):
        if array is None:
            continue
        if array.ndim < 2:
            constants.append(onnx.numpy_helper.from_array(array, name))
        else:
            # The batch is known at run time only.
            shape = ["batch", *array.shape[1:]]
            values.append(onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), shape))
    results = [onnx.helper.make_empty_tensor_value_info(name) for name in outputs]
    graph = onnx.helper.make_graph([node], "operator", values, results, constants)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=10)
    return onnx.shape_inference.infer_shapes(model)


def write_tensors(directory: Path, kind: str, arrays: list, names: list[str]) -> None:
    for i, (array, name) in enumerate(zip(arrays, names, strict=True)):
        (directory / f"{kind}_{i}.pb").write_bytes(onnx.numpy_helper.from_array(np.asarray(array), name).SerializeToString())


def check(model, feeds: dict, expected: list, directory: Path, tolerance: float = 2e-5) -> None:
    onnx.save(model, directory / "model.onnx")
    data = directory / "test_data_set_0"
    data.mkdir()
    write_tensors(data, "input", [feeds[value.name] for value in model.graph.input], [value.name for value in model.graph.input])
    write_tensors(data, "output", expected, [value.name for value in model.graph.output])
    command = [locate.tool("llmopt-check"), directory, f"-rtol={tolerance}", f"-atol={tolerance}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def run_onnxruntime(model, feeds: dict) -> list:
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds)


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_reference(case, tmp_path):
    operator, opset, inputs, attributes, *source = CASES[case]
    model = make_model(operator, opset, inputs, attributes)
    feeds = {f"x{i}": array for i, array in enumerate(inputs) if array is not None and array.ndim >= 2}
    expected = ReferenceEvaluator(model).run(None, feeds) if source else run_onnxruntime(model, feeds)
    check(model, feeds, expected, tmp_path)


def parse(text: str, opset: int = 20):
    return onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : {opset}]> {text}')


def test_sequences(tmp_path):
    model = parse("""
    g (float[n, 7] x, float[n, 2] y) => (float[n, 2] last, float[k, n, 2] stacked, float[n, m] joined, int64 length, bool there) {
        two = Constant<value_int: int = 2>()
        first = Constant<value_int: int = 0>()
        back = Constant<value_int: int = -1>()
        parts = SplitToSequence<axis: int = 1>(x, two)
        last = SequenceAt(parts, first)
        joined = ConcatFromSequence<axis: int = 1>(parts)
        short = SequenceErase(parts)
        longer = SequenceInsert(short, y, back)
        length = SequenceLength(longer)
        stacked = ConcatFromSequence<axis: int = 0, new_axis: int = 1>(longer)
        maybe = Optional(longer)
        there = OptionalHasElement(maybe)
    }""")
    feeds = {"x": normal(3, 7), "y": normal(3, 2)}
    check(model, feeds, run_onnxruntime(model, feeds), tmp_path)


def test_random_numbers(tmp_path):
    """Moments of the distributions; equal seeds give equal numbers, none give different ones."""
    model = parse("""
    g (float[n] p, float[1, k] logits) => (float mean, float square, float fourth, float low, float middle, float second, float other, float equal, float chance, float drawn) {
        a = RandomNormal<shape: ints = [200, 500], mean: float = 1.5, scale: float = 2.0>()
        shift = Constant<value_float: float = 1.5>()
        two = Constant<value_float: float = 2.0>()
        moved = Sub(a, shift)
        z = Div(moved, two)
        zz = Mul(z, z)
        zzzz = Mul(zz, zz)
        mean = ReduceMean<keepdims: int = 0>(z)
        square = ReduceMean<keepdims: int = 0>(zz)
        fourth = ReduceMean<keepdims: int = 0>(zzzz)
        u = RandomUniformLike<low: float = -1.0, high: float = 3.0>(a)
        low = ReduceMin<keepdims: int = 0>(u)
        middle = ReduceMean<keepdims: int = 0>(u)
        uu = Mul(u, u)
        second = ReduceMean<keepdims: int = 0>(uu)
        b = RandomNormal<shape: ints = [200, 500], mean: float = 1.5, scale: float = 2.0>()
        c = RandomNormalLike<seed: float = 7.0>(a)
        d = RandomNormalLike<seed: float = 7.0>(a)
        ab = Sub(a, b)
        abab = Mul(ab, ab)
        other = ReduceMean<keepdims: int = 0>(abab)
        cd = Sub(c, d)
        cdcd = Abs(cd)
        equal = ReduceMax<keepdims: int = 0>(cdcd)
        ones = Bernoulli(p)
        chance = ReduceMean<keepdims: int = 0>(ones)
        classes = Multinomial<sample_size: int = 50000>(logits)
        numbers = Cast<to: int = 1>(classes)
        drawn = ReduceMean<keepdims: int = 0>(numbers)
    }""")
    feeds = {"p": np.full(100000, 0.3, np.float32), "logits": np.log(np.array([[0.2, 0.5, 0.3]], np.float32))}
    expected = [0, 1, 3, -1, 1, 7 / 3, 8, 0, 0.3, 1.1]
    check(model, feeds, [np.float32(value) for value in expected], tmp_path, tolerance=0.02)
