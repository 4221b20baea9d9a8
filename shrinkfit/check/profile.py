# SPDX-License-Identifier: Apache-2.0
"""Exported folder -> what one inference costs on an emulated core, layer by layer, and what its image is made of."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from shrinkfit._shown import Shown
from shrinkfit.check.build import LinkedSizes, build_firmware, linked_sizes
from shrinkfit.check.emulate import Profile, run_unicorn
from shrinkfit.check.exported import Exported, LayerRun
from shrinkfit.check.steps import given_inputs
from shrinkfit.device import Device
from shrinkfit.errors import CheckError
from shrinkfit.graph.inputs import rows_of
from shrinkfit.graph.ir import Graph, Tensor
from shrinkfit.price.cost import energy_uj, latency_ms

TIMED_CORE = "cortex-m4"
ARENA = "sf_arena"
PARAMETERS, UNNAMED = "parameters", "literals, alignment"
# Noise over the whole range: the last of check's random inputs.
_RANDOM_RUN = slice(-1, None)


@dataclass(frozen=True)
class FunctionProfile:
    """A function or constant of the image.

    Args:
        name: as the linker knows it; "parameters" for all the model's own arrays and structs.
        flash_bytes: what it takes in the image.
        instructions, cycles: its own in one inference, callees left out; cycles None where the core's timings are
            not known. 0 for what the inference does not reach.
    """

    name: str
    flash_bytes: int
    instructions: int
    cycles: int | None


@dataclass(frozen=True)
class ProfileResult(Shown, by="report.profile.profile_report"):
    """One inference on an emulated core: of several inputs the slowest.

    Args:
        name: the model's name.
        device, core: what the image was built for.
        runs: inputs run.
        macs: multiply-accumulates of the model.
        instructions: executed, exact.
        cycles: by a Cortex-M4's timings, without flash wait states; None for other cores.
        fewest_cycles: of the fastest of the inputs.
        clock_hz: the device's; None where it is not known.
        latency_ms, energy_uj: of these cycles on the device; None where its clock or current is not known.
        layers: in their order.
        functions: the dearest first, then the largest; their flash_bytes add up to the image's.
        sections: section name -> bytes, as linked.
        flash_bytes, ram_bytes: of the image.
        parameter_bytes, code_bytes: of the flash: the model's arrays and structs, everything else.
        arena_bytes: of the RAM.
        static_bytes: .data and .bss besides the arena.
        stack_bytes: the deepest stack that a call of the run function was seen to use.
        stack_bound_bytes: what export computed that it can use.
        reserved_stack_bytes: what the image sets aside, for main too.
    """

    name: str
    device: str
    core: str
    runs: int
    macs: int
    instructions: int
    cycles: int | None
    fewest_cycles: int | None
    clock_hz: int | None
    latency_ms: float | None
    energy_uj: float | None
    layers: tuple[LayerRun, ...] = field(repr=False)
    functions: tuple[FunctionProfile, ...] = field(repr=False)
    sections: dict[str, int] = field(repr=False)
    flash_bytes: int
    ram_bytes: int
    parameter_bytes: int
    code_bytes: int
    arena_bytes: int
    static_bytes: int
    stack_bytes: int
    stack_bound_bytes: int
    reserved_stack_bytes: int

    @property
    def held(self) -> bool:
        """Whether the stack stayed within the bound that export computed."""
        return self.stack_bytes <= self.stack_bound_bytes

    @property
    def code_run_bytes(self) -> int:
        """Flash of the functions that the inference ran through: kernels, their helpers, the run function."""
        return sum(function.flash_bytes for function in self.functions if function.instructions)

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {**asdict(self), "held": self.held}


def profile(folder: str | Path, inputs: Any = None) -> ProfileResult:
    """Build an exported folder's image and count one inference on an emulated core.

    The outputs are not looked at: that is what check does.

    Args:
        folder: what export wrote; it is left as it is.
        inputs: float or the model's own type [n, ...], a dictionary of such by tensor name, or an .npy or .npz file
            with them; one random input when None. A model that keeps state takes them one after the other.

    Returns:
        cycles and instructions of each layer, and the image's flash, RAM and stack.

    Raises:
        CheckError: the folder is not shrinkfit's, does not build, or faults; the emulator has no such core; or
            the inputs do not fit the model.
        ToolMissingError: a compiler is not installed.
    """
    exported = Exported.read(Path(folder))
    rows = _input_rows(exported, inputs)
    with tempfile.TemporaryDirectory(prefix="shrinkfit-profile-") as place:
        elf = build_firmware(exported.folder, Path(place), exported.target, stack_bytes=exported.stack_bytes)
        emulation = run_unicorn(elf, rows, exported.api, exported.target, count=len(rows))
        sizes = linked_sizes(elf)
    return _result(exported, emulation.profiles, emulation.stack_bytes, sizes)


def _input_rows(exported: Exported, given: Any) -> np.ndarray:
    """int8 [n, bytes]; report.json describes the inputs, so that a folder without a .tflite runs too."""
    known = ("name", "shape", "scale", "zero_point", "dtype")
    tensors = [Tensor(**{key: edge[key] for key in known if key in edge}) for edge in exported.report["inputs"]]
    names = tuple(tensor.name for tensor in tensors)
    without_layers = Graph(exported.name, {tensor.name: tensor for tensor in tensors}, (), names, names)
    arrays = given_inputs(without_layers, given)
    rows = rows_of(arrays[tensor.name] for tensor in tensors)
    return rows[_RANDOM_RUN] if given is None else rows


def _result(exported: Exported, profiles: tuple[Profile, ...], stack: int, sizes: LinkedSizes) -> ProfileResult:
    timed = exported.target.core == TIMED_CORE
    slowest = max(profiles, key=lambda one: one.cycles if timed else one.instructions)
    cycles = slowest.cycles if timed else None
    device = device_of(exported.report)
    functions = _functions(exported.name, slowest, sizes, timed)
    parameters = sum(one.flash_bytes for one in functions if one.name == PARAMETERS)
    arena = sum(s.size_bytes for s in sizes.symbols if s.name == ARENA)
    stack_section = sizes.sections.get(".stack", 0)
    layers = exported.layers(slowest, timed)
    return ProfileResult(
        name=exported.name,
        device=device.name,
        core=device.core,
        runs=len(profiles),
        macs=sum(layer.macs for layer in layers),
        instructions=slowest.instructions,
        cycles=cycles,
        fewest_cycles=min(one.cycles for one in profiles) if timed else None,
        clock_hz=device.clock_hz,
        latency_ms=latency_ms(cycles, device),
        energy_uj=energy_uj(cycles, device),
        layers=layers,
        functions=functions,
        sections=sizes.sections,
        flash_bytes=sizes.flash_bytes,
        ram_bytes=sizes.ram_bytes,
        parameter_bytes=parameters,
        code_bytes=sizes.flash_bytes - parameters,
        arena_bytes=arena,
        static_bytes=sizes.ram_bytes - arena - stack_section,
        stack_bytes=stack,
        stack_bound_bytes=exported.predicted["stack_bytes"],
        reserved_stack_bytes=stack_section,
    )


def device_of(report: dict[str, Any]) -> Device:
    """As far as report.json tells of it."""
    known = ("core", "clock_hz", "active_ua_per_mhz", "supply_volts")
    return Device(report["device"], **{key: report["target"].get(key) for key in known})


def _functions(name: str, run: Profile, sizes: LinkedSizes, timed: bool) -> tuple[FunctionProfile, ...]:
    flash: dict[str, int] = defaultdict(int)
    for symbol in sizes.symbols:
        if symbol.section in (".text", ".data"):
            is_parameter = not symbol.is_code and symbol.name.startswith(f"{name}_")
            flash[PARAMETERS if is_parameter else symbol.name] += symbol.size_bytes
    flash[UNNAMED] += sizes.flash_bytes - sum(flash.values())
    costs = {cost.name: cost for cost in run.functions}
    strange = set(costs) - set(flash)
    if strange:
        raise CheckError(f"{name}_run went through {', '.join(sorted(strange))}, which the image does not name")
    found = [
        FunctionProfile(
            function,
            size_bytes,
            costs[function].instructions if function in costs else 0,
            (costs[function].cycles if function in costs else 0) if timed else None,
        )
        for function, size_bytes in flash.items()
    ]
    return tuple(sorted(found, key=lambda one: (-(one.cycles or one.instructions), -one.flash_bytes, one.name)))
