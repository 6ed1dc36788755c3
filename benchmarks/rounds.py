"""Engines in their own processes, which measure in turn.

A slow minute of the machine hits all engines of a round alike, so that what counts is the median of the ratios of the rounds.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent


class Engine(NamedTuple):
    """How a worker is started."""

    kind: str  # a class of workers.py or workers_torch.py
    model: Path | str
    python: Path = Path(sys.executable)
    program: str = "workers.py"
    threads: int = 0  # 0: those of the run


class EngineError(Exception):
    """An engine could not be started or ended early."""


class Worker:
    """An engine in its own process: one line in, one figure out."""

    def __init__(self, engine: Engine, threads: int):
        threads = engine.threads or threads
        command = [str(engine.python), str(HERE / engine.program), engine.kind, str(engine.model), str(threads)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.about = self._read()

    def measure(self, what: str) -> float:
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return float(self._read())

    def _read(self) -> str:
        line = self.process.stdout.readline()
        if not line:
            raise EngineError(f"{' '.join(self.process.args)} ended with {self.process.wait()}")
        return line.strip()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


class Pair(NamedTuple):
    """One measurement of one engine. `{}` in it stands for `first` and grows by `advance` every round."""

    engine: str
    what: str
    first: int = 0
    advance: int = 0

    def at(self, turn: int) -> str:
        return self.what.format(self.first + self.advance * turn)


class Spread(NamedTuple):
    median: float
    least: float
    most: float

    def __str__(self) -> str:
        digits = 1 if self.median >= 100 else 2
        return f"{self.median:8.{digits}f}  ({self.least:.{digits}f} to {self.most:.{digits}f})"


def spread(values: Iterable[float]) -> Spread:
    values = list(values)
    return Spread(statistics.median(values), min(values), max(values))


class Run(NamedTuple):
    rates: dict[Pair, list[float]]
    about: dict[str, str]  # by engine
    missing: dict[str, str]  # by engine: why


def start(engines: dict[str, Engine], threads: int) -> tuple[dict[str, Worker], dict[str, str]]:
    """The workers, and why some did not start."""
    workers, missing = {}, {}
    for name, engine in engines.items():
        try:
            workers[name] = Worker(engine, threads)
            print(f"  {name:24} {workers[name].about}", flush=True)
        except (EngineError, OSError) as error:
            missing[name] = str(error)
    return workers, missing


def measure(engines: dict[str, Engine], wanted: Iterable[Pair], rounds: int, threads: int, warm_up: bool = True) -> Run:
    """Rates of all pairs in alternating rounds; engines that fail are left out of the rest and named."""
    workers, missing = start(engines, threads)
    about = {name: worker.about for name, worker in workers.items()}
    wanted = list(dict.fromkeys(wanted))
    rates: dict[Pair, list[float]] = {pair: [] for pair in wanted}

    def one(pair: Pair, turn: int) -> float | None:
        if pair.engine not in workers:
            return None
        try:
            return workers[pair.engine].measure(pair.at(turn))
        except (EngineError, OSError, ValueError) as error:
            missing[pair.engine] = str(error)
            workers.pop(pair.engine)
            return None

    # The first touch of weights and caches, and what engines generate for a shape, is not measured.
    for pair in wanted if warm_up else []:
        one(pair, 0)
    for turn in range(rounds):
        for pair in wanted:
            rate = one(pair, turn)
            if rate is not None:
                rates[pair].append(rate)
    for worker in workers.values():
        worker.close()
    complete = {pair: values for pair, values in rates.items() if len(values) == rounds}
    for pair in wanted:
        if pair not in complete:
            missing.setdefault(pair.engine, "did not measure every round")
    return Run(complete, about, missing)
