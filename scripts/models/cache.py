"""The cache outside the repository: every entry is made once, and is complete if it is there.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import contextlib
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path


def root() -> Path:
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llmopt"
    return Path(os.environ.get("LLMOPT_CACHE") or default)


def make_once(target: Path, fill: Callable[[Path], None]) -> Path:
    """Lets `fill` write into a temporary directory that becomes `target` only when it is complete."""
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.parent / f".{target.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            return target
        print(f"making {target}", file=sys.stderr, flush=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            # Standard output is for the paths alone; the exporters talk.
            with contextlib.redirect_stdout(sys.stderr):
                fill(partial)
            partial.chmod(0o755)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return target
