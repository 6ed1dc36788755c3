"""Runs a command with less memory than it needs.

usage: memory.py COMMAND...

Raises the limit on address space step by step until the command succeeds. From the first limit with which its main function
runs, every failure must have exit code 4 and say "out of memory" on its last line; there must be one.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import resource
import subprocess
import sys

FIRST, STEP, LAST = 100 << 20, 6 << 20, 4 << 30


def main() -> int:
    failures = 0
    for limit in range(FIRST, LAST, STEP):
        run = subprocess.run(
            sys.argv[1:],
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=120,
            preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        )
        if run.returncode == 0:
            print(f"out of memory {failures} times")
            return failures == 0
        # The loader, and the initialisers of libraries, are not ours.
        if failures == 0 and run.returncode in (127, -6):
            continue
        if run.returncode != 4 or not run.stderr.endswith("error: out of memory\n"):
            print(f"with {limit} bytes: exit code {run.returncode}, {run.stderr}")
            return 1
        failures += 1
    print("never enough memory")
    return 1


if __name__ == "__main__":
    sys.exit(main())
