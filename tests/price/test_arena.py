# SPDX-License-Identifier: Apache-2.0
"""Laws of the planner, on chains and branches drawn at random."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shrinkfit.graph import ir
from shrinkfit.price import arena
from shrinkfit.price.arena import ALIGNMENT, overlaps, plan, tensor_buffers, tensor_roots


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
def test_nothing_alive_overlaps_but_where_a_kernel_allows_it(graph, scratch_bytes):
    scratch = {op.name: scratch_bytes for op in graph.ops if op.kind == "dense"}
    result, root_of = plan(graph, scratch), tensor_roots(graph)
    buffers = tensor_buffers(graph, root_of)
    allowed = overlaps(graph, buffers)
    places = [(b.first, b.last, result.offsets[b.name], b.size_bytes, b.name) for b in buffers]
    places += [
        (i, i, result.scratch_offsets[op.name], scratch_bytes, "scratch")
        for i, op in enumerate(graph.ops)
        if op.name in result.scratch_offsets
    ]
    for i, (first, last, offset, size, name) in enumerate(places):
        assert offset % ALIGNMENT == 0 and offset + size <= result.arena_bytes
        for other_first, other_last, other, other_size, other_name in places[:i]:
            apart = last < other_first or other_last < first
            behind = (other_name, name) in allowed and other - offset >= allowed[other_name, name].distance
            assert apart or behind or offset + size <= other or other + other_size <= offset


@settings(max_examples=100, deadline=None)
@given(graphs())
def test_the_arena_is_at_least_the_peak_and_a_plan_is_reproducible(graph):
    result = plan(graph, {})
    assert result.lower_bound_bytes == max(result.live_bytes.values()) <= result.arena_bytes
    assert plan(graph, {}) == result


@given(graphs())
def test_what_is_kept_of_the_wiring_says_the_same_as_the_graph(graph):
    where, rules, buffers = arena._tensors(graph)
    assert buffers == tensor_buffers(graph, tensor_roots(graph)) and rules == overlaps(graph, buffers)
    assert where.keys() == graph.tensors.keys()


def test_a_reshape_shares_its_inputs_bytes_and_the_output_lives_to_the_end():
    tensors = {n: ir.Tensor(n, s, 0.1, 0) for n, s in (("x", (1, 16)), ("y", (1, 4, 4)), ("z", (1, 4, 4)))}
    ops = (
        ir.Reshape(name="r", inputs=("x",), outputs=("y",), shape=(1, 4, 4)),
        ir.Requantize(name="q", inputs=("y",), outputs=("z",)),
    )
    result = plan(ir.Graph("g", tensors, ops, ("x",), ("z",)), {})
    assert result.offsets["x"] == result.offsets["y"] == result.offsets["z"]
    assert result.arena_bytes == 16 and result.peak_op == "r"


def relu_net(outputs, *reads):
    """A table over each of these tensors of 64 values; the tables write t1, t2, ..."""
    names = ["t0", *(f"t{i}" for i in range(1, len(reads) + 1))]
    ops = [
        ir.Add(name=f"op{i}", inputs=read, outputs=(f"t{i}",))
        if isinstance(read, tuple)
        else ir.Requantize(name=f"op{i}", inputs=(read,), outputs=(f"t{i}",))
        for i, read in enumerate(reads, 1)
    ]
    return ir.Graph("g", {n: ir.Tensor(n, (1, 64)) for n in names}, ops, ("t0",), outputs)


@pytest.mark.parametrize(
    ("outputs", "reads", "arena_bytes"),
    [
        (("t1",), ["t0"], 64),  # The input is given up.
        (("t0", "t1"), ["t0"], 128),  # It is an output of the model too.
        (("t1", "t2"), ["t0", "t1"], 128),  # What is read in place is an output of the model.
        (("t2",), ["t0", ("t0", "t1")], 128),  # Two readers; the last one may lie over both.
        (("t1",), [("t0", "t0")], 64),  # The same tensor twice.
        (("t3",), ["t0", "t0", ("t1", "t2")], 128),
        (("t1",), ["t0", "t1"], 128),  # Nobody reads t2, but it is written beside an output.
    ],
)
def test_who_may_lie_over_whom(outputs, reads, arena_bytes):
    result = plan(relu_net(outputs, *reads), {})
    assert result.arena_bytes == result.lower_bound_bytes == arena_bytes


def test_a_variable_and_what_is_read_in_place_from_it_are_never_written_over():
    variable = ir.Variable(ir.Tensor("v", (1, 64)), np.zeros((1, 64), np.int8))
    tensors = {n: ir.Tensor(n, (1, 64)) for n in ("x", "r", "y")}
    ops = (
        ir.ReadVariable(name="read", inputs=(), outputs=("r",), variable="v"),
        ir.Add(name="add", inputs=("x", "r"), outputs=("y",)),
    )
    result = plan(ir.Graph("g", tensors, ops, ("x",), ("y",), variables={"v": variable}), {})
    assert result.offsets["r"] == result.state_offsets["v"] == 0
    assert result.offsets["x"] == result.offsets["y"] == result.state_bytes == 64 and result.arena_bytes == 128


def test_a_constant_input_stays_in_flash():
    tensors = {n: ir.Tensor(n, (1, 64)) for n in ("x", "c", "y")}
    ops = (ir.Add(name="add", inputs=("x", "c"), outputs=("y",)),)
    graph = ir.Graph("g", tensors, ops, ("x",), ("y",), constants={"c": np.zeros((1, 64), np.int8)})
    assert plan(graph, {}).arena_bytes == 64


def test_a_repeated_input_is_not_written_over():
    tensors = {"x": ir.Tensor("x", (1, 1, 8)), "y": ir.Tensor("y", (1, 8, 1)), "z": ir.Tensor("z", (1, 8, 8))}
    ops = (ir.Mul(name="m", inputs=("x", "y"), outputs=("z",)),)
    assert plan(ir.Graph("g", tensors, ops, ("x", "y"), ("z",)), {}).arena_bytes == 64 + 8 + 8
