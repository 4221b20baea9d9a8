# SPDX-License-Identifier: Apache-2.0
"""Graphs of one operator that moves values, and the C calls that run it."""

import ctypes

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.price.calls import calls
from shrinkfit.price.kernels import kernel_for
from shrinkfit.write.pack import pack_calls
from tests.runtime_c import native

SCALED = {"int8": (0.05, -3), "uint8": (0.05, 130), "int16": (0.001, 0), "float32": (1, 0), "int32": (1, 0)}


def tensor(name, shape, dtype="int8"):
    return ir.Tensor(name, shape, *SCALED[dtype], dtype)


def graph_of(op_type, shapes, outputs=None, dtype="int8", **fields):
    """Inputs of these shapes; outputs are as the operator says where they are not given."""
    inputs = [tensor(f"x{i}", shape, dtype) for i, shape in enumerate(shapes)]
    made = [tensor(f"y{i}", shape, dtype) for i, shape in enumerate(outputs or [None]) if shape]
    names = tuple(t.name for t in inputs), tuple(t.name for t in made) or ("y0",)
    op = op_type(name="op", inputs=names[0], outputs=names[1], **fields)
    made = made or [tensor("y0", op.output_shape(*shapes), dtype)]
    return ir.Graph("g", {t.name: t for t in (*inputs, *made)}, (op,), *names)


def values(rng, one):
    """Random values of the tensor's type."""
    if one.dtype == "float32":
        return rng.normal(size=one.shape).astype(np.float32)
    limits = np.iinfo(one.dtype)
    return rng.integers(limits.min, limits.max, one.shape, one.dtype, endpoint=True)


def run(lib: ctypes.CDLL, graph: ir.Graph, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All calls of the graph's operator; outputs start as garbage, with bytes behind them that must stay."""
    (op,) = graph.ops
    kernel = kernel_for(op, graph, False)
    found = {name: native.guarded(graph.tensors[name].size_bytes, 0x5A5A5A5A5A5A5A5A) for name in graph.outputs}
    buffers = {name: np.ascontiguousarray(array) for name, array in inputs.items()} | found
    for packed, arguments in zip(pack_calls(op, graph, False), calls(op), strict=True):
        keep = []
        struct = native.params(packed, keep)
        pointers = [native.POINTER(buffers[a.name].ctypes.data) for a in arguments]
        getattr(lib, kernel.symbol)(ctypes.byref(struct), *pointers)
    results = {}
    for name, out in found.items():
        one = graph.tensors[name]
        assert np.all(out[one.size_bytes :] == 0x5A), "wrote behind the output"
        results[name] = out[: one.size_bytes].view(one.dtype).reshape(one.shape)
    return results
