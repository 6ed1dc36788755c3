"""ONNX Runtime's own GPTQ on a decoder, and the perplexity of what it makes of it.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import math
from pathlib import Path

import feeds
import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader
from onnxruntime.quantization.matmul_nbits_quantizer import GPTQWeightOnlyQuantConfig, MatMulNBitsQuantizer


class Reader(CalibrationDataReader):
    """Samples as the feeds of a decoder without a past."""

    def __init__(self, samples: np.ndarray, past: feeds.Tensors):
        self.feeds = iter([feed_of(sample, past) for sample in samples])

    def get_next(self) -> feeds.Tensors | None:
        return next(self.feeds, None)


def feed_of(tokens: np.ndarray, past: feeds.Tensors) -> feeds.Tensors:
    ids = tokens[None].astype(np.int64)
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), **past}


def past_of(model: onnx.ModelProto, head_dim: int) -> feeds.Tensors:
    shapes = {value.name: value.type.tensor_type.shape.dim for value in model.graph.input}
    key = next(dims for name, dims in shapes.items() if name.startswith("past_key_values"))
    return feeds.empty_past(list(shapes), 1, key[1].dim_value, head_dim)


def quantize(model: Path, samples: np.ndarray, group: int, head_dim: int, output: Path) -> None:
    """Symmetric int4 with a scale per group, of all products but the head: GPTQ rounds it whatever it is told, so it is put back."""
    loaded = onnx.load(model)
    head = next(node for node in loaded.graph.node if "logits" in node.output)
    matrix = next(tensor for tensor in loaded.graph.initializer if tensor.name == head.input[1])
    config = GPTQWeightOnlyQuantConfig(Reader(samples, past_of(loaded, head_dim)))
    quantizer = MatMulNBitsQuantizer(onnx.load(model), block_size=group, is_symmetric=True, algo_config=config)
    quantizer.process()
    result = quantizer.model.model
    place = next(index for index, node in enumerate(result.graph.node) if "logits" in node.output)
    result.graph.node[place].CopyFrom(head)
    if matrix.name not in {tensor.name for tensor in result.graph.initializer}:
        result.graph.initializer.append(matrix)
    onnx.save(result, output, save_as_external_data=True, location=f"{output.name}.data")


def perplexity(model: Path, windows: np.ndarray, head_dim: int, threads: int) -> float:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    past = past_of(onnx.load(model, load_external_data=False), head_dim)
    total = 0.0
    for window in windows:
        logits = session.run(["logits"], feed_of(window, past))[0][0, :-1].astype(np.float64)
        largest = logits.max(axis=1, keepdims=True)
        sums = np.log(np.exp(logits - largest).sum(axis=1)) + largest[:, 0]
        total += float((sums - logits[np.arange(len(logits)), window[1:]]).sum())
    return math.exp(total / (windows.shape[0] * (windows.shape[1] - 1)))
