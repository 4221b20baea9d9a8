# SPDX-License-Identifier: Apache-2.0
"""The kernels that move bytes against the simulator, for every element type."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shrinkfit.errors import UnsupportedLayerError
from shrinkfit.graph import ir, simulate
from shrinkfit.price.kernels import STRUCT_BYTES, kernel_for
from shrinkfit.price.kernels_layout import copies
from shrinkfit.write.pack import pack_calls
from tests.runtime_c import layouts

DTYPES = ("int8", "uint8", "int16", "int32", "float32")


def assert_same(lib, graph, seed=0):
    rng = np.random.default_rng(seed)
    inputs = {name: layouts.values(rng, graph.tensors[name]) for name in graph.inputs}
    expected = simulate.trace(graph, {name: x for name, x in inputs.items()}, keep=graph.outputs)
    got = layouts.run(lib, graph, inputs)
    for name in graph.outputs:
        np.testing.assert_array_equal(got[name], expected[name])


CASES = [
    (ir.Concat, [(1, 3)], None, dict(axis=1)),
    (ir.Concat, [(1, 2, 3), (1, 2, 1), (1, 2, 8)], None, dict(axis=2)),
    (ir.Concat, [(1, 5, 4, 3), (1, 2, 4, 3)], None, dict(axis=1)),
    (ir.Concat, [(1, 5, 4, 1), (1, 5, 9, 1)], None, dict(axis=2)),
    (ir.Split, [(1, 7)], [(1, 7)], dict(axis=1, sizes=(7,))),
    (ir.Split, [(1, 3, 9)], [(1, 3, 1), (1, 3, 6), (1, 3, 2)], dict(axis=2, sizes=(1, 6, 2))),
    (ir.Split, [(1, 4, 2, 2)], [(1, 2, 2, 2)] * 2, dict(axis=1, sizes=(2, 2))),
    (ir.StridedSlice, [(1, 9, 4)], None, dict(begin=(0, 8, 1), size=(1, 5, 2), stride=(1, -2, 2))),
    (ir.StridedSlice, [(1, 6, 5, 3)], None, dict(begin=(0, 5, 0, 2), size=(1, 2, 2, 2), stride=(1, -3, 2, -1))),
    (ir.StridedSlice, [(1, 30, 40)], None, dict(begin=(0, 1, 0), size=(1, 29, 40), stride=(1, 1, 1))),
    (ir.Transpose, [(1, 5)], None, dict(permutation=(0, 1))),
    (ir.Transpose, [(1, 5, 7)], None, dict(permutation=(0, 2, 1))),
    (ir.Transpose, [(1, 2, 3, 4, 5, 6)], None, dict(permutation=(0, 4, 1, 5, 3, 2))),
    (ir.Tile, [(1, 1, 1)], None, dict(multiples=(1, 4, 3))),
    (ir.Tile, [(1, 3, 2, 5)], None, dict(multiples=(1, 2, 3, 2))),
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0].kind}-{c[1]}".replace(" ", ""))
def test_equals_the_simulator(lib, case, dtype):
    op_type, shapes, outputs, fields = case
    assert_same(lib, layouts.graph_of(op_type, shapes, outputs, dtype, **fields))


PADDINGS = [
    ((0, 0),) * 4,
    ((0, 0), (1, 2), (0, 3), (0, 0)),
    ((0, 0), (0, 0), (2, 1), (3, 1)),
    ((0, 0), (5, 0), (0, 0), (0, 9)),
]


@pytest.mark.parametrize("value", [None, -128, 127, 0])
@pytest.mark.parametrize("paddings", PADDINGS)
def test_pad_on_any_axis_with_any_value(lib, paddings, value):
    assert_same(lib, layouts.graph_of(ir.Pad, [(1, 3, 4, 5)], paddings=paddings, value=value))


@st.composite
def random_graphs(draw):
    rank = draw(st.integers(1, 5))
    shape = (1, *(draw(st.integers(1, 6)) for _ in range(rank)))
    axes = range(1, rank + 1)
    dtype, kind = (
        draw(st.sampled_from(DTYPES)),
        draw(st.sampled_from(("concat", "split", "slice", "transpose", "tile"))),
    )
    axis = draw(st.sampled_from(axes))
    if kind == "concat":
        lengths = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
        return layouts.graph_of(
            ir.Concat, [(*shape[:axis], n, *shape[axis + 1 :]) for n in lengths], dtype=dtype, axis=axis
        )
    if kind == "split":
        cut = draw(st.integers(1, shape[axis]))
        sizes = (cut, shape[axis] - cut) if cut < shape[axis] else (cut,)
        outputs = [(*shape[:axis], n, *shape[axis + 1 :]) for n in sizes]
        return layouts.graph_of(ir.Split, [shape], outputs, dtype, axis=axis, sizes=sizes)
    if kind == "slice":
        begin, size, stride = [0], [1], [1]
        for n in shape[1:]:
            first, last = draw(st.integers(0, n - 1)), draw(st.integers(0, n - 1))
            step = draw(st.integers(1, 3)) * (1 if last >= first else -1)
            begin, size, stride = [*begin, first], [*size, (last - first) // step + 1], [*stride, step]
        return layouts.graph_of(ir.StridedSlice, [shape], None, dtype, begin=begin, size=tuple(size), stride=stride)
    if kind == "transpose":
        order = (0, *draw(st.permutations(list(axes))))
        return layouts.graph_of(ir.Transpose, [shape], None, dtype, permutation=order)
    return layouts.graph_of(ir.Tile, [shape], None, dtype, multiples=(1, *(draw(st.integers(1, 3)) for _ in axes)))


@settings(max_examples=400, deadline=None)
@given(graph=random_graphs(), seed=st.integers(0, 9))
def test_random_layouts(lib, graph, seed):
    try:
        kernel_for(graph.ops[0], graph, False)
    except UnsupportedLayerError:
        assert graph.ops[0].kind == "tile"
        return
    assert_same(lib, graph, seed)


@given(graph=random_graphs())
def test_data_bytes_are_those_packed(graph):
    try:
        kernel = kernel_for(graph.ops[0], graph, False)
    except UnsupportedLayerError:
        return
    sizes = [
        sum(array.nbytes for array in packed.arrays.values()) + STRUCT_BYTES[packed.params]
        for packed in pack_calls(graph.ops[0], graph, False)
    ]
    assert kernel.data_bytes == sum(sizes)


def test_neighbouring_axes_become_one_run():
    graph = layouts.graph_of(ir.StridedSlice, [(1, 30, 4, 5)], begin=(0, 2, 0, 0), size=(1, 28, 4, 5), stride=(1,) * 4)
    (copy,) = copies(graph.ops[0], graph)
    assert (copy.in_start, copy.out_start, copy.run, copy.axes) == (40, 0, 560, ())


def test_too_many_axes_are_refused():
    graph = layouts.graph_of(ir.Tile, [(1, 2, 2, 2, 2, 2)], multiples=(1, 2, 2, 2, 2, 2))
    with pytest.raises(UnsupportedLayerError, match="tile 'op' moves along 9 axes; the C runtime takes up to 8"):
        kernel_for(graph.ops[0], graph, False)
