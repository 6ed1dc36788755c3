"""Chat templates and stop tokens.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import json

import pytest

from llmopt.errors import LlmoptError
from llmopt.tokenizer import ChatTokenizer, directory_beside

HELLO = [{"role": "user", "content": "hello"}]


def test_template_is_rendered_with_the_generation_prompt(tokenizer_directory):
    tokenizer = ChatTokenizer(tokenizer_directory)
    assert tokenizer.render(HELLO) == "<|user|>hello<|end|>\n<|assistant|>"
    assert tokenizer.render(HELLO, answer_next=False) == "<|user|>hello<|end|>\n"


def test_special_tokens_of_the_prompt_are_single_tokens(tokenizer_directory):
    tokenizer = ChatTokenizer(tokenizer_directory)
    tokens = tokenizer.encode(tokenizer.render(HELLO))
    assert tokens[0] == 1 and tokens[-1] == 2 and tokens.count(3) == 1
    assert len(tokens) == len("hello\n") + 3


def test_stop_tokens_are_the_end_of_sequence_and_the_end_of_an_answer(tokenizer_directory):
    assert ChatTokenizer(tokenizer_directory).stop_tokens == {0, 3}


@pytest.mark.parametrize("named, expected", [(1, {0, 1, 3}), ([1, 2], {0, 1, 2, 3})])
def test_generation_settings_name_more_stop_tokens(tokenizer_directory, named, expected):
    (tokenizer_directory / "generation_config.json").write_text(json.dumps({"eos_token_id": named}))
    assert ChatTokenizer(tokenizer_directory).stop_tokens == expected


def test_a_plain_word_after_the_answer_is_no_stop_token(tokenizer_directory):
    (tokenizer_directory / "chat_template.jinja").write_text("{% for m in messages %}{{ m['content'] }}\n{% endfor %}")
    assert ChatTokenizer(tokenizer_directory).stop_tokens == {0}


def test_template_in_the_configuration_and_wrapped_special_tokens(tokenizer_directory):
    (tokenizer_directory / "chat_template.jinja").unlink()
    config = {"eos_token": {"content": "<|eos|>"}, "chat_template": "{{ messages[0]['content'] }}{{ eos_token }}"}
    (tokenizer_directory / "tokenizer_config.json").write_text(json.dumps(config))
    assert ChatTokenizer(tokenizer_directory).render(HELLO) == "hello<|eos|>"


def test_template_may_refuse(tokenizer_directory):
    (tokenizer_directory / "chat_template.jinja").write_text("{{ raise_exception('only one turn') }}")
    with pytest.raises(LlmoptError, match="only one turn"):
        ChatTokenizer(tokenizer_directory).render(HELLO)


def test_template_has_no_way_out_of_its_sandbox(tokenizer_directory):
    (tokenizer_directory / "chat_template.jinja").write_text("{{ ''.__class__.__mro__ }}")
    with pytest.raises(LlmoptError, match="unsafe"):
        ChatTokenizer(tokenizer_directory).render(HELLO)


def test_malformed_template(tokenizer_directory):
    (tokenizer_directory / "chat_template.jinja").write_text("{% for %}")
    with pytest.raises(LlmoptError, match="malformed"):
        ChatTokenizer(tokenizer_directory)


def test_without_a_template_text_still_works(tokenizer_directory):
    (tokenizer_directory / "chat_template.jinja").unlink()
    tokenizer = ChatTokenizer(tokenizer_directory)
    assert tokenizer.decode(tokenizer.encode("text")) == "text"
    with pytest.raises(LlmoptError, match="chat_template.jinja"):
        tokenizer.render(HELLO)


def test_missing_and_broken_files(tmp_path, tokenizer_directory):
    with pytest.raises(LlmoptError, match="no tokenizer.json"):
        ChatTokenizer(tmp_path / "nowhere")
    (tokenizer_directory / "tokenizer_config.json").write_text("{")
    with pytest.raises(LlmoptError, match="is not JSON"):
        ChatTokenizer(tokenizer_directory)


def test_directory_beside(tmp_path):
    assert directory_beside(tmp_path / "model.so") == tmp_path / "model.tokenizer"
