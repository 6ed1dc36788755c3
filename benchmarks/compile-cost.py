"""What compiling SmolLM2 to int8 costs: time, peak memory, and what the library depends on.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import argparse
import os
import re
import subprocess
import sys
import time

import support

from llmopt import locate

SECONDS, BYTES = 30.0, 2e9
UNWANTED = re.compile(r"LLVM|MLIR|protobuf|clang|onnx", re.IGNORECASE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flags", default="-quant=int8", help="of llmopt-compile (default: %(default)s)")
    parser.add_argument("--form", default="genai", choices=support.FORMS)
    options = parser.parse_args()

    model = support.get_model(options.form) / "model.onnx"
    output = support.ROOT / "build-release/benchmarks/compile-cost.so"
    output.parent.mkdir(parents=True, exist_ok=True)
    command = [str(locate.tool("llmopt-compile")), str(model), *options.flags.split(), "-o", str(output)]
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    # wait4 gives the peak of this child alone, unlike getrusage.
    _, status, usage = os.wait4(process.pid, 0)
    seconds, peak = time.monotonic() - start, usage.ru_maxrss * 1024
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        return support.verdict([f"{' '.join(command)} ended with {process.returncode}"])

    needed = subprocess.run(["ldd", str(output)], capture_output=True, text=True, check=False)
    libraries = re.findall(r"^\s*(\S+)(?= =>| \()", needed.stdout, re.MULTILINE)
    print(f"time         {seconds:6.1f} s   (at most {SECONDS:.0f})")
    print(f"peak memory  {peak / 1e6:6.0f} MB  (at most {BYTES / 1e6:.0f})")
    print(f"library      {output.stat().st_size / 1e6:6.1f} MB, needs {', '.join(libraries) or 'nothing'}")
    failures = [f"ldd names {name}" for name in libraries if UNWANTED.search(name)]
    failures += [f"{seconds:.1f} s"] if seconds > SECONDS else []
    failures += [f"{peak / 1e6:.0f} MB"] if peak > BYTES else []
    return support.verdict(failures)


if __name__ == "__main__":
    sys.exit(main())
