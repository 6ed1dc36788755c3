"""Streaming of whole characters.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import pytest

from llmopt.stream import REPLACEMENT, StreamDecoder
from llmopt.tokenizer import ChatTokenizer

TEXTS = ["plain", "Zürich, Übung", "日本語のテキスト", "👩‍👩‍👧 family 🏳️‍🌈", "a\u0301 combining", "mixed ж 漢 🙂 end", ""]


def stream(tokenizer: ChatTokenizer, tokens: list[int]) -> tuple[list[str], str]:
    decoder = StreamDecoder(tokenizer.decode)
    return [decoder.push(token) for token in tokens], decoder.finish()


@pytest.mark.parametrize("text", TEXTS)
def test_characters_over_several_tokens_come_whole(tokenizer_directory, text):
    tokenizer = ChatTokenizer(tokenizer_directory)
    tokens = tokenizer.encode(text)
    assert len(tokens) == len(text.encode())  # one token per byte: every character beyond ASCII is split
    pieces, rest = stream(tokenizer, tokens)
    assert "".join(pieces) == text
    assert rest == ""
    assert not any(REPLACEMENT in piece for piece in pieces)


def test_text_comes_with_the_token_that_completes_it(tokenizer_directory):
    tokenizer = ChatTokenizer(tokenizer_directory)
    pieces, _ = stream(tokenizer, tokenizer.encode("aé€b"))
    assert pieces == ["a", "", "é", "", "", "€", "b"]


def test_unfinished_character_is_given_at_the_end(tokenizer_directory):
    tokenizer = ChatTokenizer(tokenizer_directory)
    pieces, rest = stream(tokenizer, tokenizer.encode("x€")[:-1])
    assert "".join(pieces) == "x"
    assert rest and set(rest) == {REPLACEMENT}


def test_invalid_bytes_do_not_hold_back_what_follows(tokenizer_directory):
    tokenizer = ChatTokenizer(tokenizer_directory)
    lone = tokenizer.encode("€")[-1:]
    pieces, rest = stream(tokenizer, [*lone, *tokenizer.encode("ok")])
    assert "".join(pieces) == REPLACEMENT + "ok"
    assert rest == ""


def test_special_tokens_have_no_text(tokenizer_directory):
    tokenizer = ChatTokenizer(tokenizer_directory)
    pieces, rest = stream(tokenizer, tokenizer.encode("a<|user|>b"))
    assert pieces == ["a", "", "b"]
    assert rest == ""


def test_word_spaces_of_context_dependent_decoders():
    """Some decoders drop the space of the first token only, as SentencePiece does."""
    words = {1: "▁Hello", 2: "▁world", 3: "s"}

    def decode(tokens):
        return "".join(words[token] for token in tokens).replace("▁", " ").removeprefix(" ")

    decoder = StreamDecoder(decode)
    assert [decoder.push(token) for token in (1, 2, 3, 2)] == ["Hello", " world", "s", " world"]


def test_memory_stays_bounded():
    seen = []
    decoder = StreamDecoder(lambda tokens: seen.append(len(tokens)) or "x" * len(tokens))
    for token in range(1000):
        decoder.push(token)
    assert max(seen) <= 2
