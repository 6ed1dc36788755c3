"""python -m llmopt

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import sys

from llmopt.cli import main

sys.exit(main())
