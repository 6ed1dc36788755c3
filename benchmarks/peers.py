"""The models of other engines, and the environment of llama.cpp: made once, in the cache.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import os
import subprocess
import sys
from pathlib import Path

import cache
import support

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
QUANTIZE = """
import ctypes, sys, llama_cpp
options = llama_cpp.llama_model_quantize_default_params()
options.ftype, options.allow_requantize = llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0, True
sys.exit(llama_cpp.llama_model_quantize(sys.argv[1].encode(), sys.argv[2].encode(), ctypes.byref(options)))
"""


def llama_python() -> Path:
    """Interpreter of an environment with llama-cpp-python, built from source for this CPU."""

    def fill(directory: Path) -> None:
        # Installed in place and not renamed: an environment knows its own path. The directory marks that it is complete.
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
        flags = {"CMAKE_ARGS": "-DGGML_NATIVE=ON", "FORCE_CMAKE": "1"}
        install = [environment / "bin/python", "-m", "pip", "install", "--quiet", "--no-binary", "llama-cpp-python"]
        subprocess.run([*install, "-r", REQUIREMENTS], env={**os.environ, **flags}, stdout=sys.stderr, check=True)

    environment = cache.root() / "bench-venv"
    cache.make_once(cache.root() / "bench-venv-complete", fill)
    return environment / "bin/python"


def llama_model() -> Path:
    """Q8_0, from the same 4-bit weights as our float32 model."""
    source = support.get_model("gguf") / "model.gguf"

    def fill(directory: Path) -> None:
        target = directory / "model.gguf"
        subprocess.run([llama_python(), "-c", QUANTIZE, source, target], stderr=subprocess.DEVNULL, check=True)

    return cache.make_once(cache.root() / "models/smollm2/gguf-q8_0", fill) / "model.gguf"


def onnxruntime_model(form: str) -> Path:
    """Dynamic int8 with one scale per output channel, as onnxruntime.quantization makes it."""
    source = support.get_model(form) / "model.onnx"

    def fill(directory: Path) -> None:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(source, directory / "model.onnx", weight_type=QuantType.QInt8, per_channel=True, use_external_data_format=True)

    return cache.make_once(cache.root() / f"models/smollm2/onnxruntime-int8-{form}", fill) / "model.onnx"
