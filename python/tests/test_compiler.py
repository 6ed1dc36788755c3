"""llmopt compile: progress, flags and files around a compiler that only pretends.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import io
import stat
from pathlib import Path

import pytest

from llmopt import cli, compiler, progress
from llmopt.progress import Progress


@pytest.mark.parametrize(
    "line, expected",
    [
        ("[pack] 37/211 layers.5.down_proj\n", Progress("pack", 37, 211, "layers.5.down_proj")),
        ("[import] 1/1", Progress("import", 1, 1, "")),
        ("size: 538.1 MB -> 136.2 MB\n", None),
        ("[pack] 3 of 4", None),
        ("[pack] 5/4 too many", None),
        ("[pack] 0/0", None),
        ("error: node /lm_head/MatMul: [x] 1/2", None),
        ("", None),
    ],
)
def test_progress_lines(line, expected):
    assert progress.parse(line) == expected


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_terminal_gets_a_bar_and_the_other_lines():
    out = Terminal()
    progress.show(["[pack] 1/2 a\n", "warning: slow\n", "[pack] 2/2 b\n", "[link] 1/1\n"], out)
    text = out.getvalue()
    assert "pack: 100%" in text and "2/2" in text and "link: 100%" in text
    assert "warning: slow\n" in text
    assert "[pack]" not in text


def test_pipe_gets_the_lines_as_they_are():
    out = io.StringIO()
    lines = ["[pack] 1/2 a\n", "warning: slow\n"]
    progress.show(lines, out)
    assert out.getvalue() == "".join(lines)


@pytest.mark.parametrize(
    "arguments, model, output",
    [
        (["m.onnx"], "m.onnx", "model.so"),
        (["m.onnx", "-quant=int8", "-o", "x.so"], "m.onnx", "x.so"),
        (["-o=x.so", "a/m.onnx"], "a/m.onnx", "x.so"),
        (["--o=x.so", "-o", "y.so", "-"], None, "y.so"),
        (["-save=m.onnx", "-o", "x.so", "n.onnx"], "n.onnx", "x.so"),
    ],
)
def test_arguments(arguments, model, output):
    assert compiler.find_model(arguments) == (Path(model) if model else None)
    assert compiler.find_output(arguments) == Path(output)


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """An installation whose compiler writes its arguments to the output, or fails on request."""
    tool = tmp_path / "home/bin/llmopt-compile"
    tool.parent.mkdir(parents=True)
    tool.write_text('#!/bin/sh\necho "[pack] 1/1 x" >&2\n[ "$1" = fail ] && exit 3\nfor last; do :; done\necho "$@" > "$last"\n')
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("LLMOPT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_compile_copies_the_tokenizer(home, tmp_path, tokenizer_directory):
    model = tokenizer_directory / "model.onnx"
    model.touch()
    output = tmp_path / "out.so"
    assert cli.main(["compile", str(model), "-quant=int8", "-o", str(output)]) == 0
    assert output.read_text() == f"{model} -quant=int8 -o {output}\n"
    names = {path.name for path in (tmp_path / "out.tokenizer").iterdir()}
    assert names == {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}


def test_other_stages_have_no_tokenizer(home, tmp_path, tokenizer_directory):
    (tokenizer_directory / "model.onnx").touch()
    assert cli.main(["compile", str(tokenizer_directory / "model.onnx"), "-emit=llvm", "-o", str(tmp_path / "out.ll")]) == 0
    assert not (tmp_path / "out.tokenizer").exists()


def test_standard_output_has_no_tokenizer_beside_it(home, tmp_path, tokenizer_directory, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tokenizer_directory / "model.onnx").touch()
    assert cli.main(["compile", str(tokenizer_directory / "model.onnx"), "-o", "-"]) == 0
    assert not (tmp_path / "-.tokenizer").exists()


def test_compile_without_tokenizer_says_so(home, tmp_path, capsys):
    assert cli.main(["compile", str(tmp_path / "m.onnx"), "-o", str(tmp_path / "out.so")]) == 0
    assert "no tokenizer.json beside" in capsys.readouterr().err


def test_exit_code_of_the_compiler(home, capsys):
    assert cli.main(["compile", "fail"]) == 3


def test_missing_compiler(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LLMOPT_HOME", str(tmp_path))
    assert cli.main(["compile", "m.onnx"]) == 1
    assert "llmopt-compile not found" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, code",
    [([], 2), (["--help"], 0), (["serve"], 2)],
)
def test_usage(arguments, code, capsys):
    assert cli.main(arguments) == code


@pytest.mark.parametrize("flags", [["--max-tokens", "0"], ["--temperature", "-1"], ["--temperature", "nan"], ["--threads", "x"], ["--what"]])
def test_chat_refuses_wrong_flags(flags):
    with pytest.raises(SystemExit) as exit:
        cli.main(["chat", "model.so", *flags])
    assert exit.value.code == 2


def test_chat_without_a_model(tmp_path, capsys):
    assert cli.main(["chat", str(tmp_path / "none.so"), "--prompt", "?"]) == 1
    assert "no such file" in capsys.readouterr().err
