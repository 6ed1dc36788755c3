"""Command line of scripts/get-model: which model, in which ONNX form.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import argparse
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import checkpoints
import exporters
import testdata

FORMS = {"genai": exporters.export_genai, "dynamo": exporters.export_dynamo, "torchscript": exporters.export_torchscript}
CHECKPOINTS = {"smollm2": checkpoints.make_smollm2, "tiny": checkpoints.make_tiny}


def cache_dir() -> Path:
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llmopt"
    return Path(os.environ.get("LLMOPT_CACHE") or default)


def make_once(target: Path, fill: Callable[[Path], None]) -> Path:
    """Lets `fill` write into a temporary directory that becomes `target` only when it is complete."""
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.parent / f".{target.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            return target
        print(f"making {target}", file=sys.stderr, flush=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            fill(partial)
            partial.chmod(0o755)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return target


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
    parser.add_argument("--form", choices=[*FORMS, "all", "hf"], help="ONNX form (genai for smollm2, all for tiny); hf: the checkpoint only")
    options = parser.parse_args()
    form = options.form or ("genai" if options.model == "smollm2" else "all")

    home = cache_dir() / "models" / options.model
    checkpoint = make_once(home / "hf", CHECKPOINTS[options.model])
    if form == "hf":
        print(checkpoint)
    for name in FORMS if form == "all" else [form] if form in FORMS else []:
        print(make_once(home / name, lambda directory, name=name: make_form(options.model, name, checkpoint, directory)))


if __name__ == "__main__":
    main()
