# SPDX-License-Identifier: Apache-2.0
"""Which channels must go together: every channel of every node gets the number of its unit.

A unit is a set of channel positions that live and die as one. A convolution's or dense layer's output channels are new
units; depthwise, pooling, normalization and activation hand their input's units on; a depthwise multiplier repeats
them, a flatten tiles them (and what makes a plane of a flat tensor joins them), a concatenation strings them together,
an Add, a Maximum or a Multiply joins two, a grouped convolution joins the k-th channels of its groups, and the calls
of a shared layer join all theirs. Units that reach a model input or output are fixed.

A dead unit is 0 wherever it is seen. Behind an activation like sigmoid it is not: it *leaks*. A kernel that would see
that fixes the unit; a Multiply whose other side is 0 makes it 0 again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from shrinkfit.errors import UnsupportedLayerError
from shrinkfit.read.activations import NOT_ZERO_AT_ZERO
from shrinkfit.read.calls import Names
from shrinkfit.read.topology import Node, Topology

MAKERS = ("conv", "conv_transpose", "dense")


@dataclass(frozen=True, eq=False)
class Group:
    """Units born in the same layers: a width that can be changed.

    A model's costs depend on how many units of each group are left, not on which.

    Args:
        name: the layer that makes them, or several joined by "+" where an Add ties them.
        units: unit numbers, int64 [units].
        times: how many channels of its makers a unit stands for at least: 1, or a grouped convolution's groups.
    """

    name: str
    units: np.ndarray
    times: int = 1


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
    """Work out the units of a topology.

    Raises:
        UnsupportedLayerError: a layer adds or multiplies widths that do not fit.
    """
    coupling = _Coupling()
    for node in topology.nodes.values():
        coupling.take(node)
    of_node, union = coupling.of_node, coupling.union
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

    def join_all(self, a: np.ndarray, b: np.ndarray) -> None:
        for one, other in zip(a, b, strict=True):
            low, high = sorted((self.root(int(one)), self.root(int(other))))
            self._parent[high] = low

    def fix(self, units: np.ndarray) -> None:
        self.fixed.update(int(u) for u in units)


class _Coupling:
    """Goes through nodes in the order in which they run.

    Attributes:
        of_node: node name -> the unit of each channel.
        leaks: node name -> bool per channel: whether it is something else than 0 there when its unit is dead.
    """

    def __init__(self) -> None:
        self.union = _Union()
        self.of_node: dict[str, np.ndarray] = {}
        self.leaks: dict[str, np.ndarray] = {}
        self._first_call: dict[tuple[int, str], Node] = {}

    def take(self, node: Node) -> None:
        incoming = [self.of_node[name] for name in node.inputs]
        leaking = [self.leaks[name] for name in node.inputs]
        units = getattr(self, f"_{node.kind}", self._passed)(node, *incoming)
        self.of_node[node.name] = units
        self.leaks[node.name] = _leaks(node, leaking, len(units))
        if node.kind in (*MAKERS, "softmax") and incoming:
            self.union.fix(incoming[0][leaking[0]])
        if node.variables:
            self._join_calls(node)

    def _join_calls(self, node: Node) -> None:
        """One kernel: what is cut out of it for one call is cut out for all."""
        first = self._first_call.setdefault((id(node.layer), node.part), node)
        for name, other in ((node.name, first.name), *zip(node.inputs, first.inputs, strict=True)):
            self.union.join_all(self.of_node[name], self.of_node[other])

    def _passed(self, node: Node, units: np.ndarray) -> np.ndarray:
        return units

    def _input(self, node: Node) -> np.ndarray:
        return self.union.new(node.shape[-1])

    def _dense(self, node: Node, units: np.ndarray) -> np.ndarray:
        return self.union.new(node.shape[-1])

    _conv_transpose = _dense

    def _conv(self, node: Node, units: np.ndarray) -> np.ndarray:
        fresh, groups = self.union.new(node.shape[-1]), node.attributes["groups"]
        for channels in (units, fresh):
            first, *others = np.split(channels, groups)
            for other in others:
                self.union.join_all(first, other)
        return fresh

    def _depthwise(self, node: Node, units: np.ndarray) -> np.ndarray:
        return np.repeat(units, node.shape[-1] // len(units))

    def _softmax(self, node: Node, units: np.ndarray) -> np.ndarray:
        self.union.fix(units)  # a channel that is 0 still has its share of the sum
        return units

    def _affine(self, node: Node, units: np.ndarray) -> np.ndarray:
        if any(np.ptp(node.attributes[key]) for key in ("factor", "shift")):
            self.union.fix(units)  # its numbers are no weights that could be sliced
        return units

    def _add(self, node: Node, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        if len(a) == len(b):
            self.union.join_all(a, b)
            return a
        wide, narrow = (a, b) if len(a) > len(b) else (b, a)
        if len(narrow) != 1:
            raise UnsupportedLayerError(
                f"layer '{node.call}' merges {len(a)} and {len(b)} channels; expected as many, or one"
            )
        self.union.fix(narrow)  # all the others read it
        return wide

    _subtract = _multiply = _average = _maximum = _minimum = _add

    def _concat(self, node: Node, *parts: np.ndarray) -> np.ndarray:
        if node.attributes["axis"] == len(node.shape) - 1:
            return np.concatenate(parts)
        for other in parts[1:]:
            self.union.join_all(parts[0], other)
        return parts[0]

    def _permute(self, node: Node, units: np.ndarray) -> np.ndarray:
        stays = node.attributes["permutation"][-1] == len(node.shape)
        return units if stays else self._mixed(node, units)

    def _reshape(self, node: Node, units: np.ndarray) -> np.ndarray:
        # Reshape(()) leaves a lone number, whose one channel is the one that came.
        if not node.shape or node.shape[-1] == len(units):
            return units
        if len(node.shape) == 1:
            return np.tile(units, prod(node.shape) // len(units))
        if len(units) == prod(node.shape):  # flat before: channel c stands at every place
            first, *others = units.reshape(-1, node.shape[-1])
            for other in others:
                self.union.join_all(first, other)
            return first
        return self._mixed(node, units)

    def _mixed(self, node: Node, units: np.ndarray) -> np.ndarray:
        """Channels end up in places that are no channels."""
        fresh = self.union.new(node.shape[-1])
        self.union.fix(units)
        self.union.fix(fresh)
        return fresh


def _leaks(node: Node, inputs: list[np.ndarray], width: int) -> np.ndarray:
    """Whether a dead channel of this node is not 0, per channel; inputs: the same of what it reads."""
    none = np.zeros(width, bool)
    if not inputs or node.kind in (*MAKERS, "depthwise") or "gamma" in node.variables:
        return none  # masked there
    if node.attributes.get("function") in NOT_ZERO_AT_ZERO:
        return ~none
    if node.kind == "affine":
        return np.resize(inputs[0] | (node.attributes["shift"] != 0), width)
    if node.kind == "concat" and node.attributes["axis"] == len(node.shape) - 1:
        return np.concatenate(inputs)
    if node.kind in ("add", "subtract", "average", "maximum", "minimum", "concat"):
        return np.logical_or.reduce([one if len(one) == width else ~none for one in inputs])
    if node.kind == "multiply":
        return np.logical_and.reduce([one for one in inputs if len(one) == width])
    if len(inputs[0]) > width and len(inputs[0]) % width == 0:
        return np.logical_or.reduce(inputs[0].reshape(-1, width))
    return np.resize(inputs[0], width)


def _groups(topology: Topology, roots: Mapping[str, np.ndarray], fixed: set[int]) -> tuple[Group, ...]:
    """Units that the same nodes make, as often each, share a group."""
    makers: dict[int, list[tuple[str, int]]] = {}
    for node in topology.nodes.values():
        if node.kind in MAKERS:
            for unit, times in zip(*np.unique(roots[node.name], return_counts=True), strict=True):
                makers.setdefault(int(unit), []).append((node.name, int(times)))
    groups: dict[tuple[tuple[str, int], ...], list[int]] = {}
    for unit in sorted(set(makers) - fixed):
        groups.setdefault(tuple(makers[unit]), []).append(unit)
    names = Names()
    return tuple(
        Group(names.unique(_group_name(topology, own)), np.array(units), min(times for _, times in own))
        for own, units in groups.items()
    )


def _group_name(topology: Topology, makers: tuple[tuple[str, int], ...]) -> str:
    """A layer that is called several times counts as one."""
    layers = {id(node.layer): node.call for node in reversed([topology.nodes[name] for name, _ in makers])}
    return "+".join(reversed(layers.values()))


def slice_weights(
    topology: Topology, channels: Channels, weights: Mapping[str, Mapping[str, np.ndarray]], alive: np.ndarray
) -> dict[str, dict[str, np.ndarray]]:
    """Cut the channels that are not alive out of canonical weights.

    Args:
        topology, channels: of the model.
        weights: node name -> role -> array with canonical axes.
        alive: bool [units].
    """
    return {node.name: slice_node(node, channels, weights[node.name], alive) for node in topology.nodes.values()}


def kept(node: Node, channels: Channels, alive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which (input, output) channels of a node stay, bool arrays; a model input's input is empty."""
    incoming = alive[channels.of_node[node.inputs[0]]] if node.inputs else np.zeros(0, bool)
    return incoming, alive[channels.of_node[node.name]]


def slice_node(
    node: Node, channels: Channels, own: Mapping[str, np.ndarray], alive: np.ndarray
) -> dict[str, np.ndarray]:
    """As `slice_weights`, of one node."""
    if not own:
        return {}
    incoming, outgoing = kept(node, channels, alive)
    # What is shared by all channels, as PReLU's slopes may be, has no axis of them.
    cut = {
        role: value[..., outgoing] if value.shape[-1:] == outgoing.shape else value
        for role, value in own.items()
        if role != "kernel"
    }
    if "kernel" in own:
        kernel = own["kernel"]
        # A grouped convolution's kernel has the input channels of one group; all groups keep the same ones.
        kernel = kernel[..., incoming[: kernel.shape[-2]], :]
        cut["kernel"] = kernel if node.kind == "depthwise" else kernel[..., outgoing]
    return cut
