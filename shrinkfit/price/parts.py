# SPDX-License-Identifier: Apache-2.0
"""An integer graph in, its cost on every known part out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shrinkfit._progress import steps
from shrinkfit._shown import Shown
from shrinkfit.device import Device, devices
from shrinkfit.graph.ir import Graph
from shrinkfit.graph.timeline import checked_frames
from shrinkfit.price.cost import Cost, hop_of, optimized_for, price_graph, priced_graph
from shrinkfit.price.listening import Listens, Surroundings


@dataclass(frozen=True)
class PartCost(Shown, by="report.views.part_view"):
    """What a model costs on one part.

    Args:
        device: the part.
        cost: on it.
        over: resource -> (cost, limit), of those over the part's own limits.
    """

    device: Device
    cost: Cost
    over: Mapping[str, tuple[float, float]]

    def as_dict(self) -> dict[str, Any]:
        """Name, title, limits, costs and what is over, in plain values."""
        return {
            "device": self.device.name,
            "title": self.device.title,
            "limits": self.device.budget().limits(),
            "costs": self.cost.as_costs(),
            "over": list(self.over),
        }

    def __repr__(self) -> str:
        return f"<PartCost {self.device.name}: {'over ' + ', '.join(self.over) if self.over else 'fits'}>"


class PartCosts(Shown, tuple[PartCost, ...], by="report.views.parts_view"):
    """What a model costs on several parts, which terminals and notebooks show in one table."""


def price_parts(graph: Graph, optimize: bool | str = True, around: Surroundings | None = None) -> PartCosts:
    """What a graph costs on each part of the catalogue, in the catalogue's order.

    Args:
        graph: as it will run; without rewrites.
        optimize: as for `price`: what kernels are chosen for.
        around: what a listener holds around it.
    """
    parts = (optimized_for(device, optimize) for device in steps(devices(), "pricing all parts"))
    costs = ((part, price_graph(graph, part, around=around)) for part in parts)
    return PartCosts(PartCost(part, cost, cost.over(part.budget())) for part, cost in costs)


def price_all(
    model: Any,
    *,
    optimize: bool | str = True,
    streaming: bool = False,
    frames_per_call: int | None = None,
    listener: Listens | None = None,
) -> PartCosts:
    """What a model costs on every part that `devices` lists, each against the part's own limits.

    Args:
        model: an integer graph, a Keras model, or the path of a .tflite, .keras or .h5 file.
        optimize, streaming, frames_per_call, listener: as for `price`.
    Returns:
        one record per part, in the catalogue's order.
    Raises:
        ShrinkfitError: the model cannot be read, or the runtime has no kernel for one of its operators.
    """
    graph = priced_graph(model, optimize, streaming, checked_frames(frames_per_call) or hop_of(listener))
    return price_parts(graph, optimize, None if listener is None else listener.surroundings(graph))
