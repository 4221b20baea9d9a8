# SPDX-License-Identifier: Apache-2.0
"""Layers in stripes of rows give the same bits, whatever the cut."""

import numpy as np
import pytest

from shrinkfit.graph import ir, simulate
from shrinkfit.graph.rows import Cut, are_local, can_cut, loads
from shrinkfit.graph.stripes import striped
from tests.fuzz.cuts import cuts
from tests.runtime_c.graphs_arithmetic import inputs_for
from tests.write import nets

NETS = [nets.image(), nets.skips(), nets.residual(1, (14, 8), 8), nets.chain(2, 24, 4, 8), nets.decoder()]


@pytest.mark.parametrize("graph", NETS, ids=lambda g: g.name)
def test_every_cut_gives_the_same_bits(graph):
    inputs = np.stack([inputs_for(graph, np.random.default_rng(i))[graph.inputs[0]] for i in range(2)])
    expected, found = simulate.trace(graph, inputs), cuts(graph)
    assert found
    for cut in found[:: max(len(found) // 25, 1)]:
        other = striped(graph, cut)
        if other is not None:
            got = simulate.trace(other, inputs)
            for name in set(other.tensors) & set(graph.tensors):
                np.testing.assert_array_equal(got[name], expected[name], err_msg=f"{cut} {name}")


@pytest.mark.parametrize(("keep", "more"), [(True, False), (False, True)])
def test_rows_that_two_stripes_need_are_kept_or_computed_again(keep, more):
    graph = nets.image()
    other = striped(graph, Cut(0, 3, 2, keep))
    assert (other.macs > graph.macs) == more
    assert any(op.kind == "strided_slice" and not op.in_place for op in other.ops) == keep


def test_the_rows_that_stripes_make_are_those_of_the_output():
    graph, cut = nets.image(), Cut(0, 3, 3, True)
    target = graph.ops[3].outputs[0]
    made = [load.new[target] for load in loads(graph, cut)]
    assert made == [(0, 3), (3, 6), (6, 8)]
    other = striped(graph, cut)
    (joined,) = (op for op in other.ops if op.outputs == (target,))
    assert joined.in_place and [other.tensors[name].shape[1] for name in joined.inputs] == [3, 3, 2]


def test_what_is_read_behind_the_region_or_looks_at_all_rows_is_not_cut():
    graph = nets.skips()
    kinds = [op.kind for op in graph.ops]
    assert kinds[:4] == ["conv2d", "conv2d", "conv2d", "add"]
    assert can_cut(graph, 0, 3) and not can_cut(graph, 0, 2) and not can_cut(graph, 0, 1)
    assert not are_local(graph, kinds.index("mean"), kinds.index("mean"))


@pytest.mark.parametrize(
    ("begin", "size", "message"), [((0, 1, 0), (1, 2, 3), ""), ((0, 0, 1), (1, 3, 2), "lie apart")]
)
def test_only_one_piece_of_a_tensor_is_sliced_in_place(begin, size, message):
    op = ir.StridedSlice(
        name="s", inputs=("x",), outputs=("y",), begin=begin, size=size, stride=(1, 1, 1), in_place=True
    )
    tensors = {"x": ir.Tensor("x", (1, 4, 3)), "y": ir.Tensor("y", size)}
    if not message:
        assert ir.Graph("g", tensors, (op,), ("x",), ("y",)).ops == (op,)
        return
    with pytest.raises(ir.GraphError, match=message):
        ir.Graph("g", tensors, (op,), ("x",), ("y",))
