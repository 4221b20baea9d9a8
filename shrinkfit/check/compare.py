# SPDX-License-Identifier: Apache-2.0
"""Exported folder and inputs -> does the C write the same bytes as the simulator, and what does it cost?"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from shrinkfit._progress import step
from shrinkfit._shown import Shown
from shrinkfit.check.build import LinkedSizes, build_firmware, build_host, find_tool, linked_sizes
from shrinkfit.check.emulate import Profile, run_unicorn
from shrinkfit.check.execute import board_target, run_host, run_qemu
from shrinkfit.check.exported import Exported, LayerRun
from shrinkfit.check.steps import difference, given_inputs, input_rows, split_rows
from shrinkfit.errors import ShrinkfitError, expected_one_of
from shrinkfit.graph.inputs import rows_of
from shrinkfit.graph.ir import Graph, Tensor
from shrinkfit.graph.simulate import trace_runs

PLACES = ("host", "cortex-m4", "qemu")
HOST_KERNELS = (("scalar kernels", False), ("DSP kernels", True))
# Cycles hardly depend on the input; a counted run is some ten times slower than a plain one.
PROFILED_CLIPS = 1


@dataclass(frozen=True)
class CheckResult(Shown, by="report.views.said"):
    """What a check found.

    Args:
        name: the model's name.
        on: where it ran: "host", "cortex-m4" or "qemu".
        core: what the image was compiled for; "host" there.
        clips: inputs run.
        differences: output bytes that differ from the simulator's, in any of the programs run.
        first_difference: where the first one is; empty when there is none.
        outputs: [clips, ...] as the C wrote them, in the model's type; by tensor name where there are several.
        instructions, cycles: of one inference on the emulated core; cycles by a Cortex-M4's timings, so None
            for other cores. None where nothing was counted.
        stack_bytes: the deepest stack that a call of the run function was seen to use; None where not measured.
        flash_bytes, ram_bytes: of the linked image; None on the host.
        predicted: flash_bytes, ram_bytes and the bound on stack_bytes as export reported them.
        layers: the counted inference layer by layer; empty where nothing was counted.
        profile: the same by C function; None where nothing was counted.
    """

    name: str
    on: str
    core: str
    clips: int
    differences: int
    first_difference: str
    outputs: np.ndarray | dict[str, np.ndarray] = field(repr=False)
    instructions: int | None = None
    cycles: int | None = None
    stack_bytes: int | None = None
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    predicted: dict[str, int] = field(default_factory=dict)
    layers: tuple[LayerRun, ...] = field(default=(), repr=False)
    profile: Profile | None = field(default=None, repr=False)

    @property
    def exact(self) -> bool:
        """Every byte equals the simulator's."""
        return self.differences == 0

    held = exact

    def as_dict(self) -> dict[str, Any]:
        """Everything but the outputs and the profile, for JSON."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("outputs", "profile")}
        return {**plain, "layers": [asdict(layer) for layer in self.layers], "exact": self.exact}

    def __str__(self) -> str:
        verdict = "every byte as simulated" if self.exact else f"{self.differences} bytes differ: "
        lines = [f"{self.name} on {self.on}: {self.clips} clips, {verdict}{self.first_difference}"]
        for what, unit in (("flash_bytes", "bytes"), ("ram_bytes", "bytes"), ("stack_bytes", "bytes")):
            if getattr(self, what) is not None:
                said = f", {self.predicted[what]:,} predicted" if what in self.predicted else ""
                lines.append(f"  {what.removesuffix('_bytes'):<12} {getattr(self, what):>12,} {unit}{said}")
        for what in ("instructions", "cycles"):
            if getattr(self, what) is not None:
                lines.append(f"  {what:<12} {getattr(self, what):>12,} per inference")
        return "\n".join(lines)


@dataclass(frozen=True)
class _Ran:
    """One program's outputs int8 [n, bytes], and what was learned on the way."""

    label: str
    outputs: np.ndarray
    facts: dict[str, Any] = field(default_factory=dict)


def check(
    folder: str | Path, inputs: Any = None, on: str = "host", *, trace: bool = False, graph: Graph | None = None
) -> CheckResult:
    """Build an exported folder, run it, and compare every output byte with the simulator.

    Args:
        folder: what export wrote; it is left as it is. With trace also a .tflite file, which LiteRT's
            reference kernels then run.
        inputs: float or the model's own type [n, ...], a dictionary of such by tensor name, or an .npy or .npz file
            with them; random ones when None. A model that keeps state takes them one after the other.
        on: "host" runs the scalar and the DSP kernels with sanitizers, "cortex-m4" the linked image on an emulated
            core with instruction counts, "qemu" the whole firmware from reset to exit.
        trace: compare what every layer writes, on the host, and name the first tensor that differs.
        graph: the integer graph that was exported; read from the folder's .tflite when None.

    Returns:
        whether all bytes agree, what was compared, and what the image and a run of it take.

    Raises:
        ShrinkfitError: `on` is no such place, or a trace is not on the host.
        CheckError: the folder is not shrinkfit's, does not build, or faults; or the inputs do not fit the model.
        ToolMissingError: a compiler or emulator is not installed.
    """
    if on not in PLACES:
        raise ShrinkfitError(f"check cannot run on {on!r}; {expected_one_of(on, PLACES)}")
    if trace and on != "host":
        raise ShrinkfitError(f"a trace runs on the host, not on {on!r}; leave out the place or the trace")
    if trace and Path(folder).suffix == ".tflite" and Path(folder).is_file():
        from shrinkfit.check.trace import trace_tflite

        return trace_tflite(Path(folder), inputs)
    exported = Exported.read(Path(folder))
    graph = exported.graph() if graph is None else graph
    arrays = given_inputs(graph, inputs)
    with tempfile.TemporaryDirectory(prefix="shrinkfit-check-") as place:
        if trace:
            from shrinkfit.check.trace import trace_folder

            return trace_folder(exported, graph, arrays, Path(place))
        ran = _RUNNERS[on](exported, input_rows(graph, arrays), Path(place))
    step(f"simulating {len(next(iter(arrays.values())))} inputs")
    expected = trace_runs(graph, arrays, graph.outputs)
    return _compare(exported, on, ran, graph, rows_of(expected[name] for name in graph.outputs))


def _compare(exported: Exported, on: str, ran: list[_Ran], graph: Graph, expected: np.ndarray) -> CheckResult:
    differs = np.any([one.outputs != expected for one in ran], axis=0)
    facts = {name: value for one in ran for name, value in one.facts.items()}
    tensors = [graph.tensors[name] for name in graph.outputs]
    outputs = split_rows(ran[0].outputs, tensors)
    return CheckResult(
        name=exported.name,
        on=on,
        core="host" if on == "host" else exported.target.core,
        clips=len(expected),
        differences=int(differs.sum()),
        first_difference=next(filter(None, (_first_difference(one, tensors, expected) for one in ran)), ""),
        outputs=outputs[0] if len(outputs) == 1 else dict(zip(graph.outputs, outputs, strict=True)),
        predicted=exported.predicted,
        **facts,
    )


def _first_difference(ran: _Ran, tensors: list[Tensor], expected: np.ndarray) -> str:
    clips = np.flatnonzero(np.any(ran.outputs != expected, axis=1))
    if len(clips) == 0:
        return ""
    clip, start = int(clips[0]), 0
    for tensor in tensors:
        part = slice(start, start + tensor.size_bytes)
        found = difference(tensor, ran.outputs[clip, part], expected[clip, part])
        if found:
            return f"{ran.label}, clip {clip}, {found}"
        start = part.stop
    return ""


def _on_host(exported: Exported, rows: np.ndarray, place: Path) -> list[_Ran]:
    ran = []
    for label, use_dsp in HOST_KERNELS:
        program = build_host(exported.folder, place, use_dsp=use_dsp)
        ran.append(_Ran(label, run_host(program, rows, exported.output_bytes)))
    return ran


def _on_cortex_m4(exported: Exported, rows: np.ndarray, place: Path) -> list[_Ran]:
    target = exported.target
    elf = build_firmware(exported.folder, place, target, stack_bytes=exported.stack_bytes)
    emulation = run_unicorn(elf, rows, exported.api, target, count=PROFILED_CLIPS)
    profile, timed = emulation.profiles[0], target.core == "cortex-m4"
    facts = {
        **_sizes(linked_sizes(elf)),
        "stack_bytes": emulation.stack_bytes,
        "instructions": profile.instructions,
        "cycles": profile.cycles if timed else None,
        "layers": exported.layers(profile, timed),
        "profile": profile,
    }
    return [_Ran(target.core, emulation.outputs, facts)]


def _on_qemu(exported: Exported, rows: np.ndarray, place: Path) -> list[_Ran]:
    find_tool("qemu-system-arm")
    target = board_target(exported.target)
    elf = build_firmware(exported.folder, place, target, stack_bytes=exported.stack_bytes)
    outputs = run_qemu(elf, rows, exported.output_bytes, target)
    return [_Ran("QEMU", outputs, _sizes(linked_sizes(elf)))]


_RUNNERS = {"host": _on_host, "cortex-m4": _on_cortex_m4, "qemu": _on_qemu}


def _sizes(sizes: LinkedSizes) -> dict[str, int]:
    return {"flash_bytes": sizes.flash_bytes, "ram_bytes": sizes.ram_bytes}
