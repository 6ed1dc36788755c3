"""Holds a conversation with a compiled model.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from llmopt.stream import StreamDecoder
from llmopt.tokenizer import ChatTokenizer, Message


class Decoder(Protocol):
    """What a conversation needs of a session, see llmopt.runtime.Session."""

    @property
    def max_sequence(self) -> int: ...
    def step(self, tokens: Sequence[int], sequence: int = 0) -> np.ndarray: ...
    def truncate(self, position: int, sequence: int = 0) -> None: ...


def sample(logits: np.ndarray, temperature: float, random: np.random.Generator) -> int:
    """A token drawn from the logits [vocabulary]; temperature 0 is the first of the largest."""
    if temperature == 0:
        return int(logits.argmax())
    scaled = (logits - logits.max()).astype(np.float64) / temperature
    weights = np.exp(scaled)
    return int(random.choice(len(weights), p=weights / weights.sum()))


class Conversation:
    """A conversation in one sequence of a session. The cache keeps what a new prompt shares with the last one."""

    def __init__(self, session: Decoder, tokenizer: ChatTokenizer, system: str | None = None):
        self.messages: list[Message] = [{"role": "system", "content": system}] if system else []
        self.ended_by = ""  # why the last answer ended: "stop token", "token limit" or "full context"
        self._session = session
        self._tokenizer = tokenizer
        self._cached: list[int] = []

    def ask(self, question: str, limit: int | None = None, temperature: float = 0.0, seed: int = 0) -> Iterator[str]:
        """Yields the answer in pieces of whole characters, of at most `limit` tokens."""
        self.messages.append({"role": "user", "content": question})
        pieces = []
        for piece in self._answer(limit, temperature, np.random.default_rng(seed)):
            pieces.append(piece)
            yield piece
        self.messages.append({"role": "assistant", "content": "".join(pieces)})

    def _answer(self, limit: int | None, temperature: float, random: np.random.Generator) -> Iterator[str]:
        prompt = self._tokenizer.encode(self._tokenizer.render(self.messages))
        if len(prompt) > self._session.max_sequence:
            self.ended_by = "full context"
            return
        logits = self._feed(prompt)
        decoder = StreamDecoder(self._tokenizer.decode)
        produced = 0
        while True:
            token = sample(logits, temperature, random)
            if token in self._tokenizer.stop_tokens:
                self.ended_by = "stop token"
                break
            produced += 1
            if piece := decoder.push(token):
                yield piece
            if produced == limit:
                self.ended_by = "token limit"
                break
            if len(self._cached) >= self._session.max_sequence:
                self.ended_by = "full context"
                break
            logits = self._session.step([token])
            self._cached.append(token)
        if piece := decoder.finish():
            yield piece

    def _feed(self, prompt: list[int]) -> np.ndarray:
        """Brings the cache to the prompt; at least its last token is computed, for its logits."""
        shared = 0
        for old, new in zip(self._cached, prompt[:-1]):
            if old != new:
                break
            shared += 1
        if shared < len(self._cached):
            self._session.truncate(shared)
        # Forgotten first: if the step fails, the cache holds no more than this.
        self._cached = self._cached[:shared]
        logits = self._session.step(prompt[shared:])
        self._cached = list(prompt)
        return logits
