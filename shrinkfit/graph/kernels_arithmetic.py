# SPDX-License-Identifier: Apache-2.0
"""Pools, reductions, arithmetic, tables and conversions in NumPy; values are [n, *shape of the tensor]."""

from __future__ import annotations

from math import prod

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.base import DTYPE_RANGES
from shrinkfit.graph.fixedpoint import Integers, requantize, split_scale
from shrinkfit.graph.kernels_weighted import Arrays, Kernel, Tensors, clamp, padded, planes, windows
from shrinkfit.graph.multipliers import (
    ADD_LEFT_SHIFT,
    add_scales,
    mean_multiplier,
    mul_scale,
    prelu_scales,
    requantize_multiplier,
)
from shrinkfit.graph.softmax import softmax_int8


def _pool2d(op: ir.Pool2D, sources: Tensors, targets: Tensors, values: Arrays) -> np.ndarray:
    x = planes(values[0])
    if op.mode == "max":
        result = windows(padded(x, op.padding, ir.INT8_MIN), op.window, op.stride).max(axis=(3, 4))
    else:
        x = x.astype(np.int64)
        total = windows(padded(x, op.padding, 0), op.window, op.stride).sum(axis=(3, 4))
        ones = padded(np.ones((1, *x.shape[1:3], 1), np.int64), op.padding, 0)
        result = divide_half_away(total, windows(ones, op.window, op.stride).sum(axis=(3, 4)))
    return clamp(result, op, 0)[:, None]


def divide_half_away(total: np.ndarray, count: Integers) -> np.ndarray:
    """total / count, halves away from zero, as LiteRT writes it with C's truncating division."""
    return np.sign(total) * ((np.abs(total) + count // 2) // count)


def _axes(op: ir.Reduction) -> tuple[int, ...]:
    return tuple(a + 1 for a in op.axes)


def _mean(op: ir.Mean, sources: Tensors, targets: Tensors, values: Arrays) -> np.ndarray:
    count = prod(sources[0].shape[a] for a in op.axes)
    total = (values[0].astype(np.int64) - sources[0].zero_point).sum(axis=_axes(op))
    scaled = requantize(total, *mean_multiplier(sources[0].scale, targets[0].scale, count), "double")
    result = np.clip(scaled + targets[0].zero_point, ir.INT8_MIN, ir.INT8_MAX)
    return result.astype(np.int8).reshape(-1, *targets[0].shape)


def _reduce_max(op: ir.ReduceMax, sources: Tensors, targets: Tensors, values: Arrays) -> np.ndarray:
    return values[0].max(axis=_axes(op)).reshape(-1, *targets[0].shape)


def broadcast_operands(sources: Tensors, values: Arrays) -> list[np.ndarray]:
    """int64 operands without their zero points, of equal rank behind the first axis."""
    rank = max(len(t.shape) for t in sources)
    return [
        (x.astype(np.int64) - t.zero_point).reshape(len(x), *(1,) * (rank - len(t.shape)), *t.shape)
        for t, x in zip(sources, values, strict=True)
    ]


def _add(op: ir.Add | ir.Sub, sources: Tensors, targets: Tensors, values: Arrays) -> np.ndarray:
    *scales, out_scale = add_scales(sources[0].scale, sources[1].scale, targets[0].scale)
    a, b = (
        requantize(x << ADD_LEFT_SHIFT, *split_scale(scale), "double")
        for x, scale in zip(broadcast_operands(sources, values), scales, strict=True)
    )
    total = a - b if op.kind == "sub" else a + b
    return clamp(requantize(total, *split_scale(out_scale), "double"), op, targets[0].zero_point)


def _mul(op: ir.Mul, sources: Tensors, targets: Tensors, values: Arrays) -> np.ndarray:
    a, b = broadcast_operands(sources, values)
    scale = mul_scale(sources[0].scale, sources[1].scale, targets[0].scale)
    return clamp(requantize(a * b, *split_scale(scale), "double"), op, targets[0].zero_point)


def _prelu(op: ir.Prelu, sources: Tensors, targets: Tensors, values: Arrays) -> np.ndarray:
    x, alpha = broadcast_operands(sources, values)
    above, below = (split_scale(s) for s in prelu_scales(sources[0].scale, sources[1].scale, targets[0].scale))
    scaled = np.where(x >= 0, requantize(x, *above, "double"), requantize(x * alpha, *below, "double"))
    return np.clip(scaled + targets[0].zero_point, ir.INT8_MIN, ir.INT8_MAX).astype(np.int8)


def _extremum(op: ir.Extremum, sources: Tensors, targets: Tensors, values: Arrays) -> np.ndarray:
    rank = max(len(t.shape) for t in sources)
    a, b = (x.reshape(len(x), *(1,) * (rank - len(t.shape)), *t.shape) for t, x in zip(sources, values, strict=True))
    return np.maximum(a, b) if op.kind == "maximum" else np.minimum(a, b)


def _table(op: ir.Table, sources: Tensors, targets: Tensors, values: Arrays) -> np.ndarray:
    # int8 from -128 on, read as uint8, counts from 128 on.
    return np.roll(op.table, 128)[values[0].view(np.uint8)]


def _softmax(op: ir.Softmax, sources: Tensors, targets: Tensors, values: Arrays) -> np.ndarray:
    return softmax_int8(values[0], sources[0].scale, op.beta)


def _requantize(op: ir.Requantize, sources: Tensors, targets: Tensors, values: Arrays) -> np.ndarray:
    x = values[0].astype(np.int64) - sources[0].zero_point
    scaled = requantize(x, *requantize_multiplier(op, sources[0], targets[0]), "double")
    return clamp(scaled, op, targets[0].zero_point)


def _convert(op: ir.Convert, sources: Tensors, targets: Tensors, values: Arrays) -> np.ndarray:
    x = values[0].astype(np.int64) - sources[0].zero_point
    scaled = requantize(x, *split_scale(sources[0].scale / targets[0].scale), "double")
    low, high = DTYPE_RANGES[targets[0].dtype]
    return np.clip(scaled + targets[0].zero_point, low, high).astype(targets[0].dtype)


def quantize(tensor: ir.Tensor, values: np.ndarray) -> np.ndarray:
    """float array -> the tensor's dtype: round(values / scale) + zero_point, halves away from zero, clamped."""
    low, high = DTYPE_RANGES[tensor.dtype]
    with np.errstate(over="ignore"):
        scaled = np.asarray(values, np.float32) / np.float32(tensor.scale)
    # Rounded as double: float32(0.5) added to 0.49999997 would give 1. Beyond 2**31 only the sign matters.
    scaled = np.clip(np.nan_to_num(scaled.astype(np.float64)), -(2.0**31), 2.0**31)
    steps = np.copysign(np.floor(np.abs(scaled) + 0.5), scaled)
    return np.clip(steps + tensor.zero_point, low, high).astype(tensor.dtype)


def dequantize(tensor: ir.Tensor, values: np.ndarray) -> np.ndarray:
    """Quantized array -> float32 of the same shape: scale * (values - zero_point)."""
    return np.float32(tensor.scale) * (np.asarray(values, np.int64) - tensor.zero_point).astype(np.float32)


KERNELS: dict[str, Kernel] = {
    "pool2d": _pool2d,
    "mean": _mean,
    "reduce_max": _reduce_max,
    "add": _add,
    "sub": _add,
    "mul": _mul,
    "prelu": _prelu,
    "maximum": _extremum,
    "minimum": _extremum,
    "table": _table,
    "softmax": _softmax,
    "requantize": _requantize,
    "convert": _convert,
    "quantize": lambda op, sources, targets, values: quantize(targets[0], values[0]),
    "dequantize": lambda op, sources, targets, values: dequantize(sources[0], values[0]),
}
