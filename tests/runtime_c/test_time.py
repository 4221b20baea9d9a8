# SPDX-License-Identifier: Apache-2.0
"""The kernels of streamed graphs against the simulator: outputs and state, bit for bit, call after call."""

import ctypes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shrinkfit.errors import UnsupportedLayerError
from shrinkfit.graph import ir, simulate
from shrinkfit.graph.base import GraphError
from shrinkfit.price.kernels import kernel_for
from shrinkfit.price.overlap import overlap
from shrinkfit.write.pack import pack
from tests.runtime_c import native
from tests.runtime_c.graphs_arithmetic import inputs_for, single
from tests.runtime_c.test_cells import assert_same_run

# New rows, rows kept, values of a row: around the four words that are moved at a time, and around a word.
WINDOWS = [(1, 1, 1), (1, 2, 8), (2, 1, 5), (3, 7, 16), (1, 9, 17), (4, 4, 31), (2, 30, 33), (5, 2, 64)]
# New blocks, blocks, rows of a block, columns, channels.
MEANS = [(1, 2, 1, 1, 4), (1, 3, 1, 5, 5), (2, 7, 3, 1, 7), (3, 3, 2, 4, 8), (1, 25, 1, 5, 64), (2, 4, 1, 128, 6)]
FULL, NARROW = (-128, 127), (-40, 60)


def window(new, kept, width, dtype="int8", axis=1):
    shapes = [(1, *(1,) * (axis - 1), rows, width) for rows in (new, new + kept, kept)]
    x, out, past = (ir.Tensor(n, s, 0.5, 0, dtype) for n, s in zip("xzp", shapes, strict=True))
    initial = np.random.default_rng(0).integers(-100, 100, past.shape).astype(dtype)
    return single(ir.TimeWindow, [x], out, None, [ir.Variable(past, initial)], axis=axis, rows=kept, past="p")


def mean(new, blocks, block, columns, channels, average=False, zps=(-7, 11), act=FULL, scales=(0.05, 0.02)):
    x = ir.Tensor("x", (1, new * block, columns, channels), scales[0], zps[0])
    quantization = (scales[0], zps[0]) if average else (scales[1], zps[1])
    out, sums = ir.Tensor("z", (1, 1, 1, channels), *quantization), ir.Tensor("s", (1, blocks, channels), dtype="int16")
    variables = [ir.Variable(sums, np.zeros(sums.shape, np.int16))]
    fields = {"axis": 1, "axes": (1, 2), "keep_dims": True, "length": blocks * block, "block": block}
    fields |= {"average": average, "sums": "s", "activation_min": act[0], "activation_max": act[1]}
    return single(ir.TimeMean, [x], out, None, variables, **fields)


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
@pytest.mark.parametrize("sizes", WINDOWS, ids=str)
def test_windows_over_20_calls(lib, sizes, dtype):
    assert_same_run(lib, window(*sizes, dtype), np.random.default_rng(1), 20)


@pytest.mark.parametrize("fields", [{}, {"average": True}, {"average": True, "act": NARROW, "zps": (127, 0)}], ids=str)
@pytest.mark.parametrize("sizes", MEANS, ids=str)
def test_means_over_40_calls(lib, sizes, fields):
    assert_same_run(lib, mean(*sizes, **fields), np.random.default_rng(2), 40)


@settings(deadline=None)
@given(st.data())
def test_random_means(lib, data):
    new, others, block, columns, channels = data.draw(st.tuples(*(st.integers(1, n) for n in (3, 6, 3, 9, 12))))
    zps = data.draw(st.tuples(*[st.integers(-128, 127)] * 2))
    scales = tuple(10.0 ** data.draw(st.integers(-3, 3)) for _ in range(2))
    fields = {"average": data.draw(st.booleans()), "zps": zps, "scales": scales}
    graph = mean(new, new + others, block, columns, channels + 3, **fields)
    assert_same_run(lib, graph, np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))), 8)


@pytest.mark.parametrize("ahead", [0, 1, 3, 4, 8, 16, 40])
@pytest.mark.parametrize("sizes", WINDOWS, ids=str)
def test_new_rows_may_lie_in_the_window(lib, sizes, ahead):
    graph = window(*sizes)
    (op,), rng, session = graph.ops, np.random.default_rng(3), simulate.Session(graph)
    distance, past = overlap(op, graph, 0).distance + ahead, session.state["p"].copy()
    x = inputs_for(graph, rng)["x"]
    arena = np.full(distance + x.size + graph.tensors["z"].size_bytes, 77, np.int8)
    arena[distance : distance + x.size] = x.reshape(-1)
    struct, at = native.params(pack(op, graph, True), []), native.POINTER
    pointers = [at(arena.ctypes.data + distance), at(arena.ctypes.data), at(past.ctypes.data)]
    getattr(lib, kernel_for(op, graph, True).symbol)(ctypes.byref(struct), *pointers)
    expected = session.step(x)["z"]
    np.testing.assert_array_equal(arena[: expected.size], expected.reshape(-1))
    np.testing.assert_array_equal(past, session.state["p"])


def test_an_average_is_a_pool_over_the_rows_that_came():
    graph = mean(2, 5, 1, 3, 6, average=True)
    rows = np.random.default_rng(4).integers(-128, 128, (10, 2, 3, 6)).astype(np.int8)
    got = simulate.Session(graph).run(rows)[-1]
    total = rows.reshape(-1, 3, 6)[-5:].astype(int).sum(axis=(0, 1))
    np.testing.assert_array_equal(got[0, 0], np.sign(total) * ((abs(total) + 7) // 15))


def test_what_the_kernels_cannot_take_is_refused():
    with pytest.raises(UnsupportedLayerError, match="4 channels or more"):
        graph = mean(1, 2, 1, 1, 3)
        kernel_for(graph.ops[0], graph, True)
    with pytest.raises(GraphError, match="a sum of 129 values"):
        mean(1, 2, 1, 129, 4)
    with pytest.raises(GraphError, match="do not make up 2 new ones"):
        mean(2, 1, 1, 1, 4)
