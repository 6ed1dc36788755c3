"""A model's tokenizer and chat template, from Hugging Face files.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import json
from collections.abc import Sequence
from pathlib import Path

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from llmopt.errors import LlmoptError

FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")

Message = dict[str, str]  # {"role": "user" | "assistant" | "system", "content": text}


def directory_beside(library: Path) -> Path:
    """Where the tokenizer of a compiled model lies: model.so -> model.tokenizer/."""
    return library.with_suffix(".tokenizer")


class ChatTokenizer:
    """Text to tokens and back, conversations to prompts, and which tokens end an answer."""

    def __init__(self, directory: Path):
        if not (directory / "tokenizer.json").is_file():
            raise LlmoptError(f"no tokenizer.json in {directory}: compile with `llmopt compile`, or name its directory with --tokenizer")
        self._tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self._config = _read_json(directory / "tokenizer_config.json")
        self._special = {id for id, token in self._tokenizer.get_added_tokens_decoder().items() if token.special}
        self._template = _load_template(directory, self._config)
        self.stop_tokens = self._find_stop_tokens(_read_json(directory / "generation_config.json"))

    def encode(self, text: str) -> list[int]:
        """Tokens of the text as it is; special tokens written in it become those tokens, none is added."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of the tokens, without the special ones; incomplete characters are U+FFFD."""
        return self._tokenizer.decode(list(tokens), skip_special_tokens=True)

    def render(self, messages: Sequence[Message], answer_next: bool = True) -> str:
        """The prompt text of a conversation; with answer_next it ends where the model's answer begins."""
        if self._template is None:
            raise LlmoptError("the model has no chat template: put chat_template.jinja beside its tokenizer.json")
        names = {name: _token_text(self._config.get(name)) for name in ("bos_token", "eos_token", "pad_token", "unk_token")}
        try:
            return self._template.render(messages=list(messages), add_generation_prompt=answer_next, **names)
        except jinja2.TemplateError as error:
            raise LlmoptError(f"the chat template refuses the conversation: {error}") from error

    def _find_stop_tokens(self, generation: dict) -> frozenset[int]:
        """The end of sequence, what the generation settings name, and what the template writes after an answer."""
        named = generation.get("eos_token_id")
        stops = set(named if isinstance(named, list) else [] if named is None else [named])
        end = self._tokenizer.token_to_id(_token_text(self._config.get("eos_token")))
        if end is not None:
            stops.add(end)
        if self._template is not None:
            stops |= self._template_end()
        return frozenset(stops)

    def _template_end(self) -> set[int]:
        answer = "llmopt-answer"
        conversation = [{"role": "user", "content": "?"}, {"role": "assistant", "content": answer}]
        try:
            _, found, tail = self.render(conversation, answer_next=False).partition(answer)
        except LlmoptError:
            return set()
        first = self.encode(tail)[:1] if found else []
        return set(first) & self._special


def _read_json(path: Path) -> dict:
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LlmoptError(f"{path} is not JSON: {error}") from error


def _token_text(token: str | dict | None) -> str:
    """The text of a special token, which older files wrap in a dictionary."""
    return (token.get("content", "") if isinstance(token, dict) else token) or ""


def _load_template(directory: Path, config: dict) -> jinja2.Template | None:
    path = directory / "chat_template.jinja"
    text = path.read_text(encoding="utf-8") if path.is_file() else config.get("chat_template")
    if isinstance(text, list):  # several named templates
        text = next((entry["template"] for entry in text if entry.get("name") == "default"), None)
    if not text:
        return None
    # A template comes with a model from anywhere: sandboxed. Whitespace rules and helpers are those of Transformers.
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    environment.globals["raise_exception"] = _refuse
    environment.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False, **options)
    try:
        return environment.from_string(text)
    except jinja2.TemplateError as error:
        raise LlmoptError(f"the chat template in {directory} is malformed: {error}") from error


def _refuse(message: str):
    raise jinja2.TemplateError(message)
