"""Runs a command, waits for its first child process, and ends that by a signal, as a crash would.

usage: crash.py COMMAND...

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def main() -> int:
    process = subprocess.Popen(sys.argv[1:])
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while process.poll() is None:
        if found := children.read_text().split():
            os.kill(int(found[0]), signal.SIGKILL)
            break
        time.sleep(0.01)
    return process.wait()


if __name__ == "__main__":
    sys.exit(main())
