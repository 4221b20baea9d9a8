# SPDX-License-Identifier: Apache-2.0
"""Random graphs of one operator with weights, a pool, a sum and their kin, and random chains of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shrinkfit.graph import ir
from tests.graph.litert_draw import WIRE, Draw, one_op


def _weights(draw: Draw, shape, channels: int, target_scale: float, source: ir.Tensor, per_channel: bool) -> dict:
    reach = (3, 127)[draw.int(0, 1)]
    effective = draw.power(-10, 1)
    spread = [draw.power(-3, 0) for _ in range(channels)] if per_channel else [1.0] * channels
    return {
        "kernel": draw.rng.integers(-reach, reach + 1, shape).astype(np.int8),
        "bias": draw.rng.integers(-1000, 1001, channels).astype(np.int32),
        "kernel_scales": (effective * target_scale / source.scale * np.array(spread)).astype(np.float32),
    }


def _finish(draw: Draw, make, source: ir.Tensor, scale: float) -> ir.Graph:
    """Make the operator twice: its clamp needs the target, whose shape the operator knows."""
    target = draw.tensor("y", make({}).output_shape(source.shape), scale)
    return one_op(make(draw.clamp(target)), (source,), target)


def conv2d(draw: Draw, per_channel: bool = True) -> ir.Graph:
    source, scale, channels = draw.image(), draw.power(-6, 2), draw.int(1, 6)
    dilation = (draw.int(1, 2), draw.int(1, 2))
    fields = draw.window(source.shape, dilation)
    shape = (channels, *fields.pop("window"), source.shape[3])
    fields |= _weights(draw, shape, channels, scale, source, per_channel) | {"dilation": dilation}
    if draw.int(0, 3) == 0:
        fields["padding"] = ir.Padding(*(draw.int(0, 2) for _ in range(4)))
    return _finish(draw, lambda clamp: ir.Conv2D(**WIRE, **fields, **clamp), source, scale)


def grouped(draw: Draw) -> ir.Graph:
    groups, scale = draw.int(1, 4), draw.power(-6, 2)
    read, channels = draw.int(1, 4), groups * draw.int(1, 3)
    source = draw.tensor("x", (1, draw.int(1, 7), draw.int(1, 7), groups * read), draw.power(-8, 2))
    fields = draw.window(source.shape)
    shape = (channels, *fields.pop("window"), read)
    fields |= _weights(draw, shape, channels, scale, source, bool(draw.int(0, 1)))
    return _finish(draw, lambda clamp: ir.Conv2D(**WIRE, **fields, **clamp), source, scale)


def transpose_conv2d(draw: Draw) -> ir.Graph:
    """SAME, VALID and paddings that are neither; outputs up to two smaller or larger than the full one."""
    source, scale, channels = draw.image(), draw.power(-6, 2), draw.int(1, 6)
    window, stride = ((draw.int(1, n), draw.int(1, n)) for n in (4, 3))
    full = [(n - 1) * s + k for n, s, k in zip(source.shape[1:3], stride, window, strict=True)]
    output_size = tuple(max(n + draw.int(-2, 2), 1) for n in full)
    padding = ir.transpose_padding(source.shape[1:3], window, stride, output_size, bool(draw.int(0, 1)))
    if draw.int(0, 3) == 0:
        top, left = (draw.int(0, n - 1) for n in full)
        rest = [max(n - first - out, 0) for n, first, out in zip(full, (top, left), output_size, strict=True)]
        padding = ir.Padding(top, rest[0], left, rest[1])
    fields = {"stride": stride, "padding": padding, "output_size": output_size}
    fields |= _weights(draw, (channels, *window, source.shape[3]), channels, scale, source, bool(draw.int(0, 1)))
    return _finish(draw, lambda clamp: ir.TransposeConv2D(**WIRE, **fields, **clamp), source, scale)


def depthwise(draw: Draw) -> ir.Graph:
    source, scale, multiplier = draw.image(), draw.power(-6, 2), draw.int(1, 3)
    channels, fields = source.shape[3] * multiplier, draw.window(source.shape)
    shape = (*fields.pop("window"), channels)
    fields |= _weights(draw, shape, channels, scale, source, bool(draw.int(0, 1))) | {"depth_multiplier": multiplier}
    return _finish(draw, lambda clamp: ir.DepthwiseConv2D(**WIRE, **fields, **clamp), source, scale)


def dense(draw: Draw, per_channel: bool) -> ir.Graph:
    features, channels = draw.int(1, 20), draw.int(1, 8)
    rows = (1, features) if draw.int(0, 2) else (1, draw.int(1, 4), features)
    source, scale = draw.source or draw.tensor("x", rows, draw.power(-8, 2)), draw.power(-6, 2)
    fields = _weights(draw, (channels, source.shape[-1]), channels, scale, source, per_channel)
    return _finish(draw, lambda clamp: ir.Dense(**WIRE, **fields, **clamp), source, scale)


def pool(draw: Draw, mode: str) -> ir.Graph:
    source = draw.image()
    op = ir.Pool2D(**WIRE, mode=mode, **draw.window(source.shape))
    target = ir.Tensor("y", op.output_shape(source.shape), source.scale, source.zero_point)
    return one_op(ir.Pool2D(**WIRE, **_pool_fields(op), **draw.clamp(target)), (source,), target)


def _pool_fields(op: ir.Pool2D) -> dict:
    return {"mode": op.mode, "window": op.window, "stride": op.stride, "padding": op.padding}


def mean(draw: Draw) -> ir.Graph:
    source = draw.image()
    axes = ((1, 2), (2, 1), (1,), (2,), (3,), (2, 3), (1, 2, 3))[draw.int(0, 6)]
    op = ir.Mean(**WIRE, axes=axes, keep_dims=bool(draw.int(0, 1)))
    shape = op.output_shape(source.shape)
    same = ir.Tensor("y", shape, source.scale, source.zero_point)
    return one_op(op, (source,), (same, draw.near("y", shape, source))[draw.int(0, 1)])


def add(draw: Draw) -> ir.Graph:
    a = draw.image()
    b, target = draw.near("b", a.shape, a), draw.near("y", a.shape, a)
    return one_op(ir.Add(name="op", inputs=("x", "b"), outputs=("y",), **draw.clamp(target)), (a, b), target)


def softmax(draw: Draw) -> ir.Graph:
    source = draw.source or draw.tensor("x", (1, draw.int(1, 40)), draw.power(-12, 4))
    op = ir.Softmax(**WIRE, beta=float(np.float32(draw.rng.choice([1.0, 0.5, 1.7]))))
    return one_op(op, (source,), ir.Tensor("y", source.shape, 1 / 256, -128))


def requantize(draw: Draw, names: tuple[str, ...]) -> ir.Graph:
    source = draw.image()
    target = draw.near("y", source.shape, source)
    return one_op(ir.Requantize(**WIRE, **draw.clamp(target, names)), (source,), target)


def pad(draw: Draw) -> ir.Graph:
    source = draw.image()
    op = ir.Pad(**WIRE, padding=ir.Padding(*(draw.int(0, 3) for _ in range(4))))
    return one_op(op, (source,), ir.Tensor("y", op.output_shape(source.shape), source.scale, source.zero_point))


def reshape(draw: Draw) -> ir.Graph:
    source = draw.image()
    shape = (1, source.size_bytes)
    target = ir.Tensor("y", shape, source.scale, source.zero_point)
    return one_op(ir.Reshape(**WIRE, shape=shape), (source,), target)


FAMILIES = {
    "conv2d": conv2d,
    "conv2d, one scale": lambda draw: conv2d(draw, per_channel=False),
    "conv2d, grouped": grouped,
    "transpose_conv2d": transpose_conv2d,
    "depthwise_conv2d": depthwise,
    "dense": lambda draw: dense(draw, per_channel=True),
    "dense, one scale": lambda draw: dense(draw, per_channel=False),
    "average pool": lambda draw: pool(draw, "average"),
    "max pool": lambda draw: pool(draw, "max"),
    "mean": mean,
    "add": add,
    "softmax": softmax,
    "requantize": lambda draw: requantize(draw, ("NONE",)),
    "relu": lambda draw: requantize(draw, ("RELU", "RELU6", "RELU_N1_TO_1")),
    "pad": pad,
    "reshape": reshape,
}

PLANE_STEPS = (
    "conv2d",
    "transpose_conv2d",
    "depthwise_conv2d",
    "average pool",
    "max pool",
    "add",
    "requantize",
    "relu",
    "pad",
)


def chain(seed: int) -> ir.Graph:
    """A random net: up to five operators on planes, then reshape, dense, softmax."""
    draw = Draw(seed)
    steps = [*draw.rng.choice(PLANE_STEPS, draw.int(1, 5)), "reshape", "dense", "softmax"]
    current = draw.image()
    tensors, ops = {"x": current}, []
    for i, step in enumerate(steps):
        draw.source = replace(current, name="x")
        one = FAMILIES[str(step)](draw)
        op, result = one.ops[0], replace(one.tensors["y"], name=f"t{i}")
        # ADD's second operand is the first again: its other one would be a new input.
        inputs = tuple(current.name for _ in op.inputs)
        ops.append(replace(op, name=f"op{i}", inputs=inputs, outputs=(result.name,)))
        tensors[result.name] = current = result
    return ir.Graph("chain", tensors, ops, ("x",), (current.name,))
