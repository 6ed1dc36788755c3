"""Sums test results in the JUnit format, as lit and pytest write it.

usage: count_tests.py NAME=FILE.xml ...

Prints what failed, and as the last line `N passed, N failed` (and `, N skipped` if any was). A file that is missing or malformed counts
as one failure: its tests did not run. The exit code is 0 if nothing failed and something passed.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import sys
import xml.etree.ElementTree as ElementTree


def read(name: str, path: str) -> tuple[int, list[str], int]:
    """Number of passed, names of failed, number of skipped tests."""
    try:
        cases = list(ElementTree.parse(path).iter("testcase"))
    except (OSError, ElementTree.ParseError) as error:
        return 0, [f"{name}: no results ({error})"], 0
    passed, failed, skipped = 0, [], 0
    for case in cases:
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(f"{name}: {case.get('classname')} {case.get('name')}")
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def main(arguments: list[str]) -> int:
    results = [read(*argument.split("=", 1)) for argument in arguments]
    failed = [name for _, names, _ in results for name in names]
    passed, skipped = sum(result[0] for result in results), sum(result[2] for result in results)
    for name in failed:
        print(f"failed: {name}")
    print(f"{passed} passed, {len(failed)} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
