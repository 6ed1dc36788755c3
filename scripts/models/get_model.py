"""Command line of scripts/get-model: which model, in which ONNX form.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import argparse
import importlib
import sys
from pathlib import Path
from typing import NamedTuple

import cache


class Family(NamedTuple):
    """How checkpoints of one kind become ONNX files: functions of exporters.py by form, and the check in testdata.py."""

    forms: dict[str, str]
    verify: str


class Model(NamedTuple):
    checkpoint: str  # function of checkpoints.py
    family: Family
    form: str  # the default
    about: str


DECODERS = Family({"genai": "export_genai", "dynamo": "export_dynamo", "torchscript": "export_torchscript"}, "verify")
ENCODERS = Family({"dynamo": "export_encoder_dynamo", "torchscript": "export_encoder_torchscript"}, "verify_encoder")
MODELS = {
    "smollm2": Model("make_smollm2", DECODERS, "genai", "SmolLM2-135M-Instruct"),
    "novels-6m": Model("make_novels", DECODERS, "genai", "a llama of 6 million weights from LLMOPT_CORPORA"),
    "minilm": Model("make_minilm", ENCODERS, "dynamo", "all-MiniLM-L6-v2, a sentence encoder"),
    "tiny": Model("make_tiny", DECODERS, "all", "two random layers, with test data sets"),
}


# Sizes of known models with random weights, in one form (shapes.py).
SHAPES = ("tinyllama-1.1b", "opt-1.3b", "llama-tiny", "opt-tiny")


def call(module: str, function: str, *arguments):
    """Imported only when something is to be made: PyTorch takes seconds to load."""
    return getattr(importlib.import_module(module), function)(*arguments)


def make_form(model: str, form: str, checkpoint: Path, directory: Path) -> None:
    family = MODELS[model].family
    call("exporters", family.forms[form], checkpoint, directory)
    call("checkpoints", "copy_tokenizer", checkpoint, directory)
    worst = call("testdata", family.verify, checkpoint, directory)
    print(f"{model}, {form}: ONNX Runtime and PyTorch differ by at most {worst:.1e} of max(1, |output|)", file=sys.stderr)
    if model == "tiny":
        call("testdata", "write_data_sets", directory)


def get_shape(name: str) -> None:
    print(cache.make_once(cache.root() / "models/shapes" / name, lambda directory: call("shapes", "make_shape", name, directory)))


def get_model(parser: argparse.ArgumentParser, name: str, form: str | None) -> None:
    model = MODELS[name]
    form = form or model.form
    home = cache.root() / "models" / name
    checkpoint = cache.make_once(home / "hf", lambda directory: call("checkpoints", model.checkpoint, directory))
    wanted = model.family.forms if form == "all" else [form]
    for each in wanted:
        if each in model.family.forms:
            cache.make_once(home / each, lambda directory, each=each: make_form(name, each, checkpoint, directory))
        elif not (home / each).is_dir():
            parser.error(f"{name} has no form {each}")
        print(home / each)


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/get-model", description=__doc__.splitlines()[0])
    about = "; ".join(f"{name}: {model.about}" for name, model in MODELS.items())
    names = [*MODELS, *(f"shape:{name}" for name in SHAPES)]
    parser.add_argument("model", choices=names, metavar="MODEL", help=f"{about}; shape:NAME: random weights ({', '.join(SHAPES)})")
    forms = dict.fromkeys([*DECODERS.forms, *ENCODERS.forms, "all", "hf", "gguf"])
    parser.add_argument("--form", choices=forms, help="ONNX form (default: all for tiny, dynamo for minilm, else genai); hf, gguf: the checkpoint only")
    options = parser.parse_args()
    if options.model.startswith("shape:"):
        if options.form:
            parser.error(f"{options.model} has one form, that of the onnxruntime-genai builder")
        get_shape(options.model.removeprefix("shape:"))
    else:
        get_model(parser, options.model, options.form)


if __name__ == "__main__":
    main()
