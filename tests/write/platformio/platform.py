# SPDX-License-Identifier: Apache-2.0
"""As much of a PlatformIO platform as a build with gcc needs; PlatformIO's own come from its registry."""

from platformio.public import PlatformBase


class ThiscomputerPlatform(PlatformBase):
    """Nothing of its own."""
