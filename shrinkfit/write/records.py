# SPDX-License-Identifier: Apache-2.0
"""What report.json says beside the figures of `price`: the training, the memory plan, the other parts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from shrinkfit.device import Device
from shrinkfit.graph.ir import Graph
from shrinkfit.price.kernel import Choice
from shrinkfit.price.kernels import scratch_sizes
from shrinkfit.price.memory_map import memory_map
from shrinkfit.price.parts import price_parts
from shrinkfit.write.model import Model

_EPOCH_KEYS = ("epoch", "phase", "costs", "limits", "metrics")


def training_record(source: Any) -> dict[str, Any]:
    """What a FitDevice did ("fit") in each epoch ("epochs"); nothing of other sources."""
    history = getattr(source, "history", None)
    if not history or not hasattr(source, "records"):
        return {}
    epochs = [{key: epoch.get(key, {}) for key in _EPOCH_KEYS} for epoch in history]
    return {"fit": source.records(), "epochs": epochs}


def memory_record(model: Model, device: Device) -> dict[str, Any]:
    """The memory plan as the page draws it: the operators' names, and what stays where while which of them run."""
    stays = memory_map(model.graph, model.plan, scratch_sizes(model.graph, Choice.of(device)))
    return {"memory": {"operators": [op.name for op in model.graph.ops], "stays": [asdict(stay) for stay in stays]}}


def parts_record(graph: Graph, device: Device) -> dict[str, Any]:
    """The graph's cost on every known part, with kernels chosen for the same goal."""
    return {"parts": [part.as_dict() for part in price_parts(graph, device.optimize)]}
