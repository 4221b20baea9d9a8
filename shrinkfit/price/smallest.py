# SPDX-License-Identifier: Apache-2.0
"""A graph and a device in, out: the graph whose layers around the peak run in stripes of rows, so that it needs less RAM.

Each cut is planned as export plans it. Stripes cost cycles: rows that two of them need are computed twice or copied,
and every call has a beginning and an end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shrinkfit.device import Device
from shrinkfit.graph.ir import Graph
from shrinkfit.graph.stripes import Cut, are_local, can_cut, striped
from shrinkfit.price.arena import Plan, bound_bytes, plan
from shrinkfit.price.cycles import estimate
from shrinkfit.price.kernel import Choice
from shrinkfit.price.kernels import scratch_sizes, stack_bytes

# How often another peak is looked for, and how many cuts are planned for one.
ROUNDS, TRIED = 4, 48
# Into how many stripes an output is cut.
COUNTS = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 96, 128)
# What needs at most that much more RAM than the smallest counts as small as that, and cycles decide.
NEARLY = 1.01


@dataclass(frozen=True)
class Striping:
    """One cut, and what it gains and costs.

    Args:
        first, last: names of the operators that run in stripes, from one to the other.
        stripes: how many.
        rows: of the last one's output in a stripe.
        overlap: what happens to rows that two stripes need: "computed again" or "kept".
        arena_bytes_before, arena_bytes: without and with it.
        cycles_before, cycles: for one inference, by the cycle model; None where a kernel was not measured.
        macs_before, macs: multiply-accumulates of one inference.
    """

    first: str
    last: str
    stripes: int
    rows: int
    overlap: str
    arena_bytes_before: int
    arena_bytes: int
    cycles_before: int | None
    cycles: int | None
    macs_before: int
    macs: int

    @property
    def extra_cycles(self) -> int | None:
        """None where a kernel was not measured."""
        return None if self.cycles is None or self.cycles_before is None else self.cycles - self.cycles_before


@dataclass(frozen=True)
class _Found:
    """One graph, and what it takes."""

    graph: Graph
    plan: Plan
    ram_bytes: int
    cycles: int | None
    cut: Cut | None = None

    @classmethod
    def of(cls, graph: Graph, device: Device, cut: Cut | None = None) -> _Found:
        planned = plan(graph, scratch_sizes(graph, Choice.of(device)))
        ram_bytes = planned.arena_bytes + stack_bytes(graph, device)
        return cls(graph, planned, ram_bytes, estimate(graph, device).total, cut)

    @property
    def work(self) -> int:
        return self.graph.macs if self.cycles is None else self.cycles


def smallest(graph: Graph, device: Device) -> tuple[Graph, tuple[Striping, ...]]:
    """Cut a graph into stripes as long as that saves RAM.

    Args:
        graph: stays as it is.
        device: says which kernels run.
    Returns:
        the graph, `graph` itself where nothing is gained, and the cuts in their order.
    """
    best, cuts = _Found.of(graph, device), []
    for _ in range(ROUNDS):
        found = _best_cut(best, device)
        if found is None:
            break
        cuts.append(_striping(best, found))
        best = found
    return best.graph, tuple(cuts)


def _best_cut(before: _Found, device: Device) -> _Found | None:
    """The cut around the peak that leaves the least RAM; of those that leave nearly as little the fastest."""
    found: list[_Found] = []
    least, tried = before.ram_bytes, 0
    fixed = before.ram_bytes - before.plan.arena_bytes
    for floor, first, last in _regions(before):
        if floor + fixed >= least:
            break
        for cut in _cuts(before.graph, first, last):
            graph = striped(before.graph, cut)
            if graph is None or bound_bytes(graph, scratch_sizes(graph, Choice.of(device))) + fixed >= least * NEARLY:
                continue
            tried += 1
            found.append(_Found.of(graph, device, cut))
            least = min(least, found[-1].ram_bytes)
            if tried >= TRIED or found[-1].ram_bytes <= (floor + fixed) * NEARLY:
                break
        if tried >= TRIED:
            break
    good = [one for one in found if one.ram_bytes <= least * NEARLY and one.ram_bytes < before.ram_bytes]
    return min(good, key=lambda one: (one.work, one.ram_bytes), default=None)


def _regions(before: _Found) -> list[tuple[int, int, int]]:
    """(bytes that no cut of them goes below, first operator, last) around the peak, the most promising first."""
    graph, live = before.graph, before.plan.live_bytes
    ops = graph.ops
    peak = next(i for i, op in enumerate(ops) if op.name == before.plan.peak_op)
    found = []
    for first in range(peak, -1, -1):
        if not are_local(graph, first, peak):
            break
        for last in range(peak, len(ops)):
            if not are_local(graph, first, last):
                break
            if can_cut(graph, first, last):
                outside = [live[op.name] for i, op in enumerate(ops) if not first <= i <= last]
                ends = graph.tensors[ops[last].outputs[0]].size_bytes
                found.append((max([ends, *outside]), first, last))
    return sorted(found, key=lambda region: (region[0], region[2] - region[1]))


def _cuts(graph: Graph, first: int, last: int) -> Iterator[Cut]:
    """Few stripes first."""
    height = graph.tensors[graph.ops[last].outputs[0]].shape[1]
    for rows in dict.fromkeys(-(-height // count) for count in COUNTS if count <= height):
        for keep in (False, True):
            yield Cut(first, last, rows, keep)


def _striping(before: _Found, after: _Found) -> Striping:
    cut, graph = after.cut, before.graph
    first, last = graph.ops[cut.first], graph.ops[cut.last]
    height = graph.tensors[last.outputs[0]].shape[1]
    return Striping(
        first=first.name,
        last=last.name,
        stripes=-(-height // cut.rows),
        rows=cut.rows,
        overlap="kept" if cut.keep else "computed again",
        arena_bytes_before=before.plan.arena_bytes,
        arena_bytes=after.plan.arena_bytes,
        cycles_before=before.cycles,
        cycles=after.cycles,
        macs_before=graph.macs,
        macs=after.graph.macs,
    )
