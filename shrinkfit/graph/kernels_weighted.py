# SPDX-License-Identifier: Apache-2.0
"""Convolutions and dense layers in NumPy; values are int8 [n, *shape of the tensor]."""

from __future__ import annotations

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.fixedpoint import requantize, split_scales
from shrinkfit.graph.multipliers import dense_multipliers


def clamp(values: np.ndarray, op: ir.Activated, zero_point: int) -> np.ndarray:
    return np.clip(values + zero_point, op.activation_min, op.activation_max).astype(np.int8)


def planes(x: np.ndarray) -> np.ndarray:
    """[n, 1, h, w, c] -> [n, h, w, c]."""
    return x.reshape(-1, *x.shape[2:])


def padded(x: np.ndarray, padding: ir.Padding, value: int) -> np.ndarray:
    edges = ((0, 0), (padding.top, padding.bottom), (padding.left, padding.right), (0, 0))
    return np.pad(x, edges, constant_values=value)


def windows(x: np.ndarray, window, stride, dilation=(1, 1)) -> np.ndarray:
    """[n, h, w, c] -> a view [n, out h, out w, window h, window w, c]."""
    span = tuple((k - 1) * d + 1 for k, d in zip(window, dilation, strict=True))
    view = np.lib.stride_tricks.sliding_window_view(x, span, axis=(1, 2))
    view = view[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]
    return np.moveaxis(view, 3, 5)


def _requantize_channels(acc, op: ir.Weighted, source: ir.Tensor, target: ir.Tensor) -> np.ndarray:
    multipliers, shifts = split_scales(op.effective_scales(source, target))
    return clamp(requantize(acc, multipliers, shifts, "double"), op, target.zero_point)[:, None]


def exact_dot(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Integer product by floating point: sums stay below 2**31, which float64 holds exactly, and BLAS is fast."""
    return np.rint(x.astype(np.float64) @ kernel.astype(np.float64)).astype(np.int64)


def _conv2d(op: ir.Conv2D, sources, targets, values) -> np.ndarray:
    x = padded(planes(values[0]), op.padding, sources[0].zero_point)
    patches = windows(x, op.window, op.stride, op.dilation)
    rows = patches.reshape(*patches.shape[:3], -1).astype(np.int16) - sources[0].zero_point
    acc = exact_dot(rows, op.kernel.reshape(op.channels, -1).T) + op.bias
    return _requantize_channels(acc, op, sources[0], targets[0])


def _depthwise_conv2d(op: ir.DepthwiseConv2D, sources, targets, values) -> np.ndarray:
    x = padded(planes(values[0]), op.padding, sources[0].zero_point)
    patches = windows(x, op.window, op.stride, op.dilation).astype(np.float64) - sources[0].zero_point
    patches = np.repeat(patches, op.depth_multiplier, axis=-1)
    acc = np.einsum("nyxhwc,hwc->nyxc", patches, op.kernel.astype(np.float64))
    return _requantize_channels(np.rint(acc).astype(np.int64) + op.bias, op, sources[0], targets[0])


def _dense(op: ir.Dense, sources, targets, values) -> np.ndarray:
    acc = exact_dot(values[0].astype(np.int16) - sources[0].zero_point, op.kernel.T) + op.bias
    scaled = requantize(acc, *dense_multipliers(op, sources[0], targets[0]), "single")
    return clamp(scaled, op, targets[0].zero_point)


KERNELS = {"conv2d": _conv2d, "depthwise_conv2d": _depthwise_conv2d, "dense": _dense}
