# SPDX-License-Identifier: Apache-2.0
"""Random operators that move values, and those that keep state."""

from __future__ import annotations

from math import prod

import numpy as np

from shrinkfit.graph import ir
from tests.fuzz.net import FINEST, MAX_ELEMENTS, Net, bounded


def reshape(net: Net) -> None:
    source = net.source(net.choice(("int8", "int8", "int8", "int8", "uint8", "int16", "float32")))
    rest, shape = prod(source.shape), [1]
    while rest > 1 and len(shape) < 5:
        factor = net.choice([n for n in range(1, rest + 1) if rest % n == 0])
        shape.append(factor)
        rest //= factor
    shape[-1] *= rest
    shape = tuple(shape) if shape[0] == 1 else (1, *shape)
    net.add(ir.Reshape, (source,), (net.like(source, shape),), shape=shape)


def pad(net: Net) -> None:
    source = net.source(most=MAX_ELEMENTS // 4)
    first = (0, 0) if net.chance(0.9) else net.ints(2, 0, 1)
    paddings = (first, *(net.ints(2, 0, 2) for _ in source.shape[1:]))
    if len(source.shape) == 4 and net.chance(0.4):
        paddings = ((0, 0), *paddings[1:3], (0, 0))
    value = net.int(-128, 127) if net.chance(0.3) else None
    target = net.like(source, tuple(n + a + b for n, (a, b) in zip(source.shape, paddings, strict=True)))
    net.add(ir.Pad, (source,), (target,), paddings=paddings, value=value)


def concat(net: Net) -> None:
    first = net.source(most=MAX_ELEMENTS // 4)
    axis = net.int(0, len(first.shape) - 1)
    pieces = [first]
    for _ in range(net.int(0, 3)):
        shape = tuple(net.int(1, 4) if a == axis else n for a, n in enumerate(first.shape))
        found = [t for t in net.tensors.values() if _joins(t, first, axis) and t.name not in net.constants]
        constant = net.chance(0.3) or shape[0] != 1
        if net.chance(0.6):
            pieces.append(net.choice(found))
        elif constant:
            pieces.append(net.constant(shape, *first.quantization))
        else:
            pieces.append(net.input(shape, scale=first.scale, zero_point=first.zero_point))
    pieces = [pieces[i] for i in net.rng.permutation(len(pieces))]
    shape = tuple(sum(t.shape[a] for t in pieces) if a == axis else n for a, n in enumerate(first.shape))
    net.add(ir.Concat, pieces, (net.like(first, shape),), axis=axis)


def _joins(tensor: ir.Tensor, first: ir.Tensor, axis: int) -> bool:
    same = tensor.dtype == first.dtype and tensor.quantization == first.quantization
    return (
        same
        and len(tensor.shape) == len(first.shape)
        and all(n == m for a, (n, m) in enumerate(zip(tensor.shape, first.shape, strict=True)) if a != axis)
    )


def split(net: Net) -> None:
    source = net.source()
    axis = net.int(0, len(source.shape) - 1)
    length = source.shape[axis]
    cuts = sorted({net.int(1, length - 1) for _ in range(net.int(0, 3))}) if length > 1 else []
    sizes = tuple(int(n) for n in np.diff([0, *cuts, length]))
    shapes = [tuple(size if a == axis else n for a, n in enumerate(source.shape)) for size in sizes]
    net.add(ir.Split, (source,), [net.like(source, shape) for shape in shapes], axis=axis, sizes=sizes)


def strided_slice(net: Net) -> None:
    source = net.source()
    ranges = []
    for n in source.shape:
        stride = net.int(1, 3) * net.choice((1, 1, -1))
        begin = net.int(0, n - 1)
        most = (n - 1 - begin) // stride + 1 if stride > 0 else begin // -stride + 1
        ranges.append((begin, net.int(1, most), stride) if net.chance(0.7) else (0, n, 1))
    begin, size, stride = zip(*ranges, strict=True)
    net.add(ir.StridedSlice, (source,), (net.like(source, size),), begin=begin, size=size, stride=stride)


def transpose(net: Net) -> None:
    source = net.source()
    permutation = tuple(int(a) for a in net.rng.permutation(len(source.shape)))
    shape = tuple(source.shape[a] for a in permutation)
    net.add(ir.Transpose, (source,), (net.like(source, shape),), permutation=permutation)


def tile(net: Net) -> None:
    source = net.source(most=MAX_ELEMENTS // 4)
    multiples = tuple(net.int(1, 3) if net.chance(0.5) else 1 for _ in source.shape)
    shape = tuple(n * m for n, m in zip(source.shape, multiples, strict=True))
    net.add(ir.Tile, (source,), (net.like(source, shape),), multiples=multiples)


def _resize(net: Net, kind: type[ir.Resize]) -> None:
    source = net.plane()
    flags = net.choice(({}, {"align_corners": True}, {"half_pixel_centers": True}))
    size = (net.int(1, 12), net.int(1, 20))
    shape = (1, *size, source.shape[3])
    net.add(kind, (source,), (net.like(source, shape),), size=size, **flags)


def variables(net: Net) -> None:
    """Reads, assigns and reads again, in any order; what was read is joined with what came in."""
    source = net.source(most=MAX_ELEMENTS // 4)
    initial = net.rng.integers(-128, 128, source.shape) if net.chance(0.5) else np.full(source.shape, net.int(-5, 5))
    name = net.variable(source.shape, *source.quantization, initial.astype(np.int8))
    steps = net.choice((("read", "assign"), ("assign", "read"), ("read", "assign", "read"), ("read",)))
    for step in steps:
        if step == "assign":
            net.add(ir.AssignVariable, (source,), (), variable=name)
        else:
            net.add(ir.ReadVariable, (), (net.like(source),), variable=name)


def svdf(net: Net) -> None:
    units, rank, memory = net.int(1, 5), net.int(1, 3), net.int(1, 8)
    source = net.source(ranks=(2,), batched=False)
    features, filters = source.shape[1], units * rank
    feature_scale, time_scale, scale = net.power(-9, -3), net.power(-13, -7), net.scale()
    product = source.scale * feature_scale
    state_scale = bounded(product / net.effective(60.0), product * FINEST)
    product = state_scale * time_scale
    scale = bounded(product / net.effective(1e6) if net.chance(0.8) else scale, product * FINEST)
    state = net.variable((1, filters * memory), state_scale, 0, np.zeros((1, filters * memory), np.int16))
    net.add(
        ir.Svdf,
        (source,),
        (net.tensor((1, units), scale),),
        feature_kernel=net.array((filters, features), -127, 127, "int8"),
        time_kernel=net.rng.integers(-2000, 2001, (filters, memory)).astype(np.int16),
        bias=net.rng.integers(-9000, 9001, units).astype(np.int32),
        feature_scale=feature_scale,
        time_scale=time_scale,
        rank=rank,
        state=state,
    )


def lstm(net: Net) -> None:
    units = net.int(1, 6)
    source = net.source(ranks=(3,), most=60, batched=False)
    features = source.shape[2]
    target = net.tensor((1, source.shape[1], units), net.power(-9, -5))
    hidden = net.variable((1, units), *target.quantization, np.full((1, units), target.zero_point, np.int8))
    cell = net.variable((1, units), 2.0 ** -net.int(9, 15), 0, np.zeros((1, units), np.int16))
    net.add(
        ir.UnidirectionalLstm,
        (source,),
        (target,),
        input_kernels=net.array((4, units, features), -127, 127, "int8"),
        recurrent_kernels=net.array((4, units, units), -127, 127, "int8"),
        biases=net.rng.integers(-3000, 3001, (4, units)).astype(np.int32),
        input_scales=np.array([net.power(-10, -3) for _ in range(4)], np.float32),
        recurrent_scales=np.array([net.power(-10, -3) for _ in range(4)], np.float32),
        hidden_scale=target.scale,
        hidden_zero_point=target.zero_point,
        cell_clip=float(np.float32(net.choice([0.0, 10.0, 0.5, 1e9]))),
        hidden=hidden,
        cell=cell,
    )


MORE_OPERATORS = {
    "reshape": reshape,
    "pad": pad,
    "concat": concat,
    "split": split,
    "strided_slice": strided_slice,
    "transpose": transpose,
    "tile": tile,
    "resize_bilinear": lambda net: _resize(net, ir.ResizeBilinear),
    "resize_nearest": lambda net: _resize(net, ir.ResizeNearest),
    "variables": variables,
    "svdf": svdf,
    "lstm": lstm,
}
