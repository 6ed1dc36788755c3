"""Bad input: exit code, one line that says what is wrong, and nothing left behind.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import signal
import subprocess
import time

import onnx
import pytest
from conftest import locate, run_tool
from onnx import TensorProto, helper

import llmopt
from llmopt import native, progress

MALFORMED, USAGE, RESOURCES = 1, 2, 4


def compile_into(directory, *arguments):
    """Compiles into an empty directory, which stays empty."""
    run = run_tool("llmopt-compile", *arguments, "-o", directory / "model.so")
    assert list(directory.iterdir()) == []
    return run


@pytest.fixture
def empty(tmp_path):
    directory = tmp_path / "out"
    directory.mkdir()
    return directory


def assert_one_line(run, *words):
    lines = [line for line in run.stderr.splitlines() if progress.parse(line) is None]
    assert len(lines) == 1, run.stderr
    assert "error: " in lines[0]
    for word in words:
        assert word in lines[0]


def test_missing_file(empty):
    run = compile_into(empty, empty / "none.onnx")
    assert run.returncode == RESOURCES
    assert_one_line(run, "none.onnx")


def test_directory(empty, tmp_path):
    run = compile_into(empty, tmp_path)
    assert run.returncode == RESOURCES
    assert_one_line(run, "directory")


def test_missing_external_data(empty, tmp_path, model_directory):
    model = tmp_path / "model.onnx"
    model.write_bytes((model_directory("tiny", "genai") / "model.onnx").read_bytes())
    run = compile_into(empty, model)
    assert run.returncode in (MALFORMED, RESOURCES)
    assert_one_line(run, "model.onnx.data")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_truncated_model(empty, tmp_path, model_directory, share):
    whole = (model_directory("tiny", "torchscript") / "model.onnx").read_bytes()
    model = tmp_path / "cut.onnx"
    model.write_bytes(whole[: int(len(whole) * share)])
    run = compile_into(empty, model)
    assert run.returncode == MALFORMED
    assert_one_line(run, "cut.onnx")


def test_not_a_model(empty, tmp_path):
    model = tmp_path / "text.onnx"
    model.write_text("this is no model\n" * 100)
    run = compile_into(empty, model)
    assert run.returncode == MALFORMED
    assert_one_line(run)


def test_unsupported_op_is_named_with_its_node(empty, tmp_path):
    node = helper.make_node("Mystery", ["x"], ["y"], name="strange_node", domain="example.org")
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("example.org", 1)]
    onnx.save(helper.make_model(helper.make_graph([node], "g", value[:1], value[1:]), opset_imports=opsets), tmp_path / "op.onnx")
    run = compile_into(empty, tmp_path / "op.onnx")
    assert run.returncode == MALFORMED
    assert "strange_node" in run.stderr and "Mystery" in run.stderr


@pytest.mark.parametrize(
    "flags",
    [
        ["-no-such-flag"],
        ["-quant=int9"],
        ["-sparsity=1.0"],
        ["-sparsity=-0.1"],
        ["-sparsity=much"],
        ["-mcpu=pentium"],
    ],
)
def test_wrong_flags(empty, model_directory, flags):
    run = compile_into(empty, model_directory("tiny", "genai") / "model.onnx", *flags)
    assert run.returncode == USAGE, run.stderr


def test_no_input(empty):
    assert compile_into(empty).returncode == USAGE


def test_existing_output_survives_a_failure(tmp_path):
    output = tmp_path / "model.so"
    output.write_text("old")
    assert run_tool("llmopt-compile", tmp_path / "none.onnx", "-o", output).returncode == RESOURCES
    assert output.read_text() == "old"


def test_output_directory_that_does_not_exist(tmp_path, model_directory):
    model = model_directory("tiny", "genai") / "model.onnx"
    run = run_tool("llmopt-compile", model, "-o", tmp_path / "nowhere/model.so")
    assert run.returncode == RESOURCES
    assert_one_line(run, "nowhere")


@pytest.mark.parametrize("delay", [0, 0.1, 0.3, 1.0, 2.0])
def test_interrupt_leaves_nothing_behind(empty, model_directory, delay):
    model = model_directory("smollm2", "genai") / "model.onnx"
    command = [str(locate.tool("llmopt-compile")), str(model), "-quant=int8", "-o", str(empty / "model.so")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr.readline()  # the first stage has begun
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip("was done before the signal came")
    assert process.returncode > 0, "ended by the signal itself"
    assert list(empty.iterdir()) == []


def damage(library, tmp_path, change):
    content = bytearray(library.read_bytes())
    change(content)
    path = tmp_path / "damaged.so"
    path.write_bytes(content)
    return path


def flip(position):
    def change(content):
        content[position] ^= 0x10

    return change


def cut(content):
    del content[-1000:]


# The footer is the last 80 bytes: magic 8, ABI version 4, ...
@pytest.mark.parametrize(
    "change, status",
    [(cut, 3), (flip(5000), 7), (flip(-60), 4)],
    ids=["truncated", "code", "footer"],
)
def test_open_refuses_a_damaged_library(compiled, tmp_path, change, status):
    path = damage(compiled("tiny", "genai", "-quant=int8"), tmp_path, change)
    with pytest.raises(native.RuntimeFailure) as failure:
        llmopt.Model(path)
    assert failure.value.status == status
    assert str(path) in str(failure.value)


def test_open_refuses_damaged_weights_when_asked(compiled, tmp_path):
    def change(content):
        content[-80 - 64] ^= 1  # the last weight ends before the footer

    path = damage(compiled("tiny", "genai", "-quant=int8"), tmp_path, change)
    with pytest.raises(native.RuntimeFailure) as failure:
        llmopt.Model(path, verify_weights=True)
    assert failure.value.status == 14


def test_open_refuses_an_unknown_variant(compiled):
    with pytest.raises(native.RuntimeFailure) as failure:
        llmopt.Model(compiled("tiny", "genai", "-quant=int8"), isa="sse9")
    assert failure.value.status == 13


def test_chat_reports_a_library_that_is_none(tmp_path, tokenizer_files):
    (tmp_path / "model.so").write_text("nothing")
    from llmopt import cli

    assert cli.main(["chat", str(tmp_path / "model.so"), "--tokenizer", str(tokenizer_files), "--prompt", "?"]) == 1


@pytest.fixture
def tokenizer_files(model_directory):
    return model_directory("tiny", "genai")
