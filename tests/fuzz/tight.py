# SPDX-License-Identifier: Apache-2.0
"""A plan in which every output that may lie over an input lies over it as far as it may."""

from __future__ import annotations

from dataclasses import replace

from shrinkfit.graph import ir
from shrinkfit.price.arena import ALIGNMENT, Plan, overlaps, plan, tensor_buffers, tensor_roots
from shrinkfit.price.calls import is_cut, views

# A pixel of that many channels too much is noticed; kernels load words.
STEP = 4


def tight_plan(graph: ir.Graph, scratch: dict[str, int]) -> Plan:
    """As `plan`, for its offsets; nothing else shares bytes, so whatever is overwritten comes of an overlap."""
    usual, root_of, where = plan(graph, scratch), tensor_roots(graph), views(graph)
    sizes = {b.name: b.size_bytes for b in tensor_buffers(graph, root_of) if b.name in _placed(usual, graph)}
    tied = {target: (source, rule) for (source, target), rule in _pairs(graph, root_of, sizes).items()}
    relative: dict[str, tuple[str, int]] = {}
    for name in sorted(sizes, key=lambda name: name in tied) if is_cut(graph) else sizes:
        source, rule = tied.get(name, (None, None))
        head, offset = (name, 0) if source is None else relative[source]
        relative[name] = head, offset - (0 if rule is None or rule.in_place else _up(rule.distance, STEP))
    end, starts = usual.state_bytes, {}
    for head in dict.fromkeys(head for head, _ in relative.values()):
        members = [(offset, sizes[name]) for name, (own, offset) in relative.items() if own == head]
        lowest = min(offset for offset, _ in members)
        starts[head] = end - lowest
        end = _up(end + max(offset + size for offset, size in members) - lowest)
    offsets = {name: starts[head] + offset for name, (head, offset) in relative.items()}
    scratches = {}
    for name in usual.scratch_offsets:
        scratches[name], end = end, _up(end + scratch[name])
    every = {
        name: offsets[root_of[name]] + where[name].offset if root_of[name] in offsets else usual.offsets[name]
        for name in usual.offsets
    }
    return replace(usual, offsets=every, scratch_offsets=scratches, arena_bytes=end)


def _up(n: int, step: int = ALIGNMENT) -> int:
    return -(-n // step) * step


def _placed(usual: Plan, graph: ir.Graph) -> set[str]:
    """Roots that do not lie where a variable does."""
    return {name for name, offset in usual.offsets.items() if offset >= usual.state_bytes}


def _pairs(graph: ir.Graph, root_of: dict[str, str], sizes: dict[str, int]):
    """At most one input for each output, in the order of the operators. Where layers run in stripes more than two may
    live together, so there each has one partner at most."""
    tensors = [b for b in tensor_buffers(graph, root_of) if b.name in sizes]
    found = {}
    for (source, target), rule in overlaps(graph, tensors).items():
        taken = {name for pair in found for name in pair} if is_cut(graph) else {made for _, made in found}
        if target not in taken and not (is_cut(graph) and source in taken):
            found[source, target] = rule
    return found
