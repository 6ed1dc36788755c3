"""Models, and libraries compiled from them once per run.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "benchmarks"), str(ROOT / "scripts/models")]

from llmopt import locate  # noqa: E402  (the path comes first)

FORMS = ("genai", "dynamo", "torchscript")
Compile = Callable[..., Path]


def run_tool(name: str, *arguments: object, **options) -> subprocess.CompletedProcess:
    """Runs one of our tools; the caller looks at the exit code."""
    command = [str(locate.tool(name)), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, **options)


@pytest.fixture(scope="session")
def model_directory() -> Callable[[str, str], Path]:
    """Directory of a model of scripts/get-model in one form."""

    @functools.cache
    def find(name: str, form: str) -> Path:
        command = [str(ROOT / "scripts/get-model"), name, "--form", form]
        return Path(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()[-1])

    return find


@pytest.fixture(scope="session")
def compiled(model_directory, tmp_path_factory) -> Compile:
    """Compiles a model of scripts/get-model; the same arguments give the same library."""
    libraries: dict[tuple, Path] = {}

    def compile_once(name: str, form: str, *flags: str) -> Path:
        key = (name, form, *flags)
        if key not in libraries:
            output = tmp_path_factory.mktemp("compiled") / "model.so"
            run = run_tool("llmopt-compile", model_directory(name, form) / "model.onnx", *flags, "-o", output)
            assert run.returncode == 0, run.stderr
            libraries[key] = output
        return libraries[key]

    return compile_once
