"""Small models of the ONNX corpus from several exporters: whole compilations, compared with the recorded outputs.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import run_tool
from support import corpora

from llmopt import locate
from llmopt.errors import LlmoptError
from llmopt.runtime import Model

ARCHIVE = corpora() / "onnx/models.tar.gz"
NODE_ARCHIVE = corpora() / "onnx/node.tar.gz"
# All decoders of the corpus that are float32 and have no operator that is refused.
MODELS = (
    "genai_llama_fp32_cpu",
    "llama3rope_kv_dynamo20",
    "llama_dynamo20",
    "llama_kv_dynamo18",
    "llama_kv_dynamo20",
    "llama_kv_dynamo20_eager",
    "llama_kv_dynamo20_extdata",
    "llama_kv_legacy17",
    "llama_kv_legacy17_eager",
    "llama_legacy17",
    "optimum_llama_model",
    "optimum_llama_model_nopast",
    "optimum_mistral_model",
    "optimum_qwen2_model",
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    if not ARCHIVE.is_file():
        pytest.skip("no corpora (LLMOPT_CORPORA)")
    directory = tmp_path_factory.mktemp("corpus")
    subprocess.run(["tar", "-xzf", ARCHIVE, "-C", directory, *MODELS], check=True)
    return directory


@pytest.mark.parametrize("model", MODELS)
def test_agrees_with_the_recorded_outputs(corpus, model):
    run = run_tool("llmopt-check", corpus / model, "-mcpu=native,x86-64-v3")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "agrees" in run.stdout


def test_raises_what_is_in_a_decoder(corpus):
    script = Path(__file__).parents[1] / "conformance/raising"
    compiler = locate.tool("llmopt-compile")
    run = subprocess.run([script, corpus, "--compiler", compiler, "--present"], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{len(MODELS)} of {len(MODELS)} models" in run.stdout


def test_a_graph_runs_from_python(tmp_path):
    """Outputs of any element type and rank by name; what cannot be is said."""
    if not NODE_ARCHIVE.is_file():
        pytest.skip("no corpora (LLMOPT_CORPORA)")
    subprocess.run(["tar", "-xzf", NODE_ARCHIVE, "-C", tmp_path, "node/test_add_uint8/model.onnx"], check=True)
    library = tmp_path / "model.so"
    run = run_tool("llmopt-compile", tmp_path / "node/test_add_uint8/model.onnx", "-o", library)
    assert run.returncode == 0, run.stderr
    with Model(library, threads=2) as model, model.session() as session:
        assert model.is_graph and model.inputs == ["x", "y"] and model.outputs == ["sum"]
        x = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
        result = session.run({"x": x, "y": x + 200})
        assert result["sum"].dtype == np.uint8
        np.testing.assert_array_equal(result["sum"], x + x + 200)
        with pytest.raises(LlmoptError, match="dimension 2 of input 'y' is 1, expected 5"):
            session.run({"x": x, "y": x[:, :, :1]})
        with pytest.raises(LlmoptError, match="the model is a graph and has no sequences"):
            session.step([1])
