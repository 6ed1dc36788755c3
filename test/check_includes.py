#!/usr/bin/env python3
"""Checks that each part of the project includes only what it may know.

usage: check_includes.py SOURCE_DIR

Prints one line per include that is not allowed and exits with 1 if there is one.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import re
import sys
from pathlib import Path

ABI = "runtime/include/llmopt/ModelABI.h"

# Folders, or single headers, that the files of a folder may include besides their own.
ALLOWED = {
    "dialects": (),
    "target": (ABI,),
    "frontends": ("dialects", "target"),
    "passes": ("dialects", "target"),
    "compiler": ("passes", "frontends", "dialects", "target", ABI),
    "runtime": (),
    "tools": ("compiler", "runtime", "passes", "dialects", "frontends", "target"),
}
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
TABLEGEN_INCLUDE = re.compile(r'^\s*include\s*(")([^"]+)"')
SUFFIXES = (".h", ".hpp", ".cpp", ".c", ".inc", ".td")


def find_fault(root: Path, folder: str, source: Path, included: str) -> str | None:
    """Why `source`, in the top folder `folder`, may not include a file; none if it may."""
    top = included.split("/")[0]
    if "/" not in included and (source.parent / included).is_file():
        return "write the path from the root of the project"
    if top == "llmopt" and folder not in ("runtime", "tools"):
        return "the installed headers are for users of the runtime"
    if top not in ALLOWED or top == folder:
        return None
    for allowed in ALLOWED[folder]:
        if included == allowed or (top == allowed and "." not in allowed):
            return None
    return f"{folder}/ may include only {', '.join((folder, *ALLOWED[folder]))}"


def check_file(root: Path, folder: str, source: Path) -> list[str]:
    pattern = TABLEGEN_INCLUDE if source.suffix == ".td" else INCLUDE
    faults = []
    for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), 1):
        match = pattern.match(line)
        fault = match and find_fault(root, folder, source, match[2])
        if fault:
            faults.append(f"{source.relative_to(root)}:{number}: includes {match[2]}: {fault}")
    return faults


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__.strip().splitlines()[2], file=sys.stderr)
        return 2
    root = Path(sys.argv[1]).resolve()
    faults, files = [], 0
    for folder in ALLOWED:
        for source in sorted((root / folder).rglob("*")):
            if source.suffix in SUFFIXES and source.is_file():
                files += 1
                faults += check_file(root, folder, source)
    print("\n".join(faults) if faults else f"{files} files keep the include rule")
    return 1 if faults or not files else 0


if __name__ == "__main__":
    sys.exit(main())
