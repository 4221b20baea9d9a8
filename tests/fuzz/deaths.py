# SPDX-License-Identifier: Apache-2.0
"""A checker that dies or hangs on some seeds, for the test that it is noticed."""

import os
import time

ABORTS, RAISES, SLEEPS = 3, 6, 8


def checker(folder):
    """For campaign."""

    def check(seed: int) -> tuple[str, str]:
        if seed == ABORTS:
            os.abort()
        if seed == SLEEPS:
            time.sleep(1000)
        if seed == RAISES:
            raise ZeroDivisionError("seed 6")
        return "equal", ""

    return check
