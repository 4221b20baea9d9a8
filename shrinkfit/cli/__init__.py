# SPDX-License-Identifier: Apache-2.0
"""The `shrinkfit` command: arguments enter, the other rooms do the work, tables or JSON leave.

Exit status: 0 it held, 1 a check or a limit failed, 2 bad usage. TensorFlow is imported only by what needs it.
"""

from shrinkfit.cli.start import app, main

__all__ = ["app", "main"]
