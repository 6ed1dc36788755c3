"""Prints size, bits per weight and speed of compiled models, one line each.

usage: compare_libraries.py STEM ...   (STEM.so, and STEM.json, its report)

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import json
import subprocess
import sys
from pathlib import Path

from llmopt import locate


def bench(library: Path) -> tuple[float, float]:
    """Tokens per second of a prompt of 128 tokens, and of 64 tokens one by one."""
    command = [str(locate.tool("llmopt-bench")), str(library), "-p=128", "-n=64", "-json"]
    result = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    prefill, decode = (test["median"] for test in result["tests"])
    return prefill, decode


def main(stems: list[str]) -> None:
    print(f"{'library':16} {'size':>9} {'bits/weight':>11} {'zeros':>6} {'prefill':>14} {'decode':>14}")
    for stem in stems:
        library, report = Path(f"{stem}.so"), json.loads(Path(f"{stem}.json").read_text())
        totals, (prefill, decode) = report["totals"], bench(library)
        print(
            f"{library.name:16} {library.stat().st_size / 1e6:6.1f} MB {totals['bits_per_weight']:11.2f} {totals['zeros']:6.1%} "
            f"{prefill:5.0f} tokens/s {decode:5.0f} tokens/s"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
