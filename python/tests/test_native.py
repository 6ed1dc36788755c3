"""The ctypes structures against the C header, as the C compiler sees it.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from llmopt import native

INCLUDE = Path(__file__).resolve().parents[2] / "runtime/include"
COMPILER = shutil.which("clang-22") or shutil.which("cc")
STRUCTURES = {
    "llmopt_open_options": native.OpenOptions,
    "llmopt_tensor_descriptor": native.TensorDescriptor,
    "llmopt_model_info": native.ModelInfo,
    "llmopt_session_options": native.SessionOptions,
    "llmopt_piece": native.Piece,
    "llmopt_tensor": native.Tensor,
}
CONSTANTS = {
    "LLMOPT_MAX_RANK": native.MAX_RANK,
    "LLMOPT_WANT_ALL": native.WANT_ALL,
    "LLMOPT_KIND_GRAPH": native.KIND_GRAPH,
    "LLMOPT_F4E2M1": max(native.ELEMENT_TYPES),
    "LLMOPT_CONTEXT_FULL": native.CONTEXT_FULL,
}


@pytest.mark.skipif(not COMPILER, reason="needs a C compiler")
def test_layout_is_that_of_the_header(tmp_path):
    lines = ['#include "llmopt/Runtime.h"', "#include <stdio.h>", "int main(void) {"]
    expected = {}
    for name, structure in STRUCTURES.items():
        lines.append(f'  printf("{name} %zu\\n", sizeof({name}));')
        expected[name] = native.ctypes.sizeof(structure)
        for field, _ in structure._fields_:
            lines.append(f'  printf("{name}.{field} %zu\\n", offsetof({name}, {field}));')
            expected[f"{name}.{field}"] = getattr(structure, field).offset
    for name, value in CONSTANTS.items():
        lines.append(f'  printf("{name} %d\\n", (int){name});')
        expected[name] = value
    (tmp_path / "layout.c").write_text("\n".join([*lines, "}"]))
    subprocess.run([COMPILER, "-I", str(INCLUDE), str(tmp_path / "layout.c"), "-o", str(tmp_path / "layout")], check=True)
    output = subprocess.run([str(tmp_path / "layout")], capture_output=True, text=True, check=True).stdout
    assert {name: int(value) for name, value in map(str.split, output.splitlines())} == expected
