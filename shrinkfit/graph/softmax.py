# SPDX-License-Identifier: Apache-2.0
"""Softmax in fixed point: int8 logits in, int8 probabilities out, as LiteRT's reference kernel rounds."""

from __future__ import annotations

from math import floor

import numpy as np

from shrinkfit.graph.fixedpoint import high_multiply, rounding_shift_right, split_scale
from shrinkfit.graph.gemmlowp import WORD32

DIFF_INTEGER_BITS = 5
SUM_INTEGER_BITS = 12


def softmax_parameters(scale: float, beta: float) -> tuple[int, int, int]:
    """What the kernel needs to know of the input's scale.

    Returns:
        multiplier, left_shift: turn a difference of logits into Q5.26.
        diff_min: differences below it give exp = 0.
    """
    real = min(beta * scale * 2.0 ** (31 - DIFF_INTEGER_BITS), 2.0**31 - 1)
    multiplier, left_shift = split_scale(real)
    reach = ((1 << DIFF_INTEGER_BITS) - 1) * 2.0 ** (31 - DIFF_INTEGER_BITS) / 2.0**left_shift
    return multiplier, left_shift, -floor(reach)


def _reciprocal(total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """1 / total for Q12.19: (Q0.31 value, how many bits the total is over one)."""
    leading_zeros = 31 - np.floor(np.log2(total.astype(np.float64))).astype(np.int64)
    over_unit = SUM_INTEGER_BITS - leading_zeros
    fraction = (total << leading_zeros) - (1 << 31)
    return WORD32.reciprocal_of_one_plus(fraction), over_unit


def softmax_int8(inputs: np.ndarray, scale: float, beta: float) -> np.ndarray:
    """Softmax over the last axis: int8 [..., n] with the given scale to int8 with scale 1/256, zero_point -128."""
    multiplier, left_shift, diff_min = softmax_parameters(scale, beta)
    x = inputs.astype(np.int64)
    diff = x - x.max(axis=-1, keepdims=True)
    alive = diff >= diff_min
    scaled = high_multiply(np.where(alive, diff, 0) << left_shift, multiplier)
    exps = WORD32.exp_of_negative(scaled, DIFF_INTEGER_BITS)
    parts = np.where(alive, rounding_shift_right(exps, SUM_INTEGER_BITS), 0)
    inverse, over_unit = _reciprocal(parts.sum(axis=-1, keepdims=True))
    result = rounding_shift_right(high_multiply(inverse, exps), over_unit + 31 - 8) - 128
    return np.where(alive, np.clip(result, -128, 127), -128).astype(np.int8)
