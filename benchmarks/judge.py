"""Rows of a comparison: ratios of the rates of one run, their bars, and how they are printed.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import rounds
from rounds import Pair, Spread, spread


class Row(NamedTuple):
    """`factor * ours / theirs` of every round; the peer with the smallest median counts. A share of a limit is a row whose only peer is the machine, and
    whose factor is the work of a token."""

    name: str
    ours: Pair
    theirs: tuple[Pair, ...]
    least: float | None = None  # the bar; none: told, not judged
    factor: float = 1.0
    ours_for: dict[Pair, Pair] | None = None  # what of ours is compared with a peer, where it is not `ours`


class Ratio(NamedTuple):
    row: str
    peer: str
    ratio: Spread


class Check(NamedTuple):
    """A figure that is no ratio of rates, and its bar."""

    name: str
    figure: float
    bar: float
    at_most: bool
    unit: str = ""

    @property
    def passed(self) -> bool:
        return self.figure <= self.bar if self.at_most else self.figure >= self.bar


@dataclass
class Report:
    """What one part has to say."""

    rates: dict[Pair, list[float]] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)
    ratios: list[Ratio] = field(default_factory=list)
    bars: dict[str, tuple[float, float]] = field(default_factory=dict)  # by row: measured, at least
    checks: list[Check] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def judge(self, rows: list[Row]) -> None:
        for row in rows:
            found = []
            for peer in row.theirs:
                ours = (row.ours_for or {}).get(peer, row.ours)
                if ours in self.rates and peer in self.rates:
                    values = [row.factor * a / b for a, b in zip(self.rates[ours], self.rates[peer])]
                    found.append(Ratio(row.name, f"{peer.engine}, {peer.what}", spread(values)))
            self.ratios += found
            if row.least is not None and found:
                self.bars[row.name] = (min(ratio.ratio.median for ratio in found), row.least)
            elif row.least is not None:
                self.missing.setdefault(row.name, "a side was not measured")

    @property
    def failures(self) -> list[str]:
        low = [f"{name}: {value:.3f}, at least {least}" for name, (value, least) in self.bars.items() if value < least]
        wrong = [f"{check.name}: {check.figure:.4g} {check.unit}, at {'most' if check.at_most else 'least'} {check.bar}" for check in self.checks if not check.passed]
        return low + wrong + [f"{name} is missing: {reason}" for name, reason in self.missing.items()]

    def print(self) -> None:
        for pair, values in self.rates.items():
            print(f"  {pair.engine:24} {pair.what:22} {scaled(spread(values))}")
        for row, peer, ratio in self.ratios:
            print(f"  {row:42} / {peer:38} {ratio}")
        for name, (value, least) in self.bars.items():
            print(f"  {'PASSED' if value >= least else 'FAILED'}  {name}: {value:.3f}, at least {least}")
        for check in self.checks:
            side = "most" if check.at_most else "least"
            print(f"  {'PASSED' if check.passed else 'FAILED'}  {check.name}: {check.figure:.4g} {check.unit}, at {side} {check.bar}")
        for name, reason in self.missing.items():
            print(f"  MISSING  {name}: {reason}")
        for note in self.notes:
            print(f"  {note}")

    def as_json(self) -> dict:
        return {
            "engines": self.about,
            "rates_per_s": {f"{pair.engine}, {pair.what}": {**spread(values)._asdict(), "rounds": values} for pair, values in self.rates.items()},
            "ratios": [{"row": row, "peer": peer, **ratio._asdict()} for row, peer, ratio in self.ratios],
            "bars": {name: {"measured": value, "at_least": least, "passed": value >= least} for name, (value, least) in self.bars.items()},
            "checks": [{**check._asdict(), "passed": check.passed} for check in self.checks],
            "missing": self.missing,
            "notes": self.notes,
        }


def scaled(figures: Spread) -> str:
    """Rates of machines are large."""
    if figures.median < 1e6:
        return str(figures)
    return str(Spread(*(value / 1e9 for value in figures))) + " G"


def measure(report: Report, engines: dict[str, rounds.Engine], rows: list[Row], turns: int, threads: int, extra: tuple[Pair, ...] = (), warm_up: bool = True) -> None:
    """Measures what the rows need (and `extra`, only to be told), and judges them."""
    wanted = []
    for row in rows:
        for peer in row.theirs:
            wanted += [(row.ours_for or {}).get(peer, row.ours), peer]
    run = rounds.measure(engines, [*wanted, *extra], turns, threads, warm_up)
    report.rates.update(run.rates)
    report.about.update(run.about)
    for name, reason in run.missing.items():
        report.missing.setdefault(name, reason)
    report.judge(rows)
