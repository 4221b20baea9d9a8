# SPDX-License-Identifier: Apache-2.0
"""Lifetimes in, byte offsets out: where each tensor and scratch buffer of a graph lies in the arena.

Pure and deterministic: the same graph gives the same plan.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from shrinkfit.graph.ir import Graph
from shrinkfit.price.calls import held_by_variables, is_filled, roots

ALIGNMENT = 8


@dataclass(frozen=True)
class Buffer:
    """Bytes that are needed from the first operator to the last one (indices, both included)."""

    name: str
    size_bytes: int
    first: int
    last: int

    def overlaps(self, other: Buffer) -> bool:
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Plan:
    """Where everything lies.

    Args:
        offsets: tensor name -> byte offset in the arena; without constants, which lie in flash.
        scratch_offsets: operator name -> byte offset of its scratch buffer, for those that have one.
        arena_bytes: size of the arena.
        live_bytes: operator name -> bytes that are alive while it runs, state included.
        peak_op: the operator with the most live bytes, the first of them.
        lower_bound_bytes: no plan without overlaps can be smaller.
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


def plan(graph: Graph, scratch: dict[str, int]) -> Plan:
    """Place all tensors and scratch buffers so that no two that live together overlap.

    Args:
        graph: the integer graph. Reshapes share their input's bytes, and reads their variable's where it does
            not change meanwhile; the model's inputs are given up after their last reader, its outputs are
            kept to the end.
        scratch: operator name -> bytes of scratch that its kernel needs.
    """
    root_of, held = tensor_roots(graph), held_by_variables(graph)
    states, state_bytes = _state_offsets(graph)
    tensors = [b for b in tensor_buffers(graph, root_of) if b.name not in held]
    scratches = [
        Buffer(op.name, _aligned(scratch[op.name]), index, index)
        for index, op in enumerate(graph.ops)
        if scratch.get(op.name, 0) > 0
    ]
    buffers = tensors + scratches
    live = {
        op.name: state_bytes + sum(b.size_bytes for b in buffers if b.first <= index <= b.last)
        for index, op in enumerate(graph.ops)
    }
    bound = max(live.values(), default=state_bytes + max((b.size_bytes for b in buffers), default=0))
    places = [state_bytes + place for place in _place_best(buffers, bound - state_bytes)]
    by_root = {b.name: place for b, place in zip(tensors, places, strict=False)}
    by_root |= {root: states[variable] for root, variable in held.items()}
    return Plan(
        offsets={name: by_root[root] for name, root in root_of.items() if root not in graph.constants},
        scratch_offsets={b.name: o for b, o in zip(scratches, places[len(tensors) :], strict=True)},
        arena_bytes=max((b.size_bytes + o for b, o in zip(buffers, places, strict=True)), default=state_bytes),
        live_bytes=live,
        peak_op=max(live, key=live.__getitem__) if live else "",
        lower_bound_bytes=bound,
        state_offsets=states,
        state_bytes=state_bytes,
    )


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
        last[root_of[name]] = max(len(graph.ops) - 1, 0)
    return [
        Buffer(name, _aligned(graph.tensors[name].size_bytes), start, last[name])
        for name, start in first.items()
        if name not in graph.constants
    ]


def _place_best(buffers: list[Buffer], bound: int) -> list[int]:
    """Offsets by the best of a few greedy orders; ends at once where one reaches the lower bound."""
    orders = (
        lambda b: (-b.size_bytes, b.first),
        lambda b: (-b.size_bytes * (b.last - b.first + 1), b.first),
        lambda b: (b.first, -b.size_bytes),
        lambda b: (-(b.last - b.first), -b.size_bytes),
    )
    best: list[int] = []
    best_bytes = None
    if not buffers:
        return best
    for key in orders:
        order = sorted(range(len(buffers)), key=lambda i: (key(buffers[i]), i))
        places = _place(buffers, order)
        total = max(b.size_bytes + o for b, o in zip(buffers, places, strict=True))
        if best_bytes is None or total < best_bytes:
            best, best_bytes = places, total
        if best_bytes <= bound:
            break
    return best


def _place(buffers: list[Buffer], order: list[int]) -> list[int]:
    """Each buffer in turn at the lowest offset where it touches none that live with it."""
    places: dict[int, int] = {}
    for i in order:
        taken = sorted(
            (places[j], places[j] + buffers[j].size_bytes) for j in places if buffers[i].overlaps(buffers[j])
        )
        offset = 0
        for start, end in taken:
            if start - offset >= buffers[i].size_bytes:
                break
            offset = max(offset, end)
        places[i] = offset
    return [places[i] for i in range(len(buffers))]
