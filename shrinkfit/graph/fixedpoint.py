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
    return np.asarray(x, np.int64).astype(np.int32).astype(np.int64)


def high_multiply(a: Integers, b: Integers) -> np.ndarray:
    """round(a * b / 2**31), halves up; saturates for a = b = -2**31 (the SMMULR of twice a)."""
    product = np.asarray(np.multiply(a, b, dtype=np.int64))
    # In place, here and below: most of a large graph's time goes here, and half of that went into new memory.
    product += 1 << 30
    product >>= 31
    return np.minimum(product, INT32_MAX, out=product)


def rounding_shift_right(x: Integers, exponent: Integers) -> np.ndarray:
    """round(x / 2**exponent), halves away from zero; exponent >= 0."""
    x = np.asarray(x, np.int64)
    exponent = np.asarray(exponent, np.int64)
    # A negative half is to fall short of the next larger number; an exponent of 0 leaves nothing to round.
    result = np.asarray((x >> 63) & -(exponent > 0).astype(np.int64))
    result += (np.int64(1) << exponent) >> 1
    result += x
    result >>= exponent
    return result


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
        left = np.maximum(shift, 0)
        shifted = acc << left if left.any() else acc
        kept = shifted.astype(np.int32)  # wraps, as a register does
        return rounding_shift_right(high_multiply(kept, multiplier), np.maximum(-shift, 0))
    if rounding == "single":
        total = 31 - shift
        product = acc * np.asarray(multiplier, np.int64)
        return np.clip((product + (np.int64(1) << (total - 1))) >> total, INT32_MIN, INT32_MAX)
    raise ValueError(f"rounding is {rounding!r}, expected 'double' or 'single'")
