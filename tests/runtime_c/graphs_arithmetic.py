# SPDX-License-Identifier: Apache-2.0
"""Random graphs of one operator each: arithmetic, tables, reductions, conversions, resizes, SVDF, LSTM."""

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.tables import function_table

FULL = (ir.INT8_MIN, ir.INT8_MAX)


def single(op_type, inputs, output, constants=None, variables=(), **fields):
    """A graph of one operator; constants: name of an input -> its values."""
    constants = constants or {}
    op = op_type(name="op", inputs=tuple(t.name for t in inputs), outputs=(output.name,), **fields)
    return ir.Graph(
        "g",
        {t.name: t for t in (*inputs, output)},
        (op,),
        tuple(t.name for t in inputs if t.name not in constants) or ("x",),
        (output.name,),
        constants,
        {variable.tensor.name: variable for variable in variables},
    )


def inputs_for(graph, rng, fill=None):
    """name -> values of the whole range of the type, without the batch axis; fill: one int for all."""
    return {name: values_for(graph.tensors[name], rng, fill) for name in graph.inputs}


def values_for(tensor, rng, fill=None):
    shape = tensor.shape[1:]
    if tensor.dtype == "float32":
        return (rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 4)).astype(np.float32)
    low, high = np.iinfo(tensor.dtype).min, np.iinfo(tensor.dtype).max
    if fill is not None:
        return np.full(shape, fill, tensor.dtype)
    return rng.integers(low, high + 1, shape).astype(tensor.dtype)


def binary(rng, kind, a, b, scales=(0.03, 0.07, 0.06), zps=(-5, 9, 2), act=FULL, constant=False):
    """kind: Add, Sub or Mul; shapes with their batch; constant: whether b is one."""
    shape = np.broadcast_shapes(a, b)
    x, y, out = (
        ir.Tensor(name, s, scale, zp) for name, s, scale, zp in zip("xyz", (a, b, shape), scales, zps, strict=True)
    )
    constants = {"y": rng.integers(-128, 128, b).astype(np.int8)} if constant else {}
    fields = {"activation_min": act[0], "activation_max": act[1]}
    return single(getattr(ir, kind), [x, y], out, constants, **fields)


def prelu(rng, shape, alpha, scales=(0.05, 0.01, 0.04), zps=(-5, 9, 2)):
    x, y, out = (
        ir.Tensor(name, s, scale, zp)
        for name, s, scale, zp in zip("xyz", (shape, alpha, shape), scales, zps, strict=True)
    )
    return single(ir.Prelu, [x, y], out, {"y": rng.integers(-128, 128, alpha).astype(np.int8)})


def extremum(rng, kind, a, b, constant=False):
    """kind: Maximum or Minimum; shapes with their batch; constant: whether b is one."""
    shape = np.broadcast_shapes(a, b)
    x, y, out = (ir.Tensor(name, s, 0.05, 3) for name, s in zip("xyz", (a, b, shape), strict=True))
    constants = {"y": rng.integers(-128, 128, b).astype(np.int8)} if constant else {}
    return single(getattr(ir, kind), [x, y], out, constants)


def table(rng, function, shape=(1, 256), scales=(0.05, 1 / 256), zps=(3, -128), alpha=0.0):
    x, out = (ir.Tensor(n, shape, s, z) for n, s, z in zip("xz", scales, zps, strict=True))
    values = function_table(function, x, out, alpha)
    return single(ir.Table, [x], out, function=function, alpha=alpha, table=values)


def requantize(rng, division, scales, zps=(-5, 9), shape=(1, 256), act=FULL):
    x, out = (ir.Tensor(n, shape, s, z) for n, s, z in zip("xz", scales, zps, strict=True))
    fields = {"activation_min": act[0], "activation_max": act[1]}
    return single(ir.Requantize, [x], out, division=division, **fields)


def reduction(rng, kind, shape, axes, scales=(0.05, 0.02), zps=(-5, 9), keep_dims=False):
    """kind: Mean or ReduceMax."""
    if kind == "ReduceMax":
        scales, zps = (scales[0],) * 2, (zps[0],) * 2
    kept = tuple(1 if a in axes else n for a, n in enumerate(shape) if keep_dims or a not in axes) or (1,)
    x, out = ir.Tensor("x", shape, scales[0], zps[0]), ir.Tensor("z", kept, scales[1], zps[1])
    return single(getattr(ir, kind), [x], out, axes=axes, keep_dims=keep_dims)


def resize(rng, kind, size, target, channels=3, align_corners=False, half_pixel_centers=False):
    """kind: ResizeBilinear or ResizeNearest."""
    x, out = (ir.Tensor(n, (1, *s, channels), 0.05, 3) for n, s in (("x", size), ("z", target)))
    flags = {"align_corners": align_corners, "half_pixel_centers": half_pixel_centers}
    return single(getattr(ir, kind), [x], out, size=target, **flags)


def conversion(rng, kind, types, scales=(0.05, 0.03), zps=(0, 0), shape=(1, 301)):
    """kind: Quantize, Dequantize or Convert."""
    x, out = (ir.Tensor(n, shape, s, z, t) for n, s, z, t in zip("xz", scales, zps, types, strict=True))
    return single(getattr(ir, kind), [x], out)


def svdf(rng, features, units, memory, rank=1, scales=(0.05, 0.01, 0.04), zps=(-3, 5), act=FULL, heavy=False):
    """scales: input, state, output; heavy: as large weights as there are."""
    x = ir.Tensor("x", (1, features), scales[0], zps[0])
    state = ir.Tensor("s", (1, units * rank * memory), scales[1], 0, "int16")
    out = ir.Tensor("z", (1, units), scales[2], zps[1])
    top = 2**15 if heavy else 600
    initial = rng.integers(-top, top, state.shape).astype(np.int16)
    fields = {
        "feature_kernel": rng.integers(-127, 128, (units * rank, features)).astype(np.int8),
        "time_kernel": rng.integers(-top, top, (units * rank, memory)).astype(np.int16),
        "bias": rng.integers(-(2**31) if heavy else -9999, 2**31 if heavy else 9999, units).astype(np.int32),
        "activation_min": act[0],
        "activation_max": act[1],
    }
    variables = [ir.Variable(state, initial)]
    return single(
        ir.Svdf, [x], out, None, variables, feature_scale=0.005, time_scale=0.002, rank=rank, state="s", **fields
    )


def lstm(rng, steps, features, units, cell_bits=11, clip=0.0, scales=(0.02, 0.01), zps=(4, -2), size=1.0, out_zp=None):
    """scales: input, hidden; size: of the kernels' scales; out_zp: what is added to the output, if not hidden's."""
    out_zp = zps[1] if out_zp is None else out_zp
    x = ir.Tensor("x", (1, steps, features), scales[0], zps[0])
    hidden, out = (ir.Tensor(n, s, scales[1], zps[1]) for n, s in (("h", (1, units)), ("z", (1, steps, units))))
    cell = ir.Tensor("c", (1, units), 2.0**-cell_bits, 0, "int16")
    variables = [
        ir.Variable(hidden, rng.integers(-128, 128, hidden.shape).astype(np.int8)),
        ir.Variable(cell, rng.integers(-(2**15), 2**15, cell.shape).astype(np.int16)),
    ]
    fields = {
        "input_kernels": rng.integers(-127, 128, (4, units, features)).astype(np.int8),
        "recurrent_kernels": rng.integers(-127, 128, (4, units, units)).astype(np.int8),
        "biases": rng.integers(-9999, 9999, (4, units)).astype(np.int32),
        "input_scales": (size * rng.uniform(0.002, 0.03, 4)).astype(np.float32),
        "recurrent_scales": (size * rng.uniform(0.002, 0.03, 4)).astype(np.float32),
    }
    return single(
        ir.UnidirectionalLstm, [x], out, None, variables, **fields, hidden_scale=scales[1], hidden_zero_point=out_zp,
        cell_clip=clip, hidden="h", cell="c",
    )  # fmt: skip
