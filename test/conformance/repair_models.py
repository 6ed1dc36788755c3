"""Repairs the models of the bad corpus: of each file, the one thing that is wrong with it.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

REPAIRS: dict[str, Callable] = {}
ONES = np.ones((2, 2), np.float32)


def repairs(*names: str):
    """Registers a repair of a parsed model for the files of these names."""

    def register(function):
        for name in names:
            REPAIRS[name] = function
        return function

    return register


def relu_graph() -> onnx.GraphProto:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 2]) for name in "xy"]
    return helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", values[:1], values[1:])


def set_tensor(tensor: onnx.TensorProto, array: np.ndarray) -> None:
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def set_input(model: onnx.ModelProto, index: int, shape: list[int], kind: int = TensorProto.FLOAT) -> None:
    value = model.graph.input[index]
    value.CopyFrom(helper.make_tensor_value_info(value.name, kind, shape))


def attribute(node: onnx.NodeProto, name: str) -> onnx.AttributeProto:
    return next(a for a in node.attribute if a.name == name)


# Files that cannot be parsed

# The field opset_import of a model: version 17 of the default domain.
OPSET = b"\x42\x04\x0a\x00\x10\x11"


def repair_bytes(name: str, data: bytes) -> bytes:
    """Makes a parsable file of one whose encoding is broken."""
    if name == "truncated_proto":
        # The last byte of the graph, a dimension, then the operator set.
        return data + b"\x02" + OPSET
    if name == "len_prefix_overflow":
        # The IR version stays; the field whose length was wrong gets a graph of the length it says.
        graph = relu_graph().SerializeToString()
        return data[:3] + bytes([len(graph)]) + graph + OPSET
    return data


@repairs("truncated_proto", "len_prefix_overflow")
def parsed_is_enough(model: onnx.ModelProto) -> None:
    del model


# Models


@repairs("empty_file")
def fill_file(model: onnx.ModelProto) -> None:
    set_ir_version(model)
    set_opset(model)
    set_graph(model)


@repairs("no_graph")
def set_graph(model: onnx.ModelProto) -> None:
    model.graph.CopyFrom(relu_graph())


@repairs("no_ir_version")
def set_ir_version(model: onnx.ModelProto) -> None:
    model.ir_version = 8


@repairs("no_opset_import", "future_opset", "opset_zero_neg")
def set_opset(model: onnx.ModelProto) -> None:
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", 17))


# Graphs


@repairs("cycle_two_nodes", "self_loop", "undefined_input")
def read_input(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[1] = "x"


@repairs("not_topo_sorted")
def sort_nodes(model: onnx.ModelProto) -> None:
    nodes = list(model.graph.node)[::-1]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


@repairs("dup_value_name")
def rename_value(model: onnx.ModelProto) -> None:
    first, second = model.graph.node
    first.output[0] = second.input[0] = "t"


@repairs("dup_initializer")
def drop_initializer(model: onnx.ModelProto) -> None:
    del model.graph.initializer[1]


@repairs("undefined_graph_output")
def define_output(model: onnx.ModelProto) -> None:
    model.graph.node[0].output[0] = "y"


@repairs("empty_graph_output_name")
def name_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "y"


@repairs("input_neg_dim", "input_huge_dim", "input_no_type")
def type_input(model: onnx.ModelProto) -> None:
    set_input(model, 0, [2, 2])


# Operators


@repairs("unknown_op", "unknown_domain", "unknown_domain_declared")
def use_known_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "Relu"
    model.graph.node[0].domain = ""


@repairs("too_few_inputs")
def add_weight(model: onnx.ModelProto) -> None:
    set_input(model, 0, [1, 1, 2, 2])
    model.graph.node[0].input.append("w")
    model.graph.initializer.append(numpy_helper.from_array(np.ones((1, 1, 1, 1), np.float32), "w"))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 2, 2]))


@repairs("too_many_outputs")
def drop_outputs(model: onnx.ModelProto) -> None:
    del model.graph.node[0].output[1:]


@repairs("conv_rank_mismatch")
def shape_weight(model: onnx.ModelProto) -> None:
    set_input(model, 1, [4, 6, 1, 1])
    set_input(model, 2, [4])


@repairs("gemm_scalar_B")
def shape_factor(model: onnx.ModelProto) -> None:
    set_input(model, 1, [2, 1])


@repairs("axis_out_of_range")
def last_axis(model: onnx.ModelProto) -> None:
    attribute(model.graph.node[0], "axis").i = 1


@repairs("axis_neg_out_of_range")
def last_axis_from_behind(model: onnx.ModelProto) -> None:
    attribute(model.graph.node[0], "axis").i = -1


@repairs("perm_invalid")
def permute(model: onnx.ModelProto) -> None:
    attribute(model.graph.node[0], "perm").ints[:] = [1, 0]


@repairs("reshape_two_minus_ones")
def one_minus_one(model: onnx.ModelProto) -> None:
    set_tensor(model.graph.initializer[0], np.array([-1, 2], np.int64))


@repairs("reshape_count_mismatch")
def same_count(model: onnx.ModelProto) -> None:
    set_tensor(model.graph.initializer[0], np.array([1, 4], np.int64))


@repairs("gather_oob_const")
def index_inside(model: onnx.ModelProto) -> None:
    set_tensor(model.graph.initializer[1], np.array([3], np.int64))


@repairs("div_by_zero_const_fold")
def divide_by_two(model: onnx.ModelProto) -> None:
    set_tensor(model.graph.initializer[1], np.array([2], np.int64))


@repairs("range_delta_zero")
def step(model: onnx.ModelProto) -> None:
    set_tensor(model.graph.initializer[2], np.array(1, np.int64))


@repairs("type_mismatch")
def same_type(model: onnx.ModelProto) -> None:
    set_input(model, 1, [2, 2])


@repairs("loop_no_body")
def add_body(model: onnx.ModelProto) -> None:
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Cast", ["i"], ["scan"], to=TensorProto.FLOAT)],
        "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []), helper.make_tensor_value_info("go", TensorProto.BOOL, [])],
        [helper.make_tensor_value_info("go_on", TensorProto.BOOL, []), helper.make_tensor_value_info("scan", TensorProto.FLOAT, [])],
    )
    model.graph.node[0].attribute.append(helper.make_attribute("body", body))


@repairs("nbits_bad_B_shape")
def all_blocks(model: onnx.ModelProto) -> None:
    set_tensor(model.graph.initializer[0], np.zeros((8, 2, 16), np.uint8))


@repairs("real_nncf_int4_sym_gather", "real_nncf_int4_asym_gather")
def block_along_columns(model: onnx.ModelProto) -> None:
    node = next(n for n in model.graph.node if n.op_type == "DequantizeLinear" and "embed_tokens" in n.name)
    attribute(node, "axis").i = 1


# Tensors


@repairs("raw_data_short", "raw_data_long", "negative_dim", "dims_overflow", "unknown_dtype", "undefined_dtype")
def whole_tensor(model: onnx.ModelProto) -> None:
    set_tensor(model.graph.initializer[0], ONES)


@repairs("int4_short")
def whole_packed_tensor(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].raw_data = bytes(3)


@repairs(
    "ext_traversal",
    "ext_traversal_nested",
    "ext_absolute",
    "ext_missing_file",
    "ext_offset_past_eof",
    "ext_length_short",
    "ext_len_past_eof",
    "ext_offset_negative",
    "ext_offset_nan",
    "ext_no_location",
    "ext_unknown_keys",
)
def external_file(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    del tensor.external_data[:]
    for key, value in (("location", "w.bin"), ("offset", "0"), ("length", "16")):
        tensor.external_data.add(key=key, value=value)


# Functions


@repairs("fn_self_recursion", "fn_mutual_recursion")
def end_recursion(model: onnx.ModelProto) -> None:
    node = model.functions[-1].node[0]
    node.op_type, node.domain = "Relu", ""


@repairs("fn_duplicate")
def drop_function(model: onnx.ModelProto) -> None:
    del model.functions[1]


@repairs("deep_subgraph_31")
def nothing(model: onnx.ModelProto) -> None:
    """Deep, but valid as it is."""
    del model


def repair(source: Path, target: Path) -> Path:
    """Writes the repaired twin of the model in `source` to the folder `target`."""
    name = source.name
    data = repair_bytes(name, (source / "model.onnx").read_bytes())
    model = onnx.load_model_from_string(data)
    REPAIRS[name](model)
    target.mkdir(parents=True)
    (target / "model.onnx").write_bytes(model.SerializeToString())
    if any(tensor.external_data for tensor in model.graph.initializer):
        (target / "w.bin").write_bytes(ONES.tobytes())
    return target / "model.onnx"
