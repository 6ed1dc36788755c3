"""Compiles a model: runs llmopt-compile and puts the tokenizer beside the library.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from llmopt import locate, progress
from llmopt.tokenizer import FILES, directory_beside

DEFAULT_OUTPUT = "model.so"


def run(arguments: Sequence[str]) -> int:
    """Runs llmopt-compile with the arguments as they are; returns its exit code."""
    command = [str(locate.tool("llmopt-compile")), *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, encoding="utf-8", errors="replace") as process:
        try:
            progress.show(process.stderr)
        except KeyboardInterrupt:
            # The compiler got the same signal and removes what it has written: let it finish.
            process.wait()
            return 130
    if process.returncode == 0:
        copy_tokenizer(arguments)
    return process.returncode


def copy_tokenizer(arguments: Sequence[str]) -> None:
    """Copies the tokenizer files that lie beside the model to model.tokenizer/ beside the library."""
    model, output = find_model(arguments), find_output(arguments)
    if model is None or str(output) == "-" or find_flag(arguments, "emit", "so") != "so":
        return
    present = [model.parent / name for name in FILES if (model.parent / name).is_file()]
    if not any(path.name == "tokenizer.json" for path in present):
        print(f"note: no tokenizer.json beside {model}: `llmopt chat` needs --tokenizer", file=sys.stderr)
        return
    target = directory_beside(output)
    target.mkdir(exist_ok=True)
    for path in present:
        shutil.copyfile(path, target / path.name)


def find_flag(arguments: Sequence[str], name: str, default: str) -> str:
    """The last value of a flag, in any of the four spellings of LLVM's command lines."""
    value = default
    for index, argument in enumerate(arguments):
        if argument in (f"-{name}", f"--{name}") and index + 1 < len(arguments):
            value = arguments[index + 1]
        for prefix in (f"-{name}=", f"--{name}="):
            if argument.startswith(prefix):
                value = argument.removeprefix(prefix)
    return value


def find_output(arguments: Sequence[str]) -> Path:
    return Path(find_flag(arguments, "o", DEFAULT_OUTPUT))


def find_model(arguments: Sequence[str]) -> Path | None:
    """The model file among the arguments; none for standard input or another extension."""
    return next((Path(argument) for argument in arguments if argument.endswith(".onnx") and not argument.startswith("-")), None)
