"""Branches and loops of graphs, whose results change their shapes at run time.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from conftest import run_tool
from llmopt.runtime import Model

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def value(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def compile_graph(directory, nodes, inputs, outputs):
    """The library of a graph; inputs and outputs are value infos."""
    graph = helper.make_graph(nodes, "graph", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, directory / "model.onnx")
    run = run_tool("llmopt-compile", directory / "model.onnx", "-o", directory / "model.so")
    assert run.returncode == 0, run.stderr
    return directory / "model.so"


def test_branches_return_other_shapes_and_captured_values(tmp_path):
    then_branch = helper.make_graph(
        [helper.make_node("Concat", ["x", "y"], ["t"], axis=0), helper.make_node("Identity", ["y"], ["t2"])],
        "then", [], [value("t", FLOAT, None), value("t2", FLOAT, None)],
    )
    else_branch = helper.make_graph(
        [helper.make_node("Mul", ["x", "x"], ["e"]), helper.make_node("Add", ["y", "y"], ["e2"])],
        "else", [], [value("e", FLOAT, None), value("e2", FLOAT, None)],
    )
    library = compile_graph(
        tmp_path,
        [helper.make_node("If", ["c"], ["o", "o2"], then_branch=then_branch, else_branch=else_branch), helper.make_node("Neg", ["o"], ["z"])],
        [value("c", BOOL, []), value("x", FLOAT, ["n", 3]), value("y", FLOAT, ["m", 3])],
        [value("z", FLOAT, ["k", 3]), value("o2", FLOAT, ["q", 3])],
    )
    x, y = np.arange(6, dtype=np.float32).reshape(2, 3), np.ones((4, 3), np.float32)
    with Model(library) as model, model.session() as session:
        yes = session.run({"c": np.array(True), "x": x, "y": y})
        np.testing.assert_array_equal(yes["z"], -np.concatenate([x, y]))
        np.testing.assert_array_equal(yes["o2"], y)
        no = session.run({"c": np.array(False), "x": x, "y": y})
        np.testing.assert_array_equal(no["z"], -x * x)
        np.testing.assert_array_equal(no["o2"], y + y)


@pytest.mark.parametrize(("trips", "limit", "iterations"), [(5, 100, 5), (30, 100, 30), (30, 7, 8), (0, 3, 0)])
def test_loop_grows_what_it_carries(tmp_path, trips, limit, iterations):
    """A carried value that grows, one that is handed through, outputs that are stacked, and an early exit."""
    body = helper.make_graph(
        [
            helper.make_node("Concat", ["a", "s"], ["a2"], axis=0),
            helper.make_node("Add", ["b", "w"], ["b2"]),
            helper.make_node("Less", ["i", "limit"], ["go_on"]),
            helper.make_node("Mul", ["b2", "w"], ["scaled"]),
        ],
        "body",
        [value("i", INT64, []), value("go", BOOL, []), value("a", FLOAT, None), value("b", FLOAT, [2]), value("s", FLOAT, [1])],
        [value("go_on", BOOL, []), value("a2", FLOAT, None), value("b2", FLOAT, [2]), value("s", FLOAT, [1]), value("scaled", FLOAT, [2]), value("i", INT64, [])],
    )
    library = compile_graph(
        tmp_path,
        [helper.make_node("Loop", ["trips", "go0", "a0", "b0", "s0"], ["a_out", "b_out", "s_out", "stack", "numbers"], body=body)],
        [value("trips", INT64, []), value("go0", BOOL, []), value("a0", FLOAT, ["n"]), value("b0", FLOAT, [2]), value("s0", FLOAT, [1]), value("w", FLOAT, [2]), value("limit", INT64, [])],
        [value("a_out", FLOAT, ["k"]), value("b_out", FLOAT, [2]), value("s_out", FLOAT, [1]), value("stack", FLOAT, ["t", 2]), value("numbers", INT64, ["t"])],
    )
    w, b = np.array([0.5, -1], np.float32), np.array([5, 6], np.float32)
    with Model(library) as model, model.session() as session:
        result = session.run({
            "trips": np.array(trips), "go0": np.array(True), "a0": np.array([1, 2, 3], np.float32), "b0": b,
            "s0": np.array([9], np.float32), "w": w, "limit": np.array(limit),
        })  # fmt: skip
    np.testing.assert_array_equal(result["a_out"], [1, 2, 3] + [9] * iterations)
    np.testing.assert_array_equal(result["b_out"], b + iterations * w)
    np.testing.assert_array_equal(result["s_out"], [9])
    np.testing.assert_array_equal(result["numbers"], np.arange(iterations))
    assert result["stack"].shape == (iterations, 2)
    np.testing.assert_array_equal(result["stack"], np.reshape([(b + (i + 1) * w) * w for i in range(iterations)], (-1, 2)))
