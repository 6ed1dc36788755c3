"""The checked-in tables of operators are those of the installed packages.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "update-operators"


def test_tables_of_operators_are_current():
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    assert subprocess.run([sys.executable, str(SCRIPT), "--check"], check=False).returncode == 0, "run scripts/update-operators"
