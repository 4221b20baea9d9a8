# SPDX-License-Identifier: Apache-2.0
"""A layer with zero blocks in, the two streams without them that the sparse kernels read out.

runtime_c/sf_sparse.h has their order.
"""

from __future__ import annotations

from math import prod

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.fixedpoint import split_scales, wrap_int32
from shrinkfit.price.kernels_dense import is_constant, largest_sums
from shrinkfit.price.kernels_sparse import BLOCK, kept_blocks, kernel_rows
from shrinkfit.price.plain import PLAIN_SHIFTS
from shrinkfit.write.pack_dense import DROPPED_BITS, MULTIPLIER_BITS, rounded_once
from shrinkfit.write.packed import Packed, Tensors
from shrinkfit.write.stages import fold_zero_point

# What stands in for an even input x is 127 - x.
FLIPPED = 127


def pack_sparse(op: ir.Dense | ir.Conv2D, sources: Tensors, target: ir.Tensor) -> Packed:
    """The constants of a layer that the kernel takes."""
    source = sources[0]
    bias = fold_zero_point(op, source.zero_point)
    rows = kernel_rows(op)
    multipliers, right = _requantization(op, source, target)
    weights: list[np.ndarray] = []
    blocks: list[np.ndarray] = []
    for output, (row, kept) in enumerate(zip(rows, kept_blocks(rows), strict=True)):
        numbers = np.flatnonzero(kept)
        numbers = np.append(numbers, [0] * (len(numbers) % 2)).astype(np.int64)
        words = _words(row)[numbers]
        words[int(kept.sum()) :] = 0
        odd = int(words[:, 1::2].sum())
        first = wrap_int32(np.array([256 * int(bias[output]) - FLIPPED * odd]))
        weights += [first, _paired(words), multipliers[output : output + 1]]
        blocks += [np.array([len(numbers) // 2]), numbers, right[output : output + 1]]
    arrays: dict[str, np.ndarray] = {}
    arrays["weights"] = np.concatenate(weights).astype(np.int32)
    arrays["blocks"] = np.concatenate(blocks).astype(np.uint8)
    sizes = {"inputs": rows.shape[1], "outputs": op.channels, "rows": prod(target.shape[:-1])}
    fields = {name: name for name in arrays} | sizes | {"out_zero_point": target.zero_point}
    return Packed("sf_sparse_params", arrays, fields | _activation(op))


def _activation(op: ir.Weighted) -> dict[str, int]:
    return {"activation_min": op.activation_min, "activation_max": op.activation_max}


def _requantization(op: ir.Dense | ir.Conv2D, source: ir.Tensor, target: ir.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Multipliers, and how far the kernel shifts right before its last bit."""
    if isinstance(op, ir.Dense):
        multipliers, shifts = rounded_once(op, source, target)
        return multipliers, MULTIPLIER_BITS - shifts - DROPPED_BITS
    multipliers, shifts = split_scales(op.effective_scales(source, target))
    constant = is_constant(largest_sums(op, source.zero_point), multipliers, shifts)
    return np.where(constant, 0, multipliers), -np.where(constant, PLAIN_SHIFTS[1], shifts) - 1


def _words(row: np.ndarray) -> np.ndarray:
    """int64 [blocks, BLOCK], with zeros behind the last input."""
    return np.pad(row.astype(np.int64), (0, -len(row) % BLOCK)).reshape(-1, BLOCK)


def _paired(words: np.ndarray) -> np.ndarray:
    """int64 [blocks, BLOCK] -> [blocks] words of two int16."""
    halves = 256 * words[:, ::2] + words[:, 1::2]
    return wrap_int32((halves[:, 0] & 0xFFFF) | halves[:, 1] << 16)
