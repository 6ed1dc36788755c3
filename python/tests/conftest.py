"""Fixtures: tokenizers small enough to write down.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ["<|eos|>", "<|user|>", "<|assistant|>", "<|end|>", "<|system|>"]


@pytest.fixture
def tokenizer_directory(tmp_path: Path) -> Path:
    """One token per byte after five special tokens; the template ends an answer with a token that is not the end of sequence."""
    vocabulary = {token: index for index, token in enumerate(SPECIAL + sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL)
    directory = tmp_path / "model.tokenizer"
    directory.mkdir()
    tokenizer.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|eos|>"}))
    (directory / "chat_template.jinja").write_text(TEMPLATE)
    return directory
