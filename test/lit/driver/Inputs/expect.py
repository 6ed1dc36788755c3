"""Runs a command, prints its standard error, and checks how it ends.

usage: expect.py [-one-line] EXIT_CODE COMMAND...

Fails unless the command exits with this code and, with -one-line, prints one line. A command that is to fail must leave the
working directory as it was.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import subprocess
import sys
from pathlib import Path


def main() -> int:
    arguments = sys.argv[1:]
    one_line = arguments[0] == "-one-line"
    expected, command = int(arguments[one_line]), arguments[one_line + 1 :]
    before = sorted(Path.cwd().rglob("*"))
    run = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, timeout=300)
    print(run.stderr, end="")
    left = set(Path.cwd().rglob("*")) - set(before)
    if run.returncode != expected:
        print(f"expected exit code {expected}, got {run.returncode}", file=sys.stderr)
    if expected and left:
        print("left behind: " + ", ".join(map(str, left)), file=sys.stderr)
    lines = len(run.stderr.splitlines())
    if one_line and lines != 1:
        print(f"expected one line, got {lines}", file=sys.stderr)
    return run.returncode != expected or bool(expected and left) or (one_line and lines != 1)


if __name__ == "__main__":
    sys.exit(main())
