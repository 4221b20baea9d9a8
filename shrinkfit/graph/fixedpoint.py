# SPDX-License-Identifier: Apache-2.0
"""Fixed-point arithmetic: a real scale becomes multiplier and shift; accumulators become int8 again.

The twin of runtime_c/sf_internal.h. Arrays are int64 that hold int32 values.
"""

from __future__ import annotations

from math import frexp, isfinite
from typing import TypeAlias

import numpy as np

from shrinkfit.errors import ShrinkfitError

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1

# One number, or an array of them.
Integers: TypeAlias = np.ndarray | np.integer | int


class ScaleError(ShrinkfitError, ValueError):
    """A quotient of scales that is no number to multiply by."""


def split_scale(scale: float) -> tuple[int, int]:
    """Write a scale as multiplier * 2**(shift - 31).

    Args:
        scale: finite float, input_scale * kernel_scale / output_scale; 0 where that underflows.
    Returns:
        multiplier: int in [2**30, 2**31), or 0 where the scale is below 2**-32 (as LiteRT has it).
        shift: int; positive means left.
    Raises:
        ScaleError: scale is negative or not finite.
    """
    if not (isfinite(scale) and scale >= 0):
        raise ScaleError(
            f"the scales of an operator's tensors make a factor of {scale}, expected a finite number from 0 on; "
            "convert the model again with a calibration that covers its values"
        )
    if scale == 0:
        return 0, 0
    fraction, shift = frexp(scale)
    multiplier = int(np.floor(fraction * 2**31 + 0.5))
    if multiplier == 2**31:
        multiplier //= 2
        shift += 1
    if shift < -31:
        return 0, 0
    if shift > 30:
        return INT32_MAX, 30
    return multiplier, shift


def split_scales(scales: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """split_scale for each element of float64 [n]: (multipliers, shifts), int64 [n] each."""
    pairs = np.array([split_scale(float(s)) for s in np.atleast_1d(scales)], np.int64)
    return pairs[:, 0], pairs[:, 1]


def wrap_int32(x: Integers) -> np.ndarray:
    """The low 32 bits as a signed number, which is what int32 registers keep."""
    return (np.asarray(x, np.int64) + 2**31) % 2**32 - 2**31


def high_multiply(a: Integers, b: Integers) -> np.ndarray:
    """round(a * b / 2**31), halves up; saturates for a = b = -2**31 (the SMMULR of twice a)."""
    return np.minimum((np.asarray(a, np.int64) * np.asarray(b, np.int64) + 2**30) >> 31, INT32_MAX)


def rounding_shift_right(x: Integers, exponent: Integers) -> np.ndarray:
    """round(x / 2**exponent), halves away from zero; exponent >= 0."""
    x = np.asarray(x, np.int64)
    exponent = np.asarray(exponent, np.int64)
    mask = (np.int64(1) << exponent) - 1
    return (x >> exponent) + ((x & mask) > (mask >> 1) + (x < 0))


def requantize(acc: Integers, multiplier: Integers, shift: Integers, rounding: str) -> np.ndarray:
    """acc * multiplier * 2**(shift - 31), rounded.

    Args:
        acc: int64 array of int32 values.
        multiplier, shift: from split_scale; scalars or arrays that broadcast against acc.
        rounding: "double" rounds after the multiplication and again after the shift (LiteRT's
            convolutions); "single" rounds once, halves up (its fully connected layers).
    Returns:
        int64 array of int32 values.
    """
    acc = np.asarray(acc, np.int64)
    shift = np.asarray(shift, np.int64)
    if rounding == "double":
        shifted = wrap_int32(acc << np.maximum(shift, 0))
        return rounding_shift_right(high_multiply(shifted, multiplier), np.maximum(-shift, 0))
    if rounding == "single":
        total = 31 - shift
        product = acc * np.asarray(multiplier, np.int64)
        return np.clip((product + (np.int64(1) << (total - 1))) >> total, INT32_MIN, INT32_MAX)
    raise ValueError(f"rounding is {rounding!r}, expected 'double' or 'single'")
