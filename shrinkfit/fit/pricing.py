# SPDX-License-Identifier: Apache-2.0
"""Widths in, costs out: the masked model priced as the smaller model that would ship."""

from __future__ import annotations

import numpy as np

from shrinkfit.device import Device
from shrinkfit.errors import BudgetError
from shrinkfit.fit.channels import Channels, slice_weights
from shrinkfit.fit.prune import Costs, Widths
from shrinkfit.price.cost import Cost, price_graph
from shrinkfit.read.keras_model import lower, shape_weights
from shrinkfit.read.stages import Stage
from shrinkfit.read.topology import Topology


class Pricer:
    """Prices a topology at given widths, and remembers what it has priced.

    Attributes:
        ram_limit: when set, costs() also has "ram_excess": the RAM over it, summed over all layers.
    """

    def __init__(self, topology: Topology, stages: tuple[Stage, ...], channels: Channels, device: Device) -> None:
        self._topology, self._stages, self._channels, self._device = topology, stages, channels, device
        self._weights = {node.name: shape_weights(node) for node in topology.nodes.values()}
        self._costs: dict[Widths, Cost] = {}
        self.ram_limit: float | None = None

    def cost(self, widths: Widths) -> Cost:
        """The full price; widths: channels kept per group."""
        if widths not in self._costs:
            alive = np.ones(self._channels.count, bool)
            for group, width in zip(self._channels.groups, widths, strict=True):
                alive[group.units[width:]] = False
            weights = slice_weights(self._topology, self._channels, self._weights, alive)
            graph = lower(self._topology, self._stages, weights, {}, self._topology.name)
            self._costs[widths] = price_graph(graph, self._device)
        return self._costs[widths]

    def costs(self, widths: Widths) -> Costs:
        """Resource -> cost, for budgets and pruning."""
        cost = self.cost(widths)
        costs: Costs = dict(cost.as_costs())
        if self.ram_limit is not None:
            fixed = cost.ram_bytes - cost.arena_bytes
            live = (layer.arena_live_bytes + fixed for layer in cost.layers)
            costs["ram_excess"] = sum(max(0.0, n - self.ram_limit) for n in live)
        return costs

    def require_known(self, resources: tuple[str, ...]) -> None:
        """Raise BudgetError where one of these costs of the model cannot be told."""
        cost = self.cost(tuple(len(group.units) for group in self._channels.groups))
        missing = [name for name in resources if name not in cost.as_costs()]
        if missing:
            raise BudgetError(
                f"{' and '.join(missing)} of model '{self._topology.name}' on {self._device.name} cannot be told: "
                f"{cost.cycles_source}; limit flops instead"
            )

    def cause(self, widths: Widths, resource: str) -> str:
        """A sentence that names what is behind a cost that cannot come down."""
        cost = self.cost(widths)
        if resource == "ram_bytes":
            size = sum(int(np.prod(self._topology.nodes[name].shape)) for name in self._topology.inputs)
            return f"The peak is at layer '{cost.peak_layer}'; the input alone takes {size:,} bytes."
        key = {"flash_bytes": "bytes", "flops": "flops"}.get(resource, "cycles")
        worst = max(cost.layers, key=lambda layer: getattr(layer, key))
        return f"Layer '{worst.name}' takes the most, {getattr(worst, key):,} {key}."


def shown(value: float) -> str:
    """A cost or limit for a message: whole bytes and FLOPs, four digits of milliseconds."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.4g}"
