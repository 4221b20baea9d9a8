# SPDX-License-Identifier: Apache-2.0
"""A network's int8 outputs come in, one after the other; detections of hotwords go out.

The twin of runtime_c/sf_detect.c, bit for bit: each hotword's mean over the last `smoothing` outputs is compared with
its threshold, and after a detection nothing is detected for `refractory` outputs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np

from shrinkfit.audio.features import AudioError
from shrinkfit.write.c_text import comment

ONE = 1 << 16  # the score that stands for 1.0
MAX_SMOOTHING, MAX_COUNT = 256, (1 << 16) - 1
_SHIFT = 16  # of a sum times the multiplier, to a score
_INT32_MAX = (1 << 31) - 1


@dataclass(frozen=True)
class Detector:
    """What decides that a hotword was said.

    Args:
        labels: the network's classes, one per output.
        hotwords: those of them that are detected. Of several that reach their thresholds together the one with the
            largest score is, of equal ones the one that comes first here.
        smoothing: over how many outputs the mean goes, 1 to 256; outputs before the first count as 0.0.
        threshold: the mean that detects, as a real value (a probability for softmax and sigmoid): one for all
            hotwords, one for each in their order, or a mapping from hotword to threshold. Rounded to 1/65536, and kept
            as one for each.
        refractory: at how many outputs after a detection nothing is detected, 0 to 65535.
        scale, zero_point: of the network's output: real = scale * (int8 - zero_point).
    Raises:
        AudioError: values that fit neither each other nor the C; a threshold that no output can reach.
    """

    labels: tuple[str, ...]
    hotwords: tuple[str, ...]
    smoothing: int = 1
    threshold: tuple[float, ...] = (0.5,)
    refractory: int = 0
    scale: float = 1 / 256
    zero_point: int = -128

    def __post_init__(self) -> None:
        for name in ("labels", "hotwords"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))
        for name in ("smoothing", "refractory", "zero_point"):
            object.__setattr__(self, name, _whole(name, getattr(self, name)))
        object.__setattr__(self, "scale", float(self.scale))
        self._check()
        thresholds = tuple(round(t * ONE) / ONE for t in _one_each(self.threshold, self.hotwords))
        object.__setattr__(self, "threshold", thresholds)
        self._check_thresholds()

    def _check(self) -> None:
        if not self.labels or len(set(self.labels)) != len(self.labels) or len(self.labels) > MAX_COUNT:
            raise AudioError(f"labels are {self.labels}; expected at least one, each once")
        unknown = [word for word in self.hotwords if word not in self.labels]
        if not self.hotwords or unknown or len(set(self.hotwords)) != len(self.hotwords):
            raise AudioError(f"hotwords are {self.hotwords}; expected at least one of {self.labels}, each once")
        if not 1 <= self.smoothing <= MAX_SMOOTHING:
            raise AudioError(f"smoothing is {self.smoothing} outputs; expected 1 to {MAX_SMOOTHING}")
        if not 0 <= self.refractory <= MAX_COUNT:
            raise AudioError(f"refractory is {self.refractory} outputs; expected 0 to {MAX_COUNT}")
        if not -128 <= self.zero_point <= 127:
            raise AudioError(f"zero_point is {self.zero_point}; expected -128 to 127")
        if not (0 < self.scale < min(self.smoothing, 128)) or self.multiplier < 1:
            raise AudioError(
                f"the outputs' scale is {self.scale:g}; expected one above 0 and below {min(self.smoothing, 128)}: "
                "end the model with a softmax or a sigmoid"
            )

    def _check_thresholds(self) -> None:
        lowest, highest = self.score_range
        for word, score in zip(self.hotwords, self.thresholds, strict=True):
            if not lowest < score <= highest:
                raise AudioError(
                    f"the threshold of '{word}' is {score / ONE:g}; expected one above {lowest / ONE:g} and at most "
                    f"{highest / ONE:g}, which is as far as the int8 outputs go"
                )

    @property
    def multiplier(self) -> int:
        """What turns a sum of outputs into a score, in 2^-16; uint32."""
        return round(self.scale / self.smoothing * 2**32)

    @property
    def thresholds(self) -> tuple[int, ...]:
        """One per hotword, in 1/65536, as the C compares them."""
        return tuple(round(t * ONE) for t in self.threshold)

    @property
    def score_range(self) -> tuple[int, int]:
        """The lowest and the highest mean that int8 outputs can have, in 1/65536."""
        lowest, highest = (_score(self, self.smoothing * (q - self.zero_point)) for q in (-128, 127))
        return lowest, highest

    @property
    def hotword_outputs(self) -> tuple[int, ...]:
        """The hotwords' places among the labels."""
        return tuple(self.labels.index(word) for word in self.hotwords)

    @property
    def state_bytes(self) -> int:
        """RAM for one stream of sound, 4-byte aligned."""
        words = len(self.hotwords)
        return 4 + 4 * words + (self.smoothing * words + 3) // 4 * 4

    def smooth(self, scores: np.ndarray) -> np.ndarray:
        """The means that are compared with the thresholds.

        Args:
            scores: int8 [steps, classes], the network's outputs.
        Returns:
            int32 [steps, hotwords], in 1/65536.
        Raises:
            AudioError: another dtype or shape.
        """
        scores = np.asarray(scores)
        if scores.dtype != np.int8 or scores.ndim != 2 or scores.shape[1] != len(self.labels):
            raise AudioError(f"scores are {scores.dtype} {scores.shape}, expected int8 [steps, {len(self.labels)}]")
        values = scores[:, self.hotword_outputs].astype(np.int64) - self.zero_point
        before = np.zeros((self.smoothing, values.shape[1]), np.int64)
        totals = np.cumsum(np.concatenate([before, values]), axis=0)
        return _score(self, totals[self.smoothing :] - totals[: -self.smoothing]).astype(np.int32)

    def detect(self, scores: np.ndarray) -> list[tuple[int, int, int]]:
        """What is detected in a stream, from its begin.

        Args:
            scores: int8 [steps, classes].
        Returns:
            (step, label, score) of each detection: the output at which it was, the class, the mean in 1/65536.
        """
        return self.detect_smoothed(self.smooth(scores))

    def detect_smoothed(self, means: np.ndarray) -> list[tuple[int, int, int]]:
        """As `detect`, from what `smooth` gave: for trying many thresholds.

        Args:
            means: int32 [steps, hotwords].
        """
        over = means >= np.array(self.thresholds)
        steps = np.flatnonzero(over.any(axis=1))
        # argmax takes the first of equal ones; what is below its threshold must not win.
        words = np.where(over[steps], means[steps], np.iinfo(np.int64).min).argmax(axis=1)
        found = []
        at = 0
        while at < len(steps):
            step, word = int(steps[at]), int(words[at])
            found.append((step, self.hotword_outputs[word], int(means[step, word])))
            at = int(np.searchsorted(steps, step + self.refractory, side="right"))
        return found

    def trace(self, scores: np.ndarray) -> np.ndarray:
        """What every call of the C writes.

        Args:
            scores: int8 [steps, classes].
        Returns:
            int32 [steps, 2]: label (-1 where nothing is detected) and score.
        """
        means = self.smooth(scores)
        over = means >= np.array(self.thresholds)
        standing = np.where(over | ~over.any(axis=1, keepdims=True), means, np.iinfo(np.int32).min)
        written = np.stack([np.full(len(means), -1), standing.max(axis=1)], axis=1).astype(np.int32)
        for step, label, _ in self.detect_smoothed(means):
            written[step, 0] = label
        return written

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` makes the same Detector of them."""
        record = asdict(self)
        return record | {name: list(record[name]) for name in ("labels", "hotwords", "threshold")}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Detector:
        """The Detector that `to_dict` wrote down."""
        return cls(**record)


def _score(detector: Detector, sums: Any) -> Any:
    """int or int64 array; the shift rounds down, as C's does on the compilers that sf_detect.c takes."""
    return (sums * detector.multiplier + (1 << (_SHIFT - 1))) >> _SHIFT


def mixed(own: np.ndarray, others: np.ndarray, share: int) -> np.ndarray:
    """Scores of two networks as one: the weighted mean of their log odds, log2(p / (1 - p)), as sf_detect_with has it.

    Args:
        own, others: int [...], in 1/65536; what lies outside (0, 1) counts as the nearest score inside.
        share: how much others count, in 1/65536; 0 leaves own as it is.
    Returns:
        int32 [...]: the lowest scores whose log odds are no less than that.
    """
    if share == 0:
        return own
    odds = _log_odds()
    first, second = (odds[np.clip(scores, 1, ONE - 1) - 1] for scores in (own, others))
    wanted = first + ((share * (second - first) + (1 << (_SHIFT - 1))) >> _SHIFT)
    return np.minimum(np.searchsorted(odds, wanted) + 1, ONE - 1).astype(np.int32)


@cache
def _log_odds() -> np.ndarray:
    """Of the scores from 1 to ONE - 1, in 1/65536; int64, rising."""
    logs = _log2(np.arange(1, ONE))
    return logs - logs[::-1]


def _log2(x: np.ndarray) -> np.ndarray:
    """Of whole numbers, in 1/65536, digit by digit as in sf_detect.c: a number in [1, 2), squared, reaches 2 or not."""
    whole = np.floor(np.log2(x)).astype(np.uint64)
    part = x.astype(np.uint64) << (np.uint64(31) - whole)
    for _ in range(_SHIFT):
        square = (part * part) >> np.uint64(31)
        reaches = square >> np.uint64(32)
        whole, part = 2 * whole + reaches, square >> reaches
    return whole.astype(np.int64)


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or value != int(value):
        raise AudioError(f"{name} is {value!r}; expected a whole number")
    return int(value)


def _one_each(threshold: Any, hotwords: tuple[str, ...]) -> list[float]:
    if isinstance(threshold, Mapping):
        if set(threshold) != set(hotwords):
            raise AudioError(f"thresholds are for {list(threshold)}; expected one for each of {hotwords}")
        values = [threshold[word] for word in hotwords]
    elif isinstance(threshold, Iterable):
        values = list(threshold)
        values = values * len(hotwords) if len(values) == 1 else values
    else:
        values = [threshold] * len(hotwords)
    values = [float(value) for value in values]
    if len(values) != len(hotwords) or not all(map(math.isfinite, values)):
        raise AudioError(f"threshold is {threshold!r}; expected one number, or one for each of {hotwords}")
    if any(abs(value) * ONE > _INT32_MAX for value in values):
        raise AudioError(f"threshold is {threshold!r}; expected numbers that an output can reach")
    return values


def detector_c(detector: Detector, name: str) -> str:
    """The detector as C constants: `static const sf_detector NAME_detector`, for a file that includes sf_detect.h.

    Args:
        name: a C identifier, what the constants' names begin with.
    """
    words = ", ".join(comment(word) for word in detector.hotwords)
    reals = ", ".join(f"{t:.5f}" for t in detector.threshold)
    return f"""/* {words} */
static const uint16_t {name}_hotwords[] = {{{", ".join(map(str, detector.hotword_outputs))}}};
/* in 1/65536: {reals} */
static const int32_t {name}_thresholds[] = {{{", ".join(map(str, detector.thresholds))}}};
static const sf_detector {name}_detector = {{
    {name}_hotwords,
    {name}_thresholds,
    {detector.multiplier}u, /* multiplier */
    {detector.state_bytes}u, /* state_bytes */
    {len(detector.labels)}, /* classes */
    {len(detector.hotwords)}, /* hotword_count */
    {detector.smoothing}, /* smoothing */
    {detector.refractory}, /* refractory */
    {detector.zero_point}, /* zero_point */
}};
"""
