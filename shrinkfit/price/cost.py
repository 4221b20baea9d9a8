# SPDX-License-Identifier: Apache-2.0
"""Integer graph in, what it costs on a device out; the same figures bound training and are printed by export."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from shrinkfit.device import Budget, Device, get_device
from shrinkfit.errors import ShrinkfitError
from shrinkfit.graph.ir import Graph, Op
from shrinkfit.price.arena import Plan, plan
from shrinkfit.price.calls import flash_tensors, roots
from shrinkfit.price.kernel import word
from shrinkfit.price.kernels import kernel_for, linked_code_bytes, scratch_sizes, stack_bytes, static_ram_bytes
from shrinkfit.price.kernels_layout import reset_data_bytes

RESOURCES = ("ram_bytes", "flash_bytes", "flops")


@dataclass(frozen=True)
class LayerCost:
    """One operator's share.

    Args:
        name, kind: of the operator.
        output_shape: of its first output, batch first; of its input where it only keeps a variable.
        weights: kernel elements and biases.
        bytes: its constant data in flash: packed weights, biases, multipliers, parameters, and the graph's
            constants that it is the first to read.
        macs, flops: for one inference; FLOPs = 2 x MACs.
        arena_live_bytes: tensors and scratch alive while it runs.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    weights: int
    bytes: int
    macs: int
    flops: int
    arena_live_bytes: int


@dataclass(frozen=True)
class Cost:
    """What one model costs on one device.

    Args:
        device: the device's name.
        ram_bytes: arena, stack and static data of the linked firmware image.
        flash_bytes: all of the linked firmware image: start-up, code, weights and parameters.
        flops, macs: for one inference; FLOPs = 2 x MACs.
        arena_bytes: the arena alone.
        stack_bytes: the bound on the stack.
        weight_bytes: constant data of all layers.
        code_bytes: the rest of the flash.
        peak_layer: the operator with the most live bytes.
        layers: one per operator in the order in which they run; reshapes cost nothing and are left out.
    """

    device: str
    ram_bytes: int
    flash_bytes: int
    flops: int
    macs: int
    arena_bytes: int
    stack_bytes: int
    weight_bytes: int
    code_bytes: int
    peak_layer: str
    layers: tuple[LayerCost, ...]

    def as_costs(self) -> dict[str, int]:
        """The resources that a budget can bound, by name."""
        return {name: getattr(self, name) for name in RESOURCES}

    def against(self, budget: Budget) -> tuple[tuple[str, int, int | None], ...]:
        """(resource, cost, limit or None) for every resource."""
        limits = budget.limits()
        return tuple((name, value, limits.get(name)) for name, value in self.as_costs().items())

    def over(self, budget: Budget) -> dict[str, tuple[int, int]]:
        """Resource -> (cost, limit), for those over their limit."""
        return {name: (value, limit) for name, value, limit in self.against(budget) if limit and value > limit}


def price(model: Any, device: str | Device = "efm32") -> Cost:
    """Price a model on a device.

    Args:
        model: a Graph, a Keras model, or the path of a .tflite, .keras or .h5 file. A float model is
            priced as its int8 form; no calibration is needed, as costs depend on shapes only.
        device: a catalogue name or a Device.
    Raises:
        ShrinkfitError: the model cannot be read.
    """
    return price_graph(_graph_of(model), get_device(device))


def _graph_of(model: Any) -> Graph:
    if isinstance(model, Graph):
        return model
    if isinstance(model, (str, PathLike)):
        path = Path(model)
        if not path.is_file():
            raise ShrinkfitError(f"no such model file: '{path}'")
        if path.suffix == ".tflite":
            from shrinkfit.read.tflite import read_tflite

            return read_tflite(path)
        if path.suffix not in (".keras", ".h5"):
            raise ShrinkfitError(f"'{path}' ends in '{path.suffix}', expected a .tflite, .keras or .h5 file")
    from shrinkfit.read.keras_model import read_shapes

    return read_shapes(model)


def price_graph(graph: Graph, device: Device) -> Cost:
    """Price an integer graph; the same planner and the same figures that export uses."""
    dsp = bool(device.dsp)
    memory = plan(graph, scratch_sizes(graph, dsp))
    constants = _constants_by_op(graph)
    layers = tuple(_layer(graph, op, dsp, memory, constants) for op in graph.ops if op.kind != "reshape")
    # A constant that is an output of the model belongs to no layer.
    unread = sum(word(n) for n in flash_tensors(graph).values()) - sum(constants.values())
    data = sum(layer.bytes for layer in layers) + reset_data_bytes(graph) + unread
    code = linked_code_bytes(graph, device)
    stack, macs = stack_bytes(graph, device), graph.macs
    return Cost(
        device=device.name,
        ram_bytes=memory.arena_bytes + stack + static_ram_bytes(graph, device),
        flash_bytes=data + code,
        flops=2 * macs,
        macs=macs,
        arena_bytes=memory.arena_bytes,
        stack_bytes=stack,
        weight_bytes=data,
        code_bytes=code,
        peak_layer=memory.peak_op,
        layers=layers,
    )


def _constants_by_op(graph: Graph) -> dict[str, int]:
    """Operator -> bytes of the constants that it is the first to read."""
    left, root_of, found = flash_tensors(graph), roots(graph), {}
    for op in graph.ops:
        if op.kind != "reshape":
            found[op.name] = sum(word(left.pop(root_of[name], 0)) for name in op.inputs)
    return found


def _layer(graph: Graph, op: Op, dsp: bool, memory: Plan, constants: dict[str, int]) -> LayerCost:
    macs = graph.op_macs(op)
    return LayerCost(
        name=op.name,
        kind=op.kind,
        output_shape=graph.tensors[(*op.outputs, *op.inputs)[0]].shape,
        weights=op.weight_count,
        bytes=kernel_for(op, graph, dsp).data_bytes + constants[op.name],
        macs=macs,
        flops=2 * macs,
        arena_live_bytes=memory.live_bytes[op.name],
    )
