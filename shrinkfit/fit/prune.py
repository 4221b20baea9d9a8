# SPDX-License-Identifier: Apache-2.0
"""Importance and limits in, channels that stay out: narrows groups until every limit holds.

Works on widths: the price of a model depends on how many channels a group keeps, not on which.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from shrinkfit.fit.channels import Channels, Group

RESOURCES = ("ram_bytes", "flash_bytes", "flops")
# Of a group's worth that counts as left when all is gone.
SMALLEST_SHARE = 1e-6
Costs = dict[str, float]
Limits = dict[str, float]
Widths = tuple[int, ...]


@dataclass(frozen=True)
class Pruned:
    """Why channels went: one narrowing of one group.

    Args:
        group: the group's name.
        before, after: its widths.
        resource: the resource that was furthest over its limit then.
        saved: what the narrowing saved of it, in its own unit.
    """

    group: str
    before: int
    after: int
    resource: str
    saved: float


def over(costs: Costs, limits: Limits) -> dict[str, float]:
    """Resource -> how far it is over its limit, for those that are."""
    return {r: costs[r] - limit for r, limit in limits.items() if costs[r] > limit}


def least_widths(groups: tuple[Group, ...], minimum: int) -> Widths:
    """The narrowest that pruning may go."""
    return tuple(min(minimum, len(g.units)) for g in groups)


def narrow(
    groups: tuple[Group, ...],
    widths: Widths,
    worth: np.ndarray,
    limits: Limits,
    cost_of: Callable[[Widths], Costs],
    *,
    minimum: int,
    multiple: int,
) -> tuple[Widths, list[Pruned]]:
    """Narrow groups, the least worth per saved share first, until the limits hold or nothing can go.

    Args:
        groups: what can be narrowed.
        widths: channels that each group has now.
        worth: float [units], importance, not negative; within a group the least worth goes first.
        limits: resource -> limit.
        cost_of: widths -> costs of the model with these widths.
        minimum: no group gets narrower than this.
        multiple: groups at least 4 times as wide as this keep a multiple of it, which the kernels like.
    Returns:
        The new widths and one record per group and resource.
    """
    lost = [_losses(np.sort(worth[g.units]), len(g.units) - width) for g, width in zip(groups, widths, strict=True)]
    before, costs, records = widths, cost_of(widths), []
    while excess := over(costs, limits):
        best = _cheapest(groups, widths, lost, costs, limits, excess, cost_of, minimum, multiple)
        if best is None:
            break
        index, width, new_costs = best
        resource = max(excess, key=lambda r: excess[r] / max(limits[r], 1))
        saved = costs[resource] - new_costs[resource]
        records.append(Pruned(groups[index].name, widths[index], width, resource, saved))
        widths = (*widths[:index], width, *widths[index + 1 :])
        costs = new_costs
    widths = _refilled(groups, before, widths, lost, limits, cost_of, multiple)
    return widths, _merged(records, {g.name: w for g, w in zip(groups, widths, strict=True)})


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


def _refilled(groups, before, widths, lost, limits, cost_of, multiple) -> Widths:
    """Give back what the last, coarse step left over: the narrowed group worth most, as long as the limits hold."""
    while True:
        best, best_worth = None, 0.0
        for index, group in enumerate(groups):
            step = multiple if len(group.units) >= 4 * multiple else 1
            width = min(widths[index] + step, before[index])
            wider = (*widths[:index], width, *widths[index + 1 :])
            gone, back = len(group.units) - widths[index], len(group.units) - width
            worth = lost[index][gone] - lost[index][back]
            if worth > best_worth and not over(cost_of(wider), limits):
                best, best_worth = wider, worth
        if best is None:
            return widths
        widths = best


def _cheapest(groups, widths, lost, costs, limits, excess, cost_of, minimum, multiple):
    """(group index, its new width, the model's new costs) with the least worth lost per share saved."""
    best, best_price = None, np.inf
    for index, group in enumerate(groups):
        width = _next_width(len(group.units), widths[index], minimum, multiple)
        if width is None:
            continue
        new_costs = cost_of((*widths[:index], width, *widths[index + 1 :]))
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


def _next_width(full: int, width: int, minimum: int, multiple: int) -> int | None:
    step = multiple if full >= 4 * multiple else 1
    new = (width - 1) // step * step
    new = max(new, min(minimum, full))
    return new if new < width else None


def _merged(records: list[Pruned], widths: dict[str, int]) -> list[Pruned]:
    """One record per group, down to the width that it ended with, under the resource that narrowed it most."""
    merged: list[Pruned] = []
    for name in dict.fromkeys(r.group for r in records):
        own = [r for r in records if r.group == name]
        if widths[name] == own[0].before:
            continue
        resources = [r.resource for r in own]
        resource = max(resources, key=resources.count)
        saved = sum(r.saved for r in own if r.resource == resource and r.after >= widths[name])
        merged.append(Pruned(name, own[0].before, widths[name], resource, saved))
    return merged


def select(groups: tuple[Group, ...], widths: Widths, worth: np.ndarray, alive: np.ndarray) -> np.ndarray:
    """The units that stay: in each group the most important of those still alive. bool [units]."""
    alive = alive.copy()
    for group, width in zip(groups, widths, strict=True):
        order = group.units[np.argsort(np.where(alive[group.units], -worth[group.units], np.inf), kind="stable")]
        alive[order[width:]] = False
    return alive


def widths_of(channels: Channels, alive: np.ndarray) -> Widths:
    return tuple(int(alive[g.units].sum()) for g in channels.groups)
