"""Two random layers in the three ONNX forms: the ONNX signature, sequences, and what must not change the result.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import numpy as np
import onnx
import pytest
from conftest import FORMS, run_tool
from onnx import numpy_helper

import llmopt

ISAS = ("avx512vnni", "avx2")
SPARSE = ("-quant=int8", "-sparsity=0.6", "-calib-samples=4", "-calib-seqlen=64")
FLOAT = ("-quant=none", "-mcpu=native,x86-64-v3")
TOLERANCE = 2e-3  # relative to max(1, |reference|)


def read_data_set(directory, kind):
    paths = sorted(directory.glob(f"{kind}_*.pb"), key=lambda path: int(path.stem.split("_")[1]))
    tensors = [onnx.load_tensor(path) for path in paths]
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in tensors}


def assert_close(actual, expected):
    assert actual.shape == expected.shape
    np.testing.assert_array_less(np.abs(actual - expected) / np.maximum(1, np.abs(expected)), TOLERANCE)


@pytest.fixture(params=ISAS)
def isa(request):
    if request.param == "avx512vnni" and "avx512_vnni" not in open("/proc/cpuinfo").read():
        pytest.skip("this CPU has no AVX-512 VNNI")
    return request.param


@pytest.mark.parametrize("form", FORMS)
def test_check_accepts_the_data_sets(model_directory, form):
    run = run_tool("llmopt-check", model_directory("tiny", form))
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("form", FORMS)
def test_run_computes_the_onnx_function(compiled, model_directory, form, isa):
    with llmopt.Model(compiled("tiny", form, *FLOAT), threads=2, isa=isa) as model, model.session() as session:
        assert model.isa == isa
        for directory in sorted(model_directory("tiny", form).glob("test_data_set_*")):
            expected = read_data_set(directory, "output")
            outputs = session.run(read_data_set(directory, "input"))
            assert list(outputs) == list(expected)
            for name, array in expected.items():
                assert_close(outputs[name], array)


@pytest.fixture
def session(compiled, isa):
    with llmopt.Model(compiled("tiny", "genai", *FLOAT), threads=2, isa=isa) as model, model.session() as session:
        yield session


def test_steps_equal_one_pass(session):
    tokens = list(range(5, 45))
    whole = session.step(tokens, sequence=0, want="all")
    pieces = [session.step(tokens[:7], sequence=1, want="all"), session.step(tokens[7:8], sequence=1, want="all")]
    pieces.append(session.step(tokens[8:], sequence=1, want="all"))
    assert_close(np.concatenate(pieces), whole)


def test_ragged_batch_equals_each_alone(session):
    prompts = {0: [1, 2, 3], 1: [7], 2: list(range(100, 170))}
    together = session.step_many(prompts)
    for (sequence, prompt), logits in zip(prompts.items(), together):
        session.truncate(0, sequence)
        assert_close(logits[0], session.step(prompt, sequence))


def test_truncate_rewinds(session):
    first = session.step([4, 5, 6])
    session.step([9, 9, 9])
    session.truncate(2)
    assert session.length() == 2
    np.testing.assert_array_equal(session.step([6]).argmax(), first.argmax())
    assert_close(session.step([10]), _fresh(session, [4, 5, 6, 10]))


def test_copy_is_independent(session):
    session.step(list(range(70)), sequence=0)
    session.copy(0, 1)
    original, copy = session.step_many({0: [3], 1: [8]})
    assert_close(copy[0], _fresh(session, [*range(70), 8]))
    assert_close(original[0], _fresh(session, [*range(70), 3]))


def _fresh(session, tokens):
    session.truncate(0, sequence=5)
    return session.step(tokens, sequence=5)


@pytest.mark.parametrize("flags", [("-quant=none",), ("-quant=int8",), SPARSE])
def test_result_does_not_depend_on_threads(compiled, flags):
    results = []
    for threads in (1, 2, 3):
        with llmopt.Model(compiled("tiny", "genai", *flags), threads=threads) as model, model.session() as session:
            results.append(session.step(list(range(20, 60)), want="all"))
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


# Bounds: one and a half times what the same rounding costs in PyTorch, with activation scales per token.
@pytest.mark.parametrize("flags, bound", [(("-quant=int8",), 0.075), (("-quant=int8", "-act=none", "-embedding-quant=none"), 0.05)])
def test_int8_is_near_float(compiled, isa, flags, bound):
    tokens = list(range(20, 60))
    logits = []
    for library in (compiled("tiny", "genai", *FLOAT), compiled("tiny", "genai", *flags, "-mcpu=native,x86-64-v3")):
        with llmopt.Model(library, threads=2, isa=isa) as model, model.session() as session:
            logits.append(session.step(tokens, want="all"))
    exact, quantized = logits
    error = np.linalg.norm(quantized - exact) / np.linalg.norm(exact)
    assert 1e-3 < error < bound  # no error at all would mean that nothing was quantized


@pytest.mark.parametrize("flags", [("-quant=none",), SPARSE])
def test_equal_inputs_give_equal_bytes(model_directory, tmp_path, flags):
    model = model_directory("tiny", "genai") / "model.onnx"
    contents = []
    for name in ("a.so", "b.so"):
        run = run_tool("llmopt-compile", model, *flags, "-o", tmp_path / name)
        assert run.returncode == 0, run.stderr
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]


def test_full_context_is_an_error_and_changes_nothing(compiled):
    with llmopt.Model(compiled("tiny", "genai", "-quant=int8", "-max-seq=32"), threads=1) as model, model.session() as session:
        session.step([1] * 30)
        with pytest.raises(llmopt.LlmoptError, match="32"):
            session.step([1, 1, 1])
        assert session.length() == 30
        session.step([1, 1])


@pytest.mark.parametrize("tokens", [[512], [-1]])
def test_token_out_of_range(session, tokens):
    with pytest.raises(llmopt.LlmoptError, match="512"):
        session.step(tokens)
