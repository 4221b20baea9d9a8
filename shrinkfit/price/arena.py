# SPDX-License-Identifier: Apache-2.0
"""Lifetimes in, byte offsets out: where each tensor and scratch buffer of a graph lies in the arena.

An operator's output may lie over an input that nothing reads later, as far as its kernel allows (`overlap`).
Pure and deterministic: the same graph gives the same plan.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest

from shrinkfit.graph.ir import Graph
from shrinkfit.price.calls import held_by_variables, is_filled, roots
from shrinkfit.price.overlap import Overlap, combined, overlap
from shrinkfit.price.placement import Problem, place

ALIGNMENT = 8


@dataclass(frozen=True)
class Buffer:
    """Bytes that are needed from the first operator to the last one (indices, both included).

    What is kept after the run is needed up to the number of operators.
    """

    name: str
    size_bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class Plan:
    """Where everything lies.

    Args:
        offsets: tensor name -> byte offset in the arena; without constants, which lie in flash.
        scratch_offsets: operator name -> byte offset of its scratch buffer, for those that have one.
        arena_bytes: size of the arena.
        live_bytes: operator name -> bytes that are alive while it runs, state included; what its output can lie over
            counts once.
        peak_op: the operator with the most live bytes, the first of them.
        lower_bound_bytes: no plan can be smaller.
        state_offsets: variable name -> byte offset.
        state_bytes: the arena's first bytes, which keep the variables from run to run.
    """

    offsets: dict[str, int]
    scratch_offsets: dict[str, int]
    arena_bytes: int
    live_bytes: dict[str, int]
    peak_op: str
    lower_bound_bytes: int
    state_offsets: dict[str, int] = field(default_factory=dict)
    state_bytes: int = 0


def plan(graph: Graph, scratch: dict[str, int], quick: bool = False) -> Plan:
    """Place all tensors and scratch buffers so that no two that live together share bytes, but where a kernel's order
    of reads and writes allows it.

    Args:
        graph: the integer graph. Reshapes share their input's bytes, and reads their variable's where it does
            not change meanwhile; the model's inputs are given up after their last reader, its outputs are
            kept to the end.
        scratch: operator name -> bytes of scratch that its kernel needs.
        quick: whether a first good plan will do; it is never smaller than the usual one.
    """
    root_of, held = tensor_roots(graph), held_by_variables(graph)
    states, state_bytes = _state_offsets(graph)
    tensors = [b for b in tensor_buffers(graph, root_of) if b.name not in held]
    scratches = [
        Buffer(op.name, _aligned(scratch[op.name]), index, index)
        for index, op in enumerate(graph.ops)
        if scratch.get(op.name, 0) > 0
    ]
    problem = _problem(graph, root_of, tensors, scratches)
    places = [state_bytes + offset for offset in place(problem, quick)]
    # Behind the last buffer's end there may be operators that need nothing: reads of variables that nobody uses.
    live = {op.name: state_bytes + n for op, n in zip_longest(graph.ops, problem.live[: len(graph.ops)], fillvalue=0)}
    by_root = {b.name: offset for b, offset in zip(tensors, places, strict=False)}
    by_root |= {root: states[variable] for root, variable in held.items()}
    buffers = tensors + scratches
    return Plan(
        offsets={name: by_root[root] for name, root in root_of.items() if root not in graph.constants},
        scratch_offsets={b.name: o for b, o in zip(scratches, places[len(tensors) :], strict=True)},
        arena_bytes=max((b.size_bytes + o for b, o in zip(buffers, places, strict=True)), default=state_bytes),
        live_bytes=live,
        peak_op=max(live, key=live.__getitem__) if live else "",
        lower_bound_bytes=state_bytes + problem.bound,
        state_offsets=states,
        state_bytes=state_bytes,
    )


def _problem(graph: Graph, root_of: dict[str, str], tensors: list[Buffer], scratches: list[Buffer]) -> Problem:
    index = {b.name: i for i, b in enumerate(tensors)}
    gaps, in_place = [], []
    for (source, target), rule in overlaps(graph, root_of, tensors).items():
        if rule.in_place:
            in_place.append((index[source], index[target]))
        else:
            gaps.append((index[source], index[target], _aligned(rule.distance)))
    buffers = tensors + scratches
    spans = tuple((b.first, b.last) for b in buffers)
    return Problem(tuple(b.size_bytes for b in buffers), spans, tuple(gaps), tuple(in_place))


def overlaps(graph: Graph, root_of: dict[str, str], tensors: list[Buffer]) -> dict[tuple[str, str], Overlap]:
    """(root that is given up, root that is made) -> how far the second may lie over the first.

    Args:
        graph, root_of: the graph and its `tensor_roots`.
        tensors: those that get a place of their own: neither constants nor what a variable holds.
    """
    last, found = {b.name: b.last for b in tensors}, {}
    for index, op in enumerate(graph.ops):
        if op.kind == "reshape" or len(op.outputs) != 1 or op.outputs[0] not in last:
            continue
        read: dict[str, list[Overlap]] = {}
        for position, name in enumerate(op.inputs):
            # Who else reads it, under whatever name, has done so, and it is no output of the model.
            if last.get(root_of[name]) == index:
                read.setdefault(root_of[name], []).append(overlap(op, graph, position))
        rules = {root: combined(rules) for root, rules in read.items()}
        found |= {(root, op.outputs[0]): rule for root, rule in rules.items() if rule.allowed}
    return found


def _state_offsets(graph: Graph) -> tuple[dict[str, int], int]:
    """Variables lie first, one behind the other: what keeps them needs to know one number only."""
    offsets, total = {}, 0
    for name, variable in graph.variables.items():
        offsets[name] = total
        total += _aligned(variable.tensor.size_bytes)
    return offsets, total


def reset_fills(graph: Graph) -> list[tuple[int, int, int]]:
    """(offset, bytes, int8 value) of what a reset fills; neighbours with the same value are one."""
    fills: list[tuple[int, int, int]] = []
    offsets, _ = _state_offsets(graph)
    for name, variable in graph.variables.items():
        if not is_filled(variable):
            continue
        start, end = offsets[name], offsets[name] + variable.tensor.size_bytes
        value = int(variable.initial.view("int8").flat[0])
        if fills and fills[-1][2] == value and _aligned(sum(fills[-1][:2])) == start:
            start, _, _ = fills.pop()
        fills.append((start, end - start, value))
    return fills


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // ALIGNMENT) * ALIGNMENT


def tensor_roots(graph: Graph) -> dict[str, str]:
    """Tensor name -> the tensor whose bytes it uses: its own, or a reshape's input's."""
    return roots(graph)


def tensor_buffers(graph: Graph, root_of: dict[str, str]) -> list[Buffer]:
    """One buffer per root tensor that is no constant, over its whole life."""
    first = {name: 0 for name in graph.inputs}
    last = {root_of[name]: 0 for name in graph.inputs}
    for index, op in enumerate(graph.ops):
        for name in op.outputs:
            first.setdefault(root_of[name], index)
        for name in (*op.inputs, *op.outputs):
            last[root_of[name]] = index
    for name in graph.outputs:
        last[root_of[name]] = len(graph.ops)
    return [
        Buffer(name, _aligned(graph.tensors[name].size_bytes), start, last[name])
        for name, start in first.items()
        if name not in graph.constants
    ]
