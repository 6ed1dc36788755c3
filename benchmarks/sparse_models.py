"""Whole models for benchmarks/sparse: decoding with sparse weights against dense ones and llama.cpp.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

from functools import partial

import gguf_shapes
import judge
import library
import parts
import peers
import support
from judge import Report, Row
from rounds import Engine, Pair

SHAPE = "tinyllama-1.1b"
DECODE = "decode 32 32"
FLAGS = ("-quant=int8", "-max-seq=1024")
SPARSE_FLAGS = (*FLAGS, "-sparsity=0.6", "-sparsity-method=magnitude")


def tinyllama(report: Report, options) -> None:
    """decode of the TinyLlama-1.1B shape, int8 at 60 % zeros, against dense int8 and llama.cpp"""
    shape = partial(support.get_shape, SHAPE)
    makers = {
        "int8 60 %": partial(parts.ours, shape, "tinyllama-int8-60", *SPARSE_FLAGS),
        "int8": partial(parts.ours, shape, "tinyllama-int8", *FLAGS),
        "llama.cpp Q8_0": lambda: Engine("llama.cpp", gguf_shapes.model(SHAPE, "Q8_0"), peers.llama_python()),
        "llama.cpp Q4_0": lambda: Engine("llama.cpp", gguf_shapes.model(SHAPE, "Q4_0"), peers.llama_python()),
    }
    engines = parts.gather(report, makers) | parts.MACHINE
    ours = Pair("int8 60 %", DECODE)
    rows = [
        Row("decode int8 60 % / dense int8", ours, (Pair("int8", DECODE),), 1.6),
        Row("decode int8 60 % / Q8_0", ours, (Pair("llama.cpp Q8_0", DECODE),), 2.1),
        Row("decode int8 60 % / Q4_0", ours, (Pair("llama.cpp Q4_0", DECODE),), 1.3),
    ]
    if "int8" in engines:
        work = library.bytes_per_token(engines["int8"].model, 48)
        rows.append(Row("share of bandwidth, int8", Pair("int8", DECODE), (Pair("machine", "read"),), 0.85, work))
    if "int8 60 %" in engines:
        work = library.bytes_per_token(engines["int8 60 %"].model, 48)
        rows.append(Row("share of bandwidth, int8 60 %", ours, (Pair("machine", "read"),), None, work))
    judge.measure(report, engines, rows, options.rounds or 9, options.threads)
