# SPDX-License-Identifier: Apache-2.0
"""A folder with a listener and samples in; what its C heard out: on this computer, on an emulated core, under QEMU."""

from __future__ import annotations

import re
import wave
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from shrinkfit._progress import steps
from shrinkfit.check.build import LinkedSizes, Target, build_firmware, build_host, find_tool, linked_sizes
from shrinkfit.check.emulate import Machine
from shrinkfit.check.execute import board_target, first_lines, run_command, run_image
from shrinkfit.check.exported import Exported
from shrinkfit.errors import CheckError, CheckUsageError, expected_one_of

# What one call of the listener is handed, unless the caller says otherwise; firmware.c's BUFFER_SAMPLES is the most.
CHUNK_SAMPLES = 256
TIMED_CORE = "cortex-m4"
PLACES = ("host", "cortex-m4", "qemu")
_LINE = re.compile(r"\(sample (\d+), label (\d+), score (-?\d+)\)")
NOT_VERIFIED = bytes([0x80])  # -128, as ports/listen/sound.h writes it
_SOUND, _SCORES = "sound.wav", "scores.bin"


@dataclass(frozen=True)
class Costs:
    """What listening took on the emulated core, while the network ran at its usual pace.

    Args:
        samples: over how many samples this was counted, a multiple of those between two runs.
        instructions: all of them.
        parts: C function that the listener calls -> cycles of all its calls, by a Cortex-M4's timings; what the
            listener does itself counts to the call that follows.
        calls: the same functions -> how often.
    """

    samples: int
    instructions: int
    parts: dict[str, int]
    calls: dict[str, int]

    @property
    def cycles(self) -> int:
        """Of all parts."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class Ran:
    """What one program heard.

    Args:
        label: which program.
        detections: (samples taken until then, label, score).
        scores: int8 [runs that count, classes].
        costs: None where none were counted.
        stack_bytes: the deepest stack of a call; None where it was not measured.
        sizes: of the linked image; None on this computer.
        verified: int8 [runs that count, classes], the verifier's, the lowest there are where it did not run; None
            without one.
    """

    label: str
    detections: tuple[tuple[int, int, int], ...]
    scores: np.ndarray = field(repr=False)
    costs: Costs | None = None
    stack_bytes: int | None = None
    sizes: LinkedSizes | None = field(default=None, repr=False)
    verified: np.ndarray | None = field(default=None, repr=False)


def listener_of(exported: Exported) -> dict[str, Any]:
    """What report.json says of the listener.

    Raises:
        CheckUsageError: there is none.
    """
    record = exported.report.get("listener")
    if not record:
        raise CheckUsageError(f"'{exported.folder}' has no listener; export with listener=Listener(features, detector)")
    return record


def programs(exported: Exported, on: str, place: Path) -> list[Program]:
    """Build what listens.

    Args:
        exported: a folder with a listener.
        on: "host" for the scalar and the DSP kernels with sanitizers, "cortex-m4" for the linked image's functions on
            an emulated core, "qemu" for a whole firmware that reads a wav file.
        place: an existing directory for what is built and written.

    Raises:
        CheckError: there is no listener, another place, or it does not build.
        ToolMissingError: a compiler or emulator is not installed.
    """
    record = listener_of(exported)
    if on == "host":
        kinds = (("scalar kernels", False), ("DSP kernels", True))
        built = ((label, build_host(exported.folder, place, use_dsp=dsp, listen=True)) for label, dsp in kinds)
        return [_OnHost(exported, label, path, place) for label, path in built]
    if on not in PLACES:
        raise CheckUsageError(f"listening cannot run on {on!r}; {expected_one_of(on, PLACES)}")
    if on == "qemu":
        find_tool("qemu-system-arm")
    target = board_target(exported.target) if on == "qemu" else exported.target
    elf = build_firmware(exported.folder, place, target, stack_bytes=record["cost"]["stack_bytes"], listen=True)
    return [_OnQemu(exported, elf, target, place) if on == "qemu" else _OnCore(exported, elf, target)]


class Program(Protocol):
    """Something that was built and listens."""

    def hear(self, samples: np.ndarray, *, chunk: int = CHUNK_SAMPLES, count: bool = True) -> Ran:
        """From a reset on.

        Args:
            samples: int16 [n].
            chunk: how many a call of the listener is handed, 1 to 256; QEMU's firmware has its own.
            count: cycles, where they can be.
        """


class _OnHost:
    def __init__(self, exported: Exported, label: str, path: Path, place: Path) -> None:
        self._exported, self._label, self._path, self._place = exported, label, path, place

    def hear(self, samples: np.ndarray, *, chunk: int = CHUNK_SAMPLES, count: bool = True) -> Ran:
        _write_wav(self._place / _SOUND, samples, _rate_hz(self._exported))
        done = run_command([str(self._path.resolve()), _SOUND, _SCORES, str(chunk)], str(self._place), self._path.name)
        if done.returncode != 0:
            raise CheckError(f"{self._path.name} ended with status {done.returncode}: {first_lines(done.stderr, 12)}")
        scores, verified = _scores(self._exported, (self._place / _SCORES).read_bytes())
        return Ran(self._label, _printed(done.stdout), scores, verified=verified)


class _OnQemu:
    def __init__(self, exported: Exported, elf: Path, target: Target, place: Path) -> None:
        self._exported, self._elf, self._target, self._place = exported, elf, target, place

    def hear(self, samples: np.ndarray, *, chunk: int = CHUNK_SAMPLES, count: bool = True) -> Ran:
        _write_wav(self._place / _SOUND, samples, _rate_hz(self._exported))
        printed = run_image(self._elf, str(self._place), self._target)
        scores, verified = _scores(self._exported, (self._place / _SCORES).read_bytes())
        return Ran("QEMU", _printed(printed), scores, sizes=linked_sizes(self._elf), verified=verified)


class _OnCore:
    def __init__(self, exported: Exported, elf: Path, target: Target) -> None:
        self._exported, self._target, self._sizes = exported, target, linked_sizes(elf)
        self._machine = Machine(elf, target)

    def hear(self, samples: np.ndarray, *, chunk: int = CHUNK_SAMPLES, count: bool = True) -> Ran:
        ear, core = _Ear(self._exported, self._machine, chunk), self._target.core
        begin, length = _counted_samples(listener_of(self._exported), len(samples))
        length = length if count and core == TIMED_CORE else 0
        ear.hear(samples[:begin])
        costs = ear.count(samples[begin : begin + length]) if length else None
        ear.hear(samples[begin + length :])
        scores, verified = _scores(self._exported, b"".join(ear.scores))
        return Ran(core, tuple(ear.detections), scores, costs, ear.stack_bytes, self._sizes, verified)


def _rate_hz(exported: Exported) -> int:
    return listener_of(exported)["features"]["sample_rate_hz"]


def _counted_samples(record: dict[str, Any], samples: int) -> tuple[int, int]:
    """From where, and how many: whole steps behind the first run, about a second of them."""
    first, step = record["first_samples"], record["step_samples"]
    steps = max(1, round(record["features"]["sample_rate_hz"] / step))
    return min(first, samples), min(steps, max(0, samples - first) // step) * step


class _Ear:
    """A listener in an emulated core, from its reset on."""

    def __init__(self, exported: Exported, machine: Machine, chunk: int) -> None:
        self._name, self._machine = exported.name, machine
        statics = ("sf_listener", "sf_samples", "sf_heard_last")
        self._memory, self._samples, self._heard = map(machine.address_of, statics)
        ((output, self._output_bytes),) = exported.api.outputs
        self._chunk, self._taken = min(chunk, CHUNK_SAMPLES), 0
        self.detections: list[tuple[int, int, int]] = []
        self.scores: list[bytes] = []
        self.stack_bytes = 0
        # Addresses that never change; a call of these functions later would be counted with the listener.
        self._output_at = machine.call(output, self._memory)
        record = listener_of(exported)
        self._verifies = record["verifier"] is not None
        if self._verifies:
            arena = self._memory + record["layout"]["verifier"]["arena"]
            self._verified_at = machine.call(f"{self._name}_verifier_output", arena)
        status = machine.call(f"{self._name}_listen_reset", self._memory)
        if status != 0:
            raise CheckError(f"{self._name}_listen_reset returned status {status}; expected 0")

    def hear(self, samples: np.ndarray) -> None:
        for start in steps(range(0, len(samples), self._chunk), "listening on an emulated core"):
            part = samples[start : start + self._chunk]
            self._machine.write(self._samples, part.astype("<i2").tobytes())
            at = 0
            while at < len(part):
                at += self._take(at, len(part) - at)

    def _take(self, at: int, count: int) -> int:
        machine = self._machine
        taken = machine.call(f"{self._name}_listen", self._memory, self._samples + 2 * at, count, self._heard)
        if not 0 < taken <= count:
            raise CheckError(f"{self._name}_listen took {taken} of {count} samples")
        self._taken += taken
        self.stack_bytes = max(self.stack_bytes, machine.stack_used())
        scored, detected, label, score = np.frombuffer(machine.read(self._heard, 16), "<i4").tolist()
        if scored:
            self.scores.append(machine.read(self._output_at, self._output_bytes))
        if scored and self._verifies:
            lowest = NOT_VERIFIED * self._output_bytes
            self.scores.append(machine.read(self._verified_at, self._output_bytes) if scored == 2 else lowest)
        if detected:
            self.detections.append((self._taken, label, score))
        return taken

    def count(self, samples: np.ndarray) -> Costs:
        parts: dict[str, int] = defaultdict(int)
        calls: dict[str, int] = defaultdict(int)
        _, profile = self._machine.counted(f"{self._name}_listen", lambda: self.hear(samples))
        for one in profile.calls:
            parts[one.name] += one.cycles
            calls[one.name] += 1
        return Costs(len(samples), profile.instructions, dict(parts), dict(calls))


def _scores(exported: Exported, raw: bytes) -> tuple[np.ndarray, np.ndarray | None]:
    """Of the network, and of the verifier's."""
    networks, classes = 1 if listener_of(exported)["verifier"] is None else 2, exported.output_bytes
    if len(raw) % (networks * classes):
        raise CheckError(f"{len(raw)} bytes of scores were written, expected a multiple of {networks * classes}")
    scores = np.frombuffer(raw, np.int8).reshape(-1, networks, classes)
    return scores[:, 0], scores[:, 1] if networks == 2 else None


def _printed(text: str) -> tuple[tuple[int, int, int], ...]:
    """The detections in what a program printed."""
    return tuple((int(taken), int(label), int(score)) for taken, label, score in _LINE.findall(text))


def _write_wav(path: Path, samples: np.ndarray, rate_hz: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.astype("<i2").tobytes())
