"""Inputs of a decoder's ONNX signature for a batch of prompts, and which rows of its outputs mean something.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

Tensors = dict[str, np.ndarray]
Run = Callable[[Tensors], Tensors]


def padded(rows: Sequence[Sequence[int]], left: bool) -> tuple[np.ndarray, np.ndarray]:
    """Token ids [batch, longest] and the mask of the real ones."""
    longest = max(map(len, rows))
    ids, mask = (np.zeros((len(rows), longest), np.int64) for _ in range(2))
    for index, row in enumerate(rows):
        place = slice(longest - len(row), None) if left else slice(None, len(row))
        ids[index, place], mask[index, place] = row, 1
    return ids, mask


def empty_past(names: Sequence[str], batch: int, kv_heads: int, head_dim: int) -> Tensors:
    return {name: np.zeros((batch, kv_heads, 0, head_dim), np.float32) for name in names if name.startswith("past_key_values")}


def past_of(outputs: Tensors) -> Tensors:
    return {name.replace("present", "past_key_values"): array for name, array in outputs.items() if name.startswith("present")}


def drive(run: Run, past: Tensors, prompts: Sequence[Sequence[int]], steps: int, left: bool, choose) -> Iterator[list[np.ndarray]]:
    """Prefill, then `steps` decode steps, each on the cache of the one before.

    left: pad on the left, with positions counted from the mask; else on the right, where each row continues at its own length.
    choose(step, logits of each row) gives the next token of each row.
    Yields the logits [tokens, vocabulary] of the real tokens of each row.
    """
    batch, lengths = len(prompts), np.array([len(prompt) for prompt in prompts])
    ids, mask = padded(prompts, left)
    longest = ids.shape[1]
    feed = {"input_ids": ids, "attention_mask": mask, **past}
    if left:
        feed["position_ids"] = np.maximum(mask.cumsum(axis=1) - 1, 0)
    outputs = run(feed)
    rows = [logits[longest - length :] if left else logits[:length] for logits, length in zip(outputs["logits"], lengths)]
    yield rows
    for step in range(steps):
        tokens = np.array(choose(step, rows), np.int64).reshape(batch, 1)
        if left:
            mask = np.concatenate([mask, np.ones((batch, 1), np.int64)], axis=1)
        else:
            mask = (np.arange(longest + step + 1) <= (lengths + step)[:, None]).astype(np.int64)
        feed = {"input_ids": tokens, "attention_mask": mask, **past_of(outputs)}
        if left:
            feed["position_ids"] = (lengths + step).reshape(batch, 1)
        outputs = run(feed)
        rows = list(outputs["logits"])
        yield rows


def drive_steps(session, prompts: Sequence[Sequence[int]], steps: int, choose) -> Iterator[list[np.ndarray]]:
    """The same through the sequences of a session, without padding."""
    for sequence in range(len(prompts)):
        session.truncate(0, sequence)
    rows = session.step_many(dict(enumerate(prompts)), want="all")
    yield rows
    for step in range(steps):
        rows = session.step_many({sequence: [token] for sequence, token in enumerate(choose(step, rows))})
        yield rows
