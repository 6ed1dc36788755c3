"""Compares llmopt with other engines: ratios of rates that one run measured in turn, each with its bar.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import parts
import peers
import support
from judge import Report

PLOT = Path(__file__).with_name("plot.py")


def parse() -> argparse.Namespace:
    names = "\n".join(f"  {name:14} {each.about}" for name, each in parts.PARTS.items())
    groups = "\n".join(f"  {name:14} {', '.join(members)}" for name, members in parts.GROUPS.items())
    parser = argparse.ArgumentParser(
        prog="benchmarks/compare",
        description=__doc__.splitlines()[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"parts:\n{names}\n\ngroups:\n{groups}",
    )
    parser.add_argument("part", nargs="*", default=["all"], help="parts or groups, see below (default: all)")
    parser.add_argument("--rounds", type=int, help="alternating rounds (default: 7, opt: 8)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all the figures")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the ratios")
    options = parser.parse_args()
    unknown = [name for name in options.part if name not in parts.PARTS and name not in parts.GROUPS]
    if unknown:
        parser.error(f"no part {', '.join(unknown)}")
    return options


def run_part(name: str, rounds: int | None, threads: int) -> Report:
    part, report = parts.PARTS[name], Report()
    print(f"{name}: {part.about}", flush=True)
    start = time.monotonic()
    part.measure(report, parts.Options(rounds or part.rounds, threads))
    report.print()
    print(f"{'FAILED' if report.failures else 'PASSED'}  {name}, {time.monotonic() - start:.0f} s\n", flush=True)
    return report


def main() -> int:
    options = parse()
    names = dict.fromkeys(member for name in options.part for member in parts.GROUPS.get(name, (name,)))
    reports = {name: run_part(name, options.rounds, options.threads) for name in names}
    result = {"threads": options.threads, "parts": {name: report.as_json() for name, report in reports.items()}}
    failures = [f"{name}: {failure}" for name, report in reports.items() for failure in report.failures]
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    if options.plot:
        try:
            python = peers.plot_python()
            subprocess.run([python, PLOT, options.plot], input=json.dumps(result), text=True, check=True)
        except (peers.PeerError, subprocess.CalledProcessError) as error:
            failures.append(f"no plot: {error}")
    return support.verdict(failures)


if __name__ == "__main__":
    sys.exit(main())
