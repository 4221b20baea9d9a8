# SPDX-License-Identifier: Apache-2.0
"""A 3 x 3 convolution in, its constants for the kernel by tiles of 2 x 2 outputs out: see sf_conv2d_3x3_params."""

from __future__ import annotations

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.price.plain import short_scales
from shrinkfit.write.packed import Packed, Tensors
from shrinkfit.write.stages import fold_zero_point, packed_conv2d

GROUP = 4
# Twice the weights of F(2, 3): Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, arXiv:1509.09308.
TRANSFORM = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]])
# Which row of the products comes when, and with which sign.
ROWS, SIGNS = (3, 2, 1, 0), (-1, -1, 1, 1)


def pack_conv2d(op: ir.Conv2D, sources: Tensors, target: ir.Tensor) -> Packed:
    """Constants of sf_conv2d_3x3."""
    arrays = {"kernel": tile_rows(op.kernel), "records": records(op, sources[0], target)}
    return packed_conv2d("sf_conv2d_3x3_params", arrays, op, sources[0], target)


def tile_rows(kernel: np.ndarray) -> np.ndarray:
    """int8 [outputs, 3, 3, inputs] -> int8 [words, 4]: group, run, pair of input channels, output channel."""
    outputs, _, _, inputs = kernel.shape
    padded = np.pad(kernel.astype(np.int64), ((0, -outputs % GROUP), (0, 0), (0, 0), (0, -inputs % 8)))
    # [outputs, inputs, row, column] -> [outputs, inputs, column, run's row]
    products = TRANSFORM @ padded.transpose(0, 3, 1, 2) @ TRANSFORM.T
    ordered = products[:, :, ROWS, :] * np.array(SIGNS)[:, None]
    runs = ordered.swapaxes(2, 3).reshape(-1, GROUP, padded.shape[3], 16)
    # Of every four inputs the halves of a word are 0 and 2, then 1 and 3.
    pairs = runs.reshape(*runs.shape[:2], -1, 2, 2, 16)
    flat = pairs.transpose(0, 5, 2, 4, 1, 3)
    return np.ascontiguousarray(flat.astype("<i2")).reshape(-1, 2).view(np.int8)


def records(op: ir.Conv2D, source: ir.Tensor, target: ir.Tensor) -> np.ndarray:
    """int32 [groups of four * 16]: of each channel twice the bias, multiplier, right shift less 1, offset."""
    multipliers, shifts = short_scales(op, source, target)
    made = np.zeros((-(-op.channels // GROUP) * GROUP, 4), np.int64)
    rights = -shifts - 1
    offsets = (2 * target.zero_point + 1) << rights
    made[: op.channels] = np.stack([2 * fold_zero_point(op, source.zero_point), multipliers, rights, offsets], axis=1)
    return made.astype(np.int32).reshape(-1)
