"""Checks the profile of decoding with llmopt-bench -profile -machine -json.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import json
import sys
from pathlib import Path

result = json.loads(Path(sys.argv[1]).read_text())
(machine,) = result["machine"]
assert machine["threads"] == 2 and machine["read_bytes_per_s"] > 0 and machine["fork_join_s"] > 0, machine
(test,) = result["tests"]
assert 0 < test["share_of_machine"] < 1, test  # so small a model is bound by its barriers
kernels = {line["kernel"]: line for line in test["kernels"]}
attention = next(line for name, line in kernels.items() if name.startswith("attention"))
assert attention["calls"] == 1, attention
total = sum(line["seconds"] for line in test["kernels"])
slowest = 1 / test["min"]
assert 0 < total < 1.5 * slowest, (total, slowest)
for line in test["kernels"]:
    assert line["seconds"] > 0, line
    assert "limit_seconds" in line or line["bytes"] == 0, line
