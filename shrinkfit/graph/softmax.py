# SPDX-License-Identifier: Apache-2.0
"""Softmax in fixed point: int8 logits in, int8 probabilities out, as LiteRT's reference kernel rounds.

Numbers are written Qm.n: m integer bits, n fractional bits, a sign bit besides. The exponential is
a Taylor polynomial around -1/8 on (-1/4, 0] times constants for the binary digits above it; the
reciprocal is three Newton steps. Source of the method: the gemmlowp fixed-point library's
documentation, which LiteRT's SOFTMAX refers to.
"""

from __future__ import annotations

from math import floor

import numpy as np

from shrinkfit.graph.fixedpoint import INT32_MAX, INT32_MIN, high_multiply, rounding_shift_right, split_scale

DIFF_INTEGER_BITS = 5
SUM_INTEGER_BITS = 12
EXP_MINUS_EIGHTH = 1895147668  # exp(-1/8) in Q0.31
ONE_THIRD = 715827883  # 1/3 in Q0.31
# exp(-2**k) in Q0.31 for k = -2 .. 4, each for one binary digit of the argument.
EXP_OF_DIGITS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
NEWTON_48_17 = 1515870810  # 48/17 in Q2.29
NEWTON_MINUS_32_17 = -1010580540  # -32/17 in Q2.29


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


def _saturate(x: np.ndarray) -> np.ndarray:
    return np.clip(x, INT32_MIN, INT32_MAX)


def _exp_near_zero(a: np.ndarray) -> np.ndarray:
    """exp(a) for a in [-1/4, 0), Q0.31 to Q0.31."""
    x = a + (1 << 28)
    x2 = high_multiply(x, x)
    x3 = high_multiply(x2, x)
    x4 = high_multiply(x2, x2)
    tail = rounding_shift_right(x4, 2) + x3
    tail = rounding_shift_right(high_multiply(tail, ONE_THIRD) + x2, 1)
    return _saturate(EXP_MINUS_EIGHTH + high_multiply(np.int64(EXP_MINUS_EIGHTH), x + tail))


def exp_of_negative(a: np.ndarray) -> np.ndarray:
    """exp(a) for a <= 0: Q5.26 to Q0.31, int64 arrays of int32 values."""
    fraction_bits = 31 - DIFF_INTEGER_BITS
    quarter = 1 << (fraction_bits - 2)
    near = (a & (quarter - 1)) - quarter
    result = _exp_near_zero(_saturate(near << DIFF_INTEGER_BITS))
    rest = near - a
    for digit, constant in enumerate(EXP_OF_DIGITS, start=-2):
        scaled = high_multiply(result, constant)
        result = np.where(rest & (1 << (fraction_bits + digit)), scaled, result)
    return np.where(a == 0, INT32_MAX, result)


def _reciprocal(total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """1 / total for Q12.19: (Q0.31 value, how many bits the total is over one)."""
    leading_zeros = 31 - np.floor(np.log2(total.astype(np.float64))).astype(np.int64)
    over_unit = SUM_INTEGER_BITS - leading_zeros
    fraction = (total << leading_zeros) - (1 << 31)
    half = (fraction + INT32_MAX + 1) >> 1
    x = NEWTON_48_17 + high_multiply(half, NEWTON_MINUS_32_17)
    for _ in range(3):
        rest = (1 << 29) - high_multiply(half, x)
        x = x + _saturate(high_multiply(x, rest) << 2)
    return _saturate(x << 1), over_unit


def softmax_int8(inputs: np.ndarray, scale: float, beta: float) -> np.ndarray:
    """Softmax over the last axis: int8 [..., n] with the given scale to int8 with scale 1/256, zero_point -128."""
    multiplier, left_shift, diff_min = softmax_parameters(scale, beta)
    x = inputs.astype(np.int64)
    diff = x - x.max(axis=-1, keepdims=True)
    alive = diff >= diff_min
    exps = exp_of_negative(high_multiply(np.where(alive, diff, 0) << left_shift, multiplier))
    parts = np.where(alive, rounding_shift_right(exps, SUM_INTEGER_BITS), 0)
    inverse, over_unit = _reciprocal(parts.sum(axis=-1, keepdims=True))
    result = rounding_shift_right(high_multiply(inverse, exps), over_unit + 31 - 8) - 128
    return np.where(alive, np.clip(result, -128, 127), -128).astype(np.int8)
