# SPDX-License-Identifier: Apache-2.0
"""Runs an integer graph in NumPy: int8 inputs in, the same bits out that the C writes."""

from __future__ import annotations

from math import prod

import numpy as np

from shrinkfit.errors import ShrinkfitError
from shrinkfit.graph import ir
from shrinkfit.graph.fixedpoint import requantize, split_scale, split_scales
from shrinkfit.graph.multipliers import dense_multipliers, mean_multiplier, requantize_multiplier
from shrinkfit.graph.softmax import softmax_int8

# Bounds the memory of the gathered patches; results do not depend on it.
CHUNK = 32
ADD_LEFT_SHIFT = 20


def quantize(tensor: ir.Tensor, values: np.ndarray) -> np.ndarray:
    """float array -> int8 of the same shape: round(values / scale) + zero_point, halves away from zero, clamped."""
    scaled = np.asarray(values, np.float32) / np.float32(tensor.scale)
    steps = np.trunc(scaled + np.copysign(np.float32(0.5), scaled))
    return np.clip(steps + tensor.zero_point, ir.INT8_MIN, ir.INT8_MAX).astype(np.int8)


def dequantize(tensor: ir.Tensor, values: np.ndarray) -> np.ndarray:
    """int8 array -> float32 of the same shape: scale * (values - zero_point)."""
    return np.float32(tensor.scale) * (np.asarray(values, np.float32) - tensor.zero_point)


def run(graph: ir.Graph, inputs: np.ndarray) -> np.ndarray:
    """Run a graph with one input and one output.

    Args:
        graph: the integer graph.
        inputs: int8 [n, *input shape without its batch].
    Returns:
        int8 [n, *output shape without its batch].
    Raises:
        ShrinkfitError: dtype or shape do not fit, or the graph has several inputs or outputs.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise ShrinkfitError(
            f"graph '{graph.name}' has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs; "
            "run() takes one each, use trace()"
        )
    return trace(graph, {graph.inputs[0]: inputs}, keep=graph.outputs)[graph.outputs[0]]


def trace(graph: ir.Graph, inputs: dict[str, np.ndarray] | np.ndarray, keep=None) -> dict[str, np.ndarray]:
    """Run a graph and return tensors by name, int8 [n, ...] each.

    Args:
        graph: the integer graph.
        inputs: name -> int8 [n, ...], or the array alone for a graph with one input.
        keep: names of the tensors to return; all when None.
    """
    if not isinstance(inputs, dict):
        inputs = {graph.inputs[0]: inputs}
    inputs = {name: _checked_input(graph, name, inputs.get(name)) for name in graph.inputs}
    count = len(next(iter(inputs.values())))
    wanted = tuple(graph.tensors) if keep is None else tuple(keep)
    parts = [
        _run_chunk(graph, {name: x[start : start + CHUNK] for name, x in inputs.items()}, wanted)
        for start in range(0, max(count, 1), CHUNK)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in wanted}


def _checked_input(graph: ir.Graph, name: str, values: np.ndarray | None) -> np.ndarray:
    shape = graph.tensors[name].shape[1:]
    if values is None:
        raise ShrinkfitError(f"graph '{graph.name}': no values for input '{name}', expected int8 [n, {shape}]")
    values = np.asarray(values)
    if values.dtype != np.int8 or values.shape[1:] != shape or values.ndim != len(shape) + 1:
        expected = ", ".join(str(n) for n in ("n", *shape))
        raise ShrinkfitError(
            f"input '{name}' is {values.dtype} {list(values.shape)}, expected int8 [{expected}]; "
            "quantize() makes it from floats"
        )
    return values


def _run_chunk(graph: ir.Graph, tensors: dict[str, np.ndarray], wanted: tuple[str, ...]) -> dict[str, np.ndarray]:
    tensors = dict(tensors)
    last_reader = {name: op for op in graph.ops for name in op.inputs}
    for op in graph.ops:
        result = _KERNELS[op.kind](op, graph.op_inputs(op), graph.op_outputs(op), [tensors[n] for n in op.inputs])
        tensors[op.outputs[0]] = result
        for name in op.inputs:
            if last_reader[name] is op and name not in wanted:
                tensors.pop(name, None)
    return {name: tensors[name] for name in wanted}


def _clamp(values: np.ndarray, op: ir.Activated, zero_point: int) -> np.ndarray:
    return np.clip(values + zero_point, op.activation_min, op.activation_max).astype(np.int8)


def _padded(x: np.ndarray, padding: ir.Padding, value: int) -> np.ndarray:
    edges = ((0, 0), (padding.top, padding.bottom), (padding.left, padding.right), (0, 0))
    return np.pad(x, edges, constant_values=value)


def _windows(x: np.ndarray, window, stride, dilation=(1, 1)) -> np.ndarray:
    """[n, h, w, c] -> a view [n, out h, out w, window h, window w, c]."""
    span = tuple((k - 1) * d + 1 for k, d in zip(window, dilation, strict=True))
    view = np.lib.stride_tricks.sliding_window_view(x, span, axis=(1, 2))
    view = view[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]
    return np.moveaxis(view, 3, 5)


def _requantize_channels(acc, op: ir.Weighted, source: ir.Tensor, target: ir.Tensor) -> np.ndarray:
    multipliers, shifts = split_scales(op.effective_scales(source, target))
    return _clamp(requantize(acc, multipliers, shifts, "double"), op, target.zero_point)


def _exact_dot(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Integer product by floating point: sums stay below 2**31, which float64 holds exactly, and BLAS is fast."""
    return np.rint(x.astype(np.float64) @ kernel.astype(np.float64)).astype(np.int64)


def _conv2d(op: ir.Conv2D, sources, targets, values) -> np.ndarray:
    x = _padded(values[0], op.padding, sources[0].zero_point)
    patches = _windows(x, op.window, op.stride, op.dilation)
    rows = patches.reshape(*patches.shape[:3], -1).astype(np.int16) - sources[0].zero_point
    acc = _exact_dot(rows, op.kernel.reshape(op.channels, -1).T) + op.bias
    return _requantize_channels(acc, op, sources[0], targets[0])


def _depthwise_conv2d(op: ir.DepthwiseConv2D, sources, targets, values) -> np.ndarray:
    x = _padded(values[0], op.padding, sources[0].zero_point)
    patches = _windows(x, op.window, op.stride, op.dilation).astype(np.float64) - sources[0].zero_point
    patches = np.repeat(patches, op.depth_multiplier, axis=-1)
    acc = np.einsum("nyxhwc,hwc->nyxc", patches, op.kernel.astype(np.float64))
    return _requantize_channels(np.rint(acc).astype(np.int64) + op.bias, op, sources[0], targets[0])


def _dense(op: ir.Dense, sources, targets, values) -> np.ndarray:
    acc = _exact_dot(values[0].astype(np.int16) - sources[0].zero_point, op.kernel.T) + op.bias
    scaled = requantize(acc, *dense_multipliers(op, sources[0], targets[0]), "single")
    return _clamp(scaled, op, targets[0].zero_point)


def _pool2d(op: ir.Pool2D, sources, targets, values) -> np.ndarray:
    if op.mode == "max":
        patches = _windows(_padded(values[0], op.padding, ir.INT8_MIN), op.window, op.stride)
        return np.clip(patches.max(axis=(3, 4)), op.activation_min, op.activation_max).astype(np.int8)
    x = values[0].astype(np.int64)
    total = _windows(_padded(x, op.padding, 0), op.window, op.stride).sum(axis=(3, 4))
    ones = _padded(np.ones((1, *x.shape[1:3], 1), np.int64), op.padding, 0)
    count = _windows(ones, op.window, op.stride).sum(axis=(3, 4))
    return np.clip(_divide_half_away(total, count), op.activation_min, op.activation_max).astype(np.int8)


def _divide_half_away(total: np.ndarray, count) -> np.ndarray:
    """total / count, halves away from zero, as LiteRT writes it with C's truncating division."""
    return np.sign(total) * ((np.abs(total) + count // 2) // count)


def _mean(op: ir.Mean, sources, targets, values) -> np.ndarray:
    count = prod(values[0].shape[a] for a in op.axes)
    total = (values[0].astype(np.int64) - sources[0].zero_point).sum(axis=op.axes, keepdims=op.keep_dims)
    scaled = requantize(total, *mean_multiplier(sources[0].scale, targets[0].scale, count), "double")
    return np.clip(scaled + targets[0].zero_point, ir.INT8_MIN, ir.INT8_MAX).astype(np.int8)


def add_scales(a: float, b: float, out: float) -> tuple[float, float, float]:
    """The three real multipliers of ADD: first input, second input, output (after a left shift by 20)."""
    twice_max = 2.0 * max(a, b)
    return a / twice_max, b / twice_max, twice_max / ((1 << ADD_LEFT_SHIFT) * out)


def _add(op: ir.Add, sources, targets, values) -> np.ndarray:
    scales = add_scales(sources[0].scale, sources[1].scale, targets[0].scale)
    total = np.int64(0)
    for x, source, scale in zip(values, sources, scales[:2], strict=True):
        shifted = (x.astype(np.int64) - source.zero_point) << ADD_LEFT_SHIFT
        total = total + requantize(shifted, *split_scale(scale), "double")
    return _clamp(requantize(total, *split_scale(scales[2]), "double"), op, targets[0].zero_point)


def _requantize_op(op: ir.Requantize, sources, targets, values) -> np.ndarray:
    x = values[0].astype(np.int64) - sources[0].zero_point
    scaled = requantize(x, *requantize_multiplier(op, sources[0], targets[0]), "double")
    return _clamp(scaled, op, targets[0].zero_point)


_KERNELS = {
    "conv2d": _conv2d,
    "depthwise_conv2d": _depthwise_conv2d,
    "dense": _dense,
    "pool2d": _pool2d,
    "mean": _mean,
    "add": _add,
    "softmax": lambda op, sources, targets, values: softmax_int8(values[0], sources[0].scale, op.beta),
    "pad": lambda op, sources, targets, values: _padded(values[0], op.padding, sources[0].zero_point),
    "reshape": lambda op, sources, targets, values: values[0].reshape(len(values[0]), *op.shape[1:]),
    "requantize": _requantize_op,
}
