# SPDX-License-Identifier: Apache-2.0
"""An exported folder's files in, those that make it a package of each build system out."""

from __future__ import annotations

from collections.abc import Mapping

from shrinkfit.device import Device
from shrinkfit.write.model import Model
from shrinkfit.write.packages import arduino, cmake, examples, platformio, zephyr
from shrinkfit.write.packages.package import Origin, Package

__all__ = ["Origin", "package_files"]


def package_files(
    model: Model, device: Device, stack_bytes: int, files: Mapping[str, bytes], origin: Origin | None = None
) -> dict[str, bytes]:
    """Relative path -> content of the files with which CMake, Arduino, Zephyr and PlatformIO take the folder.

    Args:
        model: all that the model's C says.
        device: what it is written for.
        stack_bytes: what a firmware sets aside.
        files: relative path -> content of all else that is in the folder.
        origin: whose it is; where it is None nobody's.
    """
    package = Package(model, device, stack_bytes, dict(files), origin or Origin())
    texts: dict[str, str] = {}
    for system in (examples, cmake, arduino, platformio, zephyr):
        texts |= system.files(package)
    return {path: text.encode() for path, text in texts.items()}
