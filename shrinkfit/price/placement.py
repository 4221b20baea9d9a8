# SPDX-License-Identifier: Apache-2.0
"""Sizes, lifetimes and allowed overlaps in, byte offsets out: as few bytes as can be found.

Deterministic: a few greedy orders, which are then repaired where the peak stands, and on small problems a search
that goes through all orders unless it runs out of nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

# Units of a problem on which all orders are searched, and how many partial orders that may look at.
SEARCHED_UNITS, SEARCHED_NODES = 24, 400
# How often a greedy order is repaired, and on how many in-place pairs apart is tried.
REPAIRS, PAIRS_TRIED = 12, 8
# Of more units than that one pair around the peak is.
MANY_UNITS = 72
# Times the bound: what a quick plan may take without another try; and how many orders it tries at most.
GOOD_ENOUGH = 1.04
QUICK_ORDERS = 3


@dataclass(frozen=True)
class Problem:
    """What has to be placed.

    Args:
        sizes: bytes of each buffer, in steps in which offsets are wanted too.
        spans: (first, last) moment in which each is needed, both included.
        gaps: (a, b, bytes): a's offset may lie that little above b's, instead of b's size, though both live.
        in_place: (a, b): both may have the same offset, though both live.
    """

    sizes: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    gaps: tuple[tuple[int, int, int], ...] = ()
    in_place: tuple[tuple[int, int], ...] = ()

    @property
    def moments(self) -> list[list[int]]:
        """Moment -> buffers alive."""
        return _moments(self.spans)

    @cached_property
    def live(self) -> list[int]:
        """Moment -> bytes that no plan can do without, what may overlap counted once."""
        over: dict[int, list[tuple[int, int]]] = {}
        for a, b, gap in (*self.gaps, *((a, b, 0) for a, b in self.in_place)):
            over.setdefault(b, []).append((a, gap))
        sizes, spans, moments = self.sizes, self.spans, self.moments
        bytes_, overlapped = [sum([sizes[i] for i in alive]) for alive in moments], set()
        for b, under in over.items():
            end = max(spans[a][1] for a, _ in under)
            for moment in range(spans[b][0], min(spans[b][1], end) + 1):
                sides = [(a, gap) for a, gap in under if spans[a][0] <= moment <= spans[a][1]]
                if sides:
                    both, gap = sum(sizes[a] for a, _ in sides), min(gap for _, gap in sides)
                    bytes_[moment] -= both + sizes[b] - max(sizes[b], gap + both)
                    overlapped.add(moment)
        for moment in overlapped:
            bytes_[moment] = max(bytes_[moment], *(sizes[i] for i in moments[moment]))
        return bytes_

    @cached_property
    def bound(self) -> int:
        """Bytes below which there is no plan."""
        return max(self.live, default=0)


# While a model is fitted, all problems have the same spans.
@lru_cache(maxsize=8)
def _moments(spans: tuple[tuple[int, int], ...]) -> list[list[int]]:
    end = max((last for _, last in spans), default=-1) + 1
    alive: list[list[int]] = [[] for _ in range(end)]
    for i, (first, last) in enumerate(spans):
        for moment in range(first, last + 1):
            alive[moment].append(i)
    return alive


@lru_cache(maxsize=8)
def _tied(
    spans: tuple[tuple[int, int], ...], pairs: tuple[tuple[int, int], ...]
) -> tuple[list[int], list[tuple[int, int]]]:
    """The unit of each buffer, where pairs share one; the units' spans."""
    unit_of = list(range(len(spans)))
    for a, b in pairs:
        old, new = unit_of[b], unit_of[a]
        unit_of = [new if unit == old else unit for unit in unit_of]
    names = {unit: k for k, unit in enumerate(dict.fromkeys(unit_of))}
    unit_of = [names[unit] for unit in unit_of]
    own = [(len(_moments(spans)), -1)] * len(names)
    for (first, last), unit in zip(spans, unit_of, strict=True):
        own[unit] = min(own[unit][0], first), max(own[unit][1], last)
    return unit_of, own


@lru_cache(maxsize=8)
def _couples(
    spans: tuple[tuple[int, int], ...], pairs: tuple[tuple[int, int], ...]
) -> tuple[list[tuple[int, int, int, int]], list[tuple[int, int, list[tuple[int, int]]]]]:
    """Units (u, v) that live at the same time: those of which one buffer each does, (u, v, i, j); all others, with
    their buffers."""
    unit_of, _ = _tied(spans, pairs)
    found: dict[tuple[int, int], dict[tuple[int, int], None]] = {}
    for alive in _moments(spans):
        for k, i in enumerate(alive):
            for j in alive[:k]:
                (u, a), (v, b) = sorted(((unit_of[i], i), (unit_of[j], j)))
                if u != v:
                    found.setdefault((u, v), {})[a, b] = None
    singles = [(u, v, *next(iter(own))) for (u, v), own in found.items() if len(own) == 1]
    return singles, [(u, v, list(own)) for (u, v), own in found.items() if len(own) > 1]


@lru_cache(maxsize=4096)
def place(problem: Problem, quick: bool = False) -> tuple[int, ...]:
    """One offset per buffer.

    Args:
        problem: what has to be placed.
        quick: whether a first good plan will do; it is never smaller than the usual one.
    """
    pairs, bound = problem.in_place, problem.bound
    units = _Units(problem, pairs)
    best = units.greedy(bound, quick)
    if quick:
        return tuple(best[unit] for unit in units.unit_of)
    # In place a buffer also has to be where its partner fits: it may do better on its own.
    tried, most = pairs, PAIRS_TRIED
    if units.count > MANY_UNITS:
        near, most = units.near_the_peak(best), 1
        tried = tuple(pair for pair in pairs if units.unit_of[pair[0]] in near)
    for apart in sorted(tried, key=lambda pair: (-max(problem.sizes[i] for i in pair), pair))[:most]:
        if units.peak(best) <= bound:
            break
        fewer = tuple(pair for pair in pairs if pair != apart)
        others = _Units(problem, fewer)
        found = others.greedy(bound)
        if others.peak(found) < units.peak(best):
            best, pairs, units = found, fewer, others
    if units.peak(best) > bound and units.count <= SEARCHED_UNITS:
        best = _Search(units, bound, best).run()
    return tuple(best[unit] for unit in units.unit_of)


def covered(problem: Problem, places: list[int]) -> list[int]:
    """Moment -> bytes of all that is alive where it has been placed, what overlaps counted once."""
    found = []
    for alive in problem.moments:
        total, end = 0, 0
        for start, size in sorted((places[i], problem.sizes[i]) for i in alive):
            total, end = total + max(start + size - max(start, end), 0), max(end, start + size)
        found.append(total)
    return found


class _Units:
    """A problem whose in-place pairs are tied together: units that share an offset."""

    def __init__(self, problem: Problem, pairs: tuple[tuple[int, int], ...]) -> None:
        self.problem = problem
        self.unit_of, self.spans = _tied(problem.spans, pairs)
        self._singles, self._several = _couples(problem.spans, pairs)
        self.count = len(self.spans)
        self.heights = [0] * self.count
        for size, unit in zip(problem.sizes, self.unit_of, strict=True):
            self.heights[unit] = max(self.heights[unit], size)
        self.above = self._above()
        # Of each unit those that live with it, how far they are from it when below, and when above.
        self.sides = [[(v, self.above[v][u], gap) for v, gap in others.items()] for u, others in enumerate(self.above)]

    def _above(self) -> list[dict[int, int]]:
        """Unit -> unit that lives with it -> how far at least its offset is from the other's when above it."""
        gaps, sizes, unit_of = self.problem.gaps, self.problem.sizes, self.unit_of
        found: list[dict[int, int]] = [{} for _ in range(self.count)]
        for u, v, i, j in self._singles:
            found[u][v], found[v][u] = sizes[j], sizes[i]
        for a, b, gap in gaps:
            if unit_of[b] in found[unit_of[a]]:
                found[unit_of[a]][unit_of[b]] = gap
        close = {(a, b): gap for a, b, gap in gaps}
        for u, v, buffers in self._several:
            found[u][v] = max(close.get((i, j), sizes[j]) for i, j in buffers)
            found[v][u] = max(close.get((j, i), sizes[i]) for i, j in buffers)
        return found

    def peak(self, places: list[int]) -> int:
        return max((place + height for place, height in zip(places, self.heights, strict=True)), default=0)

    def near_the_peak(self, places: list[int]) -> set[int]:
        """Units that end highest, and those that live with them."""
        peak = self.peak(places)
        highest = [u for u in range(self.count) if places[u] + self.heights[u] == peak]
        return {*highest, *(v for u in highest for v in self.above[u])}

    def greedy(self, bound: int, quick: bool = False) -> list[int]:
        """The best of a few orders, each repaired; ends at once where one reaches the bound, or nearly where it has
        to be quick."""
        live = self.problem.live
        keys: list[Callable[[int], tuple]] = [
            # What lies over its input lies below it, so the last of a chain comes first, and what is small later.
            lambda u: (16 * self.heights[u] < bound, -self.spans[u][0], -self.heights[u]),
            lambda u: (-max(live[self.spans[u][0] : self.spans[u][1] + 1]), -self.spans[u][0]),
            lambda u: (-self.heights[u], self.spans[u][0]),
            lambda u: (4 * self.heights[u] < bound, -self.spans[u][0], -self.heights[u]),
            lambda u: (-self.spans[u][1], -self.heights[u]),
            lambda u: (self.spans[u][0], -self.heights[u]),
        ]
        if self.count > SEARCHED_UNITS:
            keys[2:2] = self._few_large_first(bound)
        best: list[int] = []
        for key in keys[:QUICK_ORDERS] if quick else keys:
            order = sorted(range(self.count), key=lambda u: (key(u), u))
            found = self._in_order(order) if quick else self._repaired(order, bound)
            if not best or self.peak(found) < self.peak(best):
                best = found
            if self.peak(best) <= (GOOD_ENOUGH * bound if quick else bound):
                break
        return best

    def _few_large_first(self, bound: int) -> list[Callable[[int], tuple]]:
        """For many small buffers beside a few that live long, as stripes have them."""
        ends, heights = [last for _, last in self.spans], self.heights
        lives = [last - first for first, last in self.spans]

        def key(small: Callable[[int], int]) -> Callable[[int], tuple]:
            return lambda u: (2 * heights[u] < bound, small(u) if 2 * heights[u] < bound else -ends[u], -heights[u])

        return [key(lambda u: -heights[u]), key(lambda u: -self.spans[u][0]), key(lambda u: -lives[u])]

    def _repaired(self, order: list[int], bound: int) -> list[int]:
        """Whatever stands highest gets an earlier turn, as long as that makes a new order."""
        best, seen = self._in_order(order), {tuple(order)}
        places = best
        for _ in range(REPAIRS):
            peak = self.peak(places)
            if peak <= bound:
                break
            highest = max(range(self.count), key=lambda u: (places[u] + self.heights[u], -u))
            order = [highest] + [u for u in order if u != highest]
            if tuple(order) in seen:
                break
            seen.add(tuple(order))
            places = self._in_order(order)
            best = min(best, places, key=self.peak)
        return best

    def _in_order(self, order: list[int]) -> list[int]:
        """Each unit in turn at the lowest offset that those placed before it leave."""
        places = [-1] * self.count
        for u in order:
            offset = 0
            taken = [(place - below, place + above) for v, below, above in self.sides[u] if (place := places[v]) >= 0]
            taken.sort()
            for start, end in taken:
                if offset <= start:
                    break
                if end > offset:
                    offset = end
            places[u] = offset
        return places


class _Search:
    """Branch and bound over the orders from the bottom to the top.

    In a plan whose offsets are as low as they can be every unit lies on the highest of those below it that live with
    it. So it is enough to go through orders of rising offsets, each unit as low as those before it allow.
    """

    def __init__(self, units: _Units, bound: int, best: list[int]) -> None:
        self.units, self.bound, self.best, self.nodes = units, bound, best, 0
        self.best_peak = units.peak(best)
        self.places: dict[int, int] = {}
        problem = units.problem
        self.bytes_at: list[dict[int, int]] = []
        for alive in problem.moments:
            row: dict[int, int] = {}
            for i in alive:
                unit = units.unit_of[i]
                row[unit] = max(row.get(unit, 0), problem.sizes[i])
            self.bytes_at.append(row)
        # What overlaps may save at a moment, at most.
        self.saved = [sum(row.values()) - live for row, live in zip(self.bytes_at, problem.live, strict=True)]

    def run(self) -> list[int]:
        self._extend([0] * self.units.count, 0, -1)
        return self.best

    def _extend(self, low: list[int], floor: int, last: int) -> None:
        """low: the lowest offset of each unit above all that are placed; floor: the last one's offset."""
        left = [u for u in range(self.units.count) if u not in self.places]
        if not left:
            self.best = [self.places[u] for u in range(self.units.count)]
            self.best_peak = self.units.peak(self.best)
            return
        above = self.units.above
        # Whoever fits below a unit entirely comes before it.
        ends = [(low[w] + max((above[x][w] for x in above[w] if x not in self.places), default=0), w) for w in left]
        first_end = min(ends)[0]
        for u in sorted(left, key=lambda u: (low[u], -self.units.heights[u], u)):
            if low[u] < floor or (low[u] == floor and u < last and last not in above[u]):
                continue
            if low[u] > first_end or self.best_peak <= self.bound or self.nodes >= SEARCHED_NODES:
                break
            self.nodes += 1
            self.places[u] = low[u]
            raised = list(low)
            for v in above[u]:
                raised[v] = max(raised[v], low[u] + above[v][u])
            if self._least(raised, low[u]) < self.best_peak:
                self._extend(raised, low[u], u)
            del self.places[u]

    def _least(self, low: list[int], floor: int) -> int:
        """No plan that goes on from here has a lower peak."""
        heights = self.units.heights
        least = max(place + heights[u] for u, place in self.places.items())
        for row, saved in zip(self.bytes_at, self.saved, strict=True):
            left = [u for u in row if u not in self.places]
            if left:
                start = max(floor, min(low[u] for u in left))
                least = max(least, start + sum(row[u] for u in left) - (saved if len(left) > 1 else 0))
        return least
