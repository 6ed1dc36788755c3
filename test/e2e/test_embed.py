"""A program outside the tree that embeds a real model, as docs/Embed.md says.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import subprocess

import pytest
from conftest import ROOT, locate

import llmopt

PROMPT = [5, 17, 300, 42]


@pytest.fixture(scope="module")
def embedding(tmp_path_factory, model_directory):
    """Build directory of examples/embed against an installation, with the model compiled by its build."""
    scratch = tmp_path_factory.mktemp("embed")
    build = locate.tool("llmopt-compile").parent.parent
    model = model_directory("tiny", "genai") / "model.onnx"
    for command in (
        ["cmake", "--install", str(build), "--prefix", str(scratch / "prefix")],
        ["cmake", "-G", "Ninja", "-S", str(ROOT / "examples/embed"), "-B", str(scratch / "build"), f"-DCMAKE_PREFIX_PATH={scratch / 'prefix'}"]
        + ["-DCMAKE_C_COMPILER=clang-22", "-DCMAKE_CXX_COMPILER=clang++-22", f"-DEMBED_MODEL={model}"],
        ["cmake", "--build", str(scratch / "build")],
    ):
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
    return scratch / "build"


@pytest.mark.parametrize("program", ["embed", "embed_c"])
def test_embedding_program_generates_the_same_tokens(embedding, program):
    with llmopt.Model(embedding / "embed_model.so") as model, model.session() as session:
        expected, tokens = [], PROMPT
        for _ in range(8):
            tokens = [int(session.step(tokens).argmax())]
            expected += tokens
    command = [str(embedding / program), str(embedding / "embed_model.so"), *map(str, PROMPT)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert list(map(int, run.stdout.split())) == expected


def test_embedding_program_reports_a_missing_model(embedding):
    run = subprocess.run([str(embedding / "embed"), "none.so", "1"], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "none.so" in run.stderr


def test_the_page_shows_the_example():
    example = (ROOT / "examples/embed/embed.cpp").read_text()
    page = (ROOT / "docs/Embed.md").read_text()
    shown = page.split("```cpp\n")[1].split("```")[0]
    assert shown in example
