# SPDX-License-Identifier: Apache-2.0
"""A stream with known words and a network's outputs over it go in; false accepts, false rejects and latency come out.

A *hit* is a detection of the right word between its begin and `late_seconds` after its end. Every other detection is a
*false accept*: in other sound, of another word, or of the same word once more. A word without a hit is a *false
reject*. Rates per hour count the time outside of words and their `late_seconds`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from shrinkfit.audio.confidence import poisson_upper, wilson_interval
from shrinkfit.audio.detect import ONE, Detector
from shrinkfit.audio.features import AudioError
from shrinkfit.audio.stream import Stream

LATE_SECONDS = 0.75
SHOWN_FALSE_ACCEPTS = 100
# How many thresholds a curve has: all where there are few, else the highest ones and some of the others.
_TOP_THRESHOLDS, _OTHER_THRESHOLDS = 256, 256


@dataclass(frozen=True)
class DetCurve:
    """Errors over all thresholds, from the lowest to the highest.

    Args:
        hours: time in which a detection would be false.
        words: how often a hotword is said.
        threshold: real values, one for all hotwords.
        false_accepts, false_rejects: counts at each threshold.
    """

    hours: float
    words: int
    threshold: tuple[float, ...]
    false_accepts: tuple[int, ...]
    false_rejects: tuple[int, ...]

    @property
    def false_accepts_per_hour(self) -> np.ndarray:
        """float64 [thresholds]."""
        return np.array(self.false_accepts) / self.hours

    @property
    def false_reject_share(self) -> np.ndarray:
        """float64 [thresholds] in [0, 1]."""
        return np.array(self.false_rejects) / self.words

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class StreamFigures:
    """What a detector did on a stream.

    Args:
        detector: the Detector as plain values.
        seconds: of the stream; hours: of it without words, see the module.
        words, false_rejects, false_accepts: counts.
        false_accepts_per_hour_below: with 95 % confidence the true rate is below this (Poisson; none seen: 3 / hours).
        false_reject_range: 95 % interval of the share (Wilson).
        latency_median_ms, latency_90_ms: from a word's end to its hit, without the time to compute; negative where
            the word is detected before it ends. None without a hit.
        by_word: hotword -> its words, false_rejects, false_accepts.
        false_accept_seconds: when the first false accepts are, and which word they took it for: to listen to them.
        recipe: how the stream was made.
    """

    detector: dict[str, Any]
    seconds: float
    hours: float
    words: int
    false_rejects: int
    false_accepts: int
    false_accepts_per_hour: float
    false_accepts_per_hour_below: float
    false_reject_share: float
    false_reject_range: tuple[float, float]
    latency_median_ms: float | None
    latency_90_ms: float | None
    by_word: dict[str, dict[str, int]]
    false_accept_seconds: tuple[tuple[float, str], ...]
    recipe: dict[str, Any]

    @property
    def recall(self) -> float:
        """Share of the words that were heard."""
        return 1 - self.false_reject_share

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Outputs:
    """What a network said over a stream.

    Args:
        scores: int8 [steps, classes].
        positions: int64 [steps], how many samples had been heard when each output was there; rising.
        decided: int32 [steps, hotwords], means that are compared with the thresholds, as `means_of` gives them for a
            verifier; None for those of the scores.
    """

    scores: np.ndarray
    positions: np.ndarray
    decided: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.scores.ndim != 2 or self.positions.shape != self.scores.shape[:1]:
            raise AudioError(
                f"{self.scores.shape} scores came with {self.positions.shape} positions; expected [steps, classes] and "
                "[steps]"
            )
        if len(self.positions) > 1 and np.diff(self.positions).min() < 0:
            raise AudioError("the positions of the outputs fall; expected them in the order of time")

    def means(self, detector: Detector) -> np.ndarray:
        """int32 [steps, hotwords]: what a detector compares with its thresholds."""
        return detector.smooth(self.scores) if self.decided is None else self.decided


def run_over(
    stream: Stream, scores: Callable[[np.ndarray], np.ndarray], *, first_samples: int, step_samples: int
) -> Outputs:
    """Run a network over a stream.

    Args:
        scores: int16 [samples] -> int8 [steps, classes].
        first_samples: how many samples the first output needs; step_samples: how many more each further one.
    """
    given = np.asarray(scores(stream.samples))
    positions = first_samples + step_samples * np.arange(len(given), dtype=np.int64)
    if len(given) and positions[-1] > len(stream.samples):
        raise AudioError(
            f"{len(given)} outputs, each {step_samples} samples after the other from sample {first_samples} on, do not "
            f"fit into {len(stream.samples)} samples: first_samples or step_samples is not what the network takes"
        )
    return Outputs(given, positions)


def measure(
    stream: Stream, outputs: Outputs, detector: Detector, *, late_seconds: float = LATE_SECONDS
) -> StreamFigures:
    """What a detector with given thresholds does on a stream.

    Raises:
        AudioError: the stream has no word of the detector's hotwords.
    """
    truth = _Truth(stream, detector, late_seconds)
    found = detector.detect_smoothed(outputs.means(detector))
    hits, false = truth.match([(int(outputs.positions[step]), label) for step, label, _ in found])
    late_ms = [1000 * (position - truth.ends[word]) / stream.sample_rate_hz for word, position in hits.items()]
    missed = len(truth.starts) - len(hits)
    low, high = wilson_interval(missed, len(truth.starts))
    return StreamFigures(
        detector=detector.to_dict(),
        seconds=stream.seconds,
        hours=truth.hours,
        words=len(truth.starts),
        false_rejects=missed,
        false_accepts=len(false),
        false_accepts_per_hour=len(false) / truth.hours,
        false_accepts_per_hour_below=poisson_upper(len(false)) / truth.hours,
        false_reject_share=missed / len(truth.starts),
        false_reject_range=(low, high),
        latency_median_ms=float(np.median(late_ms)) if late_ms else None,
        latency_90_ms=float(np.percentile(late_ms, 90)) if late_ms else None,
        by_word=_by_word(truth, detector, hits, false),
        false_accept_seconds=tuple(
            (position / stream.sample_rate_hz, detector.labels[label])
            for position, label in false[:SHOWN_FALSE_ACCEPTS]
        ),
        recipe=stream.recipe,
    )


def det_curve(stream: Stream, outputs: Outputs, detector: Detector, *, late_seconds: float = LATE_SECONDS) -> DetCurve:
    """False accepts against false rejects over all thresholds, one for all hotwords.

    Args:
        detector: its smoothing, hotwords and refractory time are used, its thresholds are not.
    """
    truth = _Truth(stream, detector, late_seconds)
    means = outputs.means(detector)
    if not len(means):
        raise AudioError("the network gave no output over the stream; expected a stream longer than its window")
    best, winners = means.max(axis=1), np.array(detector.hotword_outputs)[means.argmax(axis=1)]
    thresholds = _thresholds(best, detector)
    counts = []
    for threshold in thresholds:
        steps = _kept(np.flatnonzero(best >= threshold), detector.refractory)
        pairs = zip(outputs.positions[steps].tolist(), winners[steps].tolist(), strict=True)
        hits, false = truth.match(list(pairs))
        counts.append((len(false), len(truth.starts) - len(hits)))
    accepts, rejects = zip(*counts, strict=True)
    return DetCurve(truth.hours, len(truth.starts), tuple(t / ONE for t in thresholds), accepts, rejects)


class _Truth:
    """The words of a stream that a detector should hear, as arrays."""

    def __init__(self, stream: Stream, detector: Detector, late_seconds: float) -> None:
        words = [word for word in stream.words if word.label in detector.hotword_outputs]
        if not words:
            raise AudioError(f"the stream has none of the hotwords {detector.hotwords} in it")
        late = round(late_seconds * stream.sample_rate_hz)
        self.starts = np.array([word.start for word in words])
        self.ends = np.array([word.end for word in words])
        self.labels = np.array([word.label for word in words])
        self._until = np.append(np.minimum(self.ends[:-1] + late, self.starts[1:]), self.ends[-1] + late)
        inside = int((np.minimum(self._until, len(stream.samples)) - self.starts).sum())
        self.hours = (len(stream.samples) - inside) / stream.sample_rate_hz / 3600
        if self.hours <= 0:
            raise AudioError("the stream has no time outside its hotwords, in which a detection would be false")

    def match(self, detections: Sequence[tuple[int, int]]) -> tuple[dict[int, int], list[tuple[int, int]]]:
        """Hits as word -> position, and the false accepts as (position, label)."""
        hits: dict[int, int] = {}
        false: list[tuple[int, int]] = []
        if not detections:
            return hits, false
        positions = np.array([position for position, _ in detections])
        nearest = np.searchsorted(self.starts, positions, side="left") - 1  # the last word that began before
        for (position, label), word in zip(detections, nearest.tolist(), strict=True):
            right = word >= 0 and position <= self._until[word] and label == self.labels[word] and word not in hits
            if right:
                hits[word] = position
            else:
                false.append((position, label))
        return hits, false


def _by_word(
    truth: _Truth, detector: Detector, hits: dict[int, int], false: list[tuple[int, int]]
) -> dict[str, dict[str, int]]:
    heard = np.isin(np.arange(len(truth.labels)), list(hits))
    return {
        word: {
            "words": int((truth.labels == label).sum()),
            "false_rejects": int(((truth.labels == label) & ~heard).sum()),
            "false_accepts": sum(1 for _, taken_for in false if taken_for == label),
        }
        for word, label in zip(detector.hotwords, detector.hotword_outputs, strict=True)
    }


def _thresholds(best: np.ndarray, detector: Detector) -> list[int]:
    """Between two neighbouring scores all thresholds do the same; the last one is above all scores, if there is one."""
    lowest, highest = detector.score_range
    levels = np.unique(best)
    levels = levels[levels > lowest]
    if len(levels) > _TOP_THRESHOLDS + _OTHER_THRESHOLDS:
        others = np.linspace(0, len(levels) - _TOP_THRESHOLDS - 1, _OTHER_THRESHOLDS).astype(int)
        levels = np.concatenate([levels[np.unique(others)], levels[-_TOP_THRESHOLDS:]])
    thresholds = levels.tolist()
    above = (thresholds[-1] if thresholds else lowest) + 1
    return [*thresholds, above] if above <= highest else thresholds


def _kept(steps: np.ndarray, refractory: int) -> np.ndarray:
    """The detections among the steps at which a hotword reaches its threshold."""
    if not refractory:
        return steps
    kept, at = [], 0
    while at < len(steps):
        kept.append(int(steps[at]))
        at = int(np.searchsorted(steps, kept[-1] + refractory, side="right"))
    return np.array(kept, np.int64)
