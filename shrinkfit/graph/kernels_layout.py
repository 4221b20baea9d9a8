# SPDX-License-Identifier: Apache-2.0
"""Operators that move values, in NumPy; values are [n, *shape of the tensor]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.base import OpOfKind
from shrinkfit.graph.kernels_weighted import Arrays, Tensors, planes

# RESIZE_BILINEAR's positions have so many fractional bits.
RESIZE_BITS = 10


def _reshape(op: ir.Reshape, sources: Tensors, targets: Tensors, values: Arrays) -> np.ndarray:
    return values[0].reshape(len(values[0]), *op.shape)


def _pad(op: ir.Pad, sources: Tensors, targets: Tensors, values: Arrays) -> np.ndarray:
    value = targets[0].zero_point if op.value is None else op.value
    return np.pad(values[0], ((0, 0), *op.paddings), constant_values=value)


def _concat(op: ir.Concat, sources: Tensors, targets: Tensors, values: Arrays) -> np.ndarray:
    count = max(len(x) for x in values)
    return np.concatenate([np.broadcast_to(x, (count, *x.shape[1:])) for x in values], axis=op.axis + 1)


def _split(op: ir.Split, sources: Tensors, targets: Tensors, values: Arrays) -> list[np.ndarray]:
    return np.split(values[0], np.cumsum(op.sizes)[:-1], axis=op.axis + 1)


def _strided_slice(op: ir.StridedSlice, sources: Tensors, targets: Tensors, values: Arrays) -> np.ndarray:
    result = values[0]
    for axis, (begin, size, stride) in enumerate(zip(op.begin, op.size, op.stride, strict=True), start=1):
        result = np.take(result, begin + stride * np.arange(size), axis=axis)
    return result


def _transpose(op: ir.Transpose, sources: Tensors, targets: Tensors, values: Arrays) -> np.ndarray:
    return np.ascontiguousarray(np.transpose(values[0], (0, *(a + 1 for a in op.permutation))))


def _tile(op: ir.Tile, sources: Tensors, targets: Tensors, values: Arrays) -> np.ndarray:
    return np.tile(values[0], (1, *op.multiples))


def bilinear_positions(
    source: int, target: int, align_corners: bool, half_pixel_centers: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each output row (or column): int64 [target] each of lower row, upper row, weight of the upper in 1/1024.

    The weight can be negative or above 1024 where the position lies outside, as in LiteRT.
    """
    one = 1 << RESIZE_BITS
    if align_corners and target > 1:
        step = (one * (source - 1) + (target - 1) // 2) // (target - 1)
    else:
        step = (one * source + target // 2) // target
    position = np.arange(target, dtype=np.int64) * step
    if half_pixel_centers:
        position += step // 2 - one // 2
    lower = np.maximum(_divide_to_zero(position, RESIZE_BITS), 0)
    upper = np.minimum(_divide_to_zero(position + one - 1, RESIZE_BITS), source - 1)
    return lower, upper, position - one * lower


def _divide_to_zero(x: np.ndarray, bits: int) -> np.ndarray:
    return np.sign(x) * (np.abs(x) >> bits)


def _resize_bilinear(op: ir.ResizeBilinear, sources: Tensors, targets: Tensors, values: Arrays) -> np.ndarray:
    x, one = planes(values[0]).astype(np.int64), 1 << RESIZE_BITS
    flags = (op.align_corners, op.half_pixel_centers)
    top, bottom, down = bilinear_positions(sources[0].shape[1], op.size[0], *flags)
    left, right, across = bilinear_positions(sources[0].shape[2], op.size[1], *flags)
    down, across = down[:, None, None], across[:, None]
    total = x[:, top][:, :, left] * (one - down) * (one - across)
    total += x[:, bottom][:, :, left] * down * (one - across)
    total += x[:, top][:, :, right] * (one - down) * across
    total += x[:, bottom][:, :, right] * down * across
    half = 1 << (2 * RESIZE_BITS - 1)
    result = _divide_to_zero(total + np.where(total > 0, half, -half), 2 * RESIZE_BITS)
    return result.astype(np.int8)[:, None]


def nearest_positions(source: int, target: int, align_corners: bool, half_pixel_centers: bool) -> np.ndarray:
    """Which row (or column) each output takes, int64 [target]; float32 arithmetic, as LiteRT's."""
    if align_corners and target > 1:
        scale = np.float32(source - 1) / np.float32(target - 1)
    else:
        scale = np.float32(source) / np.float32(target)
    position = (np.arange(target).astype(np.float32) + np.float32(0.5 * half_pixel_centers)) * scale
    rounded = np.floor(position.astype(np.float64) + (0.5 if align_corners else 0))
    return np.clip(rounded.astype(np.int64), 0, source - 1)


def _resize_nearest(op: ir.ResizeNearest, sources: Tensors, targets: Tensors, values: Arrays) -> np.ndarray:
    flags = (op.align_corners, op.half_pixel_centers)
    rows, columns = (nearest_positions(n, m, *flags) for n, m in zip(sources[0].shape[1:3], op.size, strict=True))
    return values[0][:, :, rows][:, :, :, columns]


# A list where the operator makes several tensors.
KERNELS: dict[str, Callable[[OpOfKind, Tensors, Tensors, Arrays], np.ndarray | list[np.ndarray]]] = {
    "reshape": _reshape,
    "pad": _pad,
    "concat": _concat,
    "split": _split,
    "strided_slice": _strided_slice,
    "transpose": _transpose,
    "tile": _tile,
    "resize_bilinear": _resize_bilinear,
    "resize_nearest": _resize_nearest,
}
