"""The installed project: its compiler runs from a program's build through llmopt_add_model.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import subprocess

from llmopt import locate

PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(user LANGUAGES CXX)
find_package(llmopt REQUIRED)
llmopt_add_model(small {model} FLAGS -quant=int8)
"""


def run(*command):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_installed_compiler_serves_a_build(model_directory, tmp_path):
    build = locate.tool("llmopt-compile").parents[1]
    prefix = tmp_path / "prefix"
    run("cmake", "--install", build, "--prefix", prefix)
    for tool in ("compile", "check", "opt", "run", "bench", "eval", "inspect"):
        assert f"llmopt-{tool}" in run(prefix / f"bin/llmopt-{tool}", "--help")

    source = tmp_path / "source"
    source.mkdir()
    (source / "CMakeLists.txt").write_text(PROJECT.format(model=model_directory("tiny", "genai") / "model.onnx"))
    run("cmake", "-S", source, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_CXX_COMPILER=clang++-22")
    run("cmake", "--build", tmp_path / "build")
    assert "int8" in run(prefix / "bin/llmopt-inspect", tmp_path / "build/small.so")
