# SPDX-License-Identifier: Apache-2.0
"""An exported folder and a sound file come in; what the C of the folder detects in it, and when, goes out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shrinkfit.audio.detect import ONE, Detector
from shrinkfit.audio.sound import read_sound
from shrinkfit.check.exported import Exported
from shrinkfit.errors import CheckError, CheckUsageError


@dataclass(frozen=True)
class Detected:
    """One detection.

    Args:
        seconds: how much had been heard until then.
        sample: the same in samples.
        label: the hotword.
        score: its mean, a real value.
    """

    seconds: float
    sample: int
    label: str
    score: float


@dataclass(frozen=True)
class Nearest:
    """The hotword that came nearest to its threshold.

    Args:
        seconds, label, score: as in Detected.
        threshold: what it would have had to reach.
    """

    seconds: float
    label: str
    score: float
    threshold: float


@dataclass(frozen=True)
class Recording:
    """What was heard in a file.

    Args:
        file: its path.
        on: where the C ran.
        seconds: of sound, at sample_rate_hz.
        notes: what had to be changed to read it.
        runs: how often the network gave scores.
        detections: in the order of time.
        nearest: None without a run.
    """

    file: str
    on: str
    seconds: float
    sample_rate_hz: int
    notes: tuple[str, ...]
    runs: int
    detections: tuple[Detected, ...]
    nearest: Nearest | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Ears:
    """What report.json says of a folder's listener.

    Args:
        first_samples: until the first output that counts; step_samples: from one to the next.
    """

    sample_rate_hz: int
    detector: Detector
    first_samples: int
    step_samples: int

    @classmethod
    def of(cls, folder: str | Path) -> Ears:
        """Read them.

        Raises:
            CheckError: shrinkfit did not write the folder, or it has no listener.
        """
        record = Exported.read(Path(folder)).report.get("listener")
        if not record:
            raise CheckUsageError(f"'{folder}' has no listener, which hears sound; export with listener=Listener(...)")
        try:
            first = record["first_samples"] + record["settle"] * record["step_samples"]
            detector, rate = Detector.from_dict(record["detector"]), record["features"]["sample_rate_hz"]
            return cls(rate, detector, first, record["step_samples"])
        except (KeyError, TypeError) as error:
            raise CheckError(
                f"what report.json in '{folder}' says of its listener lacks {error}; export again"
            ) from error

    def detected(self, sample: int, label: int, score: int) -> Detected:
        """What the C reports, in seconds, by name, with a score in [0, 1]; sample: taken until then."""
        return Detected(sample / self.sample_rate_hz, sample, self.detector.labels[label], score / ONE)


def hear(folder: str | Path, file: str | Path, on: str = "host") -> Recording:
    """Run the exported C over a recording.

    Args:
        folder: what export wrote with a listener.
        file: a sound file of any kind that `read_sound` takes.
        on: "host", "cortex-m4" (emulated, slow) or "qemu".
    Raises:
        AudioError: the file cannot be used. CheckError: the folder cannot.
    """
    from shrinkfit.audio.listen import listen

    ears = Ears.of(folder)
    samples, notes = read_sound(file, ears.sample_rate_hz)
    heard = listen(folder, samples, on=on)
    return Recording(
        file=str(file),
        on=on,
        seconds=len(samples) / ears.sample_rate_hz,
        sample_rate_hz=ears.sample_rate_hz,
        notes=notes,
        runs=len(heard.scores),
        detections=tuple(ears.detected(*one) for one in heard.detections),
        nearest=_nearest(ears, heard.scores),
    )


def _nearest(ears: Ears, scores: np.ndarray) -> Nearest | None:
    if not len(scores):
        return None
    means = ears.detector.smooth(scores)
    step, word = np.unravel_index(np.argmax(means - np.array(ears.detector.thresholds)), means.shape)
    return Nearest(
        seconds=(ears.first_samples + int(step) * ears.step_samples) / ears.sample_rate_hz,
        label=ears.detector.hotwords[word],
        score=int(means[step, word]) / ONE,
        threshold=ears.detector.threshold[word],
    )
