# SPDX-License-Identifier: Apache-2.0
"""A checker that dies on some seeds, for the test that a death is noticed."""

import os

ABORTS, RAISES = 3, 6


def checker(folder):
    """For campaign."""

    def check(seed: int) -> tuple[str, str]:
        if seed == ABORTS:
            os.abort()
        if seed == RAISES:
            raise ZeroDivisionError("seed 6")
        return "equal", ""

    return check
