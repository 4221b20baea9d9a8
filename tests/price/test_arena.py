# SPDX-License-Identifier: Apache-2.0
"""Laws of the planner, on chains and branches drawn at random."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shrinkfit.graph import ir
from shrinkfit.price.arena import ALIGNMENT, plan, tensor_buffers, tensor_roots


@st.composite
def graphs(draw):
    """Elementwise chains with skips and reshapes; sizes from 1 to 200 bytes."""
    size = draw(st.integers(1, 200))
    tensors = {"t0": ir.Tensor("t0", (1, size), 0.1, 0)}
    ops = []
    for i in range(1, draw(st.integers(2, 9))):
        last = f"t{i - 1}"
        kind = draw(st.sampled_from(["requantize", "add", "reshape", "dense"]))
        common = {"name": f"op{i}", "outputs": (f"t{i}",)}
        if kind == "add" and i > 1:
            others = [n for n, t in tensors.items() if t.shape == tensors[last].shape and n != last]
            op = ir.Add(inputs=(last, draw(st.sampled_from(others or [last]))), **common)
        elif kind == "reshape":
            op = ir.Reshape(inputs=(last,), shape=tensors[last].shape, **common)
        elif kind == "dense":
            shape = (draw(st.integers(1, 200)), tensors[last].shape[1])
            op = ir.Dense(
                inputs=(last,), kernel=np.zeros(shape, np.int8), bias=np.zeros(shape[0], np.int32),
                kernel_scales=np.ones(shape[0], np.float32), **common,
            )  # fmt: skip
        else:
            op = ir.Requantize(inputs=(last,), **common)
        tensors[f"t{i}"] = ir.Tensor(f"t{i}", op.output_shape(*(tensors[n].shape for n in op.inputs)), 0.1, 0)
        ops.append(op)
    return ir.Graph("g", tensors, ops, ("t0",), (f"t{len(ops)}",))


@settings(max_examples=200, deadline=None)
@given(graphs(), st.integers(0, 64))
def test_nothing_alive_overlaps(graph, scratch_bytes):
    scratch = {op.name: scratch_bytes for op in graph.ops if op.kind == "dense"}
    result = plan(graph, scratch)
    buffers = tensor_buffers(graph, tensor_roots(graph))
    places = [(b.first, b.last, result.offsets[b.name], b.size_bytes) for b in buffers]
    places += [
        (i, i, result.scratch_offsets[op.name], scratch_bytes)
        for i, op in enumerate(graph.ops)
        if op.name in result.scratch_offsets
    ]
    for i, (first, last, offset, size) in enumerate(places):
        assert offset % ALIGNMENT == 0 and offset + size <= result.arena_bytes
        for other_first, other_last, other, other_size in places[:i]:
            apart = last < other_first or other_last < first
            assert apart or offset + size <= other or other + other_size <= offset


@settings(max_examples=100, deadline=None)
@given(graphs())
def test_the_arena_is_at_least_the_peak_and_a_plan_is_reproducible(graph):
    result = plan(graph, {})
    assert result.lower_bound_bytes == max(result.live_bytes.values()) <= result.arena_bytes
    assert plan(graph, {}) == result


def test_a_reshape_shares_its_inputs_bytes_and_the_output_lives_to_the_end():
    tensors = {n: ir.Tensor(n, s, 0.1, 0) for n, s in (("x", (1, 16)), ("y", (1, 4, 4)), ("z", (1, 4, 4)))}
    ops = (
        ir.Reshape(name="r", inputs=("x",), outputs=("y",), shape=(1, 4, 4)),
        ir.Requantize(name="q", inputs=("y",), outputs=("z",)),
    )
    result = plan(ir.Graph("g", tensors, ops, ("x",), ("z",)), {})
    assert result.offsets["x"] == result.offsets["y"] != result.offsets["z"]
    assert result.arena_bytes == 32 and result.peak_op == "q"
