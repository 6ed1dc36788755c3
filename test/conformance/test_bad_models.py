"""Damaged and hostile models: each is refused in time, for the reason that is wrong with it, and compiles when that is repaired.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "benchmarks")]

from llmopt import locate  # noqa: E402  (the path comes first)
from support import corpora  # noqa: E402

ARCHIVE = corpora() / "onnx/bad.tar.gz"
CASES = {case["name"]: case for case in json.loads((Path(__file__).parent / "bad_models.json").read_text(encoding="utf-8"))}
MAX_SECONDS = 5
MAX_BYTES = 1 << 30
# A build with sanitizers (preset asan-ubsan) takes more of both; its reports are what it is run for.
SANITIZED_FACTOR = 8


@dataclass
class Outcome:
    """What a compilation did and took."""

    code: int
    text: str
    seconds: float
    bytes: int


def is_sanitized() -> bool:
    return b"__asan_init" in locate.tool("llmopt-compile").read_bytes()


@pytest.fixture(scope="session")
def factor() -> int:
    return SANITIZED_FACTOR if is_sanitized() else 1


def compile_model(model: Path, output: Path, max_seconds: float) -> Outcome:
    command = [str(locate.tool("llmopt-compile")), str(model), "-o", str(output)]
    begin = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        timer = threading.Timer(max_seconds, process.kill)
        timer.start()
        # Unlike Popen.wait, this tells the peak memory of the one process.
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        seconds = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        return Outcome(process.returncode, log.read(), seconds, usage.ru_maxrss * 1024)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    if not ARCHIVE.is_file():
        pytest.skip("no corpora (LLMOPT_CORPORA)")
    directory = tmp_path_factory.mktemp("bad")
    subprocess.run(["tar", "-xzf", ARCHIVE, "-C", directory], check=True)
    return directory


@pytest.fixture(scope="session")
def outcomes(corpus, factor, tmp_path_factory) -> dict[str, Outcome]:
    """All models of the corpus, a few at a time."""
    output = tmp_path_factory.mktemp("bad-libraries")

    def run(name: str) -> Outcome:
        return compile_model(corpus / name / "model.onnx", output / f"{name}.so", factor * MAX_SECONDS)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(CASES, pool.map(run, CASES), strict=True))


@pytest.fixture(scope="session")
def twins(corpus, tmp_path_factory) -> dict[str, Outcome]:
    """The repaired models."""
    pytest.importorskip("onnx")
    from repair_models import repair

    directory = tmp_path_factory.mktemp("repaired")

    def run(name: str) -> Outcome:
        model = repair(corpus / name, directory / name)
        return compile_model(model, directory / f"{name}.so", 60)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(CASES, pool.map(run, CASES), strict=True))


def test_the_table_lists_the_corpus(corpus):
    manifest = {entry["name"]: entry["expect"] for entry in json.loads((corpus / "manifest.json").read_text(encoding="utf-8"))}
    assert list(manifest) == list(CASES)
    for name, expected in manifest.items():
        # Where the manifest leaves a choice, such as "accept-or-reject", the table makes it.
        assert CASES[name]["verdict"] == expected or "-" in expected, name


@pytest.mark.parametrize("name", CASES)
def test_verdict(outcomes, factor, name):
    case, outcome = CASES[name], outcomes[name]
    # 4 stands for a file that is missing; more would be a crash, less than 0 a signal.
    assert outcome.code in ((0,) if case["verdict"] == "accept" else (1, 4)), outcome.text
    assert outcome.seconds < factor * MAX_SECONDS
    assert outcome.bytes < factor * MAX_BYTES
    # UndefinedBehaviorSanitizer reports and goes on.
    assert "Sanitizer" not in outcome.text and "runtime error:" not in outcome.text, outcome.text


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case["verdict"] == "reject"])
def test_diagnostic(outcomes, name):
    # error: /path/name/model.onnx: message
    errors = [line.split(": ", 2)[2] for line in outcomes[name].text.splitlines() if line.startswith("error: ")]
    assert CASES[name]["word"] in "".join(errors[:1]), outcomes[name].text
    assert len(set(errors)) == len(errors), "a problem is reported twice"


@pytest.mark.parametrize("name", CASES)
def test_repaired_model_compiles(twins, name):
    assert twins[name].code == 0, twins[name].text
