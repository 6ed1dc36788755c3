"""Shows the compiler's progress lines as a bar.

A progress line is `[STAGE] DONE/TOTAL DETAIL`, such as `[pack] 37/211 layers.5.down_proj`; all other lines are passed on.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import re
import sys
from collections.abc import Iterable
from typing import NamedTuple, TextIO

from tqdm import tqdm

LINE = re.compile(r"\[(?P<stage>[a-z][a-z0-9 -]*)\] (?P<done>\d+)/(?P<total>\d+)(?: (?P<detail>.*))?")


class Progress(NamedTuple):
    stage: str
    done: int
    total: int
    detail: str


def parse(line: str) -> Progress | None:
    """The progress that a line reports, or none."""
    match = LINE.fullmatch(line.rstrip("\r\n"))
    if not match:
        return None
    done, total = int(match["done"]), int(match["total"])
    if done > total or total == 0:
        return None
    return Progress(match["stage"], done, total, match["detail"] or "")


def show(lines: Iterable[str], out: TextIO = sys.stderr) -> None:
    """Draws one bar per stage while the lines come; without a terminal the lines are passed on as they are."""
    if not out.isatty():
        for line in lines:
            out.write(line)
            out.flush()
        return
    bar = None
    for line in lines:
        progress = parse(line)
        if progress is None:
            tqdm.write(line.rstrip("\n"), file=out)
            continue
        if bar is None or bar.desc.rstrip(": ") != progress.stage or bar.total != progress.total:
            if bar is not None:
                bar.close()
            bar = tqdm(desc=progress.stage, total=progress.total, file=out, leave=True, dynamic_ncols=True)
        bar.set_postfix_str(progress.detail, refresh=False)
        bar.update(progress.done - bar.n)
    if bar is not None:
        bar.close()
