# SPDX-License-Identifier: Apache-2.0
"""Random graphs of one operator each, int8 and valid, from plain sizes."""

from dataclasses import replace

import numpy as np

from shrinkfit.graph import ir

FULL = (ir.INT8_MIN, ir.INT8_MAX)


def tensor(name, shape, scale=0.05, zero_point=0):
    return ir.Tensor(name, (1, *shape), scale, zero_point)


def single(op_type, inputs, output, **fields):
    """A graph of one operator over the given tensors."""
    op = op_type(name="op", inputs=tuple(t.name for t in inputs), outputs=(output.name,), **fields)
    tensors = {t.name: t for t in (*inputs, output)}
    return ir.Graph("g", tensors, (op,), tuple(t.name for t in inputs), (output.name,))


def _weights(rng, shape, channels, activation):
    taps = int(np.prod(shape)) // channels
    return {
        "kernel": rng.integers(-127, 128, shape, np.int8),
        "bias": rng.integers(-20000, 20000, channels).astype(np.int32),
        # Sums of n random products spread like sqrt(n): keep most outputs inside int8, some saturated.
        "kernel_scales": (rng.uniform(0.3, 3, channels) * 0.01 / np.sqrt(taps)).astype(np.float32),
        "activation_min": activation[0],
        "activation_max": activation[1],
    }


def conv(
    rng, size, channels, kernel, out, stride=(1, 1), dilation=(1, 1), padding=(0, 0, 0, 0), zp=-3, act=FULL, groups=1
):
    x, pad = tensor("x", (*size, channels), 0.05, zp), ir.Padding(*padding)
    height, width = ir.window_output_size(size, kernel, stride, dilation, pad)
    fields = _weights(rng, (out, *kernel, channels // groups), out, act)
    y = tensor("y", (height, width, out), 0.04, 5)
    return single(ir.Conv2D, [x], y, **fields, stride=stride, dilation=dilation, padding=pad)


def transpose(rng, size, channels, kernel, out, stride=(1, 1), first=(0, 0), target=None, zp=-3, act=FULL):
    """first: rows and columns cut in front; target: the output's size, by default all that is left."""
    full = [(n - 1) * s + k for n, s, k in zip(size, stride, kernel, strict=True)]
    height, width = target or tuple(n - cut for n, cut in zip(full, first, strict=True))
    rest = [max(n - cut - left, 0) for n, cut, left in zip(full, first, (height, width), strict=True)]
    x, y = tensor("x", (*size, channels), 0.05, zp), tensor("y", (height, width, out), 0.04, 5)
    pad = ir.Padding(first[0], rest[0], first[1], rest[1])
    fields = _weights(rng, (out, *kernel, channels), out, act)
    return single(ir.TransposeConv2D, [x], y, **fields, stride=stride, padding=pad, output_size=(height, width))


def depthwise(
    rng,
    size,
    channels,
    kernel,
    m=1,
    stride=(1, 1),
    dilation=(1, 1),
    padding=(0, 0, 0, 0),
    zp=7,
    act=FULL,
    y_zp=-9,
):
    x, pad = tensor("x", (*size, channels), 0.05, zp), ir.Padding(*padding)
    height, width = ir.window_output_size(size, kernel, stride, dilation, pad)
    fields = _weights(rng, (*kernel, channels * m), channels * m, act)
    y = tensor("y", (height, width, channels * m), 0.04, y_zp)
    return single(
        ir.DepthwiseConv2D, [x], y, **fields, depth_multiplier=m, stride=stride, dilation=dilation, padding=pad
    )


def dense(rng, inputs, outputs, rows=(), zp=4, act=FULL):
    x, y = tensor("x", (*rows, inputs), 0.05, zp), tensor("y", (*rows, outputs), 0.04, -6)
    return single(ir.Dense, [x], y, **_weights(rng, (outputs, inputs), outputs, act))


def sparse(rng, make, kept, **sizes):
    """Blocks of four weights along the input, of which each output keeps so many, at random places."""
    graph = make(rng, **sizes)
    (op,) = graph.ops
    rows = op.kernel.reshape(op.channels, -1).copy()
    blocks = -(-rows.shape[1] // 4)
    for row, count in zip(rows, np.resize(kept, op.channels), strict=True):
        for block in rng.permutation(blocks)[: max(blocks - count, 0)]:
            row[4 * block : 4 * block + 4] = 0
    return replace(graph, ops=(replace(op, kernel=rows.reshape(op.kernel.shape)),))


def pool(rng, mode, size, channels, window, stride, padding=(0, 0, 0, 0), act=FULL):
    x, pad = tensor("x", (*size, channels), 0.05, 3), ir.Padding(*padding)
    y = tensor("y", (*ir.window_output_size(size, window, stride, (1, 1), pad), channels), 0.05, 3)
    fields = {"activation_min": act[0], "activation_max": act[1]}
    return single(ir.Pool2D, [x], y, mode=mode, window=window, stride=stride, padding=pad, **fields)


def add(rng, shape, scales=(0.03, 0.07, 0.06), zps=(-5, 9, 2), act=FULL):
    a, b, y = (tensor(n, shape, s, z) for n, s, z in zip(("a", "b", "y"), scales, zps, strict=True))
    return single(ir.Add, [a, b], y, activation_min=act[0], activation_max=act[1])


def requantize(rng, shape, scales=(0.05, 0.03), zps=(-5, 9), act=FULL):
    x, y = (tensor(n, shape, s, z) for n, s, z in zip(("x", "y"), scales, zps, strict=True))
    return single(ir.Requantize, [x], y, activation_min=act[0], activation_max=act[1])


def mean(rng, shape, axes, scales=(0.05, 0.02), zps=(-5, 9), keep_dims=False):
    x = tensor("x", shape, scales[0], zps[0])
    kept = [1 if a + 1 in axes else n for a, n in enumerate(shape) if keep_dims or a + 1 not in axes]
    return single(ir.Mean, [x], tensor("y", kept, scales[1], zps[1]), axes=axes, keep_dims=keep_dims)


def softmax(rng, shape, scale=0.1, beta=1.0):
    return single(ir.Softmax, [tensor("x", shape, scale, 3)], tensor("y", shape, 1 / 256, -128), beta=beta)


def pad(rng, size, channels, padding, zp=-7):
    x, p = tensor("x", (*size, channels), 0.05, zp), ir.Padding(*padding)
    y = tensor("y", (size[0] + p.top + p.bottom, size[1] + p.left + p.right, channels), 0.05, zp)
    return single(ir.Pad, [x], y, padding=p)
