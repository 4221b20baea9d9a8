# SPDX-License-Identifier: Apache-2.0
"""An exported folder and samples come in; what its C hears leaves, and whether the Python twin hears the same."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from shrinkfit._progress import step
from shrinkfit.audio.around import tabled
from shrinkfit.audio.detect import Detector
from shrinkfit.audio.features import AudioError, features
from shrinkfit.audio.heard import Heard, SoundCheck, SoundCost
from shrinkfit.audio.listener import Listening
from shrinkfit.check import sound
from shrinkfit.check.exported import Exported
from shrinkfit.check.profile import device_of
from shrinkfit.graph.ir import Graph
from shrinkfit.graph.simulate import run, run_stream
from shrinkfit.price.cost import energy_uj

RUNS_AT_ONCE = 1024  # an hour of sound is a few GB of overlapping windows
VERIFIED_AT_ONCE, VERIFYING_THREADS = 32, 4
MEMORY_RUNS = 32  # most streams forget sooner
_PARTS = {"sf_features_take": "features", "sf_detect": "detector"}


def listen(folder: str | Path, samples: np.ndarray, on: str = "host", **options: Any) -> Heard:
    """Build an exported folder and let its C listen.

    Args:
        folder: what export wrote with a listener; it is left as it is.
        samples: int16 [n], at the sample rate of the features.
        on: "host" runs the DSP kernels' portable twins with sanitizers, "cortex-m4" the linked image's functions on
            an emulated core with cycles, "qemu" a whole firmware that reads a wav file.
        options: chunk, how many samples a call of the listener is handed on the host and the core, 1 to 256; count,
            False for no cycles, which is quicker.

    Returns:
        the detections and the scores of every run, and on the core what they took.

    Raises:
        CheckError: the folder has no listener, does not build, or faults.
        AudioError: the samples are no int16 [n].
        ToolMissingError: a compiler or emulator is not installed.
    """
    return listen_clips(folder, [samples], on, **options)[0]


def listen_clips(folder: str | Path, clips: Iterable[np.ndarray], on: str = "host", **options: Any) -> list[Heard]:
    """As `listen`, each clip from a reset on; cycles are those of the first.

    Args:
        clips: each int16 [n].
    """
    exported, clips = Exported.read(Path(folder)), [_checked(samples) for samples in clips]
    with tempfile.TemporaryDirectory(prefix="shrinkfit-listen-") as place:
        program = sound.programs(exported, on, Path(place))[-1]
        counted = options.pop("count", True)
        ran = [program.hear(clip, count=counted and i == 0, **options) for i, clip in enumerate(clips)]
    return [_heard(exported, on, one) for one in ran]


def profile_sound(folder: str | Path, samples: np.ndarray | None = None) -> Heard:
    """What listening takes on the emulated core, counted over about a second of sound.

    Args:
        folder: what export wrote with a listener.
        samples: int16 [n]; noise when None. Cycles hardly depend on them.
    """
    if samples is None:
        listening = listening_of(folder)
        count = listening.first_samples + listening.features.sample_rate_hz + listening.step_samples
        samples = np.random.default_rng(0).normal(0, 1000, count).astype(np.int16)
    return listen(folder, samples, "cortex-m4")


def listening_of(folder: str | Path | Exported) -> Listening:
    """The listener of an exported folder.

    Raises:
        CheckError: it is no folder of export's, or has none.
    """
    exported = folder if isinstance(folder, Exported) else Exported.read(Path(folder))
    return Listening.from_dict(sound.listener_of(exported))


def listen_python(
    folder: str | Path | Listening,
    samples: np.ndarray,
    graph: Graph | None = None,
    verifier_graph: Graph | None = None,
) -> Heard:
    """The twin: what the C of a folder hears, computed in Python.

    Args:
        folder: what export wrote with a listener, or Listener.of(graph).
        samples: int16 [n].
        graph: the integer graph that was exported; read from the folder's .tflite when None.
        verifier_graph: a verifier's, likewise.

    Raises:
        CheckError: the folder has no listener.
        AudioError: the samples are no int16 [n], or a Listening came without its graphs.
    """
    if isinstance(folder, Listening):
        listening = folder
    else:
        exported = Exported.read(Path(folder))
        listening, graph = listening_of(exported), exported.graph() if graph is None else graph
        if listening.verifier is not None and verifier_graph is None:
            verifier_graph = exported.graph("_verifier")
    if graph is None or (listening.verifier is not None and verifier_graph is None):
        raise AudioError(
            "a Listening does not hold its networks; give graph= (and verifier_graph=, with a verifier) too, or the "
            "exported folder"
        )
    config, samples = listening.features, _checked(samples)
    is_short = config.frames(len(samples)) < 1
    frames = np.zeros((0, config.width), np.int8) if is_short else features(samples, config)
    scores, verified, detector = scores_of(listening, graph, frames), None, listening.detector
    if verifier_graph is not None and listening.verifier is not None:
        verified = verified_of(listening, verifier_graph, samples, scores)
    found = deciding(listening).detect_smoothed(means_of(listening, scores, verified))
    first = listening.settled_samples
    detections = [(first + s * listening.step_samples, label, score) for s, label, score in found]
    return Heard("python", listening.features.sample_rate_hz, detector.labels, detections, scores, verified=verified)


def deciding(listening: Listening) -> Detector:
    """The detector that has the last word: the verifier's, where there is one."""
    return (listening.verifier or listening).detector


def means_of(listening: Listening, scores: np.ndarray, verified: np.ndarray | None = None) -> np.ndarray:
    """What that detector compares with its thresholds.

    Args:
        scores: int8 [runs, classes], the network's outputs.
        verified: int8 [runs, classes], of the verifier's; None without one.
    Returns:
        int32 [runs, hotwords], in 1/65536.
    """
    first = listening.detector.smooth(scores)
    if listening.verifier is None or verified is None:
        return first
    return listening.verifier.means(verified, first, verified_runs(listening, scores))


def verified_runs(listening: Listening, scores: np.ndarray) -> np.ndarray:
    """The runs, of those that count, behind which a verifier runs; int64 [n].

    Args:
        scores: int8 [runs, classes], the network's outputs.
    """
    assert listening.verifier is not None
    found = [step for step, _, _ in listening.detector.detect(scores)]
    due = np.array(found, np.int64) + listening.verifier.delay
    return due[due < len(scores)]


def verified_of(listening: Listening, graph: Graph, samples: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The outputs of a verifier's network, which the C has where it runs.

    Args:
        listening: with a verifier.
        graph: the verifier's network.
        samples: int16 [n], all that was heard.
        scores: int8 [runs, classes], the first network's outputs.
    Returns:
        int8 [runs, classes]; -128 where it did not run.
    """
    verifier = listening.verifier
    assert verifier is not None
    made = np.full((len(scores), len(verifier.detector.labels)), -128, np.int8)
    due = verified_runs(listening, scores)
    # What was before the first sample is silence.
    heard = np.concatenate([np.zeros(verifier.samples, np.int16), samples])
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    parts = [due[start : start + VERIFIED_AT_ONCE] for start in range(0, len(due), VERIFIED_AT_ONCE)]

    def outputs(part: np.ndarray) -> np.ndarray:
        ends = [listening.settled_samples + step * listening.step_samples for step in part]
        frames = features(np.stack([heard[end : end + verifier.samples] for end in ends]), verifier.features)
        return run(graph, tabled(frames, verifier.table()).reshape(-1, *shape)).reshape(len(part), -1)

    # NumPy is busy outside of Python's lock; each thread takes some hundred MB.
    with ThreadPoolExecutor(min(os.cpu_count() or 1, VERIFYING_THREADS)) as pool:
        for part, said in zip(parts, pool.map(outputs, parts), strict=True):
            made[part] = said
    return made


def scores_of(listening: Listening, graph: Graph, frames: np.ndarray) -> np.ndarray:
    """The network's outputs, run after run, without those that do not count yet.

    Args:
        listening: which frames each run is given.
        graph: the network.
        frames: int8 [frames, width], features.
    Returns:
        int8 [runs, classes].
    """
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    frames = tabled(frames, listening.table())
    starts = range(0, len(frames) - listening.frames + 1, listening.hop_frames)

    def inputs(first: int, last: int) -> np.ndarray:
        windows = [frames[start : start + listening.frames] for start in starts[first:last]]
        return np.stack(windows).reshape(-1, *shape)

    if graph.variables:
        memory = max(listening.settle, MEMORY_RUNS)
        made = [run_stream(graph, inputs(0, len(starts)), memory)] if starts else []
    else:
        blocks = range(0, len(starts), RUNS_AT_ONCE)
        made = [run(graph, inputs(block, block + RUNS_AT_ONCE)) for block in blocks]
    none = np.zeros((0, len(listening.detector.labels)), np.int8)
    return np.concatenate([none, *(scores.reshape(len(scores), -1) for scores in made)])[listening.settle :]


def check_sound(
    folder: str | Path,
    samples: np.ndarray,
    on: str = "host",
    *,
    graph: Graph | None = None,
    verifier_graph: Graph | None = None,
    **options: Any,
) -> SoundCheck:
    """Compare every score byte and every detection of a folder's C with the twin's.

    Args:
        folder, samples, on, options: as for `listen`.
        graph: the integer graph that was exported; read from the folder's .tflite when None.
        verifier_graph: a verifier's, likewise.

    Returns:
        how many scores and detections differ, where the first one does, and what was heard.

    Raises:
        CheckError: the folder has no listener, does not build, or faults.
        AudioError: the samples are no int16 [n], or too few for the network to run once.
        ToolMissingError: a compiler or emulator is not installed.
    """
    exported = Exported.read(Path(folder))
    samples = _checked(samples)
    _check_enough(listening_of(exported), len(samples))
    step("listening in Python")
    expected = listen_python(folder, samples, graph, verifier_graph)
    with tempfile.TemporaryDirectory(prefix="shrinkfit-listen-") as place:
        ran = [program.hear(samples, **options) for program in sound.programs(exported, on, Path(place))]
    found = [_differences(one, expected) for one in ran]
    predicted = sound.listener_of(exported)["cost"]
    return SoundCheck(
        name=exported.name,
        on=on,
        seconds=len(samples) / expected.sample_rate_hz,
        differences=sum(count for count, _ in found),
        first_difference=next((text for _, text in found if text), ""),
        heard=_heard(exported, on, ran[-1]),
        predicted={
            "flash_bytes": predicted["flash_bytes"],
            "ram_bytes": predicted["ram_bytes"],
            "stack_bytes": predicted["listen_stack_bytes"],
        },
    )


def _checked(samples: np.ndarray) -> np.ndarray:
    samples = np.asarray(samples)
    if samples.dtype != np.int16 or samples.ndim != 1:
        raise AudioError(f"samples are {samples.dtype} {list(samples.shape)}, expected int16 [n]")
    return samples


def _check_enough(listening: Listening, samples: int) -> None:
    """Without a run that counts there is nothing to compare, and the check would hold."""
    if samples < listening.settled_samples:
        had, needed = (1000 * n / listening.features.sample_rate_hz for n in (samples, listening.settled_samples))
        raise AudioError(
            f"the recording is too short for the network to run once: it has {had:,.0f} ms, and the first scores that "
            f"count come after {needed:,.0f} ms; give a longer one"
        )


def _heard(exported: Exported, on: str, ran: sound.Ran) -> Heard:
    listening = listening_of(exported)
    sizes = {} if ran.sizes is None else {"flash_bytes": ran.sizes.flash_bytes, "ram_bytes": ran.sizes.ram_bytes}
    rate, labels = listening.features.sample_rate_hz, listening.detector.labels
    cost = None if ran.costs is None else _cost(exported, ran.costs, rate)
    return Heard(
        on, rate, labels, list(ran.detections), ran.scores, cost, ran.stack_bytes, **sizes, verified=ran.verified
    )


def _cost(exported: Exported, costs: sound.Costs, rate_hz: int) -> SoundCost:
    device, seconds = device_of(exported.report), costs.samples / rate_hz
    parts = dict.fromkeys(("features", "network", "detector", "rest"), 0.0)
    known = _PARTS | {f"{exported.name}_run": "network"}
    verifier = {name: cycles for name, cycles in costs.parts.items() if name in _verifier_calls(exported)}
    for function, cycles in costs.parts.items():
        if function not in verifier:
            parts[known.get(function, "rest")] += cycles / seconds
    verified = costs.calls.get(f"{exported.name}_verifier_run", 0)
    total = sum(parts.values())
    load = None if device.clock_hz is None else total / device.clock_hz
    energy = energy_uj(round(total), device)
    source = sound.listener_of(exported)["cost"]["energy_source"]
    each = sum(verifier.values()) / verified if verified else None
    return SoundCost(**parts, counted_seconds=seconds, load=load, energy_uj=energy, energy_source=source, verifier=each)


def _verifier_calls(exported: Exported) -> tuple[str, ...]:
    return "sf_verify_input", "sf_detect_with", f"{exported.name}_verifier_run", f"{exported.name}_verifier_input"


def _differences(ran: sound.Ran, expected: Heard) -> tuple[int, str]:
    """How many, and where the first is."""
    if ran.scores.shape != expected.scores.shape:
        missing = abs(ran.scores.size - expected.scores.size)
        return missing, f"{ran.label}: {len(ran.scores)} runs, expected {len(expected.scores)}"
    said = [("run", ran.scores, expected.scores)]
    if ran.verified is not None and expected.verified is not None:
        said.append(("the verifier's run", ran.verified, expected.verified))
    only = set(ran.detections) ^ set(expected.detections)
    count, text = len(only), ""
    for what, ours, theirs in said:
        differ = np.argwhere(ours != theirs)
        count += len(differ)
        if len(differ) and not text:
            step, label = differ[0]
            values = ours[step, label], theirs[step, label]
            text = "{}, {} {}, '{}': {}, expected {}".format(ran.label, what, step, expected.labels[label], *values)
    if only and not text:
        text = f"{ran.label}, detection {min(only)} (sample, label, score), which only one of the two has"
    return count, text
