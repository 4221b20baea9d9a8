# SPDX-License-Identifier: Apache-2.0
"""An exported folder and samples come in; what its C hears leaves, and whether the Python twin hears the same."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from shrinkfit.audio.features import AudioError, features
from shrinkfit.audio.listener import Listening
from shrinkfit.check import sound
from shrinkfit.check.exported import Exported
from shrinkfit.check.profile import device_of
from shrinkfit.errors import ShrinkfitError
from shrinkfit.graph.ir import Graph
from shrinkfit.graph.simulate import Session, run
from shrinkfit.price.cost import energy_uj

_RUNNERS = {"host": sound.on_host, "cortex-m4": sound.on_core, "qemu": sound.on_qemu}
PLACES = tuple(_RUNNERS)
DETECTION_PARTS = {"sf_features_take": "features", "sf_detect": "detector"}


@dataclass(frozen=True)
class SoundCost:
    """What a second of sound takes, counted on the emulated core.

    Args:
        features, network, detector, rest: Cortex-M4 cycles a second, of the parts; the rest keeps frames and calls.
        counted_seconds: over how much sound.
        load: share of the device's clock; None where that is not known.
        energy_uj: a second while the core runs; sleeping comes on top. None where the current is not known.
        energy_source: where the current was read.
    """

    features: float
    network: float
    detector: float
    rest: float
    counted_seconds: float
    load: float | None
    energy_uj: float | None
    energy_source: str

    @property
    def cycles(self) -> float:
        return self.features + self.network + self.detector + self.rest


@dataclass(frozen=True)
class Heard:
    """What was heard.

    Args:
        on: "host", "cortex-m4", "qemu" or "python".
        sample_rate_hz: of the positions.
        labels: the network's classes.
        detections: (samples taken until then, label, score in 1/65536), in their order.
        scores: int8 [runs that count, classes].
        cost: None where cycles were not counted.
        stack_bytes: the deepest stack of a call; None where it was not measured.
        flash_bytes, ram_bytes: of the linked image; None on the host.
    """

    on: str
    sample_rate_hz: int
    labels: tuple[str, ...]
    detections: list[tuple[int, int, int]]
    scores: np.ndarray = field(repr=False)
    cost: SoundCost | None = None
    stack_bytes: int | None = None
    flash_bytes: int | None = None
    ram_bytes: int | None = None

    def lines(self) -> list[str]:
        """One line per detection: when, what, how sure."""
        return [
            f"{position / self.sample_rate_hz:9.3f} s  {self.labels[label]}  {score / 65536:.3f}"
            for position, label, score in self.detections
        ]


@dataclass(frozen=True)
class SoundCheck:
    """Whether everything that listens heard the same.

    Args:
        name: the model's name.
        on: where the C ran.
        seconds: of sound.
        differences: score bytes that differ from the twin's, and detections that only one of them has.
        first_difference: where the first one is; empty when there is none.
        heard: by the C; of several programs the first.
        predicted: flash_bytes, ram_bytes and stack_bytes as export reported them.
    """

    name: str
    on: str
    seconds: float
    differences: int
    first_difference: str
    heard: Heard
    predicted: dict[str, int]

    @property
    def exact(self) -> bool:
        return self.differences == 0

    held = exact

    def as_dict(self) -> dict[str, Any]:
        """Everything but the scores, for JSON."""
        heard = {key: value for key, value in vars(self.heard).items() if key not in ("scores", "cost")}
        cost = self.heard.cost and asdict(self.heard.cost) | {"cycles": self.heard.cost.cycles}
        return {**vars(self), "heard": heard | {"cost": cost, "runs": len(self.heard.scores)}, "exact": self.exact}

    def __str__(self) -> str:
        heard, verdict = self.heard, "every score and detection as in Python"
        verdict = verdict if self.exact else f"{self.differences} differ: {self.first_difference}"
        lines = [f"{self.name} on {self.on}: {self.seconds:.1f} s of sound, {len(heard.scores)} runs, {verdict}"]
        lines += [f"  {line}" for line in heard.lines()] or ["  nothing detected"]
        for what in ("flash_bytes", "ram_bytes", "stack_bytes"):
            if getattr(heard, what) is not None:
                shown = f"{getattr(heard, what):,} bytes, {self.predicted[what]:,} predicted"
                lines.append(f"  {what.removesuffix('_bytes'):<12} {shown}")
        return "\n".join(lines + _cost_lines(heard.cost))


def _cost_lines(cost: SoundCost | None) -> list[str]:
    if cost is None:
        return []
    parts = {"cycles": cost.cycles} | {p: getattr(cost, p) for p in ("features", "network", "detector", "rest")}
    lines = [f"  {name:<12} {value:>12,.0f} a second of sound" for name, value in parts.items()]
    if cost.load is not None:
        lines.append(f"  {'load':<12} {100 * cost.load:>10.1f} % of the clock")
    if cost.energy_uj is not None:
        lines.append(f"  {'energy':<12} {cost.energy_uj:>12,.1f} µJ a second, without sleep ({cost.energy_source})")
    return lines


def listen(folder: str | Path, samples: np.ndarray, on: str = "host", **options: Any) -> Heard:
    """Build an exported folder and let its C listen.

    Args:
        folder: what export wrote with a listener; it is left as it is.
        samples: int16 [n], at the sample rate of the features.
        on: "host" runs the scalar and the DSP kernels with sanitizers, "cortex-m4" the linked image's functions on
            an emulated core with cycles, "qemu" a whole firmware that reads a wav file.
        options: chunk, how many samples a call of the listener is handed on the host and the core, 1 to 256.

    Raises:
        CheckError: the folder has no listener, does not build, or faults; or two programs heard differently.
        AudioError: the samples are no int16 [n].
        ToolMissingError: a compiler or emulator is not installed.
    """
    exported = Exported.read(Path(folder))
    ran = _run(exported, _checked(samples), on, options)
    return _heard(exported, on, ran[0])


def listen_python(folder: str | Path | Listening, samples: np.ndarray, graph: Graph | None = None) -> Heard:
    """The twin: what the C of a folder hears, computed in Python.

    Args:
        folder: what export wrote with a listener, or Listener.of(graph).
        samples: int16 [n].
        graph: the integer graph that was exported; read from the folder's .tflite when None.

    Raises:
        CheckError: the folder has no listener. AudioError: the samples are no int16 [n].
    """
    listening = folder
    if not isinstance(folder, Listening):
        exported = Exported.read(Path(folder))
        listening, graph = _listening(exported), exported.graph() if graph is None else graph
    config, samples = listening.features, _checked(samples)
    is_short = config.frames(len(samples)) < 1
    frames = np.zeros((0, config.width), np.int8) if is_short else features(samples, config)
    scores = scores_of(listening, graph, frames)
    detector, first = listening.detector, listening.first_samples + listening.settle * listening.step_samples
    detections = [(first + s * listening.step_samples, label, score) for s, label, score in detector.detect(scores)]
    return Heard("python", listening.features.sample_rate_hz, detector.labels, detections, scores)


def scores_of(listening: Listening, graph: Graph, frames: np.ndarray) -> np.ndarray:
    """The network's outputs, run after run, without those that do not count yet.

    Args:
        listening: which frames each run is given.
        graph: the network.
        frames: int8 [frames, width], features.
    Returns:
        int8 [runs, classes].
    """
    table, shape = listening.table(), graph.tensors[graph.inputs[0]].shape[1:]
    frames = frames if table is None else table[frames.astype(np.int16) + 128]
    starts = range(0, len(frames) - listening.frames + 1, listening.hop_frames)
    if not starts:
        return np.zeros((0, len(listening.detector.labels)), np.int8)
    inputs = np.stack([frames[start : start + listening.frames] for start in starts]).reshape(-1, *shape)
    outputs = Session(graph).run(inputs) if graph.variables else run(graph, inputs)
    return outputs.reshape(len(inputs), -1)[listening.settle :]


def check_sound(
    folder: str | Path, samples: np.ndarray, on: str = "host", *, graph: Graph | None = None, **options: Any
) -> SoundCheck:
    """Compare every score byte and every detection of a folder's C with the twin's.

    Args, Raises: as for `listen` and `listen_python`.
    """
    exported = Exported.read(Path(folder))
    samples = _checked(samples)
    expected = listen_python(folder, samples, graph)
    ran = _run(exported, samples, on, options)
    found = [_differences(one, expected) for one in ran]
    predicted = sound.listener_of(exported)["cost"]
    return SoundCheck(
        name=exported.name,
        on=on,
        seconds=len(samples) / expected.sample_rate_hz,
        differences=sum(count for count, _ in found),
        first_difference=next((text for _, text in found if text), ""),
        heard=_heard(exported, on, ran[0]),
        predicted={
            "flash_bytes": predicted["flash_bytes"],
            "ram_bytes": predicted["ram_bytes"],
            "stack_bytes": predicted["listen_stack_bytes"],
        },
    )


def _run(exported: Exported, samples: np.ndarray, on: str, options: dict[str, Any]) -> list[sound.Ran]:
    if on not in PLACES:
        raise ShrinkfitError(f"listening cannot run on {on!r}; expected one of {', '.join(PLACES)}")
    with tempfile.TemporaryDirectory(prefix="shrinkfit-listen-") as place:
        return _RUNNERS[on](exported, samples, Path(place), **options)


def _checked(samples: np.ndarray) -> np.ndarray:
    samples = np.asarray(samples)
    if samples.dtype != np.int16 or samples.ndim != 1:
        raise AudioError(f"samples are {samples.dtype} {list(samples.shape)}, expected int16 [n]")
    return samples


def _listening(exported: Exported) -> Listening:
    return Listening.from_dict(sound.listener_of(exported))


def _heard(exported: Exported, on: str, ran: sound.Ran) -> Heard:
    listening = _listening(exported)
    sizes = {} if ran.sizes is None else {"flash_bytes": ran.sizes.flash_bytes, "ram_bytes": ran.sizes.ram_bytes}
    rate, labels = listening.features.sample_rate_hz, listening.detector.labels
    cost = None if ran.costs is None else _cost(exported, ran.costs, rate)
    return Heard(on, rate, labels, list(ran.detections), ran.scores, cost, ran.stack_bytes, **sizes)


def _cost(exported: Exported, costs: sound.Costs, rate_hz: int) -> SoundCost:
    device, seconds = device_of(exported.report), costs.samples / rate_hz
    parts = dict.fromkeys(("features", "network", "detector", "rest"), 0.0)
    known = DETECTION_PARTS | {f"{exported.name}_run": "network"}
    for function, cycles in costs.parts.items():
        parts[known.get(function, "rest")] += cycles / seconds
    total = sum(parts.values())
    load = None if device.clock_hz is None else total / device.clock_hz
    energy = energy_uj(round(total), device)
    source = sound.listener_of(exported)["cost"]["energy_source"]
    return SoundCost(**parts, counted_seconds=seconds, load=load, energy_uj=energy, energy_source=source)


def _differences(ran: sound.Ran, expected: Heard) -> tuple[int, str]:
    """How many, and where the first is."""
    if ran.scores.shape != expected.scores.shape:
        missing = abs(ran.scores.size - expected.scores.size)
        return missing, f"{ran.label}: {len(ran.scores)} runs, expected {len(expected.scores)}"
    differ = np.argwhere(ran.scores != expected.scores)
    only = set(ran.detections) ^ set(expected.detections)
    text = ""
    if len(differ):
        step, label = differ[0]
        values = ran.scores[step, label], expected.scores[step, label]
        text = "{}, run {}, '{}': {}, expected {}".format(ran.label, step, expected.labels[label], *values)
    elif only:
        text = f"{ran.label}, detection {min(only)} (sample, label, score), which only one of the two has"
    return len(differ) + len(only), text
