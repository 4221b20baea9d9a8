# SPDX-License-Identifier: Apache-2.0
"""An integer graph in, all that its C files will say out: kernels, packed constants, names, the memory plan."""

from __future__ import annotations

import re

from shrinkfit._runtime import runtime_dir
from shrinkfit.device import Device
from shrinkfit.errors import ExportError
from shrinkfit.graph.ir import Graph
from shrinkfit.graph.stream_report import StreamReport
from shrinkfit.price.arena import plan
from shrinkfit.price.calls import calls
from shrinkfit.price.kernel import Choice
from shrinkfit.price.kernels import kernel_for, scratch_sizes
from shrinkfit.price.linked import run_stack_bytes
from shrinkfit.price.shared import shared_with
from shrinkfit.write.api import Api, api_of
from shrinkfit.write.model import Layer, Model, layer_identifiers
from shrinkfit.write.pack import pack_calls
from shrinkfit.write.packed import Packed


def format_version() -> int:
    """SF_FORMAT_VERSION of the runtime that would be copied."""
    text = (runtime_dir() / "shrinkfit.h").read_text(encoding="utf-8")
    (version,) = re.findall(r"#define SF_FORMAT_VERSION (\d+)", text)
    return int(version)


def modelled(
    graph: Graph, name: str, device: Device, labels: tuple[str, ...] = (), stream: StreamReport | None = None
) -> Model:
    """All that the C files of a graph say on a device.

    Raises:
        UnsupportedLayerError: the C runtime cannot run it.
    """
    choice, api = Choice.of(device), api_of(name, graph)
    return Model(
        name=name,
        graph=graph,
        api=api,
        plan=plan(graph, scratch_sizes(graph, choice)),
        layers=_layers(graph, name, choice, api),
        format_version=format_version(),
        dsp=choice.dsp,
        stack_bytes=run_stack_bytes(graph, device),
        labels=labels,
        stream=stream,
    )


def _layers(graph: Graph, name: str, choice: Choice, api: Api) -> tuple[Layer, ...]:
    """One per call of the C."""
    kernels = [(op, kernel_for(op, graph, choice)) for op in graph.ops]
    parts = [
        (op, kernel, packed, arguments)
        for op, kernel in kernels
        if kernel.function
        for packed, arguments in zip(pack_calls(op, graph, choice), calls(op), strict=True)
    ]
    identifiers = layer_identifiers(name, api.names, [(op.name, packed) for op, _, packed, _ in parts])
    shared, layers = shared_with(graph, choice), []
    first: dict[str, tuple[str, Packed]] = {}
    for part, identifier in zip(parts, identifiers, strict=True):
        op, _, packed, _ = part
        owner = first.setdefault(shared.get(op.name, op.name), (identifier, packed))
        if op.name in shared and not packed.has_arrays_of(owner[1]):
            raise ExportError(f"{op.where} was priced with the constants of '{shared[op.name]}', which differ")
        layers.append(Layer(*part, identifier, owner[0] if op.name in shared else identifier))
    return tuple(layers)
