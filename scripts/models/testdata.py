"""Checks of an exported model against its checkpoint, and test data sets in the ONNX layout.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import numpy_helper
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

# Batch, new tokens and past tokens of the data sets; the operator of the generator's form has past only for one row.
SHAPES = ((2, 5, 0), (1, 1, 7), (3, 2, 0))


def open_session(directory: Path) -> ort.InferenceSession:
    """Optimisations off: the graph as written is the reference, not what a fusion makes of it."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return ort.InferenceSession(str(directory / "model.onnx"), options, providers=["CPUExecutionProvider"])


def make_feed(session: ort.InferenceSession, config, shape: tuple[int, int, int], seed: int) -> dict[str, np.ndarray]:
    batch, new, past = shape
    random = np.random.default_rng(seed)
    feed = {}
    for value in session.get_inputs():
        if value.name == "input_ids":
            feed[value.name] = random.integers(0, min(config.vocab_size, 1 << 15), (batch, new), dtype=np.int64)
        elif value.name == "attention_mask":
            feed[value.name] = np.ones((batch, past + new), np.int64)
        elif value.name == "position_ids":
            feed[value.name] = np.tile(np.arange(past, past + new, dtype=np.int64), (batch, 1))
        else:
            feed[value.name] = random.standard_normal((batch, config.num_key_value_heads, past, config.head_dim), np.float32)
    return feed


@torch.no_grad()
def verify(checkpoint: Path, directory: Path) -> float:
    """Largest difference of the logits relative to max(1, |reference|), with and without past; above 1e-3 is an error."""
    config = AutoConfig.from_pretrained(checkpoint)
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
    session = open_session(directory)
    feed = make_feed(session, config, (2, 6, 0), seed=1)
    expected = model(input_ids=torch.from_numpy(feed["input_ids"])).logits.numpy()
    whole = session.run(None, feed)
    worst = difference(whole[0], expected)

    # The same tokens again: all but the last as past.
    outputs = [value.name for value in session.get_outputs()]
    step = {name: array[:, -1:] if name in ("input_ids", "position_ids") else array for name, array in feed.items()}
    for name, array in zip(outputs[1:], whole[1:]):
        step[name.replace("present", "past_key_values")] = array[:, :, :-1]
    worst = max(worst, difference(session.run(["logits"], step)[0][:, -1], expected[:, -1]))
    if worst > 1e-3:
        raise RuntimeError(f"{directory}: the exported model differs from its checkpoint by {worst}")
    return worst


@torch.no_grad()
def verify_encoder(checkpoint: Path, directory: Path) -> float:
    """As verify, of the last hidden state; the second row is padded."""
    model = AutoModel.from_pretrained(checkpoint, dtype=torch.float32).eval()
    ids = np.random.default_rng(1).integers(1000, model.config.vocab_size, (2, 7), dtype=np.int64)
    mask = np.ones_like(ids)
    mask[1, 4:] = 0
    feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    expected = model(**{name: torch.from_numpy(array) for name, array in feed.items()}).last_hidden_state.numpy()
    actual = open_session(directory).run(None, feed)[0]
    worst = difference(actual[mask == 1], expected[mask == 1])
    if worst > 1e-3:
        raise RuntimeError(f"{directory}: the exported model differs from its checkpoint by {worst}")
    return worst


def difference(actual: np.ndarray, expected: np.ndarray) -> float:
    return float((np.abs(actual - expected) / np.maximum(1, np.abs(expected))).max())


def write_data_sets(directory: Path) -> None:
    """test_data_set_k/{input,output}_j.pb, as the ONNX backend tests have them."""
    config = AutoConfig.from_pretrained(directory.parent / "hf")
    session = open_session(directory)
    for index, shape in enumerate(SHAPES):
        data = directory / f"test_data_set_{index}"
        data.mkdir()
        feed = make_feed(session, config, shape, seed=index)
        write_tensors(data, "input", feed)
        names = [value.name for value in session.get_outputs()]
        write_tensors(data, "output", dict(zip(names, session.run(names, feed))))


def write_tensors(directory: Path, kind: str, tensors: dict[str, np.ndarray]) -> None:
    for index, (name, array) in enumerate(tensors.items()):
        onnx.save_tensor(numpy_helper.from_array(np.ascontiguousarray(array), name), directory / f"{kind}_{index}.pb")
