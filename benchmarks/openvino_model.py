"""Converts an ONNX model to OpenVINO's form, compressed by NNCF.

usage: openvino_model.py MODEL.onnx MODEL.xml f32|int8|int4|static

int8 and int4 compress weights (int4 in groups of 64 with int8 for the embedding and the head, as NNCF has it); static quantizes weights and activations
of an encoder.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import sys

import nncf
import numpy as np
import openvino as ov


def samples():
    random = np.random.default_rng(0)
    for _ in range(32):
        ids = random.integers(1000, 30000, (1, 128), dtype=np.int64)
        yield {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


def main() -> None:
    source, target, mode = sys.argv[1:]
    model = ov.Core().read_model(source)
    if mode == "int8":
        model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)
    elif mode == "int4":
        model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT4_SYM, group_size=64)
    elif mode == "static":
        model = nncf.quantize(model, nncf.Dataset(list(samples())), model_type=nncf.ModelType.TRANSFORMER, subset_size=32)
    ov.save_model(model, target, compress_to_fp16=False)


if __name__ == "__main__":
    main()
