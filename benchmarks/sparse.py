"""Sparse formats against dense ones: a sweep over sparsities with break-even points, and rows that are judged.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

import judge
import numpy as np
import peers
import sparse_models
import support
from judge import Check, Report

from llmopt import locate

PLOT = Path(__file__).with_name("sparse_plot.py")
SWEEP_ZEROS = (0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95)
# A weight that a second cache holds, and one that it does not.
SWEEP_SHAPES = {"l2": "512x1024", "l3": "2048x2048", "memory": "2048x2048"}
# The products of a layer of SmolLM2, and its head.
SMOLLM2_SHAPES = ("960x576", "576x576", "3072x576", "576x1536", "49152x576")
SPARSE = ("int8-bitmask", "int8-gather", "int8-2of4")


def run_bench(shapes, levels, threads, zeros, rounds: int, rows: int = 1) -> list[dict]:
    """The lines of llmopt-sparse-bench."""
    lists = {"shapes": shapes, "levels": levels, "threads": threads, "zeros": zeros}
    command = [str(locate.tool("llmopt-sparse-bench")), f"-rounds={rounds}", f"-rows={rows}"]
    command += [f"-{name}={','.join(map(str, values))}" for name, values in lists.items()]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def ratios(line: dict, ours: str, theirs: str = "int8") -> np.ndarray:
    """How much faster than another format a format is, round by round."""
    return np.array(line["formats"][theirs]["us"]) / np.array(line["formats"][ours]["us"])


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """The median and its bootstrap interval of 95 per cent."""
    random = np.random.default_rng(0)
    medians = np.median(random.choice(values, (1000, len(values))), axis=1)
    low, high = np.quantile(medians, (0.025, 0.975))
    return float(np.median(values)), float(low), float(high)


def name_of(line: dict) -> str:
    return f"{line['rows']}x{line['columns']} {line['level']} {line['threads']}T"


def break_even(zeros: list[float], gains: list[float]) -> str:
    """From which fraction of zeros on a format is faster than dense, between two measured ones."""
    last = max((i for i, gain in enumerate(gains) if gain < 1), default=-1)
    if last == len(gains) - 1:
        return "never"
    if last < 0:
        return "always"
    part = (1 - gains[last]) / (gains[last + 1] - gains[last])
    return f"{100 * (zeros[last] + part * (zeros[last + 1] - zeros[last])):.0f} %"


def sweep(report: Report, options) -> list[dict]:
    """sparsity 0 to 95 % x format x {L2, L3, memory} x threads: times as fast as dense int8"""
    lines = []
    for level, shape in SWEEP_SHAPES.items():
        for threads in range(1, options.threads + 1):
            part = run_bench([shape], [level], [threads], SWEEP_ZEROS, options.rounds or 51)
            lines += part
            names = [name for name in ("int8 again", "int4", *SPARSE) if any(name in line["formats"] for line in part)]
            print(f"  {name_of(part[0])}: int8 {statistics.median(part[0]['formats']['int8']['us']):.1f} us; times as fast:")
            print("    zeros  " + "".join(f"{name:>14}" for name in names))
            for line in part:
                cells = [f"{interval(ratios(line, name))[0]:14.2f}" if name in line["formats"] else " " * 14 for name in names]
                print(f"    {100 * line['zeros']:4.0f} % " + "".join(cells), flush=True)
            for name in SPARSE[:2]:
                gains = [float(np.median(ratios(line, name))) for line in part]
                report.notes.append(f"{name_of(part[0])}, {name}: faster than int8 from {break_even([line['zeros'] for line in part], gains)} zeros on")
    return lines


def best_of(samples: list[float]) -> float:
    """The best of many measurements, but for what chance made too good."""
    return float(np.quantile(samples, 0.1))


def choices(report: Report, options) -> list[dict]:
    """what the cost model chooses for the layers of SmolLM2, any sparsity, against dense int8; and what it predicts"""
    lines = run_bench(SMOLLM2_SHAPES, ["memory"], [options.threads], (*range(5, 100, 10), 50), options.rounds or 201)
    slowest, worst, close, chosen = 2.0, "", 0, {}
    for line in lines:
        name = line["chosen"]
        chosen.setdefault(name, []).append(line["zeros"])
        if name != "int8":
            low = interval(ratios(line, name))
            if low[0] < slowest:
                slowest, worst = low[0], f"{name_of(line)} {line['zeros']:.0%} {name}: {low[0]:.3f} [{low[1]:.3f}, {low[2]:.3f}]"
        format_ = line["formats"][name]
        close += abs(format_["predicted_us"] / best_of(format_["us"]) - 1) <= 0.15
    floor = [interval(ratios(line, "int8 again"))[0] for line in lines]
    report.notes.append(f"noise floor, int8 against itself: {min(floor):.3f} to {max(floor):.3f}")
    report.notes.append("chosen: " + "; ".join(f"{name} in {len(zeros)} cases from {min(zeros):.0%} on" for name, zeros in chosen.items()))
    report.notes.append(f"the slowest choice that is not dense: {worst}")
    report.checks.append(Check("slowest choice / dense int8", min(1.0, slowest), 0.97, False))
    report.checks.append(Check("layers whose prediction is within 15 % of the best", close / len(lines), 0.9, False))
    return lines


def kernels(report: Report, options) -> list[dict]:
    """2:4 against dense int8, from the second cache and from memory"""
    lines = []
    for level, shape, threads, least in (("l2", "512x1024", 1, 1.3), ("memory", "2048x2048", 1, 1.5), ("memory", "2048x2048", options.threads, 1.5)):
        (line,) = run_bench([shape], [level], [threads], [50], options.rounds or 201)
        lines.append(line)
        median, low, high = interval(ratios(line, "int8-2of4"))
        report.notes.append(f"{name_of(line)}: 2:4 {median:.2f} [{low:.2f}, {high:.2f}] times as fast as int8, bitmask {np.median(ratios(line, 'int8-bitmask')):.2f}")
        report.checks.append(Check(f"2:4 / int8, {level}, {threads}T", median, least, False))
    return lines


def prefill(report: Report, options) -> list[dict]:
    """128 rows: sparse formats against dense int8"""
    lines = run_bench(["2048x2048"], ["l3"], [1, options.threads], (50, 60, 80, 90), options.rounds or 15, rows=128)
    for line in lines:
        for name in SPARSE:
            if name in line["formats"]:
                cost = 1 / np.median(ratios(line, name))
                report.notes.append(f"{name_of(line)}, {line['zeros']:.0%} zeros: {name} takes {cost:.2f} times as long as int8")
                if name != "int8-gather" or line["zeros"] >= 0.8:
                    report.checks.append(Check(f"128 rows, {name} {line['zeros']:.0%} {line['threads']}T / int8", cost, 1.08, True))
    return lines


PARTS = {"sweep": sweep, "choices": choices, "kernels": kernels, "prefill": prefill, "tinyllama": sparse_models.tinyllama}


def parse() -> argparse.Namespace:
    parts = "\n".join(f"  {name:10} {each.__doc__.splitlines()[0]}" for name, each in PARTS.items())
    parser = argparse.ArgumentParser(
        prog="benchmarks/sparse", description=__doc__.splitlines()[0], formatter_class=argparse.RawDescriptionHelpFormatter, epilog=f"parts:\n{parts}"
    )
    parser.add_argument("part", nargs="*", default=list(PARTS), help="parts, see below (default: all)")
    parser.add_argument("--rounds", type=int, help="alternating rounds (default: as the part needs)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all the figures")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the sweep")
    options = parser.parse_args()
    unknown = [name for name in options.part if name not in PARTS]
    if unknown:
        parser.error(f"no part {', '.join(unknown)}")
    if options.plot and "sweep" not in options.part:
        parser.error("--plot draws the part sweep, which is not among the parts")
    return options


def main() -> int:
    options, failures, lines, result = parse(), [], {}, {}
    for name in dict.fromkeys(options.part):
        report = Report()
        print(f"{name}: {PARTS[name].__doc__.splitlines()[0]}", flush=True)
        lines[name] = PARTS[name](report, options) or []
        report.print()
        result[name] = {**report.as_json(), "lines": lines[name]}
        failures += [f"{name}: {failure}" for failure in report.failures]
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    if options.plot:
        try:
            subprocess.run([peers.plot_python(), PLOT, options.plot], input=json.dumps(lines["sweep"]), text=True, check=True)
        except (peers.PeerError, subprocess.CalledProcessError) as error:
            failures.append(f"no plot: {error}")
    return support.verdict(failures)


if __name__ == "__main__":
    sys.exit(main())
