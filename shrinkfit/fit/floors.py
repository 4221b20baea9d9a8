# SPDX-License-Identifier: Apache-2.0
"""Which layers the user wants to keep in, the least width of each group and the reason for it out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

import numpy as np

from shrinkfit.errors import ShrinkfitError
from shrinkfit.fit.channels import MAKERS, Channels, Group
from shrinkfit.fit.schedule import at_least_one
from shrinkfit.read.topology import Node, Topology

MINIMUM_WIDTH = 4


@dataclass(frozen=True)
class Floor:
    """How narrow a group may get.

    Args:
        width: the least number of channels.
        reason: why no less.
    """

    width: int
    reason: str


def floors(
    topology: Topology, channels: Channels, exclude: Sequence[str], minimum_width: int | Mapping[str, int]
) -> tuple[Floor, ...]:
    """The floor of each group.

    Args:
        topology, channels: of one model.
        exclude: names or patterns (as in `fnmatch`) of layers that keep all their channels; whatever is coupled with
            them stays whole too.
        minimum_width: for all layers, or layer name or pattern -> its own, the others having MINIMUM_WIDTH; of coupled
            layers the widest counts.
    Raises:
        ShrinkfitError: a name or pattern matches no layer, or none that makes channels.
    """
    names = _layer_names(topology)
    excluded = {name: pattern for pattern in exclude for name in layers_that_match(pattern, names, "exclude")}
    makers = _layer_names(topology, MAKERS)
    least: dict[str, int] = {}
    if isinstance(minimum_width, Mapping):
        for pattern, width in minimum_width.items():
            for name in layers_that_match(pattern, makers, "minimum_width", "layer that makes channels"):
                least[name] = max(width, least.get(name, 0))
    default = MINIMUM_WIDTH if isinstance(minimum_width, Mapping) else minimum_width
    return tuple(_floor(group, topology, channels, excluded, least, default) for group in channels.groups)


def checked_exclude(exclude: str | Iterable[str] | None, what: str = "exclude") -> tuple[str, ...]:
    """What FitDevice takes as exclude, as `checked_names` does."""
    return checked_names(exclude, what, "names of layers or patterns such as 'stem*'")


def checked_names(given: str | Iterable[str] | None, what: str, expected: str) -> tuple[str, ...]:
    """A setting that lists names; a single one counts as a list of one, None as an empty one.

    Args:
        given: the names.
        what, expected: the setting and what it takes, for the message.
    Raises:
        ShrinkfitError: it is no list, or something in it is no text.
    """
    if given is None:
        return ()
    if not isinstance(given, Iterable):
        raise ShrinkfitError(f"{what} is {given!r}, expected {expected}")
    names = (given,) if isinstance(given, str) else tuple(given)
    bad = [name for name in names if not isinstance(name, str)]
    if bad:
        raise ShrinkfitError(f"{what} holds {bad[0]!r}, expected {expected}")
    return names


def checked_minimum(minimum_width: int | Mapping[str, int]) -> int | dict[str, int]:
    """What FitDevice takes as minimum_width.

    Raises:
        BudgetError: a width is no whole number of at least 1.
    """
    if isinstance(minimum_width, Mapping):
        return {name: at_least_one(n, f"minimum_width of '{name}'") for name, n in minimum_width.items()}
    return at_least_one(minimum_width, "minimum_width")


def makers_of(group: Group, topology: Topology, channels: Channels) -> list[Node]:
    """The nodes in which a group's channels are born."""
    nodes = topology.nodes.values()
    return [n for n in nodes if n.kind in MAKERS and np.isin(channels.of_node[n.name], group.units).any()]


def layers_that_match(pattern: str, names: Sequence[str], what: str, kind: str = "layer") -> list[str]:
    """The layer of that name, or else those that the pattern matches.

    Args:
        pattern: a name or pattern.
        names: of the layers in question.
        what: the setting that it was given in.
        kind: what the names are.
    Raises:
        ShrinkfitError: there is none.
    """
    found = [pattern] if pattern in names else [name for name in names if fnmatchcase(name, pattern)]
    if found:
        return found
    near = ", ".join(map(repr, get_close_matches(pattern, names, n=3) or names[:5])) or "none"
    raise ShrinkfitError(f"{what}: '{pattern}' matches no {kind} of the model; such as there are: {near}")


def _layer_names(topology: Topology, kinds: Sequence[str] = ()) -> list[str]:
    nodes = [node for node in topology.nodes.values() if not kinds or node.kind in kinds]
    return list(dict.fromkeys(node.call for node in nodes))


def _floor(
    group: Group,
    topology: Topology,
    channels: Channels,
    excluded: Mapping[str, str],
    least: Mapping[str, int],
    default: int,
) -> Floor:
    full = len(group.units)
    makers = {node.call for node in makers_of(group, topology, channels)}
    for node in sorted(topology.nodes.values(), key=lambda node: node.call not in makers):
        name = node.call
        if name in excluded and np.isin(channels.of_node[node.name], group.units).any():
            how = "" if name in makers and len(makers) == 1 else f"coupled with '{name}', "
            return Floor(full, f"{how}excluded by '{excluded[name]}'")
    width = max((least.get(name, default) for name in makers), default=default)
    if width >= full * group.times:
        return Floor(full, f"all {full * group.times} channels are within minimum_width {width}")
    return Floor(-(-width // group.times), f"minimum_width {width}")
