# SPDX-License-Identifier: Apache-2.0
"""Nets with state, several inputs and outputs, constants, and types other than int8."""

import numpy as np

from shrinkfit.graph import ir
from tests.runtime_c.layouts import tensor


def _variable(rng, name, shape, dtype="int8"):
    initial = np.zeros(shape, dtype) if rng is None else rng.integers(0, 100, shape).astype(dtype)
    return ir.Variable(tensor(name, shape, dtype), initial)


def _op(kind, name, inputs, outputs, **fields):
    return kind(name=name, inputs=inputs, outputs=outputs, **fields)


def _dense(rng, name, source, target, inputs, outputs):
    return _op(
        ir.Dense, name, (source,), (target,), kernel=rng.integers(-127, 128, (outputs, inputs), np.int8),
        bias=rng.integers(-500, 500, outputs).astype(np.int32), kernel_scales=np.full(outputs, 0.004, np.float32),
    )  # fmt: skip


def streaming(seed=0, steps=3, bands=4):
    """A ring of the last frames, read in place, joined with the new one, and shifted; then a dense layer."""
    rng = np.random.default_rng(seed)
    shapes = {"frame": (1, 1, bands), "old": (1, steps, bands), "all": (1, steps + 1, bands), "next": (1, steps, bands)}
    shapes |= {"flat": (1, (steps + 1) * bands), "y": (1, 3)}
    begin, size = (0, 1, 0), (1, steps, bands)
    ops = (
        _op(ir.ReadVariable, "read", (), ("old",), variable="ring"),
        _op(ir.Concat, "join", ("old", "frame"), ("all",), axis=1),
        _op(ir.StridedSlice, "shift", ("all",), ("next",), begin=begin, size=size, stride=(1, 1, 1)),
        _op(ir.AssignVariable, "keep", ("next",), (), variable="ring"),
        _op(ir.Reshape, "flatten", ("all",), ("flat",), shape=shapes["flat"]),
        _dense(rng, "dense", "flat", "y", (steps + 1) * bands, 3),
    )
    ring = _variable(rng, "ring", shapes["old"])
    return ir.Graph(
        "streaming", {n: tensor(n, s) for n, s in shapes.items()}, ops, ("frame",), ("y",), {}, {"ring": ring}
    )


def delays(dtype="int8", seed=0):
    """Two inputs, three outputs: int8 values tiled and joined with a constant, and values of any type one run late.

    The delay is read before it is assigned, so that its read has to be a copy.
    """
    rng = np.random.default_rng(seed)
    tensors = {"in:0": tensor("in:0", (1, 2, 3)), "in/1": tensor("in/1", (1, 5), dtype)}
    tensors |= {"twice": tensor("twice", (1, 4, 3)), "fixed": tensor("fixed", (1, 1, 3))}
    tensors |= {"late": tensor("late", (1, 5), dtype), "Late ": tensor("Late ", (1, 5, 1), dtype)}
    tensors |= {"out": tensor("out", (1, 5, 3)), "turned": tensor("turned", (1, 3, 5))}
    ops = (
        _op(ir.Tile, "tile", ("in:0",), ("twice",), multiples=(1, 2, 1)),
        _op(ir.Concat, "concat", ("twice", "fixed"), ("out",), axis=1),
        _op(ir.Transpose, "turn", ("out",), ("turned",), permutation=(0, 2, 1)),
        _op(ir.ReadVariable, "read", (), ("late",), variable="delay"),
        _op(ir.AssignVariable, "assign", ("in/1",), (), variable="delay"),
        _op(ir.Reshape, "reshape", ("late",), ("Late ",), shape=(1, 5, 1)),
    )
    constants = {"fixed": rng.integers(-128, 128, (1, 1, 3), np.int8)}
    variables = {"delay": _variable(None if seed else rng, "delay", (1, 5), dtype)}
    variables["spare"] = _variable(None, "spare", (1, 3))
    outputs = ("turned", "late", "Late ")
    return ir.Graph("delays", tensors, ops, ("in:0", "in/1"), outputs, constants, variables)
