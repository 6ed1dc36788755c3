"""Command line: llmopt compile, llmopt chat.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from llmopt import compiler
from llmopt.chat import Conversation
from llmopt.errors import LlmoptError
from llmopt.runtime import Model
from llmopt.tokenizer import ChatTokenizer, directory_beside

USAGE = """\
usage: llmopt compile MODEL.onnx [FLAGS of llmopt-compile] -o model.so
       llmopt chat model.so [--prompt TEXT] [--max-tokens N] [--temperature T] [--threads N]

compile: runs llmopt-compile, and copies the tokenizer and the chat template that lie beside
         MODEL.onnx to model.tokenizer/ beside the library.
chat:    answers a question, or the lines of standard input one after the other.

`llmopt compile --help` and `llmopt chat --help` say more.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 done, 1 failed, 2 usage, and what llmopt-compile says."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    commands = {"compile": compiler.run, "chat": chat}
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, end="", file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    if arguments[0] not in commands:
        print(f"llmopt: error: unknown command '{arguments[0]}', expected compile or chat", file=sys.stderr)
        return 2
    try:
        return commands[arguments[0]](arguments[1:])
    except LlmoptError as error:
        print(f"llmopt {arguments[0]}: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output has gone; what is still buffered has nowhere to go.
        sys.stdout = None
        return 1


def natural(text: str) -> int:
    if (value := int(text)) < 1:
        raise ValueError
    return value


def temperature(text: str) -> float:
    if not 0 <= (value := float(text)) < float("inf"):
        raise ValueError
    return value


def chat_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="llmopt chat", description="Answers a question, or the lines of standard input one after the other.")
    parser.add_argument("model", type=Path, help="compiled model")
    parser.add_argument("--prompt", help="ask this and end (default: read questions from standard input)")
    parser.add_argument("--system", help="system message (default: the template's own)")
    parser.add_argument("--max-tokens", type=natural, metavar="N", help="longest answer in tokens (default: until the context is full)")
    parser.add_argument("--temperature", type=temperature, default=0.0, metavar="T", help="randomness of the answers, 0 is greedy (default: 0)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the random choices (default: 0)")
    parser.add_argument("--threads", type=natural, metavar="N", help="threads (default: one per core)")
    parser.add_argument("--tokenizer", type=Path, metavar="DIR", help="directory of tokenizer.json (default: model.tokenizer beside the model)")
    return parser


def chat(arguments: Sequence[str]) -> int:
    options = chat_parser().parse_args(arguments)
    if not options.model.is_file():
        raise LlmoptError(f"{options.model}: no such file")
    tokenizer = ChatTokenizer(options.tokenizer or directory_beside(options.model))
    with Model(options.model, threads=options.threads) as model, model.session() as session:
        if model.is_graph:
            raise LlmoptError(f"{options.model} is a graph and has no sequences of tokens")
        conversation = Conversation(session, tokenizer, options.system)
        for question in questions(options.prompt):
            for piece in conversation.ask(question, options.max_tokens, options.temperature, options.seed):
                print(piece, end="", flush=True)
            print(flush=True)
            if conversation.ended_by == "full context":
                raise LlmoptError(f"the context is full ({session.max_sequence} tokens): start a new chat, or compile with a larger -max-seq")
    return 0


def questions(prompt: str | None):
    """The question of the command line, or the lines of standard input without the empty ones."""
    if prompt is not None:
        yield prompt
        return
    interactive = sys.stdin.isatty()
    while True:
        if interactive:
            print("> ", end="", flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            yield line.strip()
