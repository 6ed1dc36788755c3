"""Draws the ratios of benchmarks/compare: standard input is its JSON, the argument the picture.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import json
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def main() -> None:
    result = json.load(sys.stdin)
    rows = [(part, ratio, report["bars"].get(ratio["row"])) for part, report in result["parts"].items() for ratio in report["ratios"]]
    if not rows:
        sys.exit("error: no ratio was measured")
    figure, axes = plt.subplots(figsize=(11, 1.2 + 0.32 * len(rows)))
    labels = [f"{ratio['row']}  /  {ratio['peer']}" for _, ratio, _ in rows]
    medians = [ratio["median"] for _, ratio, _ in rows]
    errors = [[ratio["median"] - ratio["least"] for _, ratio, _ in rows], [ratio["most"] - ratio["median"] for _, ratio, _ in rows]]
    reached = [bar is None or ratio["median"] >= bar["at_least"] for _, ratio, bar in rows]
    places = range(len(rows))
    axes.barh(places, medians, xerr=errors, color=["#4477aa" if good else "#cc6677" for good in reached], ecolor="#333333", height=0.7)
    for place, (_, _, bar) in zip(places, rows):
        if bar:
            axes.plot([bar["at_least"]] * 2, [place - 0.45, place + 0.45], color="black", linewidth=2)
    axes.set_yticks(list(places), labels, fontsize=8)
    axes.invert_yaxis()
    axes.axvline(1, color="#999999", linewidth=0.8, linestyle=":")
    axes.set_xlabel(f"ratio of rates, {result['threads']} threads: median of the rounds, from least to most; black: what it must be at least")
    figure.tight_layout()
    figure.savefig(sys.argv[1], dpi=120)


if __name__ == "__main__":
    main()
