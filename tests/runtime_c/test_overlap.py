# SPDX-License-Identifier: Apache-2.0
"""Outputs that lie over their inputs, as far as shrinkfit.h's contracts allow: elementwise kernels and pools."""

import ctypes

import numpy as np
import pytest

from shrinkfit.graph import ir, simulate
from shrinkfit.price.kernels import kernel_for
from shrinkfit.write.pack import pack
from tests.runtime_c import graphs, graphs_arithmetic, native

TIES = dict(scales=(2.0**-5, 2.0**-5, 2.0**-4), zps=(3, -4, 7))


def run_in_arena(lib, graph, inputs, offsets, dsp):
    """The output at offset 0 of one buffer, the inputs at the given ones: int8 of the output's shape."""
    (op,), keep = graph.ops, []
    kernel, target = kernel_for(op, graph, dsp), graph.op_outputs(op)[0]
    ends = [offset + x.size for offset, x in zip(offsets, inputs, strict=True)]
    arena = np.full(max(*ends, target.size_bytes), 77, np.int8)
    for offset, x in zip(offsets, inputs, strict=True):
        arena[offset : offset + x.size] = x.reshape(-1)
    struct = native.params(pack(op, graph, dsp), keep)
    pointers = [native.POINTER(arena.ctypes.data + offset) for offset in (*offsets, 0)]
    getattr(lib, kernel.symbol)(ctypes.byref(struct), *pointers)
    return arena[: target.size_bytes].reshape(target.shape[1:])


def assert_overlaps(lib, graph, offsets):
    rng = np.random.default_rng(8)
    inputs = [rng.integers(-128, 128, graph.tensors[name].shape[1:], np.int8) for name in graph.inputs]
    batch = {name: x[None] for name, x in zip(graph.inputs, inputs, strict=True)}
    expected = simulate.trace(graph, batch)[graph.outputs[0]][0]
    for dsp in (False, True):
        got = run_in_arena(lib, graph, inputs, offsets, dsp)
        np.testing.assert_array_equal(got, expected, err_msg=f"dsp={dsp} {offsets}")


@pytest.mark.parametrize("size", [1, 3, 4, 5, 8, 31])
@pytest.mark.parametrize("ahead", [0, 1, 2, 3, 5, 8])
def test_elementwise_over_an_input_that_begins_at_or_behind_the_output(lib, size, ahead):
    rng = np.random.default_rng(0)
    for graph in (graphs.requantize(None, (size,)), graphs.requantize(None, (size,), scales=(0.25, 1.0), zps=(0, 0))):
        assert_overlaps(lib, graph, [ahead])
    assert_overlaps(lib, graphs.softmax(None, (3, size)), [ahead])
    assert_overlaps(lib, graphs_arithmetic.table(rng, "tanh", (1, size), (0.02, 1 / 128), (-128, 0)), [ahead])
    for fields in ({}, TIES):
        assert_overlaps(lib, graphs.add(None, (size,), **fields), [ahead, 100])
        assert_overlaps(lib, graphs.add(None, (size,), **fields), [100, ahead])
        assert_overlaps(lib, graphs.add(None, (size,), **fields), [ahead, size + ahead])


def first_needed(op: ir.Pool2D, width: int, channels: int, out) -> list[int]:
    """For each output pixel: the first input byte that its window or a later one needs."""
    starts = [
        (max(y * op.stride[0] - op.padding.top, 0) * width + max(x * op.stride[1] - op.padding.left, 0)) * channels
        for y in range(out[0])
        for x in range(out[1])
    ]
    return [min(starts[p:]) for p in range(len(starts))]


POOLS = [
    ((6, 6), 5, (2, 2), (2, 2), (0, 0, 0, 0)),
    ((7, 5), 6, (3, 3), (2, 2), (1, 1, 1, 1)),
    ((5, 4), 7, (3, 3), (1, 1), (1, 1, 1, 1)),
    ((4, 4), 8, (1, 1), (1, 1), (0, 0, 0, 0)),
    ((9, 1), 9, (2, 1), (1, 1), (0, 1, 0, 0)),
    ((5, 6), 2, (3, 2), (1, 3), (2, 0, 1, 0)),
]


@pytest.mark.parametrize("mode", ["max", "average"])
@pytest.mark.parametrize("sizes", POOLS, ids=str)
def test_pools_as_close_as_the_pixel_rule_allows(lib, mode, sizes):
    graph = graphs.pool(None, mode, *sizes)
    (op,), (size, channels, *_) = graph.ops, sizes
    needed = first_needed(op, size[1], channels, graph.op_outputs(op)[0].shape[1:3])
    distance = max((p + 1) * channels - byte for p, byte in enumerate(needed))
    for more in (0, 1, 3):
        assert_overlaps(lib, graph, [distance + more])
