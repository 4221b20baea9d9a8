# SPDX-License-Identifier: Apache-2.0
"""The errors that users meet: each message says what came, what was expected and how to mend it."""


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
