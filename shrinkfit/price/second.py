# SPDX-License-Identifier: Apache-2.0
"""A second network in the same image, which runs now and then, and a device in; what it adds to the image out."""

from __future__ import annotations

from dataclasses import dataclass, field

from shrinkfit.device import Device
from shrinkfit.graph.ir import Graph
from shrinkfit.price.cost import Cost, price_graph
from shrinkfit.price.linked import Called


@dataclass(frozen=True)
class SecondCost:
    """What a second network adds.

    Args:
        cost: its own, as if it were alone.
        called: what its functions call.
    """

    cost: Cost
    called: Called


@dataclass(frozen=True, eq=False)
class Second:
    """A network that shares an image with another one.

    Args:
        graph: as it runs; it keeps nothing from run to run.
    """

    graph: Graph
    _known: dict[tuple[object, ...], SecondCost] = field(default_factory=dict, repr=False)

    def on(self, device: Device) -> SecondCost:
        """What it adds on a device; worked out once for each kind of core."""
        kind = (device.core, device.dsp, device.fpu, device.optimize, device.name)
        if kind not in self._known:
            self._known[kind] = SecondCost(price_graph(self.graph, device), Called.of(self.graph, device))
        return self._known[kind]
