# SPDX-License-Identifier: Apache-2.0
"""One function per operator of the integer graph: appends a random one to a Net."""

from __future__ import annotations

from math import prod, sqrt

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.tables import function_table
from tests.fuzz.net import FINEST, Net, bounded


def _weights(net: Net, shape, axis: int, source: ir.Tensor, target_scale: float, dense: bool = False) -> dict:
    channels = shape[axis]
    kernel = net.array(shape, -127, 127, "int8")
    if net.chance(0.3):
        # Channels that are dead, or constant.
        np.moveaxis(kernel, axis, -1)[..., net.rng.random(channels) < 0.5] = 0
    if axis == 0 and net.chance(0.5):
        # Blocks of four along the input, which some kernels skip.
        blocks = net.rng.random((*kernel.shape[:-1], -(-kernel.shape[-1] // 4))) < net.choice((0.5, 0.9))
        kernel[np.repeat(blocks, 4, axis=-1)[..., : kernel.shape[-1]]] = 0
    taps = kernel.size // channels
    spread = 80 * sqrt(taps) * max(float(np.abs(kernel).mean()), 0.5)
    reach = int(spread) if net.chance(0.8) else 2 ** net.int(0, 24)
    # FULLY_CONNECTED converts to int32 undefined from 2**31 on, and refuses large scales for the bias's own rounding.
    most = 2.0**30 / (int(np.abs(kernel.astype(int)).sum()) * 255 + reach) if dense else np.inf
    effective = min(net.effective(spread), most, 2.0**16 if dense else np.inf)
    factors = [net.power(-3, 0) for _ in range(channels)] if net.chance(0.6) else [1.0]
    scales = np.broadcast_to(effective * target_scale / source.scale * np.array(factors), (channels,))
    return {
        "kernel": kernel,
        "bias": net.rng.integers(-reach, reach + 1, channels).astype(np.int32),
        "kernel_scales": scales.astype(np.float32),
    }


def _window(net: Net, shape, dilation=(1, 1)) -> dict:
    """A window inside the plane, or one that only TensorFlow's SAME padding makes fit."""
    inside = [(n - 1) // d + 1 for n, d in zip(shape[1:3], dilation, strict=True)]
    stride = net.ints(2, 1, 3)
    if net.chance(0.5):
        window = tuple(net.int(1, min(n, 5)) for n in inside)
        return {"window": window, "stride": stride, "padding": ir.Padding()}
    window = net.ints(2, 1, 5)
    return {"window": window, "stride": stride, "padding": ir.same_padding(shape[1:3], window, stride, dilation)}


def _finish(net: Net, source: ir.Tensor, scale: float, kind, **fields) -> None:
    """The clamp needs the target, whose shape the operator knows."""
    shape = kind(name="probe", inputs=("x",), outputs=("y",), **fields).output_shape(source.shape)
    target = net.tensor(shape, scale)
    net.add(kind, (source,), (target,), **fields, **net.clamp(target))


def _convolution_fields(net: Net, source: ir.Tensor) -> dict:
    dilation = net.ints(2, 1, 3) if net.chance(0.3) else (1, 1)
    fields = _window(net, source.shape, dilation) | {"dilation": dilation}
    if net.chance(0.15):
        window = tuple((n - 1) * d + 1 for n, d in zip(fields["window"], dilation, strict=True))
        padding = net.ints(4, 0, 3)
        if source.shape[1] + sum(padding[:2]) >= window[0] and source.shape[2] + sum(padding[2:]) >= window[1]:
            fields["padding"] = ir.Padding(*padding)
    return fields


def _point() -> dict:
    return {"window": (1, 1), "stride": (1, 1), "padding": ir.Padding(), "dilation": (1, 1)}


def conv2d(net: Net) -> None:
    source, scale = net.plane(), net.scale()
    fields = _point() if net.chance(0.3) else _convolution_fields(net, source)
    shape = (net.int(1, 9), *fields.pop("window"), source.shape[3])
    _finish(net, source, scale, ir.Conv2D, **fields, **_weights(net, shape, 0, source, scale))


def grouped_conv2d(net: Net) -> None:
    """As many groups as divide the channels, mostly more than one."""
    source, scale = net.plane(), net.scale()
    channels = source.shape[3]
    groups = net.choice([n for n in range(1, channels + 1) if channels % n == 0][-3:])
    fields = _convolution_fields(net, source)
    shape = (groups * net.int(1, max(9 // groups, 1)), *fields.pop("window"), channels // groups)
    _finish(net, source, scale, ir.Conv2D, **fields, **_weights(net, shape, 0, source, scale))


def transpose_conv2d(net: Net) -> None:
    """SAME or VALID as LiteRT takes them, or any cut and any size."""
    source, scale = net.source(ranks=(4,), most=600, batched=False), net.scale()
    window, stride = net.ints(2, 1, 4), net.ints(2, 1, 3)
    size = source.shape[1:3]
    full = [(n - 1) * s + k for n, s, k in zip(size, stride, window, strict=True)]
    output_size = tuple(n * s for n, s in zip(size, stride, strict=True))
    padding = ir.transpose_padding(size, window, stride, output_size, same=True)
    if net.chance(0.6):
        first = tuple(net.int(0, n - 1) if net.chance(0.3) else 0 for n in full)
        output_size = tuple(max(n - cut + net.int(-1, 2), 1) for n, cut in zip(full, first, strict=True))
        rest = [max(n - cut - out, 0) for n, cut, out in zip(full, first, output_size, strict=True)]
        padding = ir.Padding(first[0], rest[0], first[1], rest[1])
    fields = {"stride": stride, "padding": padding, "output_size": output_size}
    shape = (net.int(1, 5), *window, source.shape[3])
    _finish(net, source, scale, ir.TransposeConv2D, **fields, **_weights(net, shape, 0, source, scale))


def depthwise_conv2d(net: Net) -> None:
    source, scale = net.plane(), net.scale()
    multiplier = net.int(2, 3) if net.chance(0.3) else 1
    fields = _convolution_fields(net, source) | {"depth_multiplier": multiplier}
    shape = (*fields.pop("window"), source.shape[3] * multiplier)
    _finish(net, source, scale, ir.DepthwiseConv2D, **fields, **_weights(net, shape, 2, source, scale))


def dense(net: Net) -> None:
    source, scale = net.source(ranks=range(2, 5)), net.scale()
    if source.shape[-1] == 1 and net.chance(0.7):
        # Mostly as models have it: a flattened plane.
        flat = net.like(source, (1, prod(source.shape)))
        net.add(ir.Reshape, (source,), (flat,), shape=flat.shape)
        source = flat
    shape = (net.int(1, 12), source.shape[-1])
    _finish(net, source, scale, ir.Dense, **_weights(net, shape, 0, source, scale, dense=True))


def pool2d(net: Net) -> None:
    source = net.plane()
    fields = {"mode": net.choice(("max", "average"))} | _window(net, source.shape)
    shape = ir.Pool2D(name="probe", inputs=("x",), outputs=("y",), **fields).output_shape(source.shape)
    target = net.like(source, shape) if net.chance(0.8) else net.near(source, shape)
    net.add(ir.Pool2D, (source,), (target,), **fields, **net.clamp(target))


def _axes(net: Net, rank: int) -> tuple[int, ...]:
    return tuple(int(a) for a in net.rng.permutation(rank)[: net.int(1, rank)])


def _reduction(net: Net, kind: type[ir.Reduction]) -> None:
    source = net.source()
    fields = {"axes": _axes(net, len(source.shape)), "keep_dims": net.chance(0.5)}
    shape = kind(name="probe", inputs=("x",), outputs=("y",), **fields).output_shape(source.shape)
    same = kind is ir.ReduceMax or net.chance(0.4)
    net.add(kind, (source,), (net.like(source, shape) if same else net.near(source, shape),), **fields)


def _operands(net: Net) -> tuple[ir.Tensor, ir.Tensor]:
    """Equal shapes or shapes that broadcast either way; a constant, another tensor or the same twice."""
    a = net.source(ranks=range(1, 5))
    if net.chance(0.3):
        found = [
            t for t in net.tensors.values() if t.dtype == "int8" and t.shape == a.shape and t.name not in net.constants
        ]
        return a, net.choice(found)
    shape = tuple(n if net.chance(0.7) else 1 for n in a.shape)
    if net.chance(0.3):
        shape = shape[net.int(0, len(shape) - 1) :]
    if net.chance(0.5) or shape[0] != 1:
        return a, net.constant(shape, a.scale * net.power(-3, 3))
    return a, net.input(shape, scale=a.scale * net.power(-3, 3))


def _elementwise(net: Net, kind: type[ir.Elementwise]) -> None:
    a, b = _operands(net)
    shape = np.broadcast_shapes(a.shape, b.shape)
    if kind is ir.Mul:
        product = a.scale * b.scale
        target = net.tensor(shape, bounded(product / net.effective(64.0 * 64.0), product * FINEST))
    else:
        target = net.near(max(a, b, key=lambda t: t.scale), shape)
    net.add(kind, (a, b) if net.chance(0.5) else (b, a), (target,), **net.clamp(target))


def prelu(net: Net) -> None:
    source = net.source(ranks=range(1, 5))
    shape = tuple(n if net.chance(0.6) else 1 for n in source.shape)[net.int(0, len(source.shape) - 1) :]
    alpha = net.constant(shape, net.power(-10, 0))
    net.add(ir.Prelu, (source, alpha), (net.near(source),))


def _extremum(net: Net, kind: type[ir.Extremum]) -> None:
    a, b = _operands(net)
    shape = np.broadcast_shapes(a.shape, b.shape)
    net.add(kind, (a, b) if net.chance(0.5) else (b, a), (net.like(a, shape),))


def table(net: Net) -> None:
    source, function = net.source(), net.choice((*ir.LITERT_FUNCTIONS, "lookup"))
    if function == "logistic":
        target = net.tensor(source.shape, 1 / 256, -128)
    elif function == "tanh":
        target = net.tensor(source.shape, net.power(-9, -4))
    elif function == "hard_swish":
        # LiteRT refuses outputs 128 times as fine as the input.
        target = net.tensor(source.shape, source.scale * net.power(-6, 4))
    else:
        target = net.near(source)
    alpha = float(np.float32(net.choice([0.01, 0.1, 0.25, 0.3, 1.5, -0.5, 0.0]))) if function == "leaky_relu" else 0.0
    values = net.array(256, -128, 127, "int8")
    if function != "lookup":
        values = function_table(function, source, target, alpha)
    net.add(ir.Table, (source,), (target,), function=function, alpha=alpha, table=values)


def softmax(net: Net) -> None:
    source, beta = net.source(), float(np.float32(net.choice([1.0, 1.0, 0.5, 1.7])))
    if source.scale * beta <= 2.0**-25:
        # LiteRT ends the process where the product is 2**-26 or less.
        coarser = net.tensor(source.shape, net.power(-12, 0))
        net.add(ir.Requantize, (source,), (coarser,))
        source = coarser
    net.add(ir.Softmax, (source,), (net.tensor(source.shape, 1 / 256, -128),), beta=beta)


def requantize(net: Net) -> None:
    source = net.source()
    target = net.near(source)
    if net.chance(0.5):
        net.add(ir.Requantize, (source,), (target,))
    else:
        clamp = net.clamp(target, ("RELU", "RELU6", "RELU_N1_TO_1"))
        net.add(ir.Requantize, (source,), (target,), division="float32", **clamp)


def convert(net: Net) -> None:
    """There, and back sometimes; or from an input of another type."""
    kinds = ("int8", "uint8", "int16")
    dtype = net.choice(kinds)
    source = net.source(dtype)
    to = net.choice([k for k in kinds if (k, dtype) != ("int8", "int8") and (dtype, k) != ("int16", "uint8")])
    target = net.tensor(source.shape, source.scale * net.power(-3, 3), None, to)
    net.add(ir.Convert, (source,), (target,))
    if to != "int8" and net.chance(0.5):
        net.add(ir.Convert, (target,), (net.tensor(source.shape, target.scale * net.power(-3, 3)),))


def quantize(net: Net) -> None:
    source, scale = net.source("float32"), net.scale()
    makers = {name: op for op in net.ops for name in op.outputs}
    maker = makers.get(source.name)
    while maker is not None and maker.kind == "reshape":
        maker = makers.get(maker.inputs[0])
    if maker is not None:
        # From 2**31 steps on LiteRT's conversion to int32 is undefined; int16 has up to 2**16 steps.
        scale = max(scale, net.tensors[maker.inputs[0]].scale * 2.0**-14)
    target = net.tensor(source.shape, scale, None, net.choice(("int8", "int8", "uint8", "int16")))
    net.add(ir.Quantize, (source,), (target,))


def dequantize(net: Net) -> None:
    source = net.source(net.choice(("int8", "int8", "int8", "uint8", "int16")))
    net.add(ir.Dequantize, (source,), (net.tensor(source.shape, dtype="float32"),))


OPERATORS = {
    "conv2d": conv2d,
    "grouped_conv2d": grouped_conv2d,
    "transpose_conv2d": transpose_conv2d,
    "depthwise_conv2d": depthwise_conv2d,
    "dense": dense,
    "pool2d": pool2d,
    "mean": lambda net: _reduction(net, ir.Mean),
    "reduce_max": lambda net: _reduction(net, ir.ReduceMax),
    "add": lambda net: _elementwise(net, ir.Add),
    "sub": lambda net: _elementwise(net, ir.Sub),
    "mul": lambda net: _elementwise(net, ir.Mul),
    "prelu": prelu,
    "maximum": lambda net: _extremum(net, ir.Maximum),
    "minimum": lambda net: _extremum(net, ir.Minimum),
    "table": table,
    "softmax": softmax,
    "requantize": requantize,
    "convert": convert,
    "quantize": quantize,
    "dequantize": dequantize,
}
