"""Writes a decoder of one layer with random weights as an ONNX model in Protocol Buffers' text format.

usage: make_decoder.py DIRECTORY

Writes DIRECTORY/model.txt, for `protoc --encode=onnx.ModelProto`, and its weights to DIRECTORY/model.onnx.data. Needs no package.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import array
import math
import random
import sys
from pathlib import Path

HIDDEN, HEADS, KV_HEADS, HEAD_DIM, INNER, VOCABULARY, POSITIONS = 64, 4, 2, 16, 96, 128, 64
FLOAT, INT64, INT32 = 1, 7, 6


class Data:
    """The file of weights, and the initializers that refer to it."""

    def __init__(self) -> None:
        self.floats = array.array("f")
        self.text: list[str] = []

    def add(self, name: str, dims: tuple[int, ...], values: list[float]) -> None:
        entries = {"location": "model.onnx.data", "offset": len(self.floats) * 4, "length": len(values) * 4}
        external = "".join(f'external_data {{ key: "{key}" value: "{value}" }} ' for key, value in entries.items())
        sizes = "".join(f"dims: {dim} " for dim in dims)
        self.text.append(f'initializer {{ name: "{name}" data_type: {FLOAT} {sizes}data_location: EXTERNAL {external}}}')
        self.floats.extend(values)

    def add_random(self, name: str, *dims: int) -> None:
        generator = random.Random(name)
        self.add(name, dims, [generator.gauss(0, 1 / math.sqrt(dims[0])) for _ in range(math.prod(dims))])


def node(op: str, name: str, inputs: list[str], outputs: list[str], domain: str = "", **attributes: int | float | list[int]) -> str:
    text = f'node {{ op_type: "{op}" name: "{name}" domain: "{domain}" '
    text += "".join(f'input: "{value}" ' for value in inputs) + "".join(f'output: "{value}" ' for value in outputs)
    for key, value in attributes.items():
        if isinstance(value, list):
            text += f'attribute {{ name: "{key}" type: INTS ' + "".join(f"ints: {entry} " for entry in value) + "} "
        elif isinstance(value, int):
            text += f'attribute {{ name: "{key}" type: INT i: {value} }} '
        else:
            text += f'attribute {{ name: "{key}" type: FLOAT f: {value} }} '
    return text + "}"


def value(kind: str, name: str, element: int, *dims: str | int) -> str:
    shape = "".join(f'dim {{ dim_param: "{dim}" }} ' if isinstance(dim, str) else f"dim {{ dim_value: {dim} }} " for dim in dims)
    return f'{kind} {{ name: "{name}" type {{ tensor_type {{ elem_type: {element} shape {{ {shape}}} }} }} }}'


def signature() -> list[str]:
    cache = ("batch", KV_HEADS)
    return [
        value("input", "input_ids", INT64, "batch", "sequence"),
        value("input", "attention_mask", INT64, "batch", "total"),
        value("input", "past_key_values.0.key", FLOAT, *cache, "past", HEAD_DIM),
        value("input", "past_key_values.0.value", FLOAT, *cache, "past", HEAD_DIM),
        value("output", "logits", FLOAT, "batch", "sequence", VOCABULARY),
        value("output", "present.0.key", FLOAT, *cache, "total", HEAD_DIM),
        value("output", "present.0.value", FLOAT, *cache, "total", HEAD_DIM),
    ]


def lengths() -> list[str]:
    """The inputs of GroupQueryAttention that say how long the rows are."""
    return [
        f'initializer {{ name: "one" data_type: {INT64} dims: 1 int64_data: 1 }}',
        f'initializer {{ name: "index" data_type: {INT64} int64_data: 1 }}',
        node("ReduceSum", "/mask/ReduceSum", ["attention_mask", "one"], ["sum"], keepdims=0),
        node("Sub", "/mask/Sub", ["sum", "one"], ["last"]),
        node("Cast", "/mask/last/Cast", ["last"], ["seqlens"], to=INT32),
        node("Shape", "/mask/Shape", ["attention_mask"], ["shape"]),
        node("Gather", "/mask/Gather", ["shape", "index"], ["width"], axis=0),
        node("Cast", "/mask/width/Cast", ["width"], ["total"], to=INT32),
    ]


def block() -> list[str]:
    inputs = ["qkv", "", "", "past_key_values.0.key", "past_key_values.0.value", "seqlens", "total", "cos", "sin"]
    geometry = {"num_heads": HEADS, "kv_num_heads": KV_HEADS, "scale": 0.25, "do_rotary": 1}
    return [
        node("Gather", "/embed/Gather", ["embedding", "input_ids"], ["x0"]),
        node("SimplifiedLayerNormalization", "/norm0", ["x0", "norm0.weight"], ["n0"], epsilon=1e-6, axis=-1, stash_type=1),
        node("MatMul", "/attn/qkv/MatMul", ["n0", "qkv.weight"], ["qkv"]),
        node("GroupQueryAttention", "/attn", inputs, ["a", "present.0.key", "present.0.value"], "com.microsoft", **geometry),
        node("MatMul", "/attn/o/MatMul", ["a", "o.weight"], ["o"]),
        node("SkipSimplifiedLayerNormalization", "/norm1", ["x0", "o", "norm1.weight"], ["n1", "", "", "x1"], "com.microsoft", epsilon=1e-6),
        node("MatMul", "/mlp/gate/MatMul", ["n1", "gate.weight"], ["g"]),
        node("MatMul", "/mlp/up/MatMul", ["n1", "up.weight"], ["u"]),
        node("Sigmoid", "/mlp/Sigmoid", ["g"], ["s"]),
        node("Mul", "/mlp/silu/Mul", ["g", "s"], ["silu"]),
        node("Mul", "/mlp/Mul", ["silu", "u"], ["h"]),
        node("MatMul", "/mlp/down/MatMul", ["h", "down.weight"], ["d"]),
        node("SkipSimplifiedLayerNormalization", "/norm2", ["x1", "d", "norm2.weight"], ["n2"], "com.microsoft", epsilon=1e-6),
        node("MatMul", "/head/MatMul", ["n2", "head.weight"], ["logits"]),
    ]


def weights() -> Data:
    data = Data()
    data.add_random("embedding", VOCABULARY, HIDDEN)
    data.add_random("qkv.weight", HIDDEN, (HEADS + 2 * KV_HEADS) * HEAD_DIM)
    data.add_random("o.weight", HEADS * HEAD_DIM, HIDDEN)
    data.add_random("gate.weight", HIDDEN, INNER)
    data.add_random("up.weight", HIDDEN, INNER)
    data.add_random("down.weight", INNER, HIDDEN)
    data.add_random("head.weight", HIDDEN, VOCABULARY)
    for name in ("norm0.weight", "norm1.weight", "norm2.weight"):
        data.add(name, (HIDDEN,), [1.0] * HIDDEN)
    for name, function in (("cos", math.cos), ("sin", math.sin)):
        angles = [p * 10000 ** (-2 * i / HEAD_DIM) for p in range(POSITIONS) for i in range(HEAD_DIM // 2)]
        data.add(name, (POSITIONS, HEAD_DIM // 2), [function(angle) for angle in angles])
    return data


def main() -> None:
    directory, data = Path(sys.argv[1]), weights()
    directory.mkdir(parents=True, exist_ok=True)
    graph = "\n".join(data.text + lengths() + block() + signature())
    opsets = 'opset_import { version: 22 } opset_import { domain: "com.microsoft" version: 1 }'
    (directory / "model.txt").write_text(f'ir_version: 10\n{opsets}\ngraph {{ name: "decoder"\n{graph}\n}}\n')
    (directory / "model.onnx.data").write_bytes(data.floats.tobytes())


if __name__ == "__main__":
    main()
