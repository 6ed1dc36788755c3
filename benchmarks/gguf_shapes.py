"""GGUF files of the shapes of scripts/models/shapes.py with random weights, for llama.cpp.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

from pathlib import Path

import cache
import gguf
import numpy as np
from shapes import SHAPES


def write(path: Path, name: str, kind: str) -> None:
    """A llama of the shape, its matrices in `kind` (Q8_0 or Q4_0)."""
    shape, quantization = SHAPES[name], gguf.GGMLQuantizationType[kind]
    head = shape.head_dim
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(shape.positions)
    writer.add_embedding_length(shape.hidden)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(head)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_tokenizer_model("no_vocab")
    random, made = np.random.default_rng(0), {}

    def matrix(tensor: str, rows: int, columns: int) -> None:
        # Speed does not depend on the values: matrices of one size are equal.
        if (rows, columns) not in made:
            values = random.standard_normal((rows, columns), np.float32) / np.sqrt(columns)
            made[rows, columns] = gguf.quants.quantize(values, quantization)
        writer.add_tensor(tensor, made[rows, columns], raw_dtype=quantization)

    def norm(tensor: str) -> None:
        writer.add_tensor(tensor, np.ones(shape.hidden, np.float32))

    matrix("token_embd.weight", shape.vocabulary, shape.hidden)
    matrix("output.weight", shape.vocabulary, shape.hidden)
    norm("output_norm.weight")
    for layer in range(shape.layers):
        prefix = f"blk.{layer}."
        norm(prefix + "attn_norm.weight")
        norm(prefix + "ffn_norm.weight")
        for part, rows, columns in (
            ("attn_q", shape.hidden, shape.hidden),
            ("attn_k", shape.kv_heads * head, shape.hidden),
            ("attn_v", shape.kv_heads * head, shape.hidden),
            ("attn_output", shape.hidden, shape.hidden),
            ("ffn_gate", shape.ffn, shape.hidden),
            ("ffn_up", shape.ffn, shape.hidden),
            ("ffn_down", shape.hidden, shape.ffn),
        ):
            matrix(f"{prefix}{part}.weight", rows, columns)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def model(name: str, kind: str) -> Path:
    def fill(directory: Path) -> None:
        write(directory / "model.gguf", name, kind)

    return cache.make_once(cache.root() / f"models/shapes/{name}-gguf-{kind.lower()}", fill) / "model.gguf"
