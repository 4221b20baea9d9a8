# SPDX-License-Identifier: Apache-2.0
"""Counting hits and errors on streams of known words, by hand and at random."""

import json
from dataclasses import replace

import numpy as np
import pytest

from shrinkfit.audio.confidence import poisson_upper, wilson_interval
from shrinkfit.audio.detect import Detector
from shrinkfit.audio.features import AudioError
from shrinkfit.audio.figures import Outputs, det_curve, measure, run_over
from shrinkfit.audio.stream import Stream, Word

RATE, STEP = 1_000, 100
DETECTOR = Detector(["yes", "no", "other"], ["yes", "no"], threshold=0.5, refractory=2)


def stream(words, seconds=100):
    return Stream(np.zeros(seconds * RATE, np.int16), tuple(Word(*word, clip=0) for word in words), RATE, {})


def outputs(said, steps=999):
    """One output every 0.1 s, the first after 0.1 s; `said`: (second, class index, probability in 1/256)."""
    scores = np.full((steps, 3), -128, np.int8)
    for second, label, probability in said:
        scores[round(second * 10) - 1, label] = probability - 128
    return Outputs(scores, STEP * np.arange(1, steps + 1))


WORDS = [(0, 10_000, 10_600), (1, 20_000, 20_500), (0, 30_000, 30_400)]

# what was detected -> hits, false accepts, latencies in ms
CASES = {
    "all right": ([(10.7, 0, 200), (20.9, 1, 200), (30.5, 0, 200)], 3, 0, [100, 400, 100]),
    "early": ([(10.2, 0, 200)], 1, 0, [-400]),
    "at its begin": ([(10.0, 0, 200)], 0, 1, []),
    "just in time": ([(11.3, 0, 200)], 1, 0, [700]),
    "too late": ([(11.4, 0, 200)], 0, 1, []),
    "another word": ([(20.6, 0, 200)], 0, 1, []),
    "twice": ([(10.5, 0, 200), (10.9, 0, 200)], 1, 1, [-100]),
    "within the refractory time": ([(10.5, 0, 200), (10.7, 0, 200)], 1, 0, [-100]),
    "no hotword": ([(10.5, 2, 250), (50.0, 2, 250)], 0, 0, []),
    "in between": ([(50.0, 0, 200), (60.0, 1, 200)], 0, 2, []),
    "below the threshold": ([(10.5, 0, 127), (20.6, 1, 127), (50.0, 1, 127)], 0, 0, []),
    "before the first and behind the last": ([(0.1, 0, 200), (99.9, 1, 200)], 0, 2, []),
}


@pytest.mark.parametrize("case", CASES)
def test_hits_and_errors(case):
    said, hits, false, late = CASES[case]
    figures = measure(stream(WORDS), outputs(said), DETECTOR)
    assert (figures.words, figures.false_rejects, figures.false_accepts) == (3, 3 - hits, false)
    assert figures.latency_median_ms == (pytest.approx(np.median(late)) if late else None)
    assert figures.latency_90_ms == (pytest.approx(np.percentile(late, 90)) if late else None)
    assert figures.hours == pytest.approx((100 - 1.5 - 3 * 0.75) / 3600)
    assert figures.false_accepts_per_hour == pytest.approx(false / figures.hours)
    assert figures.recall == pytest.approx(hits / 3)


def test_means_that_were_made_elsewhere_decide():
    given, means = outputs([(10.5, 0, 200), (50.0, 0, 200)]), np.zeros((999, 2), np.int32)
    means[[106, 206], [0, 1]] = 40_000
    decided = replace(given, decided=means)
    figures = measure(stream(WORDS), decided, DETECTOR)
    assert (figures.false_rejects, figures.false_accepts) == (1, 0)
    curve = det_curve(stream(WORDS), decided, DETECTOR)
    assert curve.threshold[0] == 40_000 / 65_536 and curve.false_rejects[0] == 1


def test_figures_by_word_and_times():
    figures = measure(stream(WORDS), outputs([(10.7, 0, 200), (50.0, 1, 200), (60.0, 1, 200)]), DETECTOR)
    assert figures.by_word == {
        "yes": {"words": 2, "false_rejects": 1, "false_accepts": 0},
        "no": {"words": 1, "false_rejects": 1, "false_accepts": 2},
    }
    assert figures.false_accept_seconds == ((50.0, "no"), (60.0, "no"))
    assert json.loads(json.dumps(figures.to_dict()))["by_word"] == figures.by_word


def test_words_close_together_have_one_hit_each():
    close = stream([(0, 1_000, 1_500), (0, 1_900, 2_300)])
    figures = measure(close, outputs([(1.8, 0, 200), (2.4, 0, 200)]), DETECTOR)
    assert (figures.false_rejects, figures.false_accepts) == (0, 0)
    assert figures.hours == pytest.approx((100 - 0.9 - 0.4 - 0.75) / 3600)


@pytest.mark.parametrize(("second", "hits"), [(11.3, 1), (11.4, 0)])
def test_the_last_moment_counts(second, hits):
    assert measure(stream([(0, 10_000, 10_550)]), outputs([(second, 0, 200)]), DETECTOR).recall == hits


def random_case(seed):
    rng = np.random.default_rng(seed)
    starts = np.sort(rng.choice(np.arange(1_000, 95_000, 1_500), 30, replace=False))
    words = [(int(rng.integers(2)), int(s), int(s + rng.integers(200, 700))) for s in starts]
    scores = rng.integers(-128, 60, (999, 3)).astype(np.int8)
    for label, start, end in words:
        if rng.random() < 0.8:
            scores[start // STEP : end // STEP + 3, label] = rng.integers(20, 128)
    return stream(words), Outputs(scores, STEP * np.arange(1, 1_000))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("smoothing", "refractory"), [(1, 0), (3, 5)])
def test_the_curve_is_what_each_threshold_gives(seed, smoothing, refractory):
    made, given = random_case(seed)
    detector = replace(DETECTOR, smoothing=smoothing, refractory=refractory)
    curve = det_curve(made, given, detector)
    assert len(curve.threshold) > 100 and list(curve.threshold) == sorted(set(curve.threshold))
    for point in range(0, len(curve.threshold), 31):
        figures = measure(made, given, replace(detector, threshold=(curve.threshold[point],)))
        errors = (figures.false_accepts, figures.false_rejects)
        assert errors == (curve.false_accepts[point], curve.false_rejects[point])
    assert curve.false_rejects[0] < curve.false_rejects[-1] and curve.false_accepts[0] > curve.false_accepts[-1]
    assert curve.words == 30 and json.loads(json.dumps(curve.to_dict()))["words"] == 30


def test_thresholds_between_two_of_the_curve_change_nothing():
    made, given = random_case(5)
    curve = det_curve(made, given, DETECTOR)
    point = len(curve.threshold) // 2
    between = (curve.threshold[point - 1] + 2 / 65_536 + curve.threshold[point]) / 2
    figures = measure(made, given, replace(DETECTOR, threshold=(between,)))
    assert (figures.false_accepts, figures.false_rejects) == (curve.false_accepts[point], curve.false_rejects[point])


def test_the_last_threshold_is_above_all_scores_where_there_is_one():
    quiet = det_curve(stream(WORDS), outputs([(10.5, 0, 200)]), DETECTOR)
    assert (quiet.false_accepts[-1], quiet.false_rejects[-1]) == (0, 3)
    full = det_curve(stream(WORDS), outputs([(10.5, 0, 255), (50.0, 0, 255)]), DETECTOR)
    assert (full.false_accepts[-1], full.false_rejects[-1], full.threshold[-1]) == (1, 2, 255 / 256)


# Garwood's limits, as tables of the Poisson distribution have them.
@pytest.mark.parametrize(
    ("seen", "below"), [(0, 2.9957), (1, 4.7439), (2, 6.2958), (5, 10.5130), (10, 16.9622), (500, 538.4)]
)
def test_poisson_bounds(seen, below):
    assert poisson_upper(seen) == pytest.approx(below, rel=1e-4)


@pytest.mark.parametrize(
    ("seen", "of", "low", "high"), [(0, 10, 0, 0.2775), (10, 10, 0.7225, 1), (15, 100, 0.0931, 0.2328)]
)
def test_wilson_intervals(seen, of, low, high):
    assert wilson_interval(seen, of) == pytest.approx((low, high), abs=1e-4)


def test_a_network_is_run_over_a_stream():
    made = stream(WORDS, seconds=3)

    def network(samples):
        assert samples.dtype == np.int16
        return np.zeros((len(samples) // STEP - 9, 3), np.int8)

    given = run_over(made, network, first_samples=1_000, step_samples=STEP)
    assert given.positions[0] == 1_000 and given.positions[-1] == 3_000
    with pytest.raises(AudioError, match="do not fit into 3000 samples"):
        run_over(made, network, first_samples=1_001, step_samples=STEP)


def test_what_cannot_be_is_refused():
    with pytest.raises(AudioError, match=r"none of the hotwords \('yes', 'no'\)"):
        measure(stream([(2, 100, 200)]), outputs([]), DETECTOR)
    with pytest.raises(AudioError, match="no time outside its hotwords"):
        measure(stream([(0, 0, 1_000)], seconds=1), outputs([]), DETECTOR)
    with pytest.raises(AudioError, match="positions; expected"):
        Outputs(np.zeros((3, 2), np.int8), np.arange(2))
    with pytest.raises(AudioError, match="positions of the outputs fall"):
        Outputs(np.zeros((3, 2), np.int8), np.array([0, 2, 1]))
    with pytest.raises(AudioError, match="no output over the stream"):
        det_curve(stream(WORDS), outputs([], steps=0), DETECTOR)
