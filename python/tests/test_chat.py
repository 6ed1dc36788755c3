"""Conversations over a model that says what it is told to.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import numpy as np
import pytest

from llmopt.chat import Conversation, sample
from llmopt.tokenizer import ChatTokenizer

VOCABULARY = 261
END, EOS = 3, 0


class ScriptedSession:
    """A session whose answers are written down; checks that every position is fed once."""

    def __init__(self, answer: list[int], max_sequence: int = 1000):
        self.answer = list(answer)
        self.max_sequence = max_sequence
        self.cache: list[int] = []
        self.fed: list[int] = []  # tokens of each step

    def step(self, tokens, sequence=0):
        assert len(self.cache) + len(tokens) <= self.max_sequence
        self.cache.extend(tokens)
        self.fed.append(len(tokens))
        logits = np.zeros(VOCABULARY, np.float32)
        logits[self.answer.pop(0)] = 1
        return logits

    def truncate(self, position, sequence=0):
        assert position <= len(self.cache)
        del self.cache[position:]


@pytest.fixture
def tokenizer(tokenizer_directory) -> ChatTokenizer:
    return ChatTokenizer(tokenizer_directory)


@pytest.mark.parametrize("stop", [END, EOS])
def test_answer_ends_at_a_stop_token(tokenizer, stop):
    session = ScriptedSession([*tokenizer.encode("Zürich"), stop, *tokenizer.encode("never")])
    conversation = Conversation(session, tokenizer)
    assert "".join(conversation.ask("Where?")) == "Zürich"
    assert conversation.ended_by == "stop token"
    assert conversation.messages[-1] == {"role": "assistant", "content": "Zürich"}


def test_answer_ends_at_the_limit_without_a_further_step(tokenizer):
    session = ScriptedSession(tokenizer.encode("abcdef"))
    conversation = Conversation(session, tokenizer)
    assert "".join(conversation.ask("?", limit=3)) == "abc"
    assert conversation.ended_by == "token limit"
    assert len(session.fed) == 3


def test_unfinished_character_at_the_limit(tokenizer):
    conversation = Conversation(ScriptedSession(tokenizer.encode("a€")), tokenizer)
    assert "".join(conversation.ask("?", limit=2)) == "a\N{REPLACEMENT CHARACTER}"


def test_full_context_is_reported(tokenizer):
    prompt = len(tokenizer.encode(tokenizer.render([{"role": "user", "content": "?"}])))
    session = ScriptedSession(tokenizer.encode("abcdef"), max_sequence=prompt + 2)
    conversation = Conversation(session, tokenizer)
    # Two more tokens fit, and the third needs no place: nothing follows it.
    assert "".join(conversation.ask("?")) == "abc"
    assert conversation.ended_by == "full context"


def test_prompt_that_does_not_fit_is_not_fed(tokenizer):
    session = ScriptedSession([], max_sequence=4)
    conversation = Conversation(session, tokenizer)
    assert "".join(conversation.ask("far too long")) == ""
    assert conversation.ended_by == "full context"
    assert session.fed == []


def test_second_turn_feeds_only_what_is_new(tokenizer):
    session = ScriptedSession([*tokenizer.encode("one"), END, *tokenizer.encode("two"), END])
    conversation = Conversation(session, tokenizer)
    assert "".join(conversation.ask("first")) == "one"
    cached = list(session.cache)
    session.fed.clear()
    assert "".join(conversation.ask("second")) == "two"
    prompt = tokenizer.encode(tokenizer.render(conversation.messages[:-1]))
    assert prompt[: len(cached)] == cached
    assert session.fed[0] == len(prompt) - len(cached)
    assert session.cache == [*prompt, *tokenizer.encode("two")]


def test_system_message_comes_first(tokenizer):
    session = ScriptedSession([END])
    "".join(Conversation(session, tokenizer, system="be brief").ask("?"))
    assert tokenizer.decode(session.cache) == "be brief\n?\n"


def test_greedy_takes_the_first_of_equal_logits():
    assert sample(np.array([0, 2, 2, 1], np.float32), 0.0, np.random.default_rng(0)) == 1


def test_temperature_follows_the_distribution():
    random = np.random.default_rng(0)
    logits = np.log(np.array([0.1, 0.2, 0.7]))
    share = np.bincount([sample(logits, 1.0, random) for _ in range(5000)], minlength=3) / 5000
    assert share == pytest.approx([0.1, 0.2, 0.7], abs=0.03)
    assert {sample(logits, 0.01, random) for _ in range(100)} == {2}


def test_same_seed_same_answer(tokenizer):
    class Flat(ScriptedSession):
        def step(self, tokens, sequence=0):
            return np.zeros(VOCABULARY, np.float32)

    answers = ["".join(Conversation(Flat([]), tokenizer).ask("?", limit=20, temperature=1.0, seed=seed)) for seed in (1, 1, 2)]
    assert answers[0] == answers[1] != answers[2]
