"""Finds the native parts: the compiler and the runtime library.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from llmopt.errors import LlmoptError


def homes() -> Iterator[Path]:
    """Directories with bin/ and lib/, most specific first: LLMOPT_HOME, the installation on PATH, the build of a source tree."""
    if os.environ.get("LLMOPT_HOME"):
        yield Path(os.environ["LLMOPT_HOME"])
        return
    installed = shutil.which("llmopt-compile")
    if installed:
        yield Path(installed).resolve().parent.parent
    source = Path(__file__).resolve().parents[2]
    yield from (source / "build-release", source / "build")
    yield from (Path("/usr/local"), Path("/usr"))


def _find(*names: str) -> Path:
    tried = []
    for home in homes():
        for name in names:
            if (home / name).is_file():
                return home / name
            tried.append(str(home / name))
    raise LlmoptError(f"{Path(names[0]).name} not found: build llmopt, or set LLMOPT_HOME to its build or installation directory (tried {', '.join(tried)})")


def tool(name: str) -> Path:
    """Path of a command such as llmopt-compile."""
    return _find(f"bin/{name}")


def runtime_library() -> Path:
    """Path of the shared runtime library."""
    name = "libllmopt_runtime.so"
    return _find(f"lib/{name}", f"lib/x86_64-linux-gnu/{name}", f"lib64/{name}")
