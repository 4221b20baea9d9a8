# SPDX-License-Identifier: Apache-2.0
"""A graph and a device in, out: the graph whose layers around the peak run in stripes of rows, to need less RAM.

Each cut is planned as export plans it. Stripes cost cycles: rows that two of them need are computed twice or copied,
and every call has a beginning and an end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import log

from shrinkfit._progress import step
from shrinkfit.device import Device
from shrinkfit.errors import ShrinkfitError
from shrinkfit.graph.ir import Graph
from shrinkfit.graph.rows import Cut, Load, Rows, are_local, can_cut, loads
from shrinkfit.graph.stripes import striped
from shrinkfit.price.arena import Plan, plan
from shrinkfit.price.cycles import estimate
from shrinkfit.price.kernel import Choice
from shrinkfit.price.kernels import scratch_sizes
from shrinkfit.price.linked import stack_bytes

SMALLEST = "smallest"
# How often another peak is looked for, and how many cuts are planned for one.
ROUNDS, TRIED = 4, 14
# Into how many stripes an output is cut.
COUNTS = (2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 48, 64)
# What needs at most that much more RAM than the smallest counts as small as that, and cycles decide; a cut saves more.
NEARLY = 1.02


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

    def __str__(self) -> str:
        extra, before = self.extra_cycles, self.cycles_before
        cycles = f"{extra:+,} cycles ({extra / before:+.1%})" if extra is not None and before else "cycles not known"
        layers = f"'{self.first}'" if self.first == self.last else f"'{self.first}' to '{self.last}'"
        return (
            f"{layers} in {self.stripes} stripes of {self.rows} rows, rows of two stripes {self.overlap}: "
            f"arena {self.arena_bytes_before:,} -> {self.arena_bytes:,} bytes, {cycles}"
        )


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


def checked_ram(ram: str | None) -> str | None:
    """What `price` and `export` are told about RAM.

    Raises:
        ShrinkfitError: it is neither "smallest" nor None.
    """
    if ram not in (None, SMALLEST):
        raise ShrinkfitError(f"ram is {ram!r}; expected {SMALLEST!r}, or None for layers in one piece")
    return ram


def with_ram(graph: Graph, device: Device, ram: str | None) -> tuple[Graph, tuple[Striping, ...]]:
    """`smallest` where ram is "smallest"; the graph as it is where it is None."""
    if checked_ram(ram) is None:
        return graph, ()
    step("looking for stripes that save RAM")
    return smallest(graph, device)


def smallest(graph: Graph, device: Device) -> tuple[Graph, tuple[Striping, ...]]:
    """Cut a graph into stripes as long as that saves RAM.

    Args:
        graph: stays as it is.
        device: says which kernels run.
    Returns:
        the graph, `graph` itself where nothing is gained, and the cuts in their order.
    """
    best, whole = _Found.of(graph, device), frozenset(op.name for op in graph.ops)
    cuts: list[Striping] = []
    for _ in range(ROUNDS):
        found = _best_cut(best, device, whole)
        if found is None:
            break
        cuts.append(_striping(best, found))
        best = found
    return best.graph, tuple(cuts)


def _best_cut(before: _Found, device: Device, whole: frozenset[str]) -> _Found | None:
    """The cut around the peak that leaves the least RAM; of those that leave nearly as little the fastest.

    Args:
        whole: names of the operators that may be cut: no stripes.
    """
    fixed = before.ram_bytes - before.plan.arena_bytes
    least, found = round(before.ram_bytes / NEARLY), list[_Found]()
    for guess in _guesses(before, whole):
        if len(found) == TRIED:
            break
        bytes_, fastest = guess.arena_bytes + fixed, min((one.graph.macs for one in found), default=0)
        if bytes_ >= least or (found and bytes_ * NEARLY >= least and guess.macs >= fastest):
            continue
        cut = striped(before.graph, guess.cut)
        if cut is not None:
            found.append(_Found.of(cut, device, guess.cut))
            least = min(least, found[-1].ram_bytes)
    good = [one for one in found if one.ram_bytes <= min(least * NEARLY, before.ram_bytes / NEARLY)]
    return min(good, key=lambda one: (one.work, one.ram_bytes), default=None)


@dataclass(frozen=True)
class _Guess:
    """A cut that nobody has planned: it takes at least so many bytes, and so many multiply-accumulates."""

    cut: Cut
    arena_bytes: int
    macs: int


def _guesses(before: _Found, whole: frozenset[str]) -> list[_Guess]:
    """The most promising first; among those that promise nearly the same, the least work."""
    found = [guess for region in _regions(before, whole) for guess in _guesses_of(before.graph, *region)]
    found = [guess for guess in found if guess.arena_bytes < before.plan.arena_bytes]
    return sorted(found, key=lambda guess: (round(log(guess.arena_bytes, NEARLY)), guess.macs, guess.arena_bytes))


def _regions(before: _Found, whole: frozenset[str]) -> Iterator[tuple[int, int, int]]:
    """(bytes that other operators need, first operator, last) of all that can be cut around the peak."""
    graph, live = before.graph, before.plan.live_bytes
    ops = graph.ops
    peak = next(i for i, op in enumerate(ops) if op.name == before.plan.peak_op)
    for first in range(peak, -1, -1):
        if ops[first].name not in whole or not are_local(graph, first, first):
            break
        for last in range(peak, len(ops)):
            if ops[last].name not in whole or not are_local(graph, last, last):
                break
            if can_cut(graph, first, last):
                outside = [live[op.name] for i, op in enumerate(ops) if not first <= i <= last]
                yield max(outside, default=0), first, last


def _guesses_of(graph: Graph, outside_bytes: int, first: int, last: int) -> Iterator[_Guess]:
    height = graph.tensors[graph.ops[last].outputs[0]].shape[1]
    for rows in dict.fromkeys(-(-height // count) for count in COUNTS if count <= height):
        for keep, early in ((False, False), (True, False), (True, True)):
            guess = _guess(graph, Cut(first, last, rows, keep, early), outside_bytes)
            if guess is not None:
                yield guess


def _guess(graph: Graph, cut: Cut, outside_bytes: int) -> _Guess | None:
    """None where there is no such cut."""
    stripes = loads(graph, cut)
    if not stripes:
        return None
    inside = max(_live_bytes(graph, cut, *pair) for pair in zip(stripes, [*stripes[1:], None], strict=True))
    return _Guess(cut, max(outside_bytes, inside), _macs(graph, cut, stripes))


def _live_bytes(graph: Graph, cut: Cut, load: Load, following: Load | None) -> int:
    """At least so much lives in a stripe: what is left of the inputs, what is done of the output, rows inside."""
    ops = graph.ops[cut.first : cut.last + 1]
    target = ops[-1].outputs[0]
    outer, alive, peak = _bytes(graph, target, (0, load.needed[target][0])), {}, 0
    for name, (start, _) in load.read.items():
        end = graph.tensors[name].shape[1]
        left = min(following.read[name][0], end) if following is not None and name in following.read else end
        alive[name], outer = _bytes(graph, name, (start, left)), outer + _bytes(graph, name, (left, end))
    last = {name: place for place, op in enumerate(ops) for name in op.inputs}
    sizes = {name: _bytes(graph, name, rows) for name, rows in load.needed.items()}
    # What is kept for the next stripe is at least as much as came from the one before.
    kept = {name: sizes[name] - _bytes(graph, name, load.new[name] or (0, 0)) for name in sizes}
    for place, op in enumerate(ops):
        (name,) = op.outputs
        if name in sizes:
            given_up = sum(alive.get(source, 0) for source in set(op.inputs) if last[source] == place)
            waiting = sum(kept[other] for other in sizes if other not in alive and other != name)
            peak = max(peak, sum(alive.values()) + waiting - given_up + max(given_up, sizes[name]))
            alive[name] = sizes[name]
            alive = {n: kept.get(n, 0) if last.get(n) == place else size for n, size in alive.items()}
    return outer + peak


def _bytes(graph: Graph, name: str, rows: Rows) -> int:
    tensor = graph.tensors[name]
    return (rows[1] - rows[0]) * tensor.size_bytes // tensor.shape[1]


def _macs(graph: Graph, cut: Cut, stripes: list[Load]) -> int:
    """Of the whole graph when cut so."""
    total = graph.macs
    for op in graph.ops[cut.first : cut.last + 1]:
        (name,) = op.outputs
        rows = sum(high - low for low, high in (load.new.get(name) or (0, 0) for load in stripes))
        total += graph.op_macs(op) * rows // graph.tensors[name].shape[1] - graph.op_macs(op)
    return total


def _striping(before: _Found, after: _Found) -> Striping:
    cut, graph = after.cut, before.graph
    assert cut is not None, "only cuts are tried"
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
