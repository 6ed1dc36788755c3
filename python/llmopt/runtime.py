"""Compiled models and their sessions.

    with Model("model.so", threads=2) as model, model.session() as session:
        logits = session.step([1, 5, 7])      # [vocabulary], of the last token
        logits = session.step([int(logits.argmax())])

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import ctypes
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np

from llmopt import native
from llmopt.errors import LlmoptError

ELEMENT_TYPES = {code: np.dtype(name) for code, name in native.ELEMENT_TYPES.items()}


class _Owner:
    """Owns a native handle: closed at the end of a `with` block, or when nothing refers to it any more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self.close()


class Model(_Owner):
    """An open library: code, weights and the threads that execute it."""

    def __init__(self, path: str | Path, threads: int | None = None, isa: str | None = None, verify_weights: bool = False):
        """threads: none for one per core; isa: a variant's name, none for LLMOPT_ISA or the best that can run."""
        self._library = native.library()
        self._handle = native.Handle()
        options = native.OpenOptions(threads=threads or 0, isa=isa.encode() if isa else None, verify_weights=verify_weights)
        self._library.llmopt_open(os.fsencode(path), ctypes.byref(options), ctypes.byref(self._handle))
        self.info: native.ModelInfo = self._library.llmopt_info(self._handle).contents
        self.inputs = _names(self.info.inputs, self.info.input_count)
        self.outputs = _names(self.info.outputs, self.info.output_count)

    @property
    def isa(self) -> str:
        """Instruction set of the variant in use."""
        return self.info.isa.decode()

    @property
    def is_graph(self) -> bool:
        """True for a model without sequences: only `run` of its sessions executes it."""
        return self.info.kind == native.KIND_GRAPH

    @property
    def padding(self) -> str:
        """Where the rows of a batch are padded in `run`: none, left or right."""
        return native.PADDING[self.info.padding]

    def session(self, max_batch: int = 0, max_sequence: int = 0) -> "Session":
        """New sequences; 0: the model's bounds."""
        return Session(self, max_batch, max_sequence)

    def close(self) -> None:
        """Idempotent; sessions stay usable."""
        if self._handle:
            self._library.llmopt_close(self._handle)
            self._handle = native.Handle()


class Session(_Owner):
    """Sequences in progress on a model. One thread at a time."""

    def __init__(self, model: Model, max_batch: int = 0, max_sequence: int = 0):
        self._library = native.library()
        self._handle = native.Handle()
        self._inputs, self._outputs = model.inputs, model.outputs
        self._types = [model.info.inputs[index].element_type for index in range(len(model.inputs))]
        self._vocabulary = model.info.vocabulary
        self.max_batch = max_batch or model.info.max_batch
        self.max_sequence = max_sequence or model.info.max_sequence
        options = native.SessionOptions(max_batch=max_batch, max_sequence=max_sequence)
        self._library.llmopt_session_create(model._handle, ctypes.byref(options), ctypes.byref(self._handle))

    def step(self, tokens: Sequence[int], sequence: int = 0, want: str = "last") -> np.ndarray | None:
        """Appends tokens to a sequence. Logits [vocabulary] of the last one, [tokens, vocabulary] for want="all", none for "none"."""
        (logits,) = self.step_many({sequence: tokens}, want)
        return logits[0] if want == "last" else logits

    def step_many(self, pieces: Mapping[int, Sequence[int]], want: str = "last") -> list[np.ndarray | None]:
        """Appends tokens to several sequences in one pass; logits [1 or tokens, vocabulary] of each, in order."""
        arrays = [np.ascontiguousarray(tokens, dtype=np.int32) for tokens in pieces.values()]
        wanted = {"none": native.WANT_NONE, "last": native.WANT_LAST, "all": native.WANT_ALL}[want]
        call = (native.Piece * len(arrays))()
        for piece, sequence, array in zip(call, pieces, arrays):
            piece.sequence, piece.want, piece.count = sequence, wanted, array.size
            piece.tokens = array.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
        self._library.llmopt_step(self._live(), call, len(arrays))
        # Copied: the session's memory is valid until its next call only.
        return [np.ctypeslib.as_array(piece.logits, (piece.logit_rows, self._vocabulary)).copy() if piece.logit_rows else None for piece in call]

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The function of the ONNX model: inputs and outputs by name; the sequences of `step` are not touched."""
        if inputs.keys() != set(self._inputs):
            raise LlmoptError(f"inputs are {', '.join(inputs)}, expected {', '.join(self._inputs)}")
        # Kept in a list: the structures below hold only their addresses.
        arrays = [np.asarray(inputs[name], dtype=ELEMENT_TYPES[code], order="C") for name, code in zip(self._inputs, self._types)]
        given = (native.Tensor * len(arrays))(*map(_tensor, arrays, self._types))
        produced = (native.Tensor * len(self._outputs))()
        self._library.llmopt_run(self._live(), given, len(given), produced, len(produced))
        return {name: _array(tensor) for name, tensor in zip(self._outputs, produced)}

    def length(self, sequence: int = 0) -> int:
        """Tokens that a sequence holds."""
        return self._library.llmopt_length(self._live(), sequence)

    def truncate(self, position: int, sequence: int = 0) -> None:
        """Shortens a sequence to its first `position` tokens."""
        self._library.llmopt_truncate(self._live(), sequence, position)

    def copy(self, source: int, target: int) -> None:
        """Makes sequence `target` equal to `source`."""
        self._library.llmopt_copy(self._live(), source, target)

    def close(self) -> None:
        """Idempotent."""
        if self._handle:
            self._library.llmopt_session_destroy(self._handle)
            self._handle = native.Handle()

    def _live(self) -> native.Handle:
        if not self._handle:
            raise LlmoptError("the session is closed")
        return self._handle


def _names(descriptors, count: int) -> list[str]:
    return [descriptors[index].name.decode() for index in range(count)]


def _tensor(array: np.ndarray, element_type: int) -> native.Tensor:
    if array.ndim > native.MAX_RANK:
        raise LlmoptError(f"a tensor of rank {array.ndim}, expected at most {native.MAX_RANK}")
    dims = (ctypes.c_int64 * native.MAX_RANK)(*array.shape)
    return native.Tensor(element_type, array.ndim, dims, array.ctypes.data, array.nbytes)


def _array(tensor: native.Tensor) -> np.ndarray:
    """A copy of an output in the session's memory."""
    shape, kind = tuple(tensor.dims[: tensor.rank]), ELEMENT_TYPES[tensor.element_type]
    size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    data = ctypes.string_at(tensor.data, size) if size else b""
    return np.frombuffer(data, kind).reshape(shape).copy()
