# SPDX-License-Identifier: Apache-2.0
"""What report.json says: the model, what it costs, its training, the memory plan, the other parts."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from shrinkfit.device import Device
from shrinkfit.graph.ir import Graph
from shrinkfit.price.cost import Cost
from shrinkfit.price.kernel import Choice
from shrinkfit.price.kernels import scratch_sizes
from shrinkfit.price.listening import Surroundings
from shrinkfit.price.memory_map import memory_map
from shrinkfit.price.parts import price_parts
from shrinkfit.write.model import Model
from shrinkfit.write.whole import FORMAT_KEY, REPORT_FORMAT

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


def parts_record(graph: Graph, device: Device, around: Surroundings | None = None) -> dict[str, Any]:
    """The graph's cost on every known part, with kernels chosen for the same goal, and what a listener holds."""
    return {"parts": [part.as_dict() for part in price_parts(graph, device.optimize, around)]}


def model_record(
    model: Model, device: Device, cost: Cost, limits: dict[str, float], files: list[str]
) -> dict[str, Any]:
    """What was exported, and what it costs."""
    functions = {layer.op.name: layer.kernel.function for layer in model.layers}
    identifiers = {name: [layer.identifier for layer in model.layers if layer.op.name == name] for name in functions}
    outputs = {op.name: op.outputs for op in model.graph.ops}
    layers = [
        asdict(layer)
        | {"function": functions.get(layer.name, ""), "identifiers": identifiers.get(layer.name, [])}
        | {"writes": [{"tensor": n, "offset": model.plan.offsets[n]} for n in outputs[layer.name]]}
        for layer in cost.layers
    ]
    states = model.plan.state_offsets.items()
    target = ("core", "dsp", "fpu", "clock_hz", "flash_bytes", "ram_bytes", "active_ua_per_mhz", "supply_volts")
    details = {
        FORMAT_KEY: REPORT_FORMAT,
        "name": model.name,
        "device": device.name,
        "target": {key: getattr(device, key) for key in target},
        "optimize": device.optimize,
        "runtime_format": model.format_version,
        **{key: value for key, value in asdict(cost).items() if key not in ("device", "layers", "sound_bytes")},
        "run_stack_bytes": model.stack_bytes,
        "limits": limits,
        "inputs": [edge.details() for edge in model.api.inputs],
        "outputs": [edge.details() for edge in model.api.outputs],
        "labels": list(model.labels),
        "reset": f"{model.name}_reset" if model.keeps_state else "",
        "state_bytes": model.plan.state_bytes,
        "state": [{"variable": variable, "offset": offset} for variable, offset in states],
        "layers": layers,
        "files": files,
    }
    # As it will be read back: lists, not tuples.
    return json.loads(json.dumps(details))
