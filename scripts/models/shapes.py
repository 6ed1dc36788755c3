"""Decoders with the sizes of known models and random weights: for speed, where weights cannot be had.

Written without PyTorch, tensor by tensor, in the form of the onnxruntime-genai builder: MatMul, GroupQueryAttention, norms. The seed is fixed, so
that the same name is the same model everywhere.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

ROWS_AT_ONCE = 1 << 12
ALIGNMENT = 4096


@dataclass(frozen=True)
class Shape:
    """Sizes of a decoder. `family` is llama (RMS norm, rotary embedding, SwiGLU, an own head) or opt (layer norm, learned positions from row 2 on, ReLU,
    biases, the embedding as head)."""

    family: str
    hidden: int
    ffn: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int
    positions: int

    @property
    def head_dim(self) -> int:
        return self.hidden // self.heads


SHAPES = {
    "tinyllama-1.1b": Shape("llama", 2048, 5632, 22, 32, 4, 32000, 2048),
    "opt-1.3b": Shape("opt", 2048, 8192, 24, 32, 32, 50272, 2048),
    "llama-tiny": Shape("llama", 64, 160, 2, 4, 2, 512, 256),
    "opt-tiny": Shape("opt", 64, 160, 2, 4, 4, 512, 256),
}
POSITION_OFFSET = 2  # the learned positions of OPT begin in this row of their table


class Writer:
    """Collects nodes; tensors go straight to model.onnx.data."""

    def __init__(self, shape: Shape, directory: Path):
        self.shape, self.directory = shape, directory
        self.random = np.random.default_rng(0)
        # Logits of two random layers must differ clearly.
        self.deviation = 0.2 if shape.hidden < 256 else 0.02
        self.nodes, self.tensors = [], []
        self.data = open(directory / "model.onnx.data", "wb")

    def node(self, operator: str, inputs: list[str], output: str, domain: str = "", more: tuple[str, ...] = (), **attributes) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output, *more], name=output, domain=domain, **attributes))
        return output

    def external(self, name: str, dims: tuple[int, ...], blocks) -> str:
        self.data.write(bytes(-self.data.tell() % ALIGNMENT))
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=dims, data_location=TensorProto.EXTERNAL)
        offset = self.data.tell()
        for block in blocks:
            self.data.write(np.ascontiguousarray(block, np.float32).data)
        for key, value in (("location", "model.onnx.data"), ("offset", offset), ("length", self.data.tell() - offset)):
            tensor.external_data.add(key=key, value=str(value))
        self.tensors.append(tensor)
        return name

    def weight(self, name: str, rows: int, columns: int) -> str:
        def blocks():
            for first in range(0, rows, ROWS_AT_ONCE):
                block = self.random.standard_normal((min(ROWS_AT_ONCE, rows - first), columns), np.float32)
                yield block * np.float32(self.deviation)

        return self.external(name, (rows, columns), blocks())

    def vector(self, name: str, length: int, mean: float) -> str:
        return self.external(name, (length,), [mean + 0.02 * self.random.standard_normal(length, np.float32)])

    def constant(self, name: str, value) -> str:
        self.tensors.append(onnx.numpy_helper.from_array(np.asarray(value, np.int64), name))
        return name

    def linear(self, value: str, name: str, inputs: int, outputs: int) -> str:
        """With a bias where the family has it; the weight is [inputs, outputs], as MatMul wants it."""
        product = self.node("MatMul", [value, self.weight(f"{name}.MatMul.weight", inputs, outputs)], f"{name}/MatMul")
        if self.shape.family != "opt":
            return product
        return self.node("Add", [product, self.vector(f"{name}.bias", outputs, 0)], f"{name}/Add")

    def norm(self, value: str, name: str) -> str:
        gamma = self.vector(f"{name}.weight", self.shape.hidden, 1)
        if self.shape.family == "opt":
            return self.node("LayerNormalization", [value, gamma, self.vector(f"{name}.bias", self.shape.hidden, 0)], name, axis=-1, epsilon=1e-5)
        return self.node("SimplifiedLayerNormalization", [value, gamma], name, axis=-1, epsilon=1e-5, stash_type=1)

    def lengths(self) -> list[str]:
        """seqlens_k and total_sequence_length, from the attention mask."""
        one, last = self.constant("one", [1]), self.constant("second", 1)
        kept = self.node("Sub", [self.node("ReduceSum", ["attention_mask", one], "kept", keepdims=0), one], "kept_past")
        total = self.node("Gather", [self.node("Shape", ["attention_mask"], "mask_shape"), last], "total", axis=0)
        return [self.node("Cast", [name], f"{name}_32", to=TensorProto.INT32) for name in (kept, total)]

    def rotary_caches(self) -> list[str]:
        if self.shape.family != "llama":
            return []
        half = self.shape.head_dim // 2
        angles = np.arange(self.shape.positions)[:, None] * 10000.0 ** (-np.arange(half) / half)
        return [self.external(name, angles.shape, [function(angles)]) for name, function in (("cos_cache", np.cos), ("sin_cache", np.sin))]

    def attention(self, value: str, layer: int, lengths: list[str], caches: list[str]) -> str:
        shape, name = self.shape, f"model.layers.{layer}.attn"
        width = shape.head_dim * (shape.heads + 2 * shape.kv_heads)
        qkv = self.linear(value, f"{name}.qkv_proj", shape.hidden, width)
        past = [f"past_key_values.{layer}.{part}" for part in ("key", "value")]
        attributes = {"num_heads": shape.heads, "kv_num_heads": shape.kv_heads, "scale": shape.head_dim**-0.5, "do_rotary": int(bool(caches))}
        present = tuple(f"present.{layer}.{part}" for part in ("key", "value"))
        inputs = [qkv, "", "", *past, *lengths, *caches]
        mixed = self.node("GroupQueryAttention", inputs, f"{name}/GroupQueryAttention", "com.microsoft", present, **attributes)
        return self.linear(mixed, f"{name}.o_proj", shape.hidden, shape.hidden)

    def feed_forward(self, value: str, layer: int) -> str:
        shape, name = self.shape, f"model.layers.{layer}.mlp"
        if shape.family == "opt":
            inner = self.node("Relu", [self.linear(value, f"{name}.up_proj", shape.hidden, shape.ffn)], f"{name}/Relu")
        else:
            gate = self.linear(value, f"{name}.gate_proj", shape.hidden, shape.ffn)
            up = self.linear(value, f"{name}.up_proj", shape.hidden, shape.ffn)
            silu = self.node("Mul", [gate, self.node("Sigmoid", [gate], f"{name}/Sigmoid")], f"{name}/silu")
            inner = self.node("Mul", [silu, up], f"{name}/Mul")
        return self.linear(inner, f"{name}.down_proj", shape.ffn, shape.hidden)

    def embedding(self) -> str:
        shape = self.shape
        if shape.family != "opt":
            return self.node("Gather", [self.weight("model.embed_tokens.weight", shape.vocabulary, shape.hidden), "input_ids"], "embedded")
        head = self.weight("lm_head.MatMul.weight", shape.hidden, shape.vocabulary)
        table = self.node("Transpose", [head], "model.embed_tokens/Transpose", perm=[1, 0])
        positions = self.weight("model.embed_positions.weight", shape.positions + POSITION_OFFSET, shape.hidden)
        row = self.node("Add", ["position_ids", self.constant("position_offset", POSITION_OFFSET)], "position_row")
        terms = [self.node("Gather", [table, "input_ids"], "embedded_tokens"), self.node("Gather", [positions, row], "embedded_positions")]
        return self.node("Add", terms, "embedded")

    def body(self) -> None:
        shape = self.shape
        lengths, caches, hidden = self.lengths(), self.rotary_caches(), self.embedding()
        for layer in range(shape.layers):
            for part, name in ((lambda x: self.attention(x, layer, lengths, caches), "attn"), (lambda x: self.feed_forward(x, layer), "mlp")):
                change = part(self.norm(hidden, f"model.layers.{layer}.{name}_norm"))
                hidden = self.node("Add", [hidden, change], f"model.layers.{layer}.{name}/residual")
        hidden = self.norm(hidden, "model.final_norm")
        if shape.family == "llama":
            self.weight("lm_head.MatMul.weight", shape.hidden, shape.vocabulary)
        self.node("MatMul", [hidden, "lm_head.MatMul.weight"], "logits")

    def values(self) -> tuple[list, list]:
        def cache(kind: str, tokens: str):
            dims = ["batch_size", self.shape.kv_heads, tokens, self.shape.head_dim]
            pairs = [f"{kind}.{layer}.{part}" for layer in range(self.shape.layers) for part in ("key", "value")]
            return [helper.make_tensor_value_info(pair, TensorProto.FLOAT, dims) for pair in pairs]

        integers = {"input_ids": "sequence_length", "attention_mask": "total_sequence_length"}
        if self.shape.family == "opt":
            integers["position_ids"] = "sequence_length"
        inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch_size", dim]) for name, dim in integers.items()]
        logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch_size", "sequence_length", self.shape.vocabulary])
        return inputs + cache("past_key_values", "past_sequence_length"), [logits, *cache("present", "total_sequence_length")]

    def finish(self) -> None:
        self.body()
        self.data.close()
        inputs, outputs = self.values()
        graph = helper.make_graph(self.nodes, "decoder", inputs, outputs, self.tensors)
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="llmopt get-model")
        (self.directory / "model.onnx").write_bytes(model.SerializeToString())


def write_shape(name: str, directory: Path) -> None:
    Writer(SHAPES[name], directory).finish()


#
# The same model in PyTorch
#


def config_of(shape: Shape):
    import transformers

    common = {
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "max_position_embeddings": shape.positions,
        # Generation must not end early.
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": 1,
    }
    if shape.family == "opt":
        return transformers.OPTConfig(ffn_dim=shape.ffn, word_embed_proj_dim=shape.hidden, dropout=0.0, **common)
    return transformers.LlamaConfig(
        intermediate_size=shape.ffn, num_key_value_heads=shape.kv_heads, rms_norm_eps=1e-5, tie_word_embeddings=False, **common
    )


def parameter_names(shape: Shape) -> dict[str, str]:
    """Names in PyTorch by names in the ONNX file; {0} is the number of a layer. Query, key and value are separate there."""
    if shape.family == "llama":
        names = {"attn.o_proj": "self_attn.o_proj", "mlp.gate_proj": "mlp.gate_proj", "mlp.up_proj": "mlp.up_proj", "mlp.down_proj": "mlp.down_proj"}
        names |= {"attn_norm": "input_layernorm", "mlp_norm": "post_attention_layernorm"}
        return {"model.embed_tokens": "model.embed_tokens", "model.final_norm": "model.norm", **_in_layers("model.layers", names)}
    names = {"attn.o_proj": "self_attn.out_proj", "mlp.up_proj": "fc1", "mlp.down_proj": "fc2", "attn_norm": "self_attn_layer_norm", "mlp_norm": "final_layer_norm"}
    roots = {"model.embed_positions": "model.decoder.embed_positions", "model.final_norm": "model.decoder.final_layer_norm"}
    return {**roots, **_in_layers("model.decoder.layers", names)}


def _in_layers(prefix: str, names: dict[str, str]) -> dict[str, str]:
    return {f"model.layers.{{0}}.{own}": f"{prefix}.{{0}}.{theirs}" for own, theirs in names.items()}


def load_tensors(directory: Path) -> dict[str, np.ndarray]:
    """The tensors of model.onnx.data, mapped."""
    model = onnx.load(directory / "model.onnx", load_external_data=False)
    tensors = {}
    for tensor in model.graph.initializer:
        place = {entry.key: entry.value for entry in tensor.external_data}
        if place:
            tensors[tensor.name] = np.memmap(directory / place["location"], np.float32, "c", int(place["offset"]), tuple(tensor.dims))
    return tensors


def load_pytorch(name: str, directory: Path):
    """The model in PyTorch, float32, with the weights of the ONNX file."""
    import torch
    import transformers

    shape, tensors = SHAPES[name], load_tensors(directory)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config_of(shape), dtype=torch.float32, attn_implementation="sdpa")
    state = {}

    def put(target: str, array: np.ndarray) -> None:
        state[target] = torch.from_numpy(np.ascontiguousarray(array))

    attention = "model.layers.{0}.self_attn" if shape.family == "llama" else "model.decoder.layers.{0}.self_attn"
    for layer in range(shape.layers):
        for kind in ("MatMul.weight", "bias"):
            packed = tensors.get(f"model.layers.{layer}.attn.qkv_proj.{kind}")
            if packed is None:
                continue
            limits = np.cumsum([shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim])
            for part, array in zip("qkv", np.split(packed.T, limits)):
                put(f"{attention.format(layer)}.{part}_proj.{kind.split('.')[-1]}", array)
    for own, theirs in parameter_names(shape).items():
        for layer in range(shape.layers) if "{0}" in own else [0]:
            for kind in ("MatMul.weight", "weight", "bias"):
                array = tensors.get(f"{own.format(layer)}.{kind}")
                if array is not None:
                    put(f"{theirs.format(layer)}.{kind.split('.')[-1]}", array.T if kind == "MatMul.weight" else array)
    put("lm_head.weight", tensors["lm_head.MatMul.weight"].T)
    if shape.family == "opt":
        state["model.decoder.embed_tokens.weight"] = state["lm_head.weight"]
    _assign(model, state)
    return model.eval()


def _assign(model, state) -> None:
    """Puts the tensors in; what a model computes at its start (rotary frequencies) is computed again, outside of the meta device."""
    import torch

    missing, unexpected = model.load_state_dict(state, strict=False, assign=True)
    if missing or unexpected:
        raise RuntimeError(f"the model in PyTorch has other parameters: missing {missing}, unexpected {unexpected}")
    for owner in model.modules():
        if any(buffer.is_meta for buffer in owner.buffers(recurse=False)):
            fresh = type(owner)(config=model.config)
            for key, buffer in fresh.named_buffers(recurse=False):
                setattr(owner, key, buffer)
    model.tie_weights()
    if any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers())):
        raise RuntimeError("a parameter of the model in PyTorch has no value")
    torch.set_grad_enabled(False)


def make_shape(name: str, directory: Path) -> None:
    """Writes the model, after the same code has written a small one that agrees with PyTorch."""
    small = {"llama": "llama-tiny", "opt": "opt-tiny"}[SHAPES[name].family]
    with tempfile.TemporaryDirectory(dir=directory.parent) as scratch:
        write_shape(small, Path(scratch))
        verify(small, Path(scratch))
    write_shape(name, directory)


def verify(name: str, directory: Path) -> None:
    """ONNX Runtime and PyTorch on a prompt; above 1e-3 of max(1, |logit|) is an error."""
    import onnxruntime as ort
    import torch

    shape = SHAPES[name]
    ids = np.random.default_rng(1).integers(0, shape.vocabulary, (2, 9), dtype=np.int64)
    session = ort.InferenceSession(str(directory / "model.onnx"), providers=["CPUExecutionProvider"])
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "position_ids": np.tile(np.arange(9), (2, 1))}
    names = [value.name for value in session.get_inputs()]
    feed |= {key: np.zeros((2, shape.kv_heads, 0, shape.head_dim), np.float32) for key in names if key.startswith("past")}
    actual = session.run(["logits"], {key: feed[key] for key in names})[0]
    expected = load_pytorch(name, directory)(input_ids=torch.from_numpy(ids)).logits.numpy()
    worst = float((np.abs(actual - expected) / np.maximum(1, np.abs(expected))).max())
    if worst > 1e-3:
        raise RuntimeError(f"{name}: the ONNX file differs from the model in PyTorch by {worst}")
