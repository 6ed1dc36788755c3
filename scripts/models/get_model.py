"""Command line of scripts/get-model: which model, in which ONNX form.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import argparse
import sys
from pathlib import Path

import cache
import checkpoints
import exporters
import testdata

FORMS = {"genai": exporters.export_genai, "dynamo": exporters.export_dynamo, "torchscript": exporters.export_torchscript}
CHECKPOINTS = {"smollm2": checkpoints.make_smollm2, "tiny": checkpoints.make_tiny}


def make_form(model: str, form: str, checkpoint: Path, directory: Path) -> None:
    FORMS[form](checkpoint, directory)
    checkpoints.copy_tokenizer(checkpoint, directory)
    worst = testdata.verify(checkpoint, directory)
    print(f"{model}, {form}: ONNX Runtime and PyTorch differ by at most {worst:.1e} of max(1, |logit|)", file=sys.stderr)
    if model == "tiny":
        testdata.write_data_sets(directory)


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/get-model", description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=CHECKPOINTS, help="smollm2: SmolLM2-135M-Instruct; tiny: two random layers, with test data sets")
    parser.add_argument("--form", choices=[*FORMS, "all", "hf", "gguf"], help="ONNX form (genai for smollm2, all for tiny); hf, gguf: the checkpoint only")
    options = parser.parse_args()
    form = options.form or ("genai" if options.model == "smollm2" else "all")

    home = cache.root() / "models" / options.model
    checkpoint = cache.make_once(home / "hf", CHECKPOINTS[options.model])
    if form in ("hf", "gguf"):
        if not (home / form).is_dir():
            parser.error(f"{options.model} has no form {form}")
        print(home / form)
    for name in FORMS if form == "all" else [form] if form in FORMS else []:
        print(cache.make_once(home / name, lambda directory, name=name: make_form(options.model, name, checkpoint, directory)))


if __name__ == "__main__":
    main()
