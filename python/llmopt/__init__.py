"""llmopt: compiled language models in Python.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

from llmopt.errors import LlmoptError

__version__ = "0.1.0"
__all__ = ["LlmoptError", "Model", "Session"]


def __getattr__(name: str):
    """Model and Session load the native library, so only a program that names them needs it."""
    if name in ("Model", "Session"):
        from llmopt import runtime

        return getattr(runtime, name)
    raise AttributeError(f"module 'llmopt' has no attribute '{name}'")
