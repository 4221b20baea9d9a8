# SPDX-License-Identifier: Apache-2.0
"""Which channels must go together: every channel of every node gets the number of its unit.

A unit is a set of channel positions that live and die as one. A convolution's or dense layer's
output channels are new units; depthwise, pooling, normalization and activation hand their input's
units on; a depthwise multiplier repeats them, a flatten tiles them, an Add joins two. Units that
reach a model input or output are fixed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from shrinkfit.errors import UnsupportedLayerError
from shrinkfit.read.topology import Node, Topology

MAKERS = ("conv", "dense")


@dataclass(frozen=True, eq=False)
class Group:
    """Units born in the same layers: a width that can be changed.

    Args:
        name: the layer that makes them, or several joined by "+" where an Add ties them.
        units: unit numbers, int64 [channels].
    """

    name: str
    units: np.ndarray


@dataclass(frozen=True, eq=False)
class Channels:
    """The coupling of one topology.

    Args:
        of_node: node name -> unit of each output channel, int64 [channels].
        groups: all that can be pruned; a unit belongs to one group at most.
        count: how many units there are in all.
    """

    of_node: dict[str, np.ndarray]
    groups: tuple[Group, ...]
    count: int


def couple(topology: Topology) -> Channels:
    """Work out the units of a topology."""
    union = _Union()
    of_node: dict[str, np.ndarray] = {}
    for node in topology.nodes.values():
        of_node[node.name] = _units_of(node, of_node, union)
    fixed = {union.root(int(u)) for name in (*topology.inputs, *topology.outputs) for u in of_node[name]}
    fixed |= {union.root(u) for u in union.fixed}
    roots = {name: np.array([union.root(int(u)) for u in units], np.int64) for name, units in of_node.items()}
    return Channels(roots, _groups(topology, roots, fixed), union.count)


class _Union:
    """Union-find over unit numbers."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self.fixed: set[int] = set()

    @property
    def count(self) -> int:
        return len(self._parent)

    def new(self, count: int) -> np.ndarray:
        first = len(self._parent)
        self._parent += range(first, first + count)
        return np.arange(first, first + count, dtype=np.int64)

    def root(self, unit: int) -> int:
        while self._parent[unit] != unit:
            self._parent[unit] = self._parent[self._parent[unit]]
            unit = self._parent[unit]
        return unit

    def join(self, a: int, b: int) -> None:
        low, high = sorted((self.root(a), self.root(b)))
        self._parent[high] = low


def _units_of(node: Node, of_node: Mapping[str, np.ndarray], union: _Union) -> np.ndarray:
    width = node.shape[-1]
    if node.kind in ("input", *MAKERS):
        return union.new(width)
    units = of_node[node.inputs[0]]
    if node.kind == "depthwise":
        return np.repeat(units, width // len(units))
    if node.kind == "softmax":
        union.fixed.update(int(u) for u in units)  # a channel that is 0 still has its share of the sum
        return units
    if node.kind == "add":
        return _joined(node, units, of_node[node.inputs[1]], union)
    if node.kind == "reshape":
        return _reshaped(units, width, node.shape, union)
    return units


def _joined(node: Node, a: np.ndarray, b: np.ndarray, union: _Union) -> np.ndarray:
    if len(a) != len(b):
        raise UnsupportedLayerError(
            f"layer '{node.name}' adds {len(a)} and {len(b)} channels; broadcasting is not supported"
        )
    for one, other in zip(a, b, strict=True):
        union.join(int(one), int(other))
    return a


def _reshaped(units: np.ndarray, width: int, shape: tuple[int, ...], union: _Union) -> np.ndarray:
    if width == len(units):
        return units
    if len(shape) == 1:
        return np.tile(units, prod(shape) // len(units))
    union.fixed.update(int(u) for u in units)  # channels end up in places that are no channels
    fresh = union.new(width)
    union.fixed.update(int(u) for u in fresh)
    return fresh


def _groups(topology: Topology, roots: Mapping[str, np.ndarray], fixed: set[int]) -> tuple[Group, ...]:
    """Makers whose units coincide share a group."""
    names: dict[tuple[int, ...], list[str]] = {}
    for node in topology.nodes.values():
        if node.kind in MAKERS and not fixed.intersection(roots[node.name].tolist()):
            names.setdefault(tuple(sorted(set(roots[node.name].tolist()))), []).append(node.layer.name)
    return tuple(Group("+".join(dict.fromkeys(makers)), np.array(units)) for units, makers in names.items())


def slice_weights(
    topology: Topology, channels: Channels, weights: Mapping[str, Mapping[str, np.ndarray]], alive: np.ndarray
) -> dict[str, dict[str, np.ndarray]]:
    """Cut the channels that are not alive out of canonical weights.

    Args:
        topology, channels: of the model.
        weights: node name -> role -> array with canonical axes.
        alive: bool [units].
    """
    return {node.name: _sliced(node, channels, weights[node.name], alive) for node in topology.nodes.values()}


def kept(node: Node, channels: Channels, alive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which (input, output) channels of a node stay, bool arrays; a model input's input is empty."""
    incoming = alive[channels.of_node[node.inputs[0]]] if node.inputs else np.zeros(0, bool)
    return incoming, alive[channels.of_node[node.name]]


def _sliced(node: Node, channels: Channels, own: Mapping[str, np.ndarray], alive: np.ndarray) -> dict[str, np.ndarray]:
    if not own:
        return {}
    incoming, outgoing = kept(node, channels, alive)
    cut = {role: value[outgoing] for role, value in own.items() if role != "kernel"}
    if "kernel" in own:
        kernel = own["kernel"]
        if node.kind == "depthwise":
            cut["kernel"] = kernel[..., incoming, :]
        else:
            cut["kernel"] = kernel[..., incoming, :][..., outgoing]
    return cut
