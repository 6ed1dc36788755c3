"""Small models of the ONNX corpus from several exporters: whole compilations, compared with the recorded outputs.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import subprocess
from pathlib import Path

import pytest
from conftest import run_tool
from support import corpora

ARCHIVE = corpora() / "onnx/models.tar.gz"
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
