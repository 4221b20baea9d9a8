# SPDX-License-Identifier: Apache-2.0
"""Importance and limits in, channels that stay out: narrows groups until every limit holds.

Works on widths: the price of a model depends on how many channels a group keeps, not on which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shrinkfit.fit.channels import Channels, Group

# A group may lose this share of the importance that it keeps for a width that the kernels like.
SMALL_LOSS = 0.01
# Of a group's worth that counts as left when all is gone.
SMALLEST_SHARE = 1e-6
Costs = Mapping[str, float]
Limits = dict[str, float]
Widths = tuple[int, ...]
Price = Callable[[Widths], Costs]


@dataclass(frozen=True)
class Pruned:
    """Why channels went: one narrowing of one group.

    Args:
        group: the group's name.
        before, after: its widths.
        resource: the resource that was furthest over its limit while it was narrowed.
        over: resource -> how far the model was over its limit before any group was narrowed.
        saved: resource -> what this narrowing saved of it, in its own unit, after those recorded before it.
    """

    group: str
    before: int
    after: int
    resource: str
    over: dict[str, float]
    saved: dict[str, float]


def over(costs: Costs, limits: Limits) -> dict[str, float]:
    """Resource -> how far it is over its limit, for those that are."""
    return {r: costs[r] - limit for r, limit in limits.items() if costs[r] > limit}


def holds(costs: Costs, limits: Limits) -> bool:
    """Whether nothing is over its limit. Planned RAM, which takes longest to work out, is looked at last."""
    return all(costs[r] <= limits[r] for r in sorted(limits, key=lambda r: r == "ram_bytes"))


def least_widths(groups: tuple[Group, ...], minimum: int | Sequence[int]) -> Widths:
    """The narrowest that pruning may go; minimum: for all groups, or one for each."""
    each = [minimum] * len(groups) if isinstance(minimum, int) else minimum
    return tuple(min(least, len(g.units)) for least, g in zip(each, groups, strict=True))


def narrow(
    groups: tuple[Group, ...],
    widths: Widths,
    worth: np.ndarray,
    limits: Limits,
    cost_of: Price,
    *,
    minimum: int | Sequence[int],
    multiple: int,
    prefer: int = 1,
    recorded: Callable[[Widths, bool], Costs] | None = None,
) -> tuple[Widths, list[Pruned]]:
    """Narrow groups, the least worth per saved share first, until the limits hold or nothing can go.

    Args:
        groups: what can be narrowed.
        widths: channels that each group has now.
        worth: float [units], importance, not negative; within a group the least worth goes first.
        limits: resource -> limit.
        cost_of: widths -> costs of the model with these widths, of the limited resources at least.
        minimum: no group gets narrower than this; for all groups, or one for each.
        multiple: groups at least 4 times as wide as this keep a multiple of it, which the kernels like.
        prefer: narrowed groups end on a multiple of this where that costs next to no importance.
        recorded: (widths, whether these are the first or the last) -> all costs, for the records; None for cost_of's.
    Returns:
        The new widths and one record per group that was narrowed.
    """
    least = least_widths(groups, minimum)
    ascending = [np.sort(worth[g.units]) for g in groups]
    lost = [_losses(values, len(values) - width) for values, width in zip(ascending, widths, strict=True)]
    before, costs = widths, cost_of(widths)
    causes: dict[int, list[str]] = {}
    while excess := over(costs, limits):
        best = _cheapest(groups, widths, lost, costs, limits, excess, cost_of, least, multiple)
        if best is None:
            break
        index, width, costs = best
        resource = max(excess, key=lambda r: excess[r] / max(limits[r], 1))
        causes.setdefault(index, []).append(resource)
        widths = _with(widths, index, width)
    widths = _refilled(groups, before, widths, lost, limits, cost_of, multiple)
    if prefer > 1:
        widths = _preferred(ascending, before, widths, limits, cost_of, least, prefer)
    recorded = recorded or (lambda widths, is_end: cost_of(widths))
    return widths, _records(groups, before, widths, causes, over(recorded(before, True), limits), recorded)


def _with(widths: Widths, index: int, width: int) -> Widths:
    return (*widths[:index], width, *widths[index + 1 :])


def _losses(worth: np.ndarray, gone: int) -> np.ndarray:
    """What it costs to have the first 0, 1, ... all of a group's channels gone, float64 [channels + 1].

    First-order importance holds for one channel at a time; the next ones matter more, as the layer has
    less left that can stand in for them. So a channel counts as its worth over the share of the
    present worth that is left when it goes: -total * log(1 - share lost), which no layer can pay to the end.

    Args:
        worth: float [channels], ascending.
        gone: how many of them, the first ones, are gone already.
    """
    alive = worth[gone:]
    total = float(alive.sum())
    if total <= 0:
        return np.zeros(len(worth) + 1)
    left = np.append(1 - np.cumsum(alive[:-1]) / total, 0.0)
    return np.concatenate((np.zeros(gone + 1), -total * np.log(np.maximum(left, SMALLEST_SHARE))))


def _refilled(
    groups: tuple[Group, ...],
    before: Widths,
    widths: Widths,
    lost: list[np.ndarray],
    limits: Limits,
    cost_of: Price,
    multiple: int,
) -> Widths:
    """Give back what the last, coarse step left over: the narrowed group worth most, as long as the limits hold."""
    while True:
        best, best_worth = None, 0.0
        for index, group in enumerate(groups):
            step = multiple if len(group.units) >= 4 * multiple else 1
            width = min(widths[index] + step, before[index])
            wider = _with(widths, index, width)
            gone, back = len(group.units) - widths[index], len(group.units) - width
            worth = lost[index][gone] - lost[index][back]
            if worth > best_worth and holds(cost_of(wider), limits):
                best, best_worth = wider, worth
        if best is None:
            return widths
        widths = best


def _preferred(
    ascending: list[np.ndarray],
    before: Widths,
    widths: Widths,
    limits: Limits,
    cost_of: Price,
    least: Widths,
    prefer: int,
) -> Widths:
    """Narrowed groups on multiples of `prefer`: up where there is room, down where next to nothing is lost by it."""
    kept = [float(values[len(values) - width :].sum()) for values, width in zip(ascending, widths, strict=True)]
    odd = [i for i, w in enumerate(widths) if w < before[i] and w % prefer]
    for index in odd:
        down = widths[index] // prefer * prefer
        goes, gone = len(ascending[index]) - down, len(ascending[index]) - widths[index]
        free = ascending[index][gone:goes].sum() <= SMALL_LOSS * kept[index]
        if free and down >= max(least[index], prefer) and holds(cost_of(_with(widths, index, down)), limits):
            widths = _with(widths, index, down)
    for index in sorted((i for i, w in enumerate(widths) if w < before[i]), key=lambda i: -kept[i]):
        up = min((widths[index] // prefer + 1) * prefer, before[index])
        if up % prefer == 0 and holds(cost_of(_with(widths, index, up)), limits):
            widths = _with(widths, index, up)
    return widths


def _cheapest(
    groups: tuple[Group, ...],
    widths: Widths,
    lost: list[np.ndarray],
    costs: Costs,
    limits: Limits,
    excess: dict[str, float],
    cost_of: Price,
    least: Widths,
    multiple: int,
) -> tuple[int, int, Costs] | None:
    """(group index, its new width, the model's new costs) with the least worth lost per share saved."""
    best, best_price = None, np.inf
    for index, group in enumerate(groups):
        width = _next_width(len(group.units), widths[index], least[index], multiple)
        if width is None:
            continue
        new_costs = cost_of(_with(widths, index, width))
        saved = _saved_share(costs, new_costs, limits, excess)
        gone, goes = len(group.units) - widths[index], len(group.units) - width
        price = (lost[index][goes] - lost[index][gone]) / max(saved, 1e-9)
        if price < best_price:
            best, best_price = (index, width, new_costs), price
    return best


def _saved_share(costs: Costs, new_costs: Costs, limits: Limits, excess: dict[str, float]) -> float:
    """How much of what is over goes away, summed over the resources.

    The peak of the RAM often stands at several layers at once, so that no single narrowing lowers
    it; "ram_excess" (the bytes over the limit summed over all layers) falls all the same.
    """
    share = sum(min(costs[r] - new_costs[r], excess[r]) / max(excess[r], 1) for r in excess)
    if "ram_bytes" in excess and costs.get("ram_excess", 0) > 0:
        share += (costs["ram_excess"] - new_costs["ram_excess"]) / costs["ram_excess"]
    return share


def _next_width(full: int, width: int, least: int, multiple: int) -> int | None:
    step = multiple if full >= 4 * multiple else 1
    new = max((width - 1) // step * step, least)
    return new if new < width else None


def _records(
    groups: tuple[Group, ...],
    before: Widths,
    after: Widths,
    causes: dict[int, list[str]],
    excess: dict[str, float],
    recorded: Callable[[Widths, bool], Costs],
) -> list[Pruned]:
    """One record per narrowed group, in the order in which they were first narrowed; what they saved adds up."""
    records, widths, costs = [], before, recorded(before, True)
    for index in dict.fromkeys((*causes, *range(len(groups)))):
        if after[index] == before[index]:
            continue
        widths = _with(widths, index, after[index])
        new_costs = recorded(widths, widths == after)
        saved = {r: costs[r] - new_costs[r] for r in costs if r != "ram_excess"}
        # A group that was narrowed only to make room for a better width of another has no cause of its own.
        own = causes.get(index) or [r for resources in causes.values() for r in resources]
        resource = max(own, key=own.count)
        records.append(Pruned(groups[index].name, before[index], after[index], resource, excess, saved))
        costs = new_costs
    return records


def select(groups: tuple[Group, ...], widths: Widths, worth: np.ndarray, alive: np.ndarray) -> np.ndarray:
    """The units that stay: in each group the most important of those still alive. bool [units]."""
    alive = alive.copy()
    for group, width in zip(groups, widths, strict=True):
        order = group.units[np.argsort(np.where(alive[group.units], -worth[group.units], np.inf), kind="stable")]
        alive[order[width:]] = False
    return alive


def widths_of(channels: Channels, alive: np.ndarray) -> Widths:
    """How many channels of each group are alive; alive: bool [units]."""
    return tuple(int(alive[g.units].sum()) for g in channels.groups)
