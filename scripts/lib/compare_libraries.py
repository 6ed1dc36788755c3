"""Prints size, bits per weight and speed of compiled models, one line each.

usage: compare_libraries.py STEM ...   (STEM.so, and STEM.json, its report)

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import json
import subprocess
import sys
from pathlib import Path

from llmopt import locate


def bench(library: Path) -> dict:
    command = [str(locate.tool("llmopt-bench")), str(library), "-json"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def main(stems: list[str]) -> None:
    print(f"{'library':16} {'size':>9} {'bits/weight':>11} {'zeros':>6} {'prefill':>14} {'decode':>14}")
    for stem in stems:
        library, report = Path(f"{stem}.so"), json.loads(Path(f"{stem}.json").read_text())
        totals, speed = report["totals"], bench(library)
        print(
            f"{library.name:16} {library.stat().st_size / 1e6:6.1f} MB {totals['bits_per_weight']:11.2f} {totals['zeros']:6.1%} "
            f"{speed['prefill_tokens_per_s']:7.1f} tokens/s {speed['decode_tokens_per_s']:5.1f} tokens/s"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
