# SPDX-License-Identifier: Apache-2.0
"""Chains of all arithmetic: tables, reductions, conversions, resizes, state, other types at the ends."""

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.tables import function_table


class Chain:
    """Each method call appends an operator on the last tensor."""

    def __init__(self, shape, dtype="float32"):
        self.rng = np.random.default_rng(6)
        self.tensors, self.constants, self.variables, self.ops = {}, {}, {}, []
        self.last = self.tensor(shape, dtype)

    def tensor(self, shape, dtype="int8", scale=0.05, zero_point=-4):
        scale, zero_point = (1.0, 0) if dtype == "float32" else (scale, zero_point)
        name = f"t{len(self.tensors)}"
        self.tensors[name] = ir.Tensor(name, (1, *shape), scale, zero_point, dtype)
        return name

    def constant(self, shape, scale=0.03, zero_point=7):
        name = self.tensor(shape, scale=scale, zero_point=zero_point)
        self.constants[name] = self.rng.integers(-128, 128, (1, *shape)).astype(np.int8)
        return name

    def variable(self, name, shape, dtype, scale, zero_point=0):
        initial = np.full((1, *shape), zero_point, dtype)
        self.variables[name] = ir.Variable(ir.Tensor(name, (1, *shape), scale, zero_point, dtype), initial)
        return name

    def op(self, kind, shape, /, *more, dtype="int8", scale=0.05, zero_point=-4, **fields):
        target = self.tensor(shape, dtype, scale, zero_point)
        self.ops.append(kind(name=f"op{len(self.ops)}", inputs=(self.last, *more), outputs=(target,), **fields))
        self.last = target

    def table(self, shape, function, scale, zero_point):
        source, target = self.tensors[self.last], ir.Tensor("z", (1, *shape), scale, zero_point)
        table = function_table(function, source, target, 0.1)
        self.op(ir.Table, shape, scale=scale, zero_point=zero_point, function=function, table=table, alpha=0.1)

    def graph(self, name):
        ends = (next(iter(self.tensors)),), (self.last,)
        return ir.Graph(name, self.tensors, tuple(self.ops), *ends, self.constants, self.variables)


def arithmetic():
    """Float to float, without state."""
    c = Chain((5, 4, 3))
    c.op(ir.Quantize, (5, 4, 3))
    c.op(ir.Mul, (5, 4, 3), c.constant((3,)), scale=0.04)
    c.op(ir.Sub, (5, 4, 3), c.constant((5, 1, 3)))
    c.op(ir.Add, (5, 4, 3), c.constant((1, 4, 1)))
    c.op(ir.Add, (5, 4, 3), c.last, scale=0.07)
    c.op(ir.Prelu, (5, 4, 3), c.constant((3,)))
    c.op(ir.Maximum, (5, 4, 3), c.constant((5, 4, 3)))
    c.op(ir.Minimum, (5, 4, 3), c.constant((3,)))
    c.table((5, 4, 3), "leaky_relu", 0.04, 3)
    c.op(ir.ResizeBilinear, (7, 6, 3), scale=0.04, zero_point=3, size=(7, 6), half_pixel_centers=True)
    c.op(ir.ResizeNearest, (9, 5, 3), scale=0.04, zero_point=3, size=(9, 5))
    c.op(ir.ReduceMax, (9, 3), scale=0.04, zero_point=3, axes=(2,))
    c.op(ir.Requantize, (9, 3), scale=0.03)
    c.op(ir.Mean, (9,), scale=0.02, axes=(2,))
    c.op(ir.Convert, (9,), dtype="int16", scale=0.0003, zero_point=0)
    c.op(ir.Dequantize, (9,), dtype="float32")
    return c.graph("arithmetic")


def cells():
    """SVDF, then LSTM, int8 to uint8."""
    c, rng = Chain((6,), "int8"), np.random.default_rng(8)
    svdf = {
        "feature_kernel": rng.integers(-127, 128, (10, 6)).astype(np.int8),
        "time_kernel": rng.integers(-900, 900, (10, 4)).astype(np.int16),
        "bias": rng.integers(-9999, 9999, 5).astype(np.int32),
    }
    c.op(
        ir.Svdf, (5,), scale=0.04, **svdf, feature_scale=0.005, time_scale=0.002, rank=2,
        state=c.variable("s", (40,), "int16", 0.01),
    )  # fmt: skip
    c.op(ir.Reshape, (1, 5), scale=0.04, shape=(1, 1, 5))
    lstm = {
        "input_kernels": rng.integers(-127, 128, (4, 3, 5)).astype(np.int8),
        "recurrent_kernels": rng.integers(-127, 128, (4, 3, 3)).astype(np.int8),
        "biases": rng.integers(-9999, 9999, (4, 3)).astype(np.int32),
        "input_scales": rng.uniform(0.005, 0.02, 4).astype(np.float32),
        "recurrent_scales": rng.uniform(0.005, 0.02, 4).astype(np.float32),
    }
    c.op(
        ir.UnidirectionalLstm, (1, 3), scale=0.01, zero_point=2, **lstm, hidden_scale=0.01, hidden_zero_point=2,
        cell_clip=0.0, hidden=c.variable("h", (3,), "int8", 0.01, 2), cell=c.variable("c", (3,), "int16", 2.0**-11),
    )  # fmt: skip
    c.op(ir.Convert, (1, 3), dtype="uint8", scale=0.01, zero_point=130)
    return c.graph("cells")
