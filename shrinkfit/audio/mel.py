# SPDX-License-Identifier: Apache-2.0
"""Frequencies in Hz go in, pitch as it is heard comes out, and back: where the bands of the features stand."""

from __future__ import annotations

import numpy as np

# Slaney 1998 (Auditory Toolbox): even steps up to 1 kHz, even ratios above.
_STEP_HZ, _BREAK_HZ = 200 / 3, 1_000.0
_BREAK_MEL = _BREAK_HZ / _STEP_HZ
_RATIO_LOG = np.log(6.4) / 27


def to_mel(hz: np.ndarray | float, scale: str = "htk") -> np.ndarray:
    """Pitch of frequencies.

    Args:
        hz: any shape, at least 0.
        scale: "htk": 2595 log10(1 + f / 700) (O'Shaughnessy 1987); "slaney": linear up to 1 kHz, logarithmic above.
    """
    hz = np.asarray(hz, float)
    if scale == "htk":
        return 2595 * np.log10(1 + hz / 700)
    return np.where(
        hz < _BREAK_HZ, hz / _STEP_HZ, _BREAK_MEL + np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _RATIO_LOG
    )


def to_hz(mel: np.ndarray | float, scale: str = "htk") -> np.ndarray:
    """The frequency of each pitch, as `to_mel` has it."""
    mel = np.asarray(mel, float)
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    return np.where(mel < _BREAK_MEL, mel * _STEP_HZ, _BREAK_HZ * np.exp((mel - _BREAK_MEL) * _RATIO_LOG))
