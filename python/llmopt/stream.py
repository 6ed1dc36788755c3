"""Turns a stream of tokens into a stream of whole characters.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

from collections.abc import Callable, Sequence

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class StreamDecoder:
    """Gives out text as soon as it is certain.

    A character may be spread over several tokens, and what a token stands for may depend on the one before it (a leading space). So the
    tokens of the last piece of text are decoded again with the new ones, and only what they add is given out; an unfinished character,
    which decodes to U+FFFD, is held back until its last token has come.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]):
        """decode: text of a list of token ids, incomplete characters as U+FFFD."""
        self._decode = decode
        self._tokens: list[int] = []
        self._given = 0  # leading tokens whose text has been given out

    def push(self, token: int) -> str:
        """Adds a token; returns the text that became certain, often of one token, possibly none."""
        self._tokens.append(token)
        text = self._new_text()
        if text.endswith(REPLACEMENT):
            return ""
        # What was new becomes the context of what follows; a token without text does not stand for one.
        if text:
            self._tokens = self._tokens[self._given :]
            self._given = len(self._tokens)
        return text

    def finish(self) -> str:
        """The rest, with U+FFFD for a character that never ended."""
        text = self._new_text()
        self._tokens, self._given = [], 0
        return text

    def _new_text(self) -> str:
        return self._decode(self._tokens)[len(self._decode(self._tokens[: self._given])) :]
