# SPDX-License-Identifier: Apache-2.0
"""A convolution in, its constants for the kernel that takes weights in pairs out: see sf_conv2d_pairs_params."""

from __future__ import annotations

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.price.plain import short_scales
from shrinkfit.write.packed import Packed, Tensors
from shrinkfit.write.stages import fold_zero_point, packed_conv2d

GROUP = 4


def pack_conv2d(op: ir.Conv2D, sources: Tensors, target: ir.Tensor) -> Packed:
    """Constants of sf_conv2d_pairs."""
    arrays = {"kernel": pair_rows(op.kernel), "records": records(op, sources[0], target)}
    return packed_conv2d("sf_conv2d_pairs_params", arrays, op, sources[0], target)


def pair_rows(kernel: np.ndarray) -> np.ndarray:
    """int8 [channels, ...] -> int8 [words, 4]: groups of four channels, behind them one of two where that is enough."""
    rows = kernel.reshape(len(kernel), -1).astype(np.int16)
    channels = len(rows) + len(rows) % 2 if len(rows) % GROUP < 3 else -(-len(rows) // GROUP) * GROUP
    rows = np.pad(rows, ((0, channels - len(rows)), (0, -rows.shape[1] % 4)))
    # [pairs of channels, pairs of taps, two taps]
    taps = rows.reshape(channels, -1, 2, 2).swapaxes(2, 3).reshape(channels, -1, 2)
    words = 256 * taps[::2] + taps[1::2]
    full = len(words) // 2 * 2
    groups = words[:full].reshape(-1, 2, *words.shape[1:]).swapaxes(1, 2).reshape(-1, 2)
    flat = np.concatenate([groups, words[full:].reshape(-1, 2)])
    return np.ascontiguousarray(flat.astype("<i2")).view(np.int8).reshape(-1, 4)


def records(op: ir.Weighted, source: ir.Tensor, target: ir.Tensor) -> np.ndarray:
    """int32 [groups * 9]: of four channels how far to shift right, less 1, then {twice the bias, multiplier}."""
    multipliers, shifts = short_scales(op, source, target)
    groups = -(-op.channels // GROUP)
    made = np.zeros((groups * GROUP, 3), np.int64)
    made[: op.channels] = np.stack([2 * fold_zero_point(op, source.zero_point), multipliers, -shifts - 1], axis=1)
    by_group = made.reshape(groups, GROUP, 3)
    # Padding has a multiplier of 0 and a shift of 0.
    bytes_ = np.ascontiguousarray(by_group[:, :, 2].astype(np.uint8)).view("<i4")
    return np.concatenate([bytes_, by_group[:, :, :2].reshape(groups, -1)], axis=1).astype(np.int32).reshape(-1)
