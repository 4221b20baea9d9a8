# SPDX-License-Identifier: Apache-2.0
"""A dense layer in, whether the kernel with weights in pairs takes it, and the size of that kernel's constants."""

from __future__ import annotations

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.fixedpoint import split_scales
from shrinkfit.graph.multipliers import dense_multipliers
from shrinkfit.price.kernel import Kernel, word
from shrinkfit.price.plain import pair_fits

# sizeof in shrinkfit.h, on a 32-bit core.
STRUCT_BYTES = {"sf_dense_pairs_params": 16}
GROUP = 8
# How an accumulator times its multiplier is rounded in three instructions: at least the 33 bits that SMMLA and the
# saturation leave out; and 2 * zero_point + 1, shifted left, plus 2**30 has to fit int32.
SHIFTS = (-23, -2)
# Of the first output of a pair the kernel finds 256 times its sum.
FIRST_OF_PAIR_SUM = 2**23


def reachable_sums(op: ir.Weighted, zero_point: int) -> np.ndarray:
    """The least and the greatest accumulator of each output channel over all int8 inputs, int64 [2, channels]."""
    axes = tuple(axis for axis in range(op.kernel.ndim) if axis != op.output_axis)
    above = np.maximum(op.kernel, 0).sum(axis=axes, dtype=np.int64)
    below = np.minimum(op.kernel, 0).sum(axis=axes, dtype=np.int64)
    low, high = ir.INT8_MIN - zero_point, ir.INT8_MAX - zero_point
    return op.bias + np.stack([above * low + below * high, above * high + below * low])


def largest_sums(op: ir.Weighted, zero_point: int) -> np.ndarray:
    """Their largest magnitude, int64 [channels]."""
    return np.abs(reachable_sums(op, zero_point)).max(axis=0)


def is_constant(largest: np.ndarray, multipliers: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Channels none of whose sums times the multiplier gets to a half: bool [channels]."""
    return (multipliers == 0) | (largest < 2.0 ** (-1 - shifts))


def takes_pairs(op: ir.Dense, source: ir.Tensor, target: ir.Tensor) -> bool:
    """Whether sf_dense_pairs is exact for this layer.

    All but a few layers do. Those that do not have a scale from 0.25 on, sums from 2**23 on, or a weight of -128 that
    meets a negative one in the other output of its pair.
    """
    multipliers, shifts = split_scales(op.effective_scales(source, target))
    largest = largest_sums(op, source.zero_point)
    fits = (shifts >= SHIFTS[0]) & (shifts <= SHIFTS[1]) | is_constant(largest, multipliers, shifts)
    return bool(
        fits.all()
        and largest[::2].max() < FIRST_OF_PAIR_SUM
        and largest.max() < 2**31
        and pair_fits(op.kernel[::2], op.kernel[1::2])
    )


def is_uniform(op: ir.Dense, source: ir.Tensor, target: ir.Tensor) -> bool:
    """Whether all outputs have one scale and one multiplier, as LiteRT's converter makes them."""
    scales = op.effective_scales(source, target)
    return bool((scales == scales[0]).all() and np.ptp(dense_multipliers(op, source, target)[0]) == 0)


def pairs_bytes(outputs: int, inputs: int, uniform: bool) -> int:
    """Of the stream that write.pack_dense makes."""
    words, groups, rest = -(-inputs // 4), outputs // GROUP, -(-(outputs % GROUP) // 2)
    records = 3 if uniform else groups * (GROUP + 2) + rest * 3
    return 4 * (groups * (GROUP + GROUP * words) + rest * (2 + 2 * words) + records)


def dense_pairs(op: ir.Dense, source: ir.Tensor, target: ir.Tensor) -> Kernel:
    """sf_dense_pairs of a layer that it takes."""
    name, (outputs, inputs) = "sf_dense_pairs", op.kernel.shape
    stream_bytes = pairs_bytes(outputs, inputs, is_uniform(op, source, target))
    return Kernel(
        function=name,
        symbol=f"{name}_s8_dsp",
        params=f"{name}_params",
        sources=(f"{name}.c", f"{name}_dsp.c", f"{name}.h"),
        takes_scratch=False,
        scratch_bytes=0,
        data_bytes=stream_bytes + word(STRUCT_BYTES[f"{name}_params"]),
    )
