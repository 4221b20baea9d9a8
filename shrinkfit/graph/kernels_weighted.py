# SPDX-License-Identifier: Apache-2.0
"""Convolutions and dense layers in NumPy; values are int8 [n, *shape of the tensor]."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.base import OpOfKind
from shrinkfit.graph.fixedpoint import requantize, split_scales
from shrinkfit.graph.multipliers import dense_multipliers

LARGEST = 255  # of an int8 value without its zero point, or less

# What a kernel is given of an operator's inputs and outputs: the tensors, and the values of the inputs.
Tensors: TypeAlias = Sequence[ir.Tensor]
Arrays: TypeAlias = Sequence[np.ndarray]
Kernel: TypeAlias = Callable[[OpOfKind, Tensors, Tensors, Arrays], np.ndarray]


def clamp(values: np.ndarray, op: ir.Activated, zero_point: int) -> np.ndarray:
    """An operator's results without their zero_point -> int8 in its activation range."""
    moved = values + zero_point
    return np.clip(moved, op.activation_min, op.activation_max, out=moved).astype(np.int8)


def planes(x: np.ndarray) -> np.ndarray:
    """[n, 1, h, w, c] -> [n, h, w, c]."""
    return x.reshape(-1, *x.shape[2:])


def padded(x: np.ndarray, padding: ir.Padding, value: int) -> np.ndarray:
    """[n, h, w, c] with rows and columns of a value around each plane."""
    edges = ((0, 0), (padding.top, padding.bottom), (padding.left, padding.right), (0, 0))
    return np.pad(x, edges, constant_values=value)


def windows(
    x: np.ndarray, window: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> np.ndarray:
    """[n, h, w, c] -> a view [n, out h, out w, window h, window w, c]."""
    span = tuple((k - 1) * d + 1 for k, d in zip(window, dilation, strict=True))
    view = np.lib.stride_tricks.sliding_window_view(x, span, axis=(1, 2))
    view = view[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]
    return np.moveaxis(view, 3, 5)


def summing(kernel: np.ndarray, axes: int | tuple[int, ...]) -> np.dtype:
    """The type in which sums of a kernel times numbers of at most LARGEST are exact, whatever their order.

    Args:
        kernel: integers.
        axes: along which is summed.
    Returns:
        float32, whose integers are exact up to 2**24, where no sum can be larger; else float64, as none reaches 2**31.
    """
    largest = np.abs(kernel.astype(np.int64)).sum(axis=axes).max(initial=0) * LARGEST
    return np.dtype(np.float32 if largest < 1 << 24 else np.float64)


def exact_dot(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Integer product by floating point, as BLAS is fast.

    Args:
        x: whole numbers [..., n], none larger than LARGEST.
        kernel: integers [n, ...].
    Returns:
        int64 [..., ...].
    """
    exact = summing(kernel, 0)
    return (x.astype(exact, copy=False) @ kernel.astype(exact)).astype(np.int64)


def without_zero_point(x: np.ndarray, zero_point: int, exact: np.dtype) -> np.ndarray:
    """int8 values without their zero point."""
    return x.astype(exact) - exact.type(zero_point)


def _conv2d(op: ir.Conv2D, sources: Tensors, values: Arrays) -> np.ndarray:
    exact = summing(op.kernel, (1, 2, 3))
    x = padded(without_zero_point(planes(values[0]), sources[0].zero_point, exact), op.padding, 0)
    patches = windows(x, op.window, op.stride, op.dilation)
    groups = op.groups(sources[0].shape)
    parts = [
        exact_dot(part.reshape(*part.shape[:3], -1), kernel.T)
        for part, kernel in zip(
            np.split(patches, groups, axis=-1),
            op.kernel.reshape(groups, op.channels // groups, -1),
            strict=True,
        )
    ]
    return np.concatenate(parts, axis=-1)


def _transpose_conv2d(op: ir.TransposeConv2D, sources: Tensors, values: Arrays) -> np.ndarray:
    x = planes(values[0]).astype(np.int16) - sources[0].zero_point
    spans = [(n - 1) * s + 1 for n, s in zip(x.shape[1:3], op.stride, strict=True)]
    first = op.padding.top, op.padding.left
    size = [max(n + k - 1, p + out) for n, k, p, out in zip(spans, op.window, first, op.output_size, strict=True)]
    acc = np.zeros((len(x), *size, op.channels), np.int64)
    for i in range(op.window[0]):
        for j in range(op.window[1]):
            share = exact_dot(x, op.kernel[:, i, j].T)
            acc[:, i : i + spans[0] : op.stride[0], j : j + spans[1] : op.stride[1]] += share
    kept = tuple(slice(p, p + out) for p, out in zip(first, op.output_size, strict=True))
    return acc[:, *kept]


def _depthwise_conv2d(op: ir.DepthwiseConv2D, sources: Tensors, values: Arrays) -> np.ndarray:
    exact = summing(op.kernel, (0, 1))
    x = padded(without_zero_point(planes(values[0]), sources[0].zero_point, exact), op.padding, 0)
    x = np.repeat(x, op.depth_multiplier, axis=-1)
    patches = windows(x, op.window, op.stride, op.dilation)
    return np.einsum("nyxhwc,hwc->nyxc", patches, op.kernel.astype(exact)).astype(np.int64)


def _dense(op: ir.Dense, sources: Tensors, values: Arrays) -> np.ndarray:
    return exact_dot(values[0].astype(np.int16) - sources[0].zero_point, op.kernel.T)


_PRODUCTS: dict[str, Callable[[OpOfKind, Tensors, Arrays], np.ndarray]] = {
    "conv2d": _conv2d,
    "depthwise_conv2d": _depthwise_conv2d,
    "transpose_conv2d": _transpose_conv2d,
    "dense": _dense,
}


def sums(op: ir.Weighted, sources: Tensors, values: Arrays) -> np.ndarray:
    """What an operator requantizes: int64 [n, ..., channels], in steps of input_scale * kernel_scale."""
    products = _PRODUCTS[op.kind](op, sources, values)
    products += op.bias
    return products


def _by_channels(op: ir.Weighted, sources: Tensors, targets: Tensors, values: Arrays) -> np.ndarray:
    multipliers, shifts = split_scales(op.effective_scales(sources[0], targets[0]))
    scaled = requantize(sums(op, sources, values), multipliers, shifts, "double")
    return clamp(scaled, op, targets[0].zero_point)[:, None]


def _by_tensors(op: ir.Dense, sources: Tensors, targets: Tensors, values: Arrays) -> np.ndarray:
    scaled = requantize(sums(op, sources, values), *dense_multipliers(op, sources[0], targets[0]), "single")
    return clamp(scaled, op, targets[0].zero_point)


KERNELS: dict[str, Kernel] = {kind: _by_tensors if kind == "dense" else _by_channels for kind in _PRODUCTS}
