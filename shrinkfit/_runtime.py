# SPDX-License-Identifier: Apache-2.0
"""Where the C runtime's files are: beside the package in a checkout, inside it in an installed wheel."""

from pathlib import Path

from shrinkfit.errors import ShrinkfitError

_PACKAGE = Path(__file__).resolve().parent
_PLACES = (_PACKAGE / "_runtime_c", _PACKAGE.parent / "runtime_c")


def runtime_dir() -> Path:
    """The folder that holds shrinkfit.h, the kernels and ports/.

    Raises:
        ShrinkfitError: the installation has lost its C files.
    """
    for place in _PLACES:
        if (place / "shrinkfit.h").is_file():
            return place
    raise ShrinkfitError(
        f"the C runtime (shrinkfit.h) is in none of {', '.join(map(str, _PLACES))}; install shrinkfit again"
    )
