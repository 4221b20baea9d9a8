# SPDX-License-Identifier: Apache-2.0
"""Thresholds for a rate of false accepts, one for all words or one for each, and the checkpoint to take."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from shrinkfit.audio.choose import (
    Choice,
    _share_out,
    best_checkpoint,
    choose_threshold,
    choose_thresholds,
    with_threshold,
)
from shrinkfit.audio.features import AudioError
from shrinkfit.audio.figures import DetCurve, det_curve, measure
from tests.audio.test_figures import DETECTOR, WORDS, outputs, random_case, stream


def curve(accepts, rejects, hours=2.0):
    return DetCurve(hours, 100, tuple(0.1 * (i + 1) for i in range(len(accepts))), tuple(accepts), tuple(rejects))


@pytest.mark.parametrize(
    ("accepts", "rejects", "target", "point"),
    [
        ([9, 5, 1, 0, 0], [0, 1, 2, 3, 8], 0.5, 2),
        ([9, 5, 2, 0, 0], [0, 1, 2, 3, 8], 0.5, 3),
        ([9, 5, 0, 0, 0], [0, 1, 2, 2, 2], 0.5, 3),
        ([9, 1, 0, 0, 0], [0, 2, 2, 2, 9], 0.5, 3),
        ([9, 9, 9, 9, 9], [0, 1, 1, 1, 9], 10.0, 0),
        ([9, 1, 4, 0, 0], [0, 3, 4, 8, 9], 2.0, 1),
    ],
)
def test_the_threshold_for_a_rate(accepts, rejects, target, point):
    choice = choose_threshold(curve(accepts, rejects), target)
    assert choice.point == point
    assert choice.threshold == pytest.approx(0.1 * (point + 1))
    assert choice.false_accepts_per_hour == accepts[point] / 2.0 <= target
    assert choice.false_reject_share == rejects[point] / 100


def test_the_confidence_is_stated():
    short, long = (choose_threshold(curve([5, 0], [0, 1], hours), 0.5) for hours in (1.0, 7.0))
    assert not short.confirmed and long.confirmed
    assert short.false_accepts_per_hour_below == pytest.approx(2.996, abs=1e-3)
    assert "0 false accepts in 1 h" in short.note and "below 3 per hour by the rule of three" in short.note.replace(
        ",", ""
    )
    assert "To confirm 0.5 per hour at least 5.99 h without one" in short.note
    assert choose_threshold(curve([3, 2], [0, 1]), 1.0).note.endswith("That does not confirm 1 per hour.")
    assert "confirm" not in long.note and long.note.endswith("below 0.428 per hour, by the rule of three.")


def test_a_target_out_of_reach():
    choice = choose_threshold(curve([9, 4, 3], [0, 1, 2]), 0.5)
    assert choice.threshold is None and choice.point == 2 and not choice.confirmed
    assert choice.note.startswith("No threshold keeps to 0.5 false accepts per hour: the best had 3")
    with pytest.raises(AudioError, match="No threshold keeps to 0.5.*Train longer"):
        with_threshold(DETECTOR, choice)


def test_the_chosen_threshold_goes_into_the_detector():
    made, given = random_case(7)
    found = det_curve(made, given, DETECTOR)
    choice = choose_threshold(found, 60.0)
    assert isinstance(choice, Choice) and choice.to_dict()["point"] == choice.point
    figures = measure(made, given, with_threshold(DETECTOR, choice))
    assert figures.false_accepts_per_hour == pytest.approx(choice.false_accepts_per_hour) and choice.threshold
    assert figures.false_reject_share == choice.false_reject_share


def figures(accepts_per_hour, reject_share, latency=100.0):
    base = measure(stream(WORDS), outputs([]), DETECTOR)
    return replace(
        base, false_accepts_per_hour=accepts_per_hour, false_reject_share=reject_share, latency_median_ms=latency
    )


@pytest.mark.parametrize(
    ("candidates", "best"),
    [
        ([(0.6, 0.01), (0.4, 0.20), (0.5, 0.10)], 2),
        ([(0.4, 0.10), (0.1, 0.10)], 1),
        ([(0.4, 0.10, 90.0), (0.4, 0.10, 80.0)], 1),
        ([(0.4, 0.10, None), (0.4, 0.10)], 1),
        ([(0.4, 0.10), (0.4, 0.10)], 0),
        ([(3.0, 0.00), (2.0, 0.90)], 1),
        ([(2.0, 0.90), (2.0, 0.80)], 1),
    ],
)
def test_first_the_rate_then_recall(candidates, best):
    assert best_checkpoint([figures(*one) for one in candidates], 0.5) == best


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("target", [0.0, 60.0, 400.0])
def test_a_threshold_for_each_word_is_never_worse(seed, target):
    made, given = random_case(seed)
    detector = replace(DETECTOR, smoothing=2)
    common = choose_threshold(det_curve(made, given, detector), target)
    each = choose_thresholds(made, given, detector, target)
    assert each.met and each.figures.false_accepts_per_hour <= target
    assert each.figures == measure(made, given, each.detector)
    assert each.figures.false_reject_share <= common.false_reject_share
    assert each.to_dict()["detector"]["threshold"] == list(each.detector.threshold)


def test_an_easy_word_does_not_pay_for_a_hard_one():
    said = [(10.7, 0, 120), (30.5, 0, 120), (20.9, 1, 230), (50.0, 1, 200), (60.0, 0, 60)]
    each = choose_thresholds(stream(WORDS), outputs(said), DETECTOR, 0.5)
    assert each.figures.false_rejects == each.figures.false_accepts == 0
    assert 60 / 256 < each.detector.threshold[0] <= 120 / 256 and 200 / 256 < each.detector.threshold[1] <= 230 / 256
    assert choose_threshold(det_curve(stream(WORDS), outputs(said), DETECTOR), 0.5).false_reject_share == 2 / 3
    assert "0 false accepts" in each.note and not each.confirmed


def test_a_target_out_of_reach_of_each_word():
    each = choose_thresholds(stream(WORDS), outputs([(50.0, 0, 255), (60.0, 0, 255)]), DETECTOR, 0.5)
    assert not each.met and "No threshold keeps to 0.5 false accepts per hour: the best had 2" in each.note


@pytest.mark.parametrize("seed", range(20))
def test_sharing_out_is_the_best_there_is(seed):
    rng = np.random.default_rng(seed)
    options = [
        [(t / 10, int(accepts), int(missed)) for t, (accepts, missed) in enumerate(rng.integers(0, 6, (4, 2)))]
        for _ in range(3)
    ]
    for budget in range(8):
        sums = [(sum(one[1] for one in c), sum(one[2] for one in c)) for c in itertools.product(*options)]
        best = min((missed for accepts, missed in sums if accepts <= budget), default=None)
        found = _share_out(options, budget)
        taken = found and [next(one for one in option if one[0] == t) for option, t in zip(options, found, strict=True)]
        assert (None if taken is None else sum(one[2] for one in taken)) == best
        assert taken is None or sum(one[1] for one in taken) <= budget


def test_what_cannot_be_is_refused():
    with pytest.raises(AudioError, match="no checkpoint"):
        best_checkpoint([], 0.5)
    with pytest.raises(AudioError, match="max_false_accepts_per_hour is nan"):
        choose_threshold(curve([1], [1]), float("nan"))
    with pytest.raises(AudioError, match=r"none of the hotwords \('no',\)"):
        choose_thresholds(stream(WORDS[:1]), outputs([]), DETECTOR, 0.5)
