# SPDX-License-Identifier: Apache-2.0
"""The errors that users meet: each message says what came, what was expected and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


class ShrinkfitError(Exception):
    """Base of every error that shrinkfit raises on purpose."""


class UnknownDeviceError(ShrinkfitError):
    """A device name that the catalogue does not hold; the message lists near matches."""


class BudgetError(ShrinkfitError):
    """A budget that makes no sense, or that the model cannot meet."""


class UnsupportedLayerError(ShrinkfitError):
    """A layer, operator or model structure that shrinkfit cannot handle; the message names it."""


class TrainingError(ShrinkfitError):
    """Training went where no integer model can follow, for example a loss that is NaN."""


class ExportError(ShrinkfitError):
    """The firmware folder could not be written; nothing is left half-written."""


class ToolMissingError(ShrinkfitError):
    """A compiler or emulator that is not installed; the message says what to install."""


class CheckError(ShrinkfitError):
    """An exported folder that could not be built, run or compared."""


class CheckUsageError(CheckError):
    """A check that cannot begin: the folder is none that export wrote, or the inputs do not fit its model."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown word.

    Args:
        word: what came.
        known: what there is.
    Returns:
        "; did you mean 'a' or 'b'?", whatever the case of letters; empty where nothing is near.
    """
    from difflib import get_close_matches

    names = {name.lower(): name for name in known}
    near = get_close_matches(str(word).lower(), names, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(names[name]) for name in near)}?" if near else ""


def expected_one_of(word: object, known: Iterable[str]) -> str:
    """ "expected one of a, b, c", and which of them is near."""
    known = tuple(known)
    return f"expected one of {', '.join(known)}{did_you_mean(str(word), known)}"


def near_files(path: Path, suffixes: Iterable[str] = ()) -> str:
    """As `did_you_mean`, of a file or folder that is not there.

    Args:
        path: what was asked for.
        suffixes: the kinds of file that would do, such as ".tflite"; folders and all files where there are none.
    """
    suffixes = tuple(suffixes)
    try:
        beside = [other.name for other in path.parent.iterdir() if not suffixes or other.suffix in suffixes]
    except OSError:
        return f"; there is no folder '{path.parent}' either"
    return did_you_mean(path.name, beside)
