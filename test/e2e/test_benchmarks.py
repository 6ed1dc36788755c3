"""The yardstick itself: feeds and scores of the accuracy benchmark.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import json

import accuracy
import numpy as np
import pytest
import support

PROMPTS = [[5, 6, 7], [40, 41, 42, 43, 44, 45, 46], [9]]
STEPS = 4


@pytest.fixture(scope="module")
def references(model_directory):
    config = json.loads((model_directory("tiny", "hf") / "config.json").read_text())
    batches = [*([prompt] for prompt in PROMPTS), PROMPTS]
    return {form: accuracy.references(model_directory("tiny", form), config, batches, form != "genai", STEPS) for form in support.FORMS}


@pytest.mark.parametrize("form", ["dynamo", "torchscript"])
def test_forms_agree_although_they_are_padded_differently(references, form):
    score = accuracy.Score()
    for ours, theirs in zip(references[form], references["genai"], strict=True):
        assert ours.tokens == theirs.tokens
        for rows, wanted in zip(ours.logits, theirs.logits, strict=True):
            for row, want in zip(rows, wanted, strict=True):
                score.add(row, want)
    assert score.good() and score.worst < 1e-4
    assert score.rows == 2 * (sum(map(len, PROMPTS)) + STEPS * len(PROMPTS))


def test_a_batch_computes_what_each_row_computes_alone(references):
    *alone, together = references["genai"]
    for index, single in enumerate(alone):
        for rows, wanted in zip(together.logits, single.logits, strict=True):
            assert support.relative_difference(rows[index], wanted[0]) < 1e-4


def score(actual, expected):
    result = accuracy.Score()
    result.add(np.array(actual, np.float32), np.array(expected, np.float32))
    return result


def test_score_of_equal_logits():
    assert score([[1, 2, 0]], [[1, 2, 0]]).good()


def test_score_without_rows_is_not_good():
    assert not accuracy.Score().good()


@pytest.mark.parametrize("actual", [[1, 2.01, 0], [1, float("nan"), 0], [1, float("inf"), 0]])
def test_score_of_a_difference(actual):
    assert not score([actual], [[1, 2, 0]]).good()


def test_large_values_may_differ_more():
    assert score([[1000.5, 0]], [[1000, 0]]).good()
    assert not score([[1005, 0]], [[1000, 0]]).good()


def test_near_ties_are_counted_and_decided_tokens_must_agree():
    tie = score([[1.0015, 1.0]], [[1.0, 1.001]])
    assert (tie.near_ties, tie.differing_ties, tie.wrong_tokens) == (1, 1, 0)
    assert tie.good()
    same = score([[1.0, 1.001]], [[1.0, 1.001]])
    assert (same.near_ties, same.differing_ties) == (1, 0)
    decided = score([[1.004, 1.003]], [[1.0, 1.0045]])
    assert (decided.near_ties, decided.wrong_tokens) == (0, 1)


def test_shapes_must_agree():
    with pytest.raises(ValueError):
        score([[1, 2]], [[1, 2, 3]])


def test_wikitext_is_brought_back_to_plain_text():
    text = " The 10 @,@ 000 @-@ metre race ( 1 @.@ 5 h ) didn 't end , he said ; it 's over .\n"
    assert support.untokenize_wikitext(text) == " The 10,000-metre race (1.5 h) didn 't end, he said; it's over.\n"
