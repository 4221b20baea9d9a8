# SPDX-License-Identifier: Apache-2.0
"""Error curves and figures come in; the thresholds for a rate of false accepts, or the checkpoint to take, leave."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from shrinkfit.audio.confidence import poisson_upper
from shrinkfit.audio.detect import Detector
from shrinkfit.audio.features import AudioError
from shrinkfit.audio.figures import LATE_SECONDS, DetCurve, Outputs, StreamFigures, det_curve, measure
from shrinkfit.audio.stream import Stream

Option = tuple[float, int, int]  # threshold, false accepts, false rejects
MOST_SHARED = 100  # false accepts that are shared out between words


@dataclass(frozen=True)
class Choice:
    """A threshold for a target.

    Args:
        threshold: real value; None where no threshold meets the target.
        point: its place on the curve; the one with the fewest false accepts where no threshold meets the target.
        false_accepts_per_hour: seen at that point.
        false_accepts_per_hour_below: with 95 % confidence the true rate is below this.
        false_reject_share: seen at that point.
        confirmed: whether that bound meets the target too, or only what was seen.
        note: the same in a sentence.
    """

    threshold: float | None
    point: int
    max_false_accepts_per_hour: float
    false_accepts_per_hour: float
    false_accepts_per_hour_below: float
    false_reject_share: float
    confirmed: bool
    note: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class WordThresholds:
    """A threshold of its own for each hotword.

    Args:
        detector: with these thresholds; with those that came nearest where the target is not met.
        figures: what it does on the stream on which they were chosen.
        met: whether it keeps to the target there.
        confirmed, note: as in Choice.
    """

    detector: Detector
    figures: StreamFigures
    met: bool
    confirmed: bool
    note: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {"detector": self.detector.to_dict()}


def choose_threshold(curve: DetCurve, max_false_accepts_per_hour: float) -> Choice:
    """The threshold with the fewest false rejects of those that keep to a rate of false accepts.

    Of equal ones those with the fewest false accepts, and of these the one in the middle, which leaves room on both
    sides.
    """
    if not max_false_accepts_per_hour >= 0:
        raise AudioError(f"max_false_accepts_per_hour is {max_false_accepts_per_hour}; expected at least 0")
    accepts, rejects = np.array(curve.false_accepts), np.array(curve.false_rejects)
    meets = np.flatnonzero(accepts <= max_false_accepts_per_hour * curve.hours)
    pool = meets if len(meets) else np.flatnonzero(accepts == accepts.min())
    pool = pool[rejects[pool] == rejects[pool].min()]
    pool = pool[accepts[pool] == accepts[pool].min()]
    point = int(pool[len(pool) // 2])
    seen, below = (n / curve.hours for n in (int(accepts[point]), poisson_upper(int(accepts[point]))))
    confirmed = bool(len(meets)) and below <= max_false_accepts_per_hour
    return Choice(
        threshold=curve.threshold[point] if len(meets) else None,
        point=point,
        max_false_accepts_per_hour=float(max_false_accepts_per_hour),
        false_accepts_per_hour=seen,
        false_accepts_per_hour_below=below,
        false_reject_share=curve.false_rejects[point] / curve.words,
        confirmed=confirmed,
        note=_confidence(int(accepts[point]), curve.hours, max_false_accepts_per_hour, bool(len(meets)), confirmed),
    )


def choose_thresholds(
    stream: Stream,
    outputs: Outputs,
    detector: Detector,
    max_false_accepts_per_hour: float,
    *,
    late_seconds: float = LATE_SECONDS,
) -> WordThresholds:
    """A threshold for each hotword, such that together they keep to a rate and miss the fewest words.

    Hotwords differ in how easily they are taken for others: a common threshold is that of the worst. The false accepts
    that the rate allows are shared out by each word's own curve; what the words then do together, with one refractory
    time, is measured, and less is shared out while that is too much. Never worse than one threshold for all.

    Args:
        detector: its smoothing, hotwords and refractory time are used, its thresholds are not.
    """
    hours = measure(stream, outputs, detector, late_seconds=late_seconds).hours
    curve = det_curve(stream, outputs, detector, late_seconds=late_seconds)
    common = curve.threshold[choose_threshold(curve, max_false_accepts_per_hour).point]
    options = [_options(stream, outputs, detector, word, late_seconds) for word in detector.hotwords]
    most = min(int(max_false_accepts_per_hour * hours), MOST_SHARED)
    shared = [_share_out(options, budget) for budget in range(most + 1)]
    candidates = dict.fromkeys([(common,) * len(options), *(one for one in shared if one is not None)])
    tried = [replace(detector, threshold=thresholds) for thresholds in candidates]
    figures = [measure(stream, outputs, one, late_seconds=late_seconds) for one in tried]
    best = best_checkpoint(figures, max_false_accepts_per_hour)
    got = figures[best]
    met = got.false_accepts_per_hour <= max_false_accepts_per_hour
    confirmed = got.false_accepts_per_hour_below <= max_false_accepts_per_hour
    note = _confidence(got.false_accepts, hours, max_false_accepts_per_hour, met, confirmed)
    return WordThresholds(tried[best], got, met, confirmed, note)


def _options(stream: Stream, outputs: Outputs, detector: Detector, word: str, late_seconds: float) -> list[Option]:
    """(threshold, false accepts, false rejects) of one hotword alone."""
    alone = replace(detector, hotwords=(word,), threshold=(detector.threshold[detector.hotwords.index(word)],))
    curve = det_curve(stream, outputs, alone, late_seconds=late_seconds)
    return list(zip(curve.threshold, curve.false_accepts, curve.false_rejects, strict=True))


def _share_out(options: list[list[Option]], budget: int) -> tuple[float, ...] | None:
    """The thresholds with the fewest false rejects in all whose false accepts are at most `budget` in all.

    A knapsack: word after word, for every number of false accepts that are left to the words before it.
    """
    best: list[tuple[int, tuple[float, ...]] | None] = [(0, ())] * (budget + 1)
    for option in options:
        # For each number of false accepts the fewest false rejects, and of equal ones the threshold in the middle.
        cheapest: list[tuple[int, float] | None] = []
        for allowed in range(budget + 1):
            pool = [(missed, threshold) for threshold, accepts, missed in option if accepts <= allowed]
            pool = [one for one in pool if one[0] == min(pool)[0]]
            cheapest.append(pool[len(pool) // 2] if pool else None)
        best = [
            min(
                (
                    (before[0] + own[0], (*before[1], own[1]))
                    for spent in range(left + 1)
                    if (before := best[left - spent]) and (own := cheapest[spent])
                ),
                default=None,
            )
            for left in range(budget + 1)
        ]
    found = best[budget]
    return None if found is None else found[1]


def with_threshold(detector: Detector, choice: Choice) -> Detector:
    """The detector with a chosen threshold for all its hotwords.

    Raises:
        AudioError: no threshold met the target.
    """
    if choice.threshold is None:
        raise AudioError(f"{choice.note} Train longer or with more sound of the kind that was taken for the hotword")
    return replace(detector, threshold=(choice.threshold,))


def best_checkpoint(figures: Sequence[StreamFigures], max_false_accepts_per_hour: float) -> int:
    """Which of several trained models to take: first those that keep to the rate of false accepts, then recall.

    Of equal ones the one with fewer false accepts, then the lower latency, then the first. If none keeps to the rate,
    the one with the fewest false accepts per hour.
    """
    if not figures:
        raise AudioError("there is no checkpoint to choose from")

    def merit(number: int) -> tuple[float, ...]:
        one = figures[number]
        over = one.false_accepts_per_hour > max_false_accepts_per_hour
        latency = math.inf if one.latency_median_ms is None else one.latency_median_ms
        rate = one.false_accepts_per_hour
        return (over, rate if over else 0.0, one.false_reject_share, rate, latency, number)

    return min(range(len(figures)), key=merit)


def _confidence(seen: int, hours: float, target: float, met: bool, confirmed: bool) -> str:
    rate = f"{seen} false accept{'s' * (seen != 1)} in {hours:.3g} h ({seen / hours:.3g} per hour)"
    if not met:
        return f"No threshold keeps to {target:g} false accepts per hour: the best had {rate}."
    rule = ", by the rule of three" if seen == 0 else ""
    text = f"{rate}: with 95 % confidence the true rate is below {poisson_upper(seen) / hours:.3g} per hour{rule}."
    if seen == 0 and not confirmed and target > 0:
        text += f" To confirm {target:g} per hour at least {poisson_upper(0) / target:.3g} h without one are needed."
    elif not confirmed:
        text += f" That does not confirm {target:g} per hour."
    return text
