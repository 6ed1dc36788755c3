"""The C interface of runtime/include/llmopt/Runtime.h in ctypes: structures and functions, nothing more.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import ctypes
import functools
from ctypes import POINTER, Structure, c_char_p, c_float, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

from llmopt import locate
from llmopt.errors import LlmoptError

MAX_RANK = 8
WANT_NONE, WANT_LAST, WANT_ALL = 0, 1, 2
KIND_GRAPH = 2
# numpy's names of the element types. What numpy has no type for comes as its bytes: bfloat16 as uint16, floats of 8 and
# 4 bits as uint8, integers of less than 8 bits as int8 and uint8.
ELEMENT_TYPES = {
    1: "float32", 2: "int64", 3: "int32", 4: "bool", 5: "int8", 6: "uint8", 7: "int16", 8: "uint16", 9: "uint32", 10: "uint64",
    11: "float16", 12: "uint16", 13: "float64", 14: "int8", 15: "uint8", 16: "int8", 17: "uint8",
    18: "uint8", 19: "uint8", 20: "uint8", 21: "uint8", 22: "uint8", 23: "uint8",
}  # fmt: skip
CONTEXT_FULL = 17
PADDING = {0: "none", 1: "left", 2: "right"}


class SizedStructure(Structure):
    """A structure whose first field is its own size."""

    def __init__(self, *values, **fields):
        super().__init__(*values, **fields)
        self.struct_size = ctypes.sizeof(self)


class OpenOptions(SizedStructure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("isa", c_char_p),
        ("threads", c_uint32),
        ("affinity", POINTER(c_uint32)),
        ("affinity_count", c_size_t),
        ("weights", c_int32),
        ("verify_weights", c_int32),
        ("memory_budget", c_uint64),
    ]


class TensorDescriptor(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("element_type", c_int32),
        ("role", c_int32),
        ("layer", c_int32),
        ("rank", c_int32),
        ("dims", c_int64 * MAX_RANK),
    ]


class ModelInfo(SizedStructure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("producer", c_char_p),
        ("name", c_char_p),
        ("cpu", c_char_p),
        ("isa", c_char_p),
        ("variant_reason", c_char_p),
        ("threads", c_uint32),
        ("layers", c_uint32),
        ("heads", c_uint32),
        ("kv_heads", c_uint32),
        ("head_dim", c_uint32),
        ("vocabulary", c_uint32),
        ("max_positions", c_uint32),
        ("max_sequence", c_uint32),
        ("max_batch", c_uint32),
        ("padding", c_int32),
        ("input_count", c_uint32),
        ("output_count", c_uint32),
        ("inputs", POINTER(TensorDescriptor)),
        ("outputs", POINTER(TensorDescriptor)),
        ("parameters", c_uint64),
        ("weights_bytes", c_uint64),
        ("file_bytes", c_uint64),
        ("descriptor", c_void_p),
        ("kind", c_int32),
        ("variant", c_void_p),
    ]


class SessionOptions(SizedStructure):
    _fields_ = [("struct_size", c_size_t), ("max_batch", c_uint32), ("max_sequence", c_uint32), ("max_rows", c_uint32)]


class Piece(Structure):
    _fields_ = [
        ("sequence", c_uint32),
        ("want", c_int32),
        ("tokens", POINTER(c_int32)),
        ("count", c_size_t),
        ("buffer", POINTER(c_float)),
        ("buffer_floats", c_size_t),
        ("logits", POINTER(c_float)),
        ("logit_rows", c_size_t),
    ]


class Tensor(Structure):
    _fields_ = [
        ("element_type", c_int32),
        ("rank", c_int32),
        ("dims", c_int64 * MAX_RANK),
        ("data", c_void_p),
        ("capacity", c_size_t),
    ]


Handle = c_void_p

# Functions that return a status, with their arguments.
CHECKED = {
    "llmopt_open": (c_char_p, POINTER(OpenOptions), POINTER(Handle)),
    "llmopt_verify_weights": (Handle,),
    "llmopt_session_create": (Handle, POINTER(SessionOptions), POINTER(Handle)),
    "llmopt_step": (Handle, POINTER(Piece), c_size_t),
    "llmopt_truncate": (Handle, c_uint32, c_size_t),
    "llmopt_copy": (Handle, c_uint32, c_uint32),
    "llmopt_run": (Handle, POINTER(Tensor), c_size_t, POINTER(Tensor), c_size_t),
}

# All others: result, arguments.
PLAIN = {
    "llmopt_close": (None, (Handle,)),
    "llmopt_info": (POINTER(ModelInfo), (Handle,)),
    "llmopt_session_destroy": (None, (Handle,)),
    "llmopt_length": (c_size_t, (Handle, c_uint32)),
    "llmopt_last_error": (c_char_p, ()),
    "llmopt_status_name": (c_char_p, (c_int32,)),
}


class RuntimeFailure(LlmoptError):
    """A call of the runtime that failed; `status` is its llmopt_status."""

    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status = status


@functools.cache
def library() -> ctypes.CDLL:
    """The runtime, loaded once; functions that return a status raise RuntimeFailure instead."""
    path = locate.runtime_library()
    try:
        loaded = ctypes.CDLL(str(path))
    except OSError as error:
        raise LlmoptError(f"cannot load {path}: {error}") from error

    def check(status, _function, _arguments):
        if status:
            raise RuntimeFailure(status, loaded.llmopt_last_error().decode(errors="replace"))

    for name, arguments in CHECKED.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes, function.errcheck = c_int32, arguments, check
    for name, (result, arguments) in PLAIN.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded
