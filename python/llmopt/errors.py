"""What goes wrong for reasons that the user can act on.

SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""


class LlmoptError(Exception):
    """Its text is one line for the user: lower case, says what to do."""
