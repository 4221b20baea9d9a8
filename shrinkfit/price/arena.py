# SPDX-License-Identifier: Apache-2.0
"""Lifetimes in, byte offsets out: where each tensor and scratch buffer of a graph lies in the arena.

Pure and deterministic: the same graph gives the same plan.
"""

from __future__ import annotations

from dataclasses import dataclass

from shrinkfit.graph.ir import Graph

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
        offsets: tensor name -> byte offset in the arena.
        scratch_offsets: operator name -> byte offset of its scratch buffer, for those that have one.
        arena_bytes: size of the arena.
        live_bytes: operator name -> bytes that are alive while it runs.
        peak_op: the operator with the most live bytes, the first of them.
        lower_bound_bytes: no plan without overlaps can be smaller.
    """

    offsets: dict[str, int]
    scratch_offsets: dict[str, int]
    arena_bytes: int
    live_bytes: dict[str, int]
    peak_op: str
    lower_bound_bytes: int


def plan(graph: Graph, scratch: dict[str, int]) -> Plan:
    """Place all tensors and scratch buffers so that no two that live together overlap.

    Args:
        graph: the integer graph. Reshapes share their input's bytes; the model's inputs are given
            up after their last reader, its outputs are kept to the end.
        scratch: operator name -> bytes of scratch that its kernel needs.
    """
    roots = tensor_roots(graph)
    tensors = tensor_buffers(graph, roots)
    scratches = [
        Buffer(op.name, _aligned(scratch[op.name]), index, index)
        for index, op in enumerate(graph.ops)
        if scratch.get(op.name, 0) > 0
    ]
    buffers = tensors + scratches
    live = {
        op.name: sum(b.size_bytes for b in buffers if b.first <= index <= b.last) for index, op in enumerate(graph.ops)
    }
    bound = max(live.values(), default=max(b.size_bytes for b in buffers))
    places = _place_best(buffers, bound)
    by_tensor = dict(zip((b.name for b in tensors), places, strict=False))
    return Plan(
        offsets={name: by_tensor[root] for name, root in roots.items()},
        scratch_offsets={b.name: o for b, o in zip(scratches, places[len(tensors) :], strict=True)},
        arena_bytes=max(b.size_bytes + o for b, o in zip(buffers, places, strict=True)),
        live_bytes=live,
        peak_op=max(live, key=live.__getitem__) if live else "",
        lower_bound_bytes=bound,
    )


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // ALIGNMENT) * ALIGNMENT


def tensor_roots(graph: Graph) -> dict[str, str]:
    """Tensor name -> the tensor whose bytes it uses: its own, or a reshape's input's."""
    roots = {name: name for name in graph.inputs}
    for op in graph.ops:
        for name in op.outputs:
            roots[name] = roots[op.inputs[0]] if op.kind == "reshape" else name
    return roots


def tensor_buffers(graph: Graph, roots: dict[str, str]) -> list[Buffer]:
    """One buffer per root tensor, over its whole life."""
    first = {name: 0 for name in graph.inputs}
    last = {roots[name]: 0 for name in graph.inputs}
    for index, op in enumerate(graph.ops):
        for name in op.outputs:
            first.setdefault(roots[name], index)
        for name in (*op.inputs, *op.outputs):
            last[roots[name]] = index
    for name in graph.outputs:
        last[roots[name]] = max(len(graph.ops) - 1, 0)
    return [Buffer(name, _aligned(graph.tensors[name].size_bytes), first[name], last[name]) for name in first]


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
