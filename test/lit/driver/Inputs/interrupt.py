"""Interrupts a command at several times and checks that it cleans up.

usage: interrupt.py DIRECTORY COMMAND...

Each run must end with 128 and the signal's number and leave DIRECTORY empty; one that is done before the signal comes is not
counted, and one at least must be interrupted.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

DELAYS = (0, 0.1, 0.3, 0.8)


def main() -> int:
    directory, command = Path(sys.argv[1]), sys.argv[2:]
    interrupted = 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        for delay in DELAYS:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            # From its first line on the compiler has taken the signals over.
            process.stderr.readline()
            time.sleep(delay)
            process.send_signal(number)
            process.stderr.read()
            code = process.wait(timeout=60)
            left = os.listdir(directory)
            if code == 0 and left == ["model.so"]:
                (directory / "model.so").unlink()
                continue
            if code != 128 + number or left:
                print(f"{number.name} after {delay} s: ended with {code}, left {left}")
                return 1
            interrupted += 1
    print(f"{interrupted} runs were interrupted")
    return interrupted == 0


if __name__ == "__main__":
    sys.exit(main())
