"""Command line of scripts/get-model: which model, in which ONNX form.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import argparse
import importlib
import sys
from pathlib import Path

import cache

FORMS = {"genai": "export_genai", "dynamo": "export_dynamo", "torchscript": "export_torchscript"}
CHECKPOINTS = {"smollm2": "make_smollm2", "tiny": "make_tiny"}


def call(module: str, function: str, *arguments):
    """Imported only when something is to be made: PyTorch takes seconds to load."""
    return getattr(importlib.import_module(module), function)(*arguments)


def make_form(model: str, form: str, checkpoint: Path, directory: Path) -> None:
    call("exporters", FORMS[form], checkpoint, directory)
    call("checkpoints", "copy_tokenizer", checkpoint, directory)
    worst = call("testdata", "verify", checkpoint, directory)
    print(f"{model}, {form}: ONNX Runtime and PyTorch differ by at most {worst:.1e} of max(1, |logit|)", file=sys.stderr)
    if model == "tiny":
        call("testdata", "write_data_sets", directory)


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/get-model", description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=CHECKPOINTS, help="smollm2: SmolLM2-135M-Instruct; tiny: two random layers, with test data sets")
    parser.add_argument("--form", choices=[*FORMS, "all", "hf", "gguf"], help="ONNX form (genai for smollm2, all for tiny); hf, gguf: the checkpoint only")
    options = parser.parse_args()
    form = options.form or ("genai" if options.model == "smollm2" else "all")

    home = cache.root() / "models" / options.model
    checkpoint = cache.make_once(home / "hf", lambda directory: call("checkpoints", CHECKPOINTS[options.model], directory))
    if form in ("hf", "gguf"):
        if not (home / form).is_dir():
            parser.error(f"{options.model} has no form {form}")
        print(home / form)
    for name in FORMS if form == "all" else [form] if form in FORMS else []:
        print(cache.make_once(home / name, lambda directory, name=name: make_form(options.model, name, checkpoint, directory)))


if __name__ == "__main__":
    main()
