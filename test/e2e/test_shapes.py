"""Models of scripts/get-model shape:NAME in miniature, against ONNX Runtime: norms with mean, biases, ReLU and learned positions as OPT has them.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import json
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import shapes
import torch
from conftest import ROOT, run_tool

import llmopt

NAMES = ("llama-tiny", "opt-tiny")
TOLERANCE = 2e-3  # relative to max(1, |reference|)


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def directory(name):
    run = subprocess.run([str(ROOT / "scripts/get-model"), f"shape:{name}"], stdout=subprocess.PIPE, text=True, check=True)
    return Path(run.stdout.strip())


@pytest.fixture(scope="module")
def library(directory, tmp_path_factory):
    output = tmp_path_factory.mktemp("shape") / "model.so"
    report = output.with_suffix(".json")
    run = run_tool("llmopt-compile", directory / "model.onnx", "-quant=none", "-mcpu=native,x86-64-v3", f"-report={report}", "-o", output)
    assert run.returncode == 0, run.stderr
    assert not json.loads(report.read_text()).get("graph_reason")
    return output


def reference(directory, name, ids, past=0):
    """Logits and present tensors; the past is random."""
    shape = shapes.SHAPES[name]
    session = ort.InferenceSession(str(directory / "model.onnx"), providers=["CPUExecutionProvider"])
    batch, count = ids.shape
    random = np.random.default_rng(3)
    feed = {"input_ids": ids, "attention_mask": np.ones((batch, past + count), np.int64), "position_ids": np.tile(np.arange(past, past + count), (batch, 1))}
    inputs = [value.name for value in session.get_inputs()]
    for each in inputs:
        if each.startswith("past"):
            feed[each] = random.standard_normal((batch, shape.kv_heads, past, shape.head_dim), np.float32)
    feed = {each: feed[each] for each in inputs}
    outputs = session.run(None, feed)
    return feed, {value.name: array for value, array in zip(session.get_outputs(), outputs)}


def assert_close(actual, expected):
    np.testing.assert_array_less(np.abs(actual - expected) / np.maximum(1, np.abs(expected)), TOLERANCE)


@pytest.fixture(params=["avx512vnni", "avx2"])
def model(request, library):
    if request.param == "avx512vnni" and "avx512_vnni" not in open("/proc/cpuinfo").read():
        pytest.skip("this CPU has no AVX-512 VNNI")
    with llmopt.Model(library, threads=2, isa=request.param) as model:
        yield model


@pytest.mark.parametrize("batch, count, past", [(1, 9, 0), (3, 4, 0), (1, 1, 6)])
def test_run(name, directory, model, batch, count, past):
    ids = np.random.default_rng(1).integers(0, 512, (batch, count), dtype=np.int64)
    feed, expected = reference(directory, name, ids, past)
    with model.session() as session:
        outputs = session.run(feed)
    for key, array in expected.items():
        assert_close(outputs[key], array)


def test_sequences(name, directory, model):
    """Ragged pieces and single tokens, some of which have no logits."""
    ids = np.random.default_rng(2).integers(0, 512, (2, 12), dtype=np.int64)
    _, expected = reference(directory, name, ids)
    with model.session() as session:
        session.step_many({0: ids[0, :5], 1: ids[1, :2]}, want="none")
        rows = session.step_many({0: ids[0, 5:6], 1: ids[1, 2:11]}, want="all")
        assert_close(rows[0], expected["logits"][0, 5:6])
        assert_close(rows[1], expected["logits"][1, 2:11])
        for position in range(6, 12):
            assert_close(session.step([ids[0, position]]), expected["logits"][0, position])


def test_int8_stays_close(name, directory, tmp_path):
    ids = np.random.default_rng(4).integers(0, 512, (1, 40), dtype=np.int64)
    _, expected = reference(directory, name, ids)
    output = tmp_path / "model.so"
    assert run_tool("llmopt-compile", directory / "model.onnx", "-quant=int8", "-o", output).returncode == 0
    with llmopt.Model(output, threads=2) as model, model.session() as session:
        logits = session.step(ids[0], want="all")
    # Rounding of 64 columns to int8, twice per layer: 4 to 6 %. A wrong scale or a missing term is far more.
    assert np.linalg.norm(logits - expected["logits"][0]) < 0.08 * np.linalg.norm(expected["logits"])


@pytest.mark.parametrize("beams", [1, 4])
def test_generation(name, directory, library, beams):
    prompt = [5, 300, 77, 12, 480]
    run = run_tool("llmopt-run", library, f"-tokens={','.join(map(str, prompt))}", "-n=20", f"-beams={beams}")
    assert run.returncode == 0, run.stderr
    tokens = run.stdout.splitlines()[0].split()[beams > 1 :]
    inputs = torch.tensor([prompt])
    found = shapes.load_pytorch(name, directory).generate(inputs, attention_mask=torch.ones_like(inputs), max_new_tokens=20, num_beams=beams, do_sample=False)
    assert list(map(int, tokens)) == found[0, len(prompt) :].tolist()
