"""Compiles a model with calibrated codes of several formats, and checks them against those of rounding to nearest.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import json
import subprocess
import sys

MODEL, TOKENS = sys.argv[1:]
FORMATS = (["-quant=int8", "-group-size=32"], ["-quant=int4", "-zero-point=int"], ["-quant=int2"], ["-quant=nf4"])


def layers_of(*flags: str) -> tuple[list, dict]:
    subprocess.run(["llmopt-compile", MODEL, *flags, "-report=codes.json", "-o", "codes.so"], check=True)
    with open("codes.json") as file:
        report = json.load(file)
    calibration = report["calibration"]
    return calibration["layers"] if calibration else [], {layer["name"]: layer for layer in report["layers"]}


def check(quant: list[str]) -> None:
    calibrated, layers = layers_of(*quant, "-quant-method=gptq", f"-calib={TOKENS}", "-calib-seqlen=20")
    none, rounded = layers_of(*quant, "-quant-method=rtn")
    assert len(calibrated) > 4 and not none, calibrated
    assert all(layer["method"] == "gptq" for layer in calibrated), calibrated
    after, before = (sum(layer[when] for layer in calibrated) for when in ("after", "before"))
    assert after < 0.9 * before, calibrated
    names = {layer["name"] for layer in calibrated}
    for name, layer in layers.items():
        other = rounded[name]
        assert all(layer[key] == other[key] for key in ("format", "code_bits", "bytes")), (layer, other)
        # The head is not calibrated.
        assert (name in names) == (layer["error"] != other["error"]), (layer, other)


def check_pattern(method: str, *flags: str) -> None:
    _, layers = layers_of("-sparsity-pattern=2:4", f"-sparsity-method={method}", *flags)
    patterns = [layer["pattern"] for layer in layers.values() if layer["zeros"] > 0.1]
    assert len(patterns) > 4 and set(patterns) == {"2:4"}, (method, patterns)


for quant in FORMATS:
    check(quant)
check_pattern("magnitude")
check_pattern("auto", "-quant=int4", f"-calib={TOKENS}", "-calib-seqlen=20")
