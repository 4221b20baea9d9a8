# SPDX-License-Identifier: Apache-2.0
"""Exported folder and inputs -> does the C write the same bytes as the simulator, and what does it cost?"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from shrinkfit.check.build import LinkedSizes, Target, build_firmware, build_host, find_tool, linked_sizes
from shrinkfit.check.emulate import Profile, run_unicorn
from shrinkfit.check.execute import board_target, run_host, run_qemu
from shrinkfit.check.inputs import model_inputs
from shrinkfit.errors import CheckError, ShrinkfitError

PLACES = ("host", "cortex-m4", "qemu")
# Cycles hardly depend on the input; a counted run is some thirty times slower than a plain one.
PROFILED_CLIPS = 1


@dataclass(frozen=True)
class LayerRun:
    """One layer of one counted inference; cycles are None where the core's timings are not known."""

    name: str
    kind: str
    macs: int
    instructions: int
    cycles: int | None


@dataclass(frozen=True)
class CheckResult:
    """What a check found.

    Args:
        name: the model's name.
        on: where it ran: "host", "cortex-m4" or "qemu".
        core: what the image was compiled for; "host" there.
        clips: inputs run.
        differences: output bytes that differ from the simulator's, in any of the programs run.
        first_difference: where the first one is; empty when there is none.
        outputs: int8 [clips, ...], as the C wrote them.
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
    outputs: np.ndarray = field(repr=False)
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
    """One program's outputs, and what was learned on the way."""

    label: str
    outputs: np.ndarray
    facts: dict[str, Any] = field(default_factory=dict)


def check(folder: str | Path, inputs: np.ndarray | str | Path | None = None, on: str = "host") -> CheckResult:
    """Build an exported folder, run it, and compare every output byte with the simulator.

    Args:
        folder: what export wrote; it is left as it is.
        inputs: int8 or float [n, ...], or an .npy file with them; random ones when None.
        on: "host" runs the scalar and the DSP kernels with sanitizers, "cortex-m4" the linked image on an emulated
            core with instruction counts, "qemu" the whole firmware from reset to exit.

    Raises:
        CheckError: the folder is not shrinkfit's, does not build, or faults; or the inputs do not fit the model.
        ToolMissingError: a compiler or emulator is not installed.
    """
    if on not in PLACES:
        raise ShrinkfitError(f"check cannot run on {on!r}; expected one of {', '.join(PLACES)}")
    exported = _Exported.read(Path(folder))
    graph = exported.graph()
    values = model_inputs(graph.tensors[graph.inputs[0]], inputs)
    with tempfile.TemporaryDirectory(prefix="shrinkfit-check-") as place:
        ran = _RUNNERS[on](exported, values, graph.tensors[graph.outputs[0]].size_bytes, Path(place))
    from shrinkfit.graph.simulate import run

    return _compare(exported, on, ran, run(graph, values))


def _compare(exported: _Exported, on: str, ran: list[_Ran], expected: np.ndarray) -> CheckResult:
    flat = expected.reshape(len(expected), -1)
    differs = np.any([one.outputs != flat for one in ran], axis=0)
    facts = {name: value for one in ran for name, value in one.facts.items()}
    return CheckResult(
        name=exported.name,
        on=on,
        core="host" if on == "host" else exported.target.core,
        clips=len(flat),
        differences=int(differs.sum()),
        first_difference=next(filter(None, (_first_difference(one, flat) for one in ran)), ""),
        outputs=ran[0].outputs.reshape(expected.shape),
        predicted=exported.predicted,
        **facts,
    )


def _first_difference(ran: _Ran, expected: np.ndarray) -> str:
    places = np.argwhere(ran.outputs != expected)
    if len(places) == 0:
        return ""
    clip, byte = places[0].tolist()
    return f"{ran.label}, clip {clip}, byte {byte}: {ran.outputs[clip, byte]}, expected {expected[clip, byte]}"


def _on_host(exported: _Exported, values: np.ndarray, output_bytes: int, place: Path) -> list[_Ran]:
    rows = values.reshape(len(values), -1)
    ran = []
    for label, use_dsp in (("scalar kernels", False), ("DSP kernels", True)):
        program = build_host(exported.folder, place, use_dsp=use_dsp)
        ran.append(_Ran(label, run_host(program, rows, output_bytes)))
    return ran


def _on_cortex_m4(exported: _Exported, values: np.ndarray, output_bytes: int, place: Path) -> list[_Ran]:
    target = exported.target
    elf = build_firmware(exported.folder, place, target, stack_bytes=exported.stack_bytes)
    rows = values.reshape(len(values), -1)
    emulation = run_unicorn(elf, rows, exported.name, output_bytes, target, count=PROFILED_CLIPS)
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


def _on_qemu(exported: _Exported, values: np.ndarray, output_bytes: int, place: Path) -> list[_Ran]:
    find_tool("qemu-system-arm")
    target = board_target(exported.target)
    elf = build_firmware(exported.folder, place, target, stack_bytes=exported.stack_bytes)
    outputs = run_qemu(elf, values.reshape(len(values), -1), output_bytes, target)
    return [_Ran("QEMU", outputs, _sizes(linked_sizes(elf)))]


_RUNNERS = {"host": _on_host, "cortex-m4": _on_cortex_m4, "qemu": _on_qemu}


def _sizes(sizes: LinkedSizes) -> dict[str, int]:
    return {"flash_bytes": sizes.flash_bytes, "ram_bytes": sizes.ram_bytes}


@dataclass(frozen=True)
class _Exported:
    """A folder that export wrote, and what its report.json says."""

    folder: Path
    name: str
    target: Target
    report: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> _Exported:
        if not folder.is_dir():
            raise CheckError(f"'{folder}' is not a folder; expected one that `shrinkfit export` wrote")
        path = folder / "report.json"
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            ours = "shrinkfit_report" in report and isinstance(report["name"], str)
            target = Target.of(SimpleNamespace(**report["target"])) if ours else None
        except FileNotFoundError as error:
            raise CheckError(f"'{folder}' has no report.json, so shrinkfit did not write it; export first") from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckError(f"'{path}' is not a report that shrinkfit wrote ({error}); export again") from error
        if target is None:
            raise CheckError(f"'{path}' is not a report that shrinkfit wrote; export again")
        return cls(folder, report["name"], target, report)

    def graph(self):
        from shrinkfit.read.tflite import read_tflite

        path = self.folder / f"{self.name}.tflite"
        if not path.is_file():
            raise CheckError(
                f"'{self.folder}' has no {path.name}, from which check simulates; export writes it for every model "
                "whose operators LiteRT has"
            )
        return read_tflite(path)

    def layers(self, profile: Profile, timed: bool) -> tuple[LayerRun, ...]:
        """The calls of the run function, which are the layers in their order."""
        rows = [row for row in self.report.get("layers", ()) if row["function"]]
        if len(rows) != len(profile.calls):
            raise CheckError(f"{self.name}_run makes {len(profile.calls)} calls for {len(rows)} layers; export again")
        return tuple(
            LayerRun(row["name"], row["kind"], row["macs"], call.instructions, call.cycles if timed else None)
            for row, call in zip(rows, profile.calls, strict=True)
        )

    @property
    def stack_bytes(self) -> int | None:
        """What the firmware sets aside."""
        return self.report.get("stack_bytes")

    @property
    def predicted(self) -> dict[str, int]:
        keys = {"flash_bytes": "flash_bytes", "ram_bytes": "ram_bytes", "stack_bytes": "run_stack_bytes"}
        return {ours: self.report[theirs] for ours, theirs in keys.items() if theirs in self.report}
