"""Greedy choice, sampling and beam search of llmopt-run against transformers, on small models in float32.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import pytest
import torch
import transformers
from conftest import run_tool

PROMPTS = {"tiny": [5, 300, 77, 12, 480], "novels-6m": [11, 870, 2040, 33, 512, 99]}
LENGTH = 24


@pytest.fixture(scope="module", params=PROMPTS)
def pair(request, compiled, model_directory):
    """A prompt, the library and the model in PyTorch."""
    model = transformers.AutoModelForCausalLM.from_pretrained(model_directory(request.param, "hf"), dtype=torch.float32).eval()
    return PROMPTS[request.param], compiled(request.param, "genai", "-quant=none"), model


def generate(library, prompt, *flags):
    run = run_tool("llmopt-run", library, f"-tokens={','.join(map(str, prompt))}", f"-n={LENGTH}", *flags)
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def expected(model, prompt, **options):
    inputs = torch.tensor([prompt])
    arguments = {"max_new_tokens": LENGTH, "do_sample": False, "pad_token_id": 0, "attention_mask": torch.ones_like(inputs)} | options
    return model.generate(inputs, return_dict_in_generate=True, output_scores=True, **arguments)


def without_padding(row, prompt, stop):
    """The new tokens up to one that ends the text."""
    tokens = row[len(prompt) :].tolist()
    ends = [index for index, token in enumerate(tokens) if token in stop]
    return tokens[: ends[0]] if ends else tokens


def test_greedy(pair):
    prompt, library, model = pair
    (line,) = generate(library, prompt)
    found = expected(model, prompt, eos_token_id=None).sequences[0]
    assert list(map(int, line.split())) == found[len(prompt) :].tolist()


def check_beams(pair, beams, stop, penalty):
    prompt, library, model = pair
    flags = [f"-beams={beams}", f"-length-penalty={penalty}", *([f"-stop={','.join(map(str, stop))}"] if stop else [])]
    lines = [line.split() for line in generate(library, prompt, *flags)]
    options = {"num_beams": beams, "num_return_sequences": beams, "length_penalty": penalty, "eos_token_id": stop or None}
    found = expected(model, prompt, **options)
    assert [list(map(int, line[1:])) for line in lines] == [without_padding(row, prompt, stop) for row in found.sequences]
    assert [float(line[0]) for line in lines] == pytest.approx(found.sequences_scores.tolist(), abs=1e-4)


@pytest.mark.parametrize("beams", [2, 4, 8])
def test_beams(pair, beams):
    check_beams(pair, beams, [], 1.0)


@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.0])
def test_beams_that_end_early(pair, penalty):
    prompt, library, _ = pair
    texts = [list(map(int, line.split()[1:])) for line in generate(library, prompt, "-beams=4")]
    # What likely texts have in their middle ends some of them, at different lengths.
    check_beams(pair, 4, sorted({texts[0][5], texts[-1][9]}), penalty)


def test_sampling_is_repeatable(pair):
    prompt, library, _ = pair
    flags = ["-temperature=1.5", "-top-k=50", "-top-p=0.95"]
    first, again, other = (generate(library, prompt, *flags, f"-seed={seed}") for seed in (3, 3, 4))
    assert first == again != other


@pytest.mark.parametrize(
    "flags, message",
    [
        (["-beams=0"], "-beams must be at least 1"),
        (["-beams=2", "-temperature=1"], "-beams searches and -temperature draws"),
        (["-beams=99"], "99"),
    ],
)
def test_refused(compiled, flags, message):
    run = run_tool("llmopt-run", compiled("tiny", "genai", "-quant=none"), "-tokens=1", *flags)
    assert run.returncode != 0
    assert message in run.stderr and len(run.stderr.splitlines()) == 1


def test_beams_in_a_full_context(compiled):
    library = compiled("tiny", "genai", "-quant=none", "-max-seq=64")
    run = run_tool("llmopt-run", library, f"-tokens={','.join(['7'] * 60)}", "-n=20", "-beams=3")
    assert run.returncode == 0, run.stderr
    # Four tokens fit, and the last ones have logits.
    assert [len(line.split()) - 1 for line in run.stdout.splitlines()] == [5, 5, 5]
