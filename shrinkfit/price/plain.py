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
# The sum over the even channel of a pair has 24 bits.
PAIR_SUM = 2**23


def is_blank(op: ir.Weighted) -> bool:
    """No weights and no biases: a graph made from shapes alone. Such sums are 0 on any scale."""
    return not op.kernel.any() and not op.bias.any()


def magnitudes(op: ir.Weighted) -> np.ndarray:
    """int64 [channels]: the sum of the absolute weights of each output channel."""
    axes = tuple(a for a in range(op.kernel.ndim) if a != op.output_axis)
    return np.abs(op.kernel.astype(np.int64)).sum(axis=axes)


def has_plain_sums(op: ir.Weighted, shifts: np.ndarray) -> bool:
    """Whether accumulators and shifts are such that the short requantization is exact.

    Args:
        shifts: of the output channels, positive means left.
    """
    worst = magnitudes(op) * 255 + np.abs(op.bias.astype(np.int64))
    low, high = PLAIN_SHIFTS
    return bool(worst.max() < PLAIN_ACCUMULATOR and shifts.min() >= low and shifts.max() <= high)


def fits_pairs(op: ir.Conv2D, source: ir.Tensor, target: ir.Tensor) -> bool:
    """Whether sf_conv2d_pairs is exact for a convolution: see sf_conv2d_pairs_params."""
    if is_blank(op):
        return True
    even, odd = op.kernel[::2], op.kernel[1::2]
    borrows = np.any((even[: len(odd)] == ir.INT8_MIN) & (odd < 0))
    fits = magnitudes(op)[::2].max() * LARGEST_INPUT < PAIR_SUM
    return bool(fits and not borrows and has_plain_sums(op, split_scales(op.effective_scales(source, target))[1]))
