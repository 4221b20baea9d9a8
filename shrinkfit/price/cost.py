# SPDX-License-Identifier: Apache-2.0
"""Integer graph in, what it costs on a device out; the same figures bound training and are printed by export."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from shrinkfit._shown import Shown
from shrinkfit.device import DEFAULT_DEVICE, RESOURCES, Budget, Device, get_device
from shrinkfit.device.device import SUPPLY_VOLTS
from shrinkfit.errors import BudgetError
from shrinkfit.graph import optimize as rewrites
from shrinkfit.graph.ir import Graph, Op
from shrinkfit.graph.stream_report import StreamReport
from shrinkfit.graph.streaming import to_streaming
from shrinkfit.graph.timeline import checked_frames
from shrinkfit.price.arena import Plan, plan
from shrinkfit.price.calls import flash_tensors, is_free, roots
from shrinkfit.price.cycles import estimate
from shrinkfit.price.kernel import Choice, word
from shrinkfit.price.kernels import scratch_sizes
from shrinkfit.price.kernels_layout import reset_data_bytes
from shrinkfit.price.linked import linked_code_bytes, stack_bytes, static_ram_bytes
from shrinkfit.price.listening import Listens, Surroundings, checked_listener, listening_image
from shrinkfit.price.shared import data_bytes
from shrinkfit.price.smallest import Striping, checked_ram, with_ram
from shrinkfit.read.source import is_tflite, read_source


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
        cycles: of a Cortex-M4, by the cycle model; None where its kernel was not measured.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    weights: int
    bytes: int
    macs: int
    flops: int
    arena_live_bytes: int
    cycles: int | None = None


@dataclass(frozen=True)
class Cost(Shown, by="report.views.cost_view"):
    """What one model costs on one device. With a listener RAM, flash and what they are made of are those of the image
    that listens; all else is the network's own.

    Args:
        device: the device's name.
        ram_bytes: arena, stack and static data of the linked firmware image, and what a listener keeps.
        flash_bytes: all of the linked firmware image: start-up, code, weights and parameters.
        flops, macs: for one inference; FLOPs = 2 x MACs.
        arena_bytes: the arena alone.
        stack_bytes: the bound on the stack.
        weight_bytes: constant data of all layers.
        code_bytes: the rest of the flash.
        peak_layer: the operator with the most live bytes.
        layers: one per operator in the order in which they run; reshapes cost nothing and are left out.
        cycles: for one inference, by the cycle model; None where a kernel was not measured.
        latency_ms: cycles at the device's clock; None where one of the two is not known.
        energy_uj: supply current x voltage in that time; None where cycles or current are not known.
        cycles_source: where the cycles come from, or what is missing.
        stripes: layers that run in stripes of rows (ram="smallest"), with what that saves and costs.
        sound_bytes: what a listener keeps of the sound, besides the arena; 0 without one.
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
    layers: tuple[LayerCost, ...] = field(repr=False)
    cycles: int | None = None
    latency_ms: float | None = None
    energy_uj: float | None = None
    cycles_source: str = field(default="", repr=False)
    stripes: tuple[Striping, ...] = field(default=(), repr=False)
    sound_bytes: int = 0

    def as_costs(self) -> dict[str, float]:
        """The resources that a budget can bound, by name; those of them that are known."""
        return {name: getattr(self, name) for name in RESOURCES if getattr(self, name) is not None}

    def require(self, resources: Iterable[str]) -> None:
        """Nothing where all of these resources are known.

        Raises:
            BudgetError: one is not; says why.
        """
        missing = [name for name in resources if getattr(self, name) is None]
        if missing:
            why = self.cycles_source if self.cycles is None else f"{self.device}'s clock or supply current is not known"
            raise BudgetError(f"{' and '.join(missing)} cannot be limited: {why}; leave that limit out")

    def against(self, budget: Budget) -> tuple[tuple[str, float, float | None], ...]:
        """(resource, cost, limit or None) for every resource that is known.

        Raises:
            BudgetError: there is a limit for one that is not.
        """
        limits = budget.limits()
        self.require(limits)
        return tuple((name, value, limits.get(name)) for name, value in self.as_costs().items())

    def over(self, budget: Budget) -> dict[str, tuple[float, float]]:
        """Resource -> (cost, limit), for those over their limit; errors as `against`."""
        return {name: (value, limit) for name, value, limit in self.against(budget) if limit and value > limit}


def price(
    model: Any,
    device: str | Device = DEFAULT_DEVICE,
    *,
    optimize: bool | str = True,
    streaming: bool = False,
    frames_per_call: int | None = None,
    ram: str | None = None,
    listener: Listens | None = None,
) -> Cost:
    """Price a model on a device.

    Args:
        model: a Graph, a Keras model, or the path of a .tflite, .keras or .h5 file. A float model is
            priced as its int8 form; no calibration is needed, as costs depend on shapes only.
        device: a catalogue name, a .toml file (`get_device`) or a Device.
        optimize: as in `export`: "balanced", "speed" or "size"; True for what the device says; False: a .tflite file is
            priced as it came, not as export rewrites it.
        streaming, frames_per_call: as in `export`; the price is that of one call.
        ram: as in `export`: "smallest" for layers in stripes of rows.
        listener: as in `export`: RAM and flash are then those of the image that listens. `Listener.price` tells what a
            second of sound takes.
    Returns:
        the costs of one inference, or of one call of a streamed model, layer by layer and in all.
    Raises:
        ShrinkfitError: the model cannot be read, or does not go with the listener; ram, listener or frames_per_call is
            something else.
        UnknownDeviceError: no such device; the message lists near matches.
    """
    checked_ram(ram)
    part, hop = optimized_for(get_device(device), optimize), hop_of(listener)
    frames = checked_frames(frames_per_call) or hop
    graph, stripes = with_ram(priced_graph(model, optimize, streaming, frames), part, ram)
    return price_graph(graph, part, stripes, None if listener is None else listener.surroundings(graph))


def hop_of(listener: Any) -> int | None:
    """New frames of a streamed model's call, where nothing but its listener says how many.

    Raises:
        ShrinkfitError: it is no listener.
    """
    return getattr(checked_listener(listener), "hop_frames", None)


def priced_graph(
    model: Any, optimize: bool | str = True, streaming: bool = False, frames_per_call: int | None = None
) -> Graph:
    """The graph whose cost `price` tells where layers run in one piece; arguments and errors are its own."""
    return streamed_graph(model, optimize, streaming, frames_per_call)[0]


def streamed_graph(
    model: Any, optimize: bool | str = True, streaming: bool = False, frames_per_call: int | None = None
) -> tuple[Graph, StreamReport | None]:
    """The same, with what is known of a streamed one."""
    graph = read_source(model, shapes_only=True)
    if optimize and is_tflite(model):
        graph, _ = rewrites.optimize(graph)
    if not streaming:
        return graph, None
    made = to_streaming(graph, frames_per_call)
    return made.graph, made.report


def optimized_for(device: Device, optimize: bool | str) -> Device:
    """The device with its kernels chosen for what `optimize` names; True and False leave it as it is."""
    return device if isinstance(optimize, bool) else replace(device, optimize=optimize)


def price_graph(
    graph: Graph, device: Device, stripes: tuple[Striping, ...] = (), around: Surroundings | None = None
) -> Cost:
    """Price an integer graph; the same planner and the same figures that export uses.

    Args:
        stripes: how it was cut, for the record.
        around: what a listener holds around it.
    """
    choice = Choice.of(device)
    memory = plan(graph, scratch_sizes(graph, choice))
    constants, time = _constants_by_op(graph, choice), estimate(graph, device)
    layers = tuple(_layer(graph, op, memory, constants, time.layers[op.name]) for op in graph.ops if not is_free(op))
    data, code = constant_bytes(graph, device), linked_code_bytes(graph, device)
    stack, macs = stack_bytes(graph, device), graph.macs
    cost = Cost(
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
        cycles=time.total,
        latency_ms=latency_ms(time.total, device),
        energy_uj=energy_uj(time.total, device),
        cycles_source=time.source,
        stripes=stripes,
    )
    return cost if around is None else with_listener(cost, graph, device, around, memory.state_bytes)


def with_listener(cost: Cost, graph: Graph, device: Device, around: Surroundings, state_bytes: int) -> Cost:
    """The cost of the image that listens.

    Args:
        cost: the network's own, of this graph on this device.
        around: what the listener holds around it.
        state_bytes: of the network's plan.
    """
    image = listening_image(graph, device, around.second)
    memory = around.network_bytes(cost.arena_bytes, state_bytes) + around.kept_on(device)
    code = image.code_bytes + around.constants_on(device)
    return replace(
        cost,
        ram_bytes=memory + image.stack_bytes + image.static_bytes,
        flash_bytes=code + cost.weight_bytes,
        stack_bytes=image.stack_bytes,
        code_bytes=code,
        sound_bytes=memory - cost.arena_bytes,
    )


def constant_bytes(graph: Graph, device: Device) -> int:
    """Constant data of all layers, with what belongs to none: a constant that is an output of the model."""
    return (
        sum(data_bytes(graph, Choice.of(device)).values())
        + sum(map(word, flash_tensors(graph).values()))
        + reset_data_bytes(graph)
    )


def latency_ms(cycles: int | None, device: Device) -> float | None:
    """None where cycles or clock are not known."""
    return None if cycles is None or device.clock_hz is None else 1e3 * cycles / device.clock_hz


def energy_uj(cycles: int | None, device: Device) -> float | None:
    """None where cycles or current are not known.

    Microamperes per MHz are picocoulombs per cycle, whatever the clock.
    """
    if cycles is None or device.active_ua_per_mhz is None:
        return None
    return 1e-6 * cycles * device.active_ua_per_mhz * (device.supply_volts or SUPPLY_VOLTS)


def _constants_by_op(graph: Graph, choice: Choice) -> dict[str, int]:
    """Operator -> bytes of its own constants, and of those of the graph that it is the first to read."""
    left, root_of, found = flash_tensors(graph), roots(graph), data_bytes(graph, choice)
    for op in graph.ops:
        if not is_free(op):
            found[op.name] += sum(word(left.pop(root_of[name], 0)) for name in op.inputs)
    return found


def _layer(graph: Graph, op: Op, memory: Plan, constants: dict[str, int], cycles: int | None) -> LayerCost:
    macs = graph.op_macs(op)
    return LayerCost(
        name=op.name,
        kind=op.kind,
        output_shape=graph.tensors[(*op.outputs, *op.inputs)[0]].shape,
        weights=op.weight_count,
        bytes=constants[op.name],
        macs=macs,
        flops=2 * macs,
        arena_live_bytes=memory.live_bytes[op.name],
        cycles=cycles,
    )
