# SPDX-License-Identifier: Apache-2.0
"""A dense layer or 1x1 convolution in, whether a kernel that skips zero blocks runs it, and what it takes, out.

A block is BLOCK weights of one output along the inputs. The rule: skip where that is predicted to take fewer cycles
than the dense kernel, by the rounded cycles below (benchmarks/cycle_costs.py has the fitted ones), and where it is
exact. Fewer cycles also means less flash: a block that is kept takes five bytes instead of four, but its cycles are
nearly twice those of a block of the dense kernels. Kernels with few zero blocks, which need not be there on purpose,
and kernels of zeros alone count as dense.
"""

from __future__ import annotations

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.fixedpoint import split_scales
from shrinkfit.price.kernel import Kernel, word
from shrinkfit.price.kernels_dense import GROUP, SHIFTS, is_constant, largest_sums
from shrinkfit.price.plain import PLAIN_SHIFTS, pair_fits

# sizeof in shrinkfit.h, on a 32-bit core.
STRUCT_BYTES = {"sf_sparse_params": 20}
BLOCK = 4
LEAST_ZERO_SHARE = 0.25
# The numbers of a row's blocks are bytes.
MAX_INPUTS = 256 * BLOCK
LARGEST_SUM = 2**23
# Cycles of one output and of one pair of blocks, of one row and of two pixels.
ROW_OUTPUT, ROW_PAIR, PIXELS_OUTPUT, PIXELS_PAIR = 24.0, 18.3, 37.7, 28.0
# Cycles of the dense kernels, and more of them per input: eight outputs, two of the rest; four outputs of two pixels.
# Two pixels are widened there about as fast as they are copied here.
EIGHT, EIGHT_INPUT, TWO, TWO_INPUT, FOUR, FOUR_INPUT = 98.0, 10.0, 60.0, 3.5, 120.0, 7.8


def kept_blocks(rows: np.ndarray) -> np.ndarray:
    """Which blocks of [outputs, inputs] are not all zero, bool [outputs, blocks]; the last may have fewer inputs."""
    return np.add.reduceat(rows != 0, np.arange(0, rows.shape[1], BLOCK), axis=1) > 0


def pairs_of_blocks(rows: np.ndarray) -> np.ndarray:
    """How many pairs of blocks each output takes, int [outputs]."""
    return -(-kept_blocks(rows).sum(axis=1) // 2)


def kernel_rows(op: ir.Weighted) -> np.ndarray:
    """int8 [outputs, inputs]."""
    return op.kernel.reshape(op.channels, -1)


def skips_blocks(op: ir.Dense | ir.Conv2D, source: ir.Tensor, target: ir.Tensor) -> bool:
    """Whether sf_sparse_dense or sf_sparse_conv2d runs this layer, by the rule above."""
    rows = kernel_rows(op)
    if not rows.any() or not BLOCK < rows.shape[1] <= MAX_INPUTS or not _is_matrix(op, source):
        return False
    zero_share = 1 - kept_blocks(rows).mean()
    return zero_share >= LEAST_ZERO_SHARE and _is_faster(op, rows) and _is_exact(op, rows, source, target)


def _is_matrix(op: ir.Dense | ir.Conv2D, source: ir.Tensor) -> bool:
    """Whether one row or pixel after the other is multiplied by the same matrix."""
    if isinstance(op, ir.Dense):
        return True
    edges = (op.padding.top, op.padding.bottom, op.padding.left, op.padding.right)
    return op.window == (1, 1) and op.stride == (1, 1) and not any(edges) and op.groups(source.shape) == 1


def _is_faster(op: ir.Dense | ir.Conv2D, rows: np.ndarray) -> bool:
    """For one row, or two pixels."""
    pairs, (outputs, inputs) = int(pairs_of_blocks(rows).sum()), rows.shape
    if isinstance(op, ir.Dense):
        eights, twos = outputs // GROUP, -(-(outputs % GROUP) // 2)
        dense = eights * (EIGHT + EIGHT_INPUT * inputs) + twos * (TWO + TWO_INPUT * inputs)
        return ROW_OUTPUT * outputs + ROW_PAIR * pairs < dense
    dense = -(-outputs // 4) * (FOUR + FOUR_INPUT * inputs)
    return PIXELS_OUTPUT * outputs + PIXELS_PAIR * pairs < dense


def _is_exact(op: ir.Dense | ir.Conv2D, rows: np.ndarray, source: ir.Tensor, target: ir.Tensor) -> bool:
    multipliers, shifts = split_scales(op.effective_scales(source, target))
    largest = largest_sums(op, source.zero_point)
    low, high = SHIFTS if isinstance(op, ir.Dense) else PLAIN_SHIFTS
    fits = (shifts >= low) & (shifts <= high) | is_constant(largest, multipliers, shifts)
    return bool(fits.all() and largest.max() < LARGEST_SUM and pair_fits(rows.T[::2], rows.T[1::2]))


def sparse(op: ir.Dense | ir.Conv2D) -> Kernel:
    """The kernel of a layer that skips blocks."""
    rows = kernel_rows(op)
    name = "sf_sparse_dense" if isinstance(op, ir.Dense) else "sf_sparse_conv2d"
    blocks, (outputs, inputs) = 2 * int(pairs_of_blocks(rows).sum()), rows.shape
    copied = 2 if isinstance(op, ir.Conv2D) else int(inputs % BLOCK > 0)
    return Kernel(
        function=name,
        symbol=f"{name}_s8_dsp",
        params="sf_sparse_params",
        sources=("sf_sparse.c", f"{name}_dsp.c", "sf_sparse.h"),
        takes_scratch=True,
        scratch_bytes=copied * word(inputs),
        data_bytes=4 * (2 * outputs + blocks) + word(2 * outputs + blocks) + word(STRUCT_BYTES["sf_sparse_params"]),
    )
