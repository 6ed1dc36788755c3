"""Draws the sweep of benchmarks/sparse: standard input is its lines as JSON, the argument the picture.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import json
import statistics
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

NAMES = ("int4", "int8-bitmask", "int8-gather", "int8-2of4")


def main() -> None:
    panels = {}
    for line in json.load(sys.stdin):
        panels.setdefault((line["level"], line["threads"]), []).append(line)
    if not panels:
        sys.exit("error: no line was measured")
    figure, axes = plt.subplots(1, len(panels), figsize=(3.2 * len(panels), 3.6), sharey=True, squeeze=False)
    for place, ((level, threads), lines) in zip(axes[0], panels.items()):
        for name in NAMES:
            points = [(100 * line["zeros"], line["formats"]) for line in lines if name in line["formats"]]
            gains = [statistics.median(formats["int8"]["us"]) / statistics.median(formats[name]["us"]) for _, formats in points]
            place.plot([zeros for zeros, _ in points], gains, marker="o", markersize=4, label=name)
        place.axhline(1, color="#999999", linewidth=0.8)
        place.set_title(f"{level}, {threads} thread{'s' if threads > 1 else ''}", fontsize=10)
        place.set_xlabel("zeros, per cent")
    axes[0][0].set_ylabel("times as fast as dense int8")
    axes[0][0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(sys.argv[1], dpi=120)


if __name__ == "__main__":
    main()
