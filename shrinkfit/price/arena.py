# SPDX-License-Identifier: Apache-2.0
"""Lifetimes in, byte offsets out: where each tensor and scratch buffer of a graph lies in the arena.

An operator's output may lie over an input that nothing reads later, as far as its kernel allows (`overlap`).
Pure and deterministic: the same graph gives the same plan.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, repeat
from typing import Any

from shrinkfit.graph.ir import Graph
from shrinkfit.price.calls import View, held_by_variables, is_cut, is_filled, roots, views
from shrinkfit.price.overlap import Overlap
from shrinkfit.price.placement import Problem, covered, place
from shrinkfit.price.uses import given_up, last_uses, pairs, roots_in_use

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
        graph: the integer graph. Reshapes and in-place slices share their input's bytes, what an in-place
            concatenation joins its output's, and reads their variable's where it does not change meanwhile; the
            model's inputs are given up after their last reader, its outputs are kept to the end.
        scratch: operator name -> bytes of scratch that its kernel needs.
        quick: whether a first good plan will do; it is never smaller than the usual one.
    """
    held = held_by_variables(graph) if graph.variables else {}
    states, state_bytes = _state_offsets(graph)
    where, rules, tensors = _tensors(graph)
    scratches = [
        Buffer(op.name, _aligned(scratch[op.name]), index, index)
        for index, op in enumerate(graph.ops)
        if scratch.get(op.name, 0) > 0
    ]
    problem = _problem(rules, tensors, scratches)
    places = [state_bytes + offset for offset in place(problem, quick)]
    # Behind the last buffer's end there may be operators that need nothing: reads of variables that nobody uses.
    bytes_ = covered(problem, places) if is_cut(graph) else problem.live
    live = {op.name: state_bytes + n for op, n in zip(graph.ops, chain(bytes_, repeat(0)), strict=False)}
    by_root = {b.name: offset for b, offset in zip(tensors, places, strict=False)}
    by_root |= {root: states[variable] for root, variable in held.items()}
    buffers = tensors + scratches
    return Plan(
        offsets={n: by_root[view.root] + view.offset for n, view in where.items() if view.root not in graph.constants},
        scratch_offsets={b.name: o for b, o in zip(scratches, places[len(tensors) :], strict=True)},
        arena_bytes=max((b.size_bytes + o for b, o in zip(buffers, places, strict=True)), default=state_bytes),
        live_bytes=live,
        peak_op=max(live, key=live.__getitem__) if live else "",
        lower_bound_bytes=state_bytes + problem.bound,
        state_offsets=states,
        state_bytes=state_bytes,
    )


@dataclass(frozen=True)
class _Wiring:
    """Which operators read and make which tensors; while a model is fitted, all graphs have the same.

    Args:
        of: all that follows from.
        graph: one that has it.
    """

    of: tuple[Any, ...]
    graph: Graph = field(compare=False)

    @classmethod
    def in_graph(cls, graph: Graph) -> _Wiring:
        ops = tuple([(op.kind, op.inputs, op.outputs) for op in graph.ops])
        return cls((graph.inputs, graph.outputs, tuple(graph.constants), ops), graph)


@dataclass(frozen=True, eq=False)
class _Frame:
    """What a wiring says about the plan.

    Args:
        where: the graph's `views`.
        lives: (tensor, first, last), of those that get a place.
        overlaps: (tensor, the one that may lie over it, index of the operator that makes that, which of its inputs).
    """

    where: dict[str, View]
    lives: tuple[tuple[str, int, int], ...]
    overlaps: tuple[tuple[str, str, int, tuple[int, ...]], ...]


def _is_whole(graph: Graph) -> bool:
    """Whether no tensor lies in a part of another, or in a variable."""
    return not graph.variables and not is_cut(graph)


@lru_cache(maxsize=2)
def _frame(wiring: _Wiring) -> _Frame:
    graph, where = wiring.graph, views(wiring.graph)
    buffers = tensor_buffers(graph, tensor_roots(graph))
    found = last_uses(graph, where, roots_in_use(graph, where, {b.name for b in buffers}))
    over = [(a, b, i, tuple(k for k, n in enumerate(graph.ops[i].inputs) if where[n].root == a)) for a, b, i in found]
    return _Frame(where, tuple((b.name, b.first, b.last) for b in buffers), tuple(over))


# An export plans one graph for every known part.
@lru_cache(maxsize=2)
def _tensors(graph: Graph) -> tuple[dict[str, View], dict[tuple[str, str], Overlap], list[Buffer]]:
    """The graph's `views`; what may overlap; tensors that get a place."""
    if not _is_whole(graph):
        held = held_by_variables(graph)
        tensors = [b for b in tensor_buffers(graph, tensor_roots(graph)) if b.name not in held]
        return views(graph), overlaps(graph, tensors), tensors
    frame = _frame(_Wiring.in_graph(graph))
    tensors = [Buffer(n, _aligned(graph.tensors[n].size_bytes), first, last) for n, first, last in frame.lives]
    rules = {(a, b): given_up(graph.ops[i], graph, i, positions) for a, b, i, positions in frame.overlaps}
    return frame.where, {pair: rule for pair, rule in rules.items() if rule.allowed}, tensors


def _problem(rules: dict[tuple[str, str], Overlap], tensors: list[Buffer], scratches: list[Buffer]) -> Problem:
    index = {b.name: i for i, b in enumerate(tensors)}
    gaps, in_place = [], []
    for (source, target), rule in rules.items():
        if rule.in_place:
            in_place.append((index[source], index[target]))
        elif rule.distance is not None:
            gaps.append((index[source], index[target], _aligned(rule.distance)))
    buffers = tensors + scratches
    spans = tuple((b.first, b.last) for b in buffers)
    return Problem(tuple(b.size_bytes for b in buffers), spans, tuple(gaps), tuple(in_place))


def overlaps(graph: Graph, tensors: list[Buffer]) -> dict[tuple[str, str], Overlap]:
    """(root, root that is made while its bytes are given up) -> how far the second may lie over the first.

    Args:
        tensors: those that get a place of their own: neither constants nor what a variable holds.
    """
    where = views(graph)
    found = pairs(graph, where, roots_in_use(graph, where, {b.name for b in tensors}))
    return {(a.name, b.name): rule for a, b, rule in found}


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
