# SPDX-License-Identifier: Apache-2.0
"""An operator with weights in; out: whether the C's short requantization and its pairs of weights are exact for it."""

from __future__ import annotations

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.fixedpoint import split_scales

# The short requantization in sf_dsp.h: twice the accumulator fits int32, and so does the scaled accumulator
# with the zero_point shifted left; a right shift by 1 or more rounds.
PLAIN_ACCUMULATOR = 2**30
PLAIN_SHIFTS = (-22, -1)
# What inputs can make of one unit of weight: they lie in [-128, 127], padding as well.
LARGEST_INPUT = 128
# Both roundings together move a value by less than half a step more.
STILL = 0.25
# The sum over the even channel of a pair has 24 bits.
PAIR_SUM = 2**23


def pair_fits(high: np.ndarray, low: np.ndarray) -> bool:
    """Whether 256 * high + low is an int16 for all of these weights; of the last one `low` may lack."""
    return not np.any((high[: len(low)] == ir.INT8_MIN) & (low < 0))


def magnitudes(op: ir.Weighted) -> np.ndarray:
    """int64 [channels]: the sum of the absolute weights of each output channel."""
    axes = tuple(a for a in range(op.kernel.ndim) if a != op.output_axis)
    return np.abs(op.kernel.astype(np.int64)).sum(axis=axes)


def short_scales(op: ir.Weighted, source: ir.Tensor, target: ir.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Multipliers and shifts of the output channels, for kernels that round twice.

    A channel whose sums never come near half a step of the output, as one that training has given up or one without
    weights, may need a shift that is not the short requantization's: it gets a multiplier of 0, which gives the same.
    """
    scales = op.effective_scales(source, target)
    multipliers, shifts = split_scales(scales)
    low, high = PLAIN_SHIFTS
    # The smallest scales are split into a multiplier of 0 and a shift of 0.
    still = ((shifts < low) | (shifts > high)) & (_largest_sums(op) * scales < STILL)
    return np.where(still, 0, multipliers), np.where(still, high, shifts)


def _largest_sums(op: ir.Weighted) -> np.ndarray:
    return magnitudes(op) * 255 + np.abs(op.bias.astype(np.int64))


def has_plain_sums(op: ir.Weighted, shifts: np.ndarray) -> bool:
    """Whether accumulators and shifts are such that the short requantization is exact.

    Args:
        shifts: of the output channels as short_scales gives them, positive means left.
    """
    worst, (low, high) = _largest_sums(op), PLAIN_SHIFTS
    return bool(worst.max() < PLAIN_ACCUMULATOR and shifts.min() >= low and shifts.max() <= high)


def fits_pairs(op: ir.Conv2D, source: ir.Tensor, target: ir.Tensor) -> bool:
    """Whether sf_conv2d_pairs is exact for a convolution: see sf_conv2d_pairs_params."""
    fits = magnitudes(op)[::2].max() * LARGEST_INPUT < PAIR_SUM and pair_fits(op.kernel[::2], op.kernel[1::2])
    return bool(fits and has_plain_sums(op, short_scales(op, source, target)[1]))
