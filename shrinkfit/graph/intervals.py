# SPDX-License-Identifier: Apache-2.0
"""An integer graph in, the values that each channel of each tensor can take out, for every possible input.

An interval is an int64 array [2, channels]: the least and the greatest value of each channel (the last
axis) over all positions. It may be wider than the truth, never narrower. All arithmetic is the
simulator's own at the interval's ends, which suffices because requantization is monotone; where int32 could
wrap around it is not, and then the interval is the whole activation range.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

import numpy as np

from shrinkfit.graph import ir, simulate
from shrinkfit.graph.base import OpOfKind
from shrinkfit.graph.edit import fill_value, run_alone, value_table
from shrinkfit.graph.fixedpoint import Integers, requantize, split_scale, split_scales
from shrinkfit.graph.kernels_weighted import Arrays, Tensors
from shrinkfit.graph.multipliers import dense_multipliers, mean_multiplier

# ADD's sum stays within 2**28 before it is shifted left.
ADD_SHIFT_THAT_FITS = 2


def intervals(graph: ir.Graph) -> dict[str, np.ndarray]:
    """Tensor name -> int64 [2, channels]. What operators of unknown kinds make can be anything."""
    found = {name: anything(graph.tensors[name]) for name in graph.inputs}
    found |= {name: _of_constant(graph.tensors[name], values) for name, values in graph.constants.items()}
    for op in graph.ops:
        for tensor in graph.op_outputs(op):
            found[tensor.name] = anything(tensor)
        if op.kind in _RULES:
            sources, target = graph.op_inputs(op), graph.op_outputs(op)[0]
            found[target.name] = _RULES[op.kind](op, sources, target, [found[name] for name in op.inputs])
    return found


def anything(tensor: ir.Tensor) -> np.ndarray:
    """All of int8 in each channel."""
    return _constant_range(tensor, ir.INT8_MIN, ir.INT8_MAX)


def _of_constant(tensor: ir.Tensor, values: np.ndarray) -> np.ndarray:
    if values.dtype != np.int8:
        return anything(tensor)
    rows = values.reshape(-1, tensor.shape[-1]).astype(np.int64)
    return np.stack([rows.min(axis=0), rows.max(axis=0)])


def _constant_range(tensor: ir.Tensor, low: int, high: int) -> np.ndarray:
    return np.repeat(np.array([[low], [high]], np.int64), tensor.shape[-1], axis=1)


def tap_patterns(op: ir.Weighted, source: ir.Tensor) -> np.ndarray:
    """Which taps of the kernel find an input element rather than padding or nothing: bool [patterns, taps].

    One row for each combination that occurs at some output position, taps in row-major order; one row of one tap for
    an operator without a window.
    """
    if not isinstance(op, ir.Windowed | ir.TransposeConv2D):
        return np.ones((1, 1), bool)
    size = source.shape[1:3]
    found = _transposed_taps(op, size) if isinstance(op, ir.TransposeConv2D) else _windowed_taps(op, size)
    rows, columns = (np.unique(taps, axis=0) for taps in found)
    return (rows[:, None, :, None] & columns[None, :, None, :]).reshape(-1, prod(op.window))


def _windowed_taps(op: ir.Windowed, size: tuple[int, ...]) -> list[np.ndarray]:
    """For rows and columns bool [outputs, taps]: does the tap lie on the input?"""
    counts = ir.window_output_size(size, op.window, op.stride, op.dilation, op.padding)
    before = (op.padding.top, op.padding.left)
    found = []
    for n, count, taps, stride, dilation, pad in zip(
        size, counts, op.window, op.stride, op.dilation, before, strict=True
    ):
        at = np.arange(count)[:, None] * stride + np.arange(taps) * dilation - pad
        found.append((at >= 0) & (at < n))
    return found


def _transposed_taps(op: ir.TransposeConv2D, size: tuple[int, ...]) -> list[np.ndarray]:
    """For rows and columns bool [outputs, taps]: does the tap bring an input's share?"""
    before = (op.padding.top, op.padding.left)
    found = []
    for n, count, taps, stride, cut in zip(size, op.output_size, op.window, op.stride, before, strict=True):
        at = np.arange(count)[:, None] + cut - np.arange(taps)
        found.append((at % stride == 0) & (at >= 0) & (at < n * stride))
    return found


def accumulator_ends(op: ir.Weighted, source: ir.Tensor, interval: np.ndarray) -> np.ndarray:
    """The least and the greatest sum (bias included) of each output channel, int64 [2, channels]."""
    low, high = interval - source.zero_point
    kernel: np.ndarray = op.kernel.astype(np.int64)
    if isinstance(op, ir.DepthwiseConv2D):
        kernel = kernel.reshape(-1, op.channels)
        low, high = np.repeat(low, op.depth_multiplier), np.repeat(high, op.depth_multiplier)
        positive, negative = np.maximum(kernel, 0), np.minimum(kernel, 0)
        taps = [positive * low + negative * high, positive * high + negative * low]
    else:
        groups = source.shape[-1] // op.kernel.shape[-1]
        kernel = kernel.reshape(groups, op.channels // groups, -1, op.kernel.shape[-1])
        low, high = (ends.reshape(groups, 1, -1, 1) for ends in (low, high))
        positive, negative = np.maximum(kernel, 0), np.minimum(kernel, 0)
        ends = positive @ low + negative @ high, positive @ high + negative @ low
        taps = [end.reshape(op.channels, -1).T for end in ends]
    seen = tap_patterns(op, source)
    least, greatest = (seen.astype(np.int64) @ ends for ends in taps)
    return op.bias + np.stack([least.min(axis=0), greatest.max(axis=0)])


def _clamped(values: np.ndarray, op: ir.Op) -> np.ndarray:
    low, high = getattr(op, "activation_min", ir.INT8_MIN), getattr(op, "activation_max", ir.INT8_MAX)
    return np.clip(values, low, high)


def _activation_range(op: ir.Op, target: ir.Tensor) -> np.ndarray:
    return _clamped(anything(target), op)


def _double_rounded(
    op: ir.Op, target: ir.Tensor, ends: np.ndarray, multipliers: Integers, shifts: Integers
) -> np.ndarray:
    """Requantized ends; the whole activation range where the shift to the left could wrap around."""
    scaled = _clamped(requantize(ends, multipliers, shifts, "double") + target.zero_point, op)
    fits = np.abs(ends).max(axis=0) << np.maximum(shifts, 0) <= ir.INT32_MAX
    return np.where(fits, scaled, _activation_range(op, target))


def _convolution(op: ir.Weighted, sources: Tensors, target: ir.Tensor, known: Arrays) -> np.ndarray:
    ends = accumulator_ends(op, sources[0], known[0])
    return _double_rounded(op, target, ends, *split_scales(op.effective_scales(sources[0], target)))


def _dense(op: ir.Dense, sources: Tensors, target: ir.Tensor, known: Arrays) -> np.ndarray:
    ends = accumulator_ends(op, sources[0], known[0])
    scaled = requantize(ends, *dense_multipliers(op, sources[0], target), "single")
    return _clamped(scaled + target.zero_point, op)


def _pool2d(op: ir.Pool2D, sources: Tensors, target: ir.Tensor, known: Arrays) -> np.ndarray:
    return _clamped(known[0], op) if window_meets_input(op.padding, op.window) else _activation_range(op, target)


def window_meets_input(padding: ir.Padding, window: tuple[int, int], dilation: tuple[int, int] = (1, 1)) -> bool:
    """Does every position of the window reach at least one row and column that is no padding?"""
    height, width = ((k - 1) * d + 1 for k, d in zip(window, dilation, strict=True))
    return max(padding.top, padding.bottom) < height and max(padding.left, padding.right) < width


def _mean(op: ir.Mean, sources: Tensors, target: ir.Tensor, known: Arrays) -> np.ndarray:
    shape = sources[0].shape
    if len(shape) - 1 in op.axes:
        return anything(target)
    count = prod(shape[a] for a in op.axes)
    multiplier, shift = mean_multiplier(sources[0].scale, target.scale, count)
    return _double_rounded(op, target, (known[0] - sources[0].zero_point) * count, multiplier, np.int64(shift))


def _add(op: ir.Add, sources: Tensors, target: ir.Tensor, known: Arrays) -> np.ndarray:
    last_scale = simulate.add_scales(sources[0].scale, sources[1].scale, target.scale)[2]
    channels = {tensor.shape[-1] for tensor in (*sources, target)}
    if len(channels) > 1 or split_scale(last_scale)[1] > ADD_SHIFT_THAT_FITS:
        return _activation_range(op, target)
    a, b, row = (replace(tensor, shape=(1, *channels)) for tensor in (*sources, target))
    return run_alone(op, (a, b), row, [ends.astype(np.int8) for ends in known]).astype(np.int64)


def _extremum(op: ir.Extremum, sources: Tensors, target: ir.Tensor, known: Arrays) -> np.ndarray:
    if len({tensor.shape[-1] for tensor in (*sources, target)}) > 1:
        return anything(target)
    return np.maximum(*known) if op.kind == "maximum" else np.minimum(*known)


def _requantize(op: ir.Requantize, sources: Tensors, target: ir.Tensor, known: Arrays) -> np.ndarray:
    table = value_table(op, sources[0], target).astype(np.int64)
    reached = [table[low : high + 1] for low, high in (known[0] - ir.INT8_MIN).T]
    return np.array([[part.min() for part in reached], [part.max() for part in reached]])


def _pad(op: ir.Pad, sources: Tensors, target: ir.Tensor, known: Arrays) -> np.ndarray:
    if sources[0].shape == target.shape:
        return known[0]
    if sources[0].shape[-1] != target.shape[-1]:
        return anything(target)
    fill = fill_value(op, target)
    return np.stack([np.minimum(known[0][0], fill), np.maximum(known[0][1], fill)])


def _reshape(op: ir.Reshape, sources: Tensors, target: ir.Tensor, known: Arrays) -> np.ndarray:
    before, after = sources[0].shape[-1], target.shape[-1]
    if after % before == 0:
        return np.tile(known[0], after // before)
    if before % after == 0:
        parts = known[0].reshape(2, -1, after)
        return np.stack([parts[0].min(axis=0), parts[1].max(axis=0)])
    return _constant_range(target, int(known[0][0].min()), int(known[0][1].max()))


_RULES: dict[str, Callable[[OpOfKind, Tensors, ir.Tensor, Arrays], np.ndarray]] = {
    "conv2d": _convolution,
    "depthwise_conv2d": _convolution,
    "transpose_conv2d": _convolution,
    "dense": _dense,
    "pool2d": _pool2d,
    "mean": _mean,
    "add": _add,
    "maximum": _extremum,
    "minimum": _extremum,
    "requantize": _requantize,
    "pad": _pad,
    "reshape": _reshape,
}
