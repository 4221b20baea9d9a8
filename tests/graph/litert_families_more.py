# SPDX-License-Identifier: Apache-2.0
"""Random graphs of one operator: arithmetic with constants, tables, conversions, layout, state."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.base import DTYPE_RANGES
from shrinkfit.graph.tables import function_table
from tests.graph.litert_draw import WIRE, Draw, one_op

PAIR = {"name": "op", "inputs": ("x", "b"), "outputs": ("y",)}


def pool_other_scale(draw: Draw, mode: str) -> ir.Graph:
    source = draw.image()
    fields = {"mode": mode, **draw.window(source.shape)}
    shape = ir.Pool2D(**WIRE, **fields).output_shape(source.shape)
    target = draw.near("y", shape, source)
    return one_op(ir.Pool2D(**WIRE, **fields, **draw.clamp(target)), (source,), target)


def reduction(draw: Draw, kind: type[ir.Reduction]) -> ir.Graph:
    source = draw.image()
    axes = tuple(int(a) for a in draw.rng.permutation(4)[: draw.int(1, 4)])
    # A graph's output keeps its batch of 1.
    op = kind(**WIRE, axes=axes, keep_dims=0 in axes or bool(draw.int(0, 1)))
    same = replace(source, name="y", shape=op.output_shape(source.shape))
    return one_op(op, (source,), same if kind is ir.ReduceMax else draw.near("y", same.shape, source))


def elementwise(draw: Draw, kind: type[ir.Elementwise]) -> ir.Graph:
    """Equal shapes, broadcasting either way, or a constant on either side."""
    a = draw.image()
    shape = tuple(n if draw.int(0, 1) else 1 for n in a.shape)
    b = draw.near("b", (a.shape, shape, shape[draw.int(1, 3) :])[draw.int(0, 2)], a)
    constants = {}
    if draw.int(0, 1) or b.shape[0] != 1:
        constants = {"b": draw.rng.integers(-128, 128, b.shape).astype(np.int8)}
    target = draw.near("y", a.shape, a)
    if kind is ir.Mul:
        scale = a.scale * b.scale * draw.power(3, 9)
        target = replace(target, scale=scale)
    names = ("x", "b") if draw.int(0, 1) else ("b", "x")
    op = kind(**(PAIR | {"inputs": names}), **draw.clamp(target))
    inputs = tuple(name for name in names if name not in constants)
    return ir.Graph("g", {t.name: t for t in (a, b, target)}, (op,), inputs, ("y",), constants)


def prelu(draw: Draw) -> ir.Graph:
    source = draw.image()
    shape = ((source.shape[3],), (1, 1, source.shape[3]), (1, *source.shape[1:]))[draw.int(0, 2)]
    alpha = draw.tensor("b", shape, draw.power(-9, -5))
    constants = {"b": draw.rng.integers(-128, 128, shape).astype(np.int8)}
    target = draw.near("y", source.shape, source)
    return ir.Graph("g", {t.name: t for t in (source, alpha, target)}, (ir.Prelu(**PAIR),), ("x",), ("y",), constants)


def extremum(draw: Draw, kind: type[ir.Extremum]) -> ir.Graph:
    """Broadcast either way, a constant on either side; other scales than the output's mean nothing."""
    a = draw.image()
    shape = tuple(n if draw.int(0, 1) else 1 for n in a.shape)
    b = draw.near("b", (a.shape, shape, shape[draw.int(1, 3) :])[draw.int(0, 2)], a)
    constants = {}
    if draw.int(0, 1) or b.shape[0] != 1:
        constants = {"b": draw.rng.integers(-128, 128, b.shape).astype(np.int8)}
    names = ("x", "b") if draw.int(0, 1) else ("b", "x")
    op = kind(**(PAIR | {"inputs": names}))
    inputs = tuple(name for name in names if name not in constants)
    target = draw.near("y", a.shape, a)
    return ir.Graph("g", {t.name: t for t in (a, b, target)}, (op,), inputs, ("y",), constants)


def table(draw: Draw, function: str) -> ir.Graph:
    source = draw.tensor("x", (1, 256), draw.power(-8, 0))
    target = draw.near("y", source.shape, source)
    if function == "logistic":
        target = ir.Tensor("y", source.shape, 1 / 256, -128)
    if function == "tanh":
        target = draw.tensor("y", source.shape, draw.power(-9, -5))
    values, alpha = draw.rng.integers(-128, 128, 256).astype(np.int8), 0.0
    if function == "leaky_relu":
        alpha = float(np.float32(draw.rng.choice([0.01, 0.1, 0.25, 0.3, 1.5, -0.5, 0.0])))
    if function != "lookup":
        values = function_table(function, source, target, alpha)
    return one_op(ir.Table(**WIRE, function=function, alpha=alpha, table=values), (source,), target)


def relu_over_the_whole_range(draw: Draw) -> ir.Graph:
    source = draw.image()
    target = replace(draw.near("y", source.shape, source), zero_point=-128)
    return one_op(ir.Requantize(**WIRE, division="float32"), (source,), target)


def conversion(draw: Draw, kind: type[ir.Conversion], source_type: str, target_type: str) -> ir.Graph:
    shape, scale = (1, draw.int(1, 200)), draw.power(-6, 0)
    # 16 bits into 8 need a scale 256 times coarser.
    wider = 2.0**8 if (source_type, target_type) == ("int16", "int8") else 1.0
    other = float(np.float32(scale * wider * draw.power(-3, 3)))
    scales = {"x": scale, "y": other if kind is ir.Convert else scale}
    ends = []
    for name, dtype in (("x", source_type), ("y", target_type)):
        low, high = DTYPE_RANGES[dtype]
        zero_point = int(draw.rng.choice([low, high, (low + high + 1) // 2])) if dtype != "int16" else 0
        ends.append(ir.Tensor(name, shape, 1.0 if dtype == "float32" else scales[name], zero_point, dtype))
    return one_op(kind(**WIRE), (ends[0],), ends[1])


def concat(draw: Draw) -> ir.Graph:
    first = draw.image()
    axis = draw.int(1, 3)
    shapes = [tuple(draw.int(1, 3) if a == axis else n for a, n in enumerate(first.shape)) for _ in range(2)]
    others = [replace(first, name=name, shape=shape) for name, shape in zip("bc", shapes, strict=True)]
    op = ir.Concat(name="op", inputs=("x", "c", "b"), outputs=("y",), axis=axis)
    target = replace(first, name="y", shape=op.output_shape(first.shape, *shapes))
    constants = {"c": draw.rng.integers(-128, 128, shapes[1]).astype(np.int8)}
    return ir.Graph("g", {t.name: t for t in (first, *others, target)}, (op,), ("x", "b"), ("y",), constants)


def split(draw: Draw) -> ir.Graph:
    """Split and join in another order, so that every piece shows in one output."""
    source = replace(draw.image(), shape=(1, draw.int(3, 7), draw.int(3, 5), draw.int(3, 5)))
    axis = draw.int(1, 3)
    first = draw.int(1, source.shape[axis] - 2)
    second = draw.int(1, source.shape[axis] - first - 1)
    sizes = (first, second, source.shape[axis] - first - second)
    op = ir.Split(name="split", inputs=("x",), outputs=("p", "q", "r"), axis=axis, sizes=sizes)
    pieces = [replace(source, name=n, shape=s) for n, s in zip("pqr", op.output_shapes(source.shape), strict=True)]
    join = ir.Concat(name="join", inputs=("r", "p", "q"), outputs=("y",), axis=axis)
    tensors = (source, *pieces, replace(source, name="y"))
    return ir.Graph("g", {t.name: t for t in tensors}, (op, join), ("x",), ("y",))


def strided_slice(draw: Draw) -> ir.Graph:
    source = draw.image()
    ranges = [(0, 1, 1)]
    for n in source.shape[1:]:
        stride = draw.int(1, 3) * (1, -1)[draw.int(0, 1)]
        begin = draw.int(0, n - 1)
        most = (n - 1 - begin) // stride + 1 if stride > 0 else begin // -stride + 1
        ranges.append((begin, draw.int(1, most), stride))
    begin, size, stride = zip(*ranges, strict=True)
    op = ir.StridedSlice(**WIRE, begin=begin, size=size, stride=stride)
    return one_op(op, (source,), draw.near("y", size, source))


def passing(draw: Draw, make) -> ir.Graph:
    source = draw.image()
    op = make(draw)
    return one_op(op, (source,), draw.near("y", op.output_shape(source.shape), source))


def transpose(draw: Draw) -> ir.Graph:
    order = (0, *(int(a) + 1 for a in draw.rng.permutation(3)))
    return passing(draw, lambda draw: ir.Transpose(**WIRE, permutation=order))


def tile(draw: Draw) -> ir.Graph:
    return passing(draw, lambda draw: ir.Tile(**WIRE, multiples=(1, *(draw.int(1, 3) for _ in range(3)))))


def resize(draw: Draw, kind: type[ir.Resize]) -> ir.Graph:
    flags = ({}, {"align_corners": True}, {"half_pixel_centers": True})[draw.int(0, 2)]
    size = (draw.int(1, 12), draw.int(1, 40))
    return passing(draw, lambda draw: kind(**WIRE, size=size, **flags))


def pad_axes(draw: Draw) -> ir.Graph:
    source = draw.image()
    paddings = ((0, 0), *((draw.int(0, 2), draw.int(0, 2)) for _ in range(3)))
    value = draw.int(-128, 127) if draw.int(0, 1) else None
    op = ir.Pad(**WIRE, paddings=paddings, value=value)
    return one_op(op, (source,), draw.near("y", op.output_shape(source.shape), source))


def svdf(draw: Draw) -> ir.Graph:
    units, rank, features, memory = draw.int(1, 5), draw.int(1, 3), draw.int(1, 9), draw.int(1, 6)
    source, target = draw.tensor("x", (1, features), draw.power(-6, 0)), draw.tensor("y", (1, units), draw.power(-5, 0))
    feature_scale, state_scale = draw.power(-7, -4), draw.power(-10, -6)
    state = ir.Tensor("state", (1, units * rank * memory), state_scale, 0, "int16")
    filters = units * rank
    op = ir.Svdf(
        **WIRE,
        feature_kernel=draw.rng.integers(-127, 128, (filters, features)).astype(np.int8),
        time_kernel=draw.rng.integers(-2000, 2001, (filters, memory)).astype(np.int16),
        bias=draw.rng.integers(-9000, 9001, units).astype(np.int32),
        feature_scale=feature_scale,
        time_scale=draw.power(-12, -8),
        rank=rank,
        state="state",
    )
    variables = {"state": ir.Variable(state, np.zeros(state.shape, np.int16))}
    return ir.Graph("g", {"x": source, "y": target}, (op,), ("x",), ("y",), {}, variables)


def lstm(draw: Draw) -> ir.Graph:
    units, features, time = draw.int(1, 6), draw.int(1, 6), draw.int(1, 5)
    source = draw.tensor("x", (1, time, features), draw.power(-7, -3))
    hidden = draw.tensor("hidden", (1, units), draw.power(-8, -6))
    cell = ir.Tensor("cell", (1, units), 2.0 ** -draw.int(9, 13), 0, "int16")
    scales = [np.array([draw.power(-8, -4) for _ in range(4)], np.float32) for _ in range(2)]
    op = ir.UnidirectionalLstm(
        **WIRE,
        input_kernels=draw.rng.integers(-127, 128, (4, units, features)).astype(np.int8),
        recurrent_kernels=draw.rng.integers(-127, 128, (4, units, units)).astype(np.int8),
        biases=draw.rng.integers(-3000, 3001, (4, units)).astype(np.int32),
        input_scales=scales[0],
        recurrent_scales=scales[1],
        hidden_scale=hidden.scale,
        hidden_zero_point=hidden.zero_point,
        cell_clip=float(np.float32(draw.rng.choice([0.0, 10.0, 0.5, 1e9]))),
        hidden="hidden",
        cell="cell",
    )
    starts = {"hidden": np.full((1, units), hidden.zero_point, np.int8), "cell": np.zeros((1, units), np.int16)}
    variables = {t.name: ir.Variable(t, starts[t.name]) for t in (hidden, cell)}
    target = replace(hidden, name="y", shape=(1, time, units))
    return ir.Graph("g", {"x": source, "y": target}, (op,), ("x",), ("y",), {}, variables)


def variables(draw: Draw) -> ir.Graph:
    """A ring of past inputs, as streaming models keep it: read, append, drop the oldest, assign, read again."""
    steps, channels = draw.int(1, 4), draw.int(1, 5)
    source = draw.tensor("x", (1, 1, 1, channels), draw.power(-6, 0))
    past = replace(source, name="past", shape=(1, steps, 1, channels))
    joined, kept = replace(past, name="joined", shape=(1, steps + 1, 1, channels)), replace(past, name="kept")
    ops = (
        ir.ReadVariable(name="read", inputs=(), outputs=("past",), variable="ring"),
        ir.Concat(name="join", inputs=("past", "x"), outputs=("joined",), axis=1),
        ir.StridedSlice(
            name="cut", inputs=("joined",), outputs=("kept",), begin=(0, 1, 0, 0), size=kept.shape, stride=(1, 1, 1, 1)
        ),
        ir.AssignVariable(name="assign", inputs=("kept",), outputs=(), variable="ring"),
        ir.ReadVariable(name="again", inputs=(), outputs=("now",), variable="ring"),
        ir.Concat(name="both", inputs=("past", "now"), outputs=("y",), axis=2),
    )
    now, y = replace(past, name="now"), replace(past, name="y", shape=(1, steps, 2, channels))
    initial = draw.rng.integers(-128, 128, past.shape).astype(np.int8)
    ring = {"ring": ir.Variable(replace(past, name="ring"), initial)}
    return ir.Graph("g", {t.name: t for t in (source, past, joined, kept, now, y)}, ops, ("x",), ("y",), {}, ring)


def _conversion(kind: type[ir.Conversion], source: str, target: str):
    return lambda draw: conversion(draw, kind, source, target)


MORE_FAMILIES = {
    "average pool, other scale": lambda draw: pool_other_scale(draw, "average"),
    "max pool, other scale": lambda draw: pool_other_scale(draw, "max"),
    "mean over any axes": lambda draw: reduction(draw, ir.Mean),
    "reduce_max": lambda draw: reduction(draw, ir.ReduceMax),
    "add, broadcast": lambda draw: elementwise(draw, ir.Add),
    "sub": lambda draw: elementwise(draw, ir.Sub),
    "mul": lambda draw: elementwise(draw, ir.Mul),
    "prelu": prelu,
    "maximum": lambda draw: extremum(draw, ir.Maximum),
    "minimum": lambda draw: extremum(draw, ir.Minimum),
    **{name: (lambda draw, name=name: table(draw, name)) for name in (*ir.LITERT_FUNCTIONS, "lookup")},
    "relu over the whole range": relu_over_the_whole_range,
    **{f"quantize to {t}": _conversion(ir.Quantize, "float32", t) for t in ("int8", "uint8", "int16")},
    **{f"dequantize {t}": _conversion(ir.Dequantize, t, "float32") for t in ("int8", "uint8", "int16")},
    **{
        f"convert {a} to {b}": _conversion(ir.Convert, a, b)
        for a, b in (
            ("int8", "uint8"),
            ("uint8", "int8"),
            ("uint8", "uint8"),
            ("int8", "int16"),
            ("int16", "int8"),
            ("uint8", "int16"),
            ("int16", "int16"),
        )
    },
    "concat": concat,
    "split": split,
    "strided_slice": strided_slice,
    "transpose": transpose,
    "tile": tile,
    "resize_bilinear": lambda draw: resize(draw, ir.ResizeBilinear),
    "resize_nearest": lambda draw: resize(draw, ir.ResizeNearest),
    "pad, any axes": pad_axes,
    "svdf": svdf,
    "lstm": lstm,
    "variables": variables,
}
