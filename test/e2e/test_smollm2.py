"""A real model: accuracy of each form, chat, sizes. The full comparisons are commands under benchmarks/.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import json
import os
import subprocess
import sys

import accuracy
import numpy as np
import prompts
import pytest
import support
from conftest import FORMS, ROOT

from llmopt.tokenizer import ChatTokenizer

STEPS = 6
BATCHES = ((1,), (0, 2, 3))


def chat(library, *arguments):
    command = [sys.executable, "-m", "llmopt", "chat", str(library), "--threads", "2", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=600)


@pytest.fixture(scope="module")
def int8(model_directory, tmp_path_factory):
    """The library as `llmopt compile` makes it."""
    output = tmp_path_factory.mktemp("int8") / "model.so"
    command = [sys.executable, "-m", "llmopt", "compile", str(model_directory("smollm2", "genai") / "model.onnx")]
    report = output.with_suffix(".json")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    command += ["-quant=int8", f"-report={report}", "-o", str(output)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=600)
    assert run.returncode == 0, run.stderr
    return output


@pytest.mark.parametrize("form", FORMS)
def test_float32_agrees_with_onnxruntime(compiled, model_directory, form):
    library = compiled("smollm2", form, "-quant=none", "-mcpu=native,x86-64-v3")
    directory = model_directory("smollm2", form)
    config = json.loads((model_directory("smollm2", "hf") / "config.json").read_text())
    tokenizer = ChatTokenizer(directory)
    texts = [tokenizer.encode(text)[:length] for text, length in zip(prompts.TEXTS, prompts.LENGTHS)]
    left = form != "genai"
    expected = accuracy.references(directory, config, [[texts[index] for index in batch] for batch in BATCHES], left, STEPS)
    isas = ["avx2"] + ["avx512vnni"] * ("avx512_vnni" in open("/proc/cpuinfo").read())
    for isa in isas:
        for way, score in accuracy.compare(library, isa, 2, expected, left).items():
            assert score.good(), f"{isa}, {way}: {score}"


def test_chat_knows_the_capital_of_france(int8):
    run = chat(int8, "--prompt", "What is the capital of France?", "--max-tokens", "60")
    assert run.returncode == 0, run.stderr
    assert "Paris" in run.stdout


def test_chat_remembers_the_conversation(int8):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    command = [sys.executable, "-m", "llmopt", "chat", str(int8), "--max-tokens", "40", "--threads", "2"]
    questions = "What is the capital of France?\nIn which country is it?\n"
    run = subprocess.run(command, input=questions, capture_output=True, text=True, check=False, env=environment, timeout=600)
    assert run.returncode == 0, run.stderr
    assert "Paris" in run.stdout and "France" in run.stdout.split("\n", 1)[1]


def test_chat_reports_a_full_context(model_directory, compiled):
    library = compiled("smollm2", "genai", "-quant=int8", "-max-seq=64")
    tokenizer = str(model_directory("smollm2", "genai"))
    run = chat(library, "--tokenizer", tokenizer, "--prompt", "Write a long story about a ship.")
    assert run.returncode == 1
    assert "the context is full (64 tokens)" in run.stderr
    assert len(run.stdout) > 20


def test_float32_chat_is_pytorchs_greedy_text(compiled, model_directory):
    transformers = pytest.importorskip("transformers")
    library = compiled("smollm2", "genai", "-quant=none", "-mcpu=native,x86-64-v3")
    directory, checkpoint = model_directory("smollm2", "genai"), model_directory("smollm2", "hf")
    tokenizer, model = transformers.AutoTokenizer.from_pretrained(checkpoint), support.load_pytorch(checkpoint)
    question = prompts.QUESTIONS[1]
    conversation = [{"role": "user", "content": question}]
    inputs = tokenizer.apply_chat_template(conversation, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    output = model.generate(**inputs, do_sample=False, max_new_tokens=40)
    expected = tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    run = chat(library, "--tokenizer", str(directory), "--prompt", question, "--max-tokens", "40")
    assert run.stdout.removesuffix("\n") == expected


def test_int8_report_and_size(int8):
    report = json.loads(int8.with_suffix(".json").read_text())
    linears = [layer for layer in report["layers"] if len(layer["shape"]) == 2]
    assert len(linears) >= 120
    assert all("int8" in layer["format"] for layer in linears)
    # One copy of the tied table: 134.5 million weights in a byte each, scales, norms, code.
    assert 134e6 < int8.stat().st_size < 145e6


def test_library_depends_on_no_compiler(int8):
    needed = subprocess.run(["ldd", str(int8)], capture_output=True, text=True, check=False).stdout
    assert not any(name in needed for name in ("LLVM", "MLIR", "protobuf"))


def test_sparse_int8_is_smaller_and_has_the_zeros(compiled, int8):
    library = compiled("smollm2", "genai", "-quant=int8", "-sparsity=0.6", "-sparsity-method=magnitude")
    # 60 % of 106 million weights cost a bit instead of a byte.
    assert library.stat().st_size < int8.stat().st_size - 45e6


def test_int8_stays_near_float(compiled, int8, model_directory):
    import llmopt

    tokenizer = ChatTokenizer(model_directory("smollm2", "genai"))
    tokens = tokenizer.encode(prompts.TEXTS[4])[:200]
    rows = []
    for library in (compiled("smollm2", "genai", "-quant=none", "-mcpu=native,x86-64-v3"), int8):
        with llmopt.Model(library, threads=2) as model, model.session() as session:
            rows.append(session.step(tokens, want="all"))
    assert np.mean(rows[0].argmax(axis=1) == rows[1].argmax(axis=1)) > 0.85
