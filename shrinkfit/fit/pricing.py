# SPDX-License-Identifier: Apache-2.0
"""Widths in, costs out: the masked model priced as the smaller model that would ship."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, partial
from typing import Any

import numpy as np

from shrinkfit.device import Device
from shrinkfit.errors import BudgetError
from shrinkfit.fit.channels import Channels, slice_node
from shrinkfit.fit.prune import Costs, Widths
from shrinkfit.graph.ir import Graph
from shrinkfit.graph.streaming import Streaming
from shrinkfit.price.cost import Cost, price_graph
from shrinkfit.price.listening import Listens, Surroundings
from shrinkfit.price.quote import Part, Quote
from shrinkfit.read.keras_model import shape_weights
from shrinkfit.read.pieces import Piece, join, lower_stage
from shrinkfit.read.stages import Stage
from shrinkfit.read.topology import Topology

# What a listener adds to.
MEMORIES = ("ram_bytes", "flash_bytes")


class Pricer:
    """Prices a topology at given widths, and remembers what it has priced, and of a graph all that widths share.

    Args:
        topology, stages, channels: of the model.
        device: what it has to fit.
        stream: gives the streamed form of a graph, where that is what ships.
        listener: what listens around it, where RAM and flash are those of the image that listens.
    Attributes:
        ram_limit: when set, costs() and quick() also have "ram_excess": the RAM over it, summed over all layers.
    """

    def __init__(
        self,
        topology: Topology,
        stages: tuple[Stage, ...],
        channels: Channels,
        device: Device,
        stream: Callable[[Graph], Streaming] | None = None,
        listener: Listens | None = None,
    ) -> None:
        self._topology, self._stages, self._channels, self._device = topology, stages, channels, device
        self._stream, self._listener = stream, listener
        self._weights = {node.name: shape_weights(node) for node in topology.nodes.values()}
        self._costs: dict[Widths, Cost] = {}
        self._quotes: dict[Widths, Quote] = {}
        self._by_key = {stage.key: stage for stage in stages}
        self._read = [(stage, self._groups(stage)) for stage in stages]
        # What a stage becomes and costs follows from the widths of the groups that it reads or makes.
        self._pieces: dict[tuple[str, Widths], tuple[Piece, Part]] = {}
        self.ram_limit: float | None = None

    def cost(self, widths: Widths) -> Cost:
        """The full price; widths: channels kept per group."""
        if widths not in self._costs:
            self._costs[widths] = price_graph(self._graph(widths), self._device, around=self._around)
        return self._costs[widths]

    @property
    def whole(self) -> Widths:
        """All channels of every group."""
        return tuple(len(group.units) for group in self._channels.groups)

    @cached_property
    def _around(self) -> Surroundings | None:
        """What the listener holds; it is the same at all widths."""
        return None if self._listener is None else self._listener.surroundings(self._graph(self.whole))

    def added(self, widths: Widths) -> Costs:
        """Resource -> what the listener adds to the image of the network alone; empty without one."""
        if self._listener is None:
            return {}
        alone, costs = price_graph(self._graph(widths), self._device), self.cost(widths).as_costs()
        return {name: costs[name] - getattr(alone, name) for name in MEMORIES}

    def streaming(self, widths: Widths) -> dict[str, Any] | None:
        """What a call of the streamed model computes; None where whole windows are priced."""
        return None if self._stream is None else self._stream(self._whole(widths)).report.as_dict()

    def _graph(self, widths: Widths) -> Graph:
        """What would ship."""
        whole = self._whole(widths)
        return whole if self._stream is None else self._stream(whole).graph

    def _whole(self, widths: Widths) -> Graph:
        pieces = {stage.key: piece for (stage, _), (piece, _) in zip(self._read, self._lowered(widths), strict=True)}
        return join(self._topology, self._stages, pieces, self._topology.name)

    def _lowered(self, widths: Widths) -> list[tuple[Piece, Part]]:
        """Stage by stage."""
        found: list[tuple[Piece, Part]] = []
        for stage, groups in self._read:
            key = stage.key, tuple([widths[index] for index in groups])
            if key not in self._pieces:
                self._pieces[key] = self._lower(stage, widths, found)
            found.append(self._pieces[key])
        return found

    def _lower(self, stage: Stage, widths: Widths, before: list[tuple[Piece, Part]]) -> tuple[Piece, Part]:
        alive = np.ones(self._channels.count, bool)
        for group, width in zip(self._channels.groups, widths, strict=True):
            alive[group.units[width:]] = False
        own = [node for node in (stage.head, stage.batch_norm) if node is not None]
        weights = {node.name: slice_node(node, self._channels, self._weights[node.name], alive) for node in own}
        pieces = {earlier.key: piece for (earlier, _), (piece, _) in zip(self._read, before, strict=False)}
        piece = lower_stage(stage, self._by_key, pieces, weights, {})
        return piece, Part(piece.graph, self._device)

    def _groups(self, stage: Stage) -> tuple[int, ...]:
        """Those that a stage reads or makes."""
        names = {stage.last.name, stage.head.name, *stage.head.inputs}
        units = np.concatenate([self._channels.of_node[name] for name in sorted(names)])
        return tuple(i for i, group in enumerate(self._channels.groups) if np.isin(group.units, units).any())

    def _quote(self, widths: Widths) -> Quote:
        if self._stream is None:
            parts = [part for _, part in self._lowered(widths)]
            edges = len(self._topology.inputs) + len(self._topology.outputs)
            return Quote(parts, edges, partial(self._whole, widths), self._device, self._around)
        graph = self._graph(widths)
        edges = len(graph.inputs) + len(graph.outputs)
        return Quote([Part(graph, self._device)], edges, lambda: graph, self._device, self._around)

    def costs(self, widths: Widths) -> Costs:
        """Resource -> cost, for budgets and pruning."""
        cost = self.cost(widths)
        costs = dict(cost.as_costs())
        if self.ram_limit is not None:
            fixed = cost.ram_bytes - cost.arena_bytes
            costs["ram_excess"] = _excess((layer.arena_live_bytes + fixed for layer in cost.layers), self.ram_limit)
        return costs

    def quick(self, widths: Widths, resources: Iterable[str]) -> Costs:
        """Some of the costs, each worked out when it is read. The RAM is a quick plan's: what fits by it fits, with now
        and then a little room left."""
        if widths not in self._quotes:
            self._quotes[widths] = self._quote(widths)
        return _Quoted(self._quotes[widths], tuple(resources), self.ram_limit)

    def require_known(self, resources: tuple[str, ...]) -> None:
        """Raise BudgetError where one of these costs of the model cannot be told."""
        cost = self.cost(self.whole)
        missing = [name for name in resources if name not in cost.as_costs()]
        if missing:
            raise BudgetError(
                f"{' and '.join(missing)} of model '{self._topology.name}' on {self._device.name} cannot be told: "
                f"{cost.cycles_source}; limit flops instead"
            )

    def cause(self, widths: Widths, resource: str) -> str:
        """A sentence that names what is behind a cost that cannot come down."""
        cost, added = self.cost(widths), self.added(widths).get(resource)
        if added is not None:
            return f"{self._own_cause(cost, resource)} The listener around the network takes {added:,.0f} bytes of it."
        return self._own_cause(cost, resource)

    def _own_cause(self, cost: Cost, resource: str) -> str:
        if resource == "ram_bytes":
            size = sum(int(np.prod(self._topology.nodes[name].shape)) for name in self._topology.inputs)
            return f"The peak is at layer '{cost.peak_layer}'; the input alone takes {size:,} bytes."
        key = {"flash_bytes": "bytes", "flops": "flops"}.get(resource, "cycles")
        worst = max(cost.layers, key=lambda layer: getattr(layer, key))
        return f"Layer '{worst.name}' takes the most, {getattr(worst, key):,} {key}."


class _Quoted(Mapping[str, float]):
    """Costs of a quote by name.

    Args:
        quote: knows them.
        names: of the resources.
        ram_limit: where it is known, "ram_excess" is there too.
    """

    def __init__(self, quote: Quote, names: tuple[str, ...], ram_limit: float | None) -> None:
        self._quote, self._ram_limit = quote, ram_limit
        self._names = names if ram_limit is None else (*names, "ram_excess")

    def __getitem__(self, name: str) -> float:
        if name not in self._names:
            raise KeyError(name)
        if name == "ram_excess" and self._ram_limit is not None:
            return _excess(self._quote.live_ram_bytes, self._ram_limit)
        value: float = getattr(self._quote, name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _excess(live_bytes: Iterable[int], limit: float) -> float:
    return sum(max(0.0, n - limit) for n in live_bytes)


def shown(value: float) -> str:
    """A cost or limit for a message: whole bytes and FLOPs, four digits of milliseconds."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.4g}"
