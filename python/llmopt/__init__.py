"""llmopt: compiled language models in Python.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

from llmopt.errors import LlmoptError
from llmopt.runtime import Model, Session

__version__ = "0.1.0"
__all__ = ["LlmoptError", "Model", "Session"]
