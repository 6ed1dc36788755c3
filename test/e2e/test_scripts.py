"""The scripts themselves.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import subprocess
import sys
import time

import pytest
from conftest import ROOT

COUNT = ROOT / "scripts/lib/count_tests.py"
GOOD = '<testsuites><testsuite><testcase classname="a" name="x"/><testcase classname="a" name="y"><skipped/></testcase></testsuite></testsuites>'
BAD = '<testsuite><testcase classname="b" name="z"><failure/></testcase><testcase classname="b" name="w"><error/></testcase></testsuite>'


@pytest.mark.parametrize(
    "files, last, code",
    [
        ({"a": GOOD}, "1 passed, 0 failed, 1 skipped", 0),
        ({"a": GOOD, "b": BAD}, "1 passed, 2 failed, 1 skipped", 1),
        ({"a": GOOD, "cut": GOOD[:40]}, "1 passed, 1 failed, 1 skipped", 1),
        ({"a": GOOD, "missing": None}, "1 passed, 1 failed, 1 skipped", 1),
        ({"none": "<testsuite/>"}, "0 passed, 0 failed", 1),
    ],
)
def test_counting(tmp_path, files, last, code):
    arguments = []
    for name, content in files.items():
        path = tmp_path / f"{name}.xml"
        if content is not None:
            path.write_text(content)
        arguments.append(f"{name}={path}")
    run = subprocess.run([sys.executable, str(COUNT), *arguments], capture_output=True, text=True, check=False)
    assert run.stdout.splitlines()[-1] == last
    assert run.returncode == code


def test_setup_has_nothing_to_do_the_second_time():
    subprocess.run([str(ROOT / "scripts/setup")], check=True)
    start = time.monotonic()
    run = subprocess.run([str(ROOT / "scripts/setup")], capture_output=True, text=True, check=True)
    assert run.stdout == ""
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("arguments", [["no-such-model"], ["smollm2", "--form", "tensorflow"], ["tiny", "--form", "gguf"], ["minilm", "--form", "genai"], ["shape:huge"], ["shape:opt-tiny", "--form", "hf"], []])
def test_get_model_refuses_what_it_does_not_have(arguments):
    run = subprocess.run([str(ROOT / "scripts/get-model"), *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stdout == ""


def test_get_model_prints_the_directory_alone():
    run = subprocess.run([str(ROOT / "scripts/get-model"), "tiny"], stdout=subprocess.PIPE, text=True, check=True)
    lines = run.stdout.splitlines()
    assert [line.rsplit("/", 1)[1] for line in lines] == ["genai", "dynamo", "torchscript"]
