"""The models of other engines, and their environments: made once, in the cache.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import os
import subprocess
import sys
from pathlib import Path

import cache
import support

HERE = Path(__file__).parent
NATIVE = {"CMAKE_ARGS": "-DGGML_NATIVE=ON", "FORCE_CMAKE": "1"}
LLAMA_QUANTIZE = """
import ctypes, sys, llama_cpp
options = llama_cpp.llama_model_quantize_default_params()
options.ftype, options.allow_requantize = getattr(llama_cpp, "LLAMA_FTYPE_" + sys.argv[3]), True
sys.exit(llama_cpp.llama_model_quantize(sys.argv[1].encode(), sys.argv[2].encode(), ctypes.byref(options)))
"""
LLAMA_TYPES = {"Q8_0": "MOSTLY_Q8_0", "Q4_0": "MOSTLY_Q4_0", "F32": "ALL_F32"}


class PeerError(Exception):
    """A peer or its model could not be made: it is reported as missing."""


def environment(name: str, requirements: str, flags: dict[str, str] | None = None, options: tuple[str, ...] = ()) -> Path:
    """Interpreter of an environment of its own, with pinned packages."""
    directory = cache.root() / name

    def fill(_: Path) -> None:
        # Installed in place and not renamed: an environment knows its own path. The directory marks that it is complete.
        run([sys.executable, "-m", "venv", "--clear", directory])
        run([directory / "bin/python", "-m", "pip", "install", "--quiet", *options, "-r", HERE / requirements], flags)

    cache.make_once(cache.root() / f"{name}-complete", fill)
    return directory / "bin/python"


def run(command: list, variables: dict[str, str] | None = None) -> None:
    """Quiet unless it fails."""
    done = subprocess.run(command, env={**os.environ, **(variables or {})}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PeerError(f"{' '.join(map(str, command[:6]))} ... ended with {done.returncode}: {(done.stderr or done.stdout)[-2000:]}")


def llama_python() -> Path:
    """With llama-cpp-python, built from source for this CPU."""
    return environment("bench-venv", "requirements.txt", NATIVE, ("--no-binary", "llama-cpp-python"))


def openvino_python() -> Path:
    return environment("openvino-venv", "requirements-openvino.txt")


def plot_python() -> Path:
    return environment("plot-venv", "requirements-plot.txt")


def smollm2(name: str, fill) -> Path:
    return cache.make_once(cache.root() / "models/smollm2" / name, fill)


def llama_model(kind: str = "Q8_0") -> Path:
    """Made from the same 4-bit weights as our float32 model."""
    source, python = support.get_model("gguf") / "model.gguf", llama_python()

    def fill(directory: Path) -> None:
        run([python, "-c", LLAMA_QUANTIZE, source, directory / "model.gguf", LLAMA_TYPES[kind]])

    return smollm2(f"gguf-{kind.lower()}", fill) / "model.gguf"


def quantize_dynamic(source: Path, directory: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(source, directory / "model.onnx", weight_type=QuantType.QInt8, per_channel=True, use_external_data_format=True)


def onnxruntime_model(form: str) -> Path:
    """Dynamic int8 with one scale per output channel, as onnxruntime.quantization makes it."""
    source = support.get_model(form) / "model.onnx"
    directory = smollm2(f"onnxruntime-int8-{form}", lambda target: quantize_dynamic(source, target))
    if form == "genai":  # names the sizes that the signature leaves open
        config = directory / "genai_config.json"
        config.write_bytes((source.parent / config.name).read_bytes())
    return directory / "model.onnx"


def onnxruntime_int4() -> Path:
    """MatMulNBits: 4 bits, groups of 32, symmetric, computed with int8 activations."""

    def fill(directory: Path) -> None:
        import logging

        import onnx
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

        logging.disable(logging.INFO)
        model = onnx.load(support.get_model("dynamo") / "model.onnx")
        quantizer = MatMulNBitsQuantizer(model, block_size=32, is_symmetric=True, accuracy_level=4)
        quantizer.process()
        quantizer.model.save_model_to_file(str(directory / "model.onnx"), use_external_data_format=True)

    return smollm2("onnxruntime-int4-dynamo", fill) / "model.onnx"


def genai_int4() -> Path:
    """What the builder of onnxruntime-genai writes by default for int4 on the CPU; only the logits of the last token."""

    def fill(directory: Path) -> None:
        checkpoint = support.get_model("hf")
        builder = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", checkpoint, "-o", directory]
        run([*builder, "-p", "int4", "-e", "cpu", "-c", directory / "scratch", "--extra_options", "prune_lm_head=true"])

    return smollm2("genai-int4", fill)


def openvino_model(source: Path, name: str, mode: str, target: Path) -> Path:
    """mode: a compression of weights by NNCF, `static` for NNCF's quantization of activations too, or f32."""
    python = openvino_python()

    def fill(directory: Path) -> None:
        run([python, HERE / "openvino_model.py", source, directory / "model.xml", mode])

    return cache.make_once(target / f"openvino-{name}", fill) / "model.xml"
