# SPDX-License-Identifier: Apache-2.0
"""Streams of seconds and minutes: the words are where the stream says, everything is used, the seed decides."""

import numpy as np
import pytest

from shrinkfit.audio.features import AudioError
from shrinkfit.audio.stream import Mixture, build_stream, word_bounds

RATE = 16_000
RNG = np.random.default_rng(0)


def beep(hz, seconds=0.4, before=0.3, after=0.3, level=8_000):
    """int16: silence, a tone, silence."""
    tone = level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)
    return np.concatenate([np.zeros(round(before * RATE)), tone, np.zeros(round(after * RATE))]).astype(np.int16)


def hiss(seconds=3.0, level=300):
    return np.rint(level * RNG.standard_normal(round(seconds * RATE))).astype(np.int16)


POSITIVES = [(0, beep(1_000)), (1, beep(2_000, seconds=0.2)), (0, beep(1_500, before=0.0))]
NEGATIVES = [beep(300), hiss(0.7), beep(500, 1.0)]


def stream(seconds=300.0, seed=0, negatives=NEGATIVES, noise=(), **mixture):
    mixture = {"words_per_hour": 600.0, "gain_db": (0.0, 0.0), **mixture}
    return build_stream(POSITIVES, negatives, noise, seconds=seconds, seed=seed, mixture=Mixture(**mixture))


def test_words_are_where_the_stream_says():
    made = stream()
    assert len(made.samples) == 300 * RATE and made.samples.dtype == np.int16
    assert len(made.words) == pytest.approx(50, abs=4)
    for word in made.words:
        label, clip = POSITIVES[word.clip]
        first, last = word_bounds(clip)
        assert word.label == label and word.end - word.start == last - first
        # The middle of the tone, sample for sample: no noise lies below it and no other clip over it.
        middle = slice(first + 320, last - 320)
        at = word.start - first
        np.testing.assert_array_equal(made.samples[at + middle.start : at + middle.stop], clip[middle])


def test_words_leave_time_for_a_late_detection():
    made = stream(after_word_seconds=1.2)
    for word, after in zip(made.words, made.words[1:], strict=False):
        clip_end = word.end + round(0.3 * RATE)  # of silence behind each tone
        assert not made.samples[clip_end : clip_end + round(1.2 * RATE)].any()
        assert after.start >= clip_end + round(1.2 * RATE)


def test_every_clip_is_used_before_any_comes_again():
    made = stream(600.0)
    order = [word.clip for word in made.words]
    assert all(sorted(order[i : i + 3]) == [0, 1, 2] for i in range(0, len(order) - 2, 3))
    assert len({tuple(order[i : i + 3]) for i in range(0, len(order) - 2, 3)}) > 1
    assert made.recipe["words"] == len(order) and made.recipe["other_clips"] > 100


def test_the_seed_decides():
    one, same, other = stream(60.0, noise=[hiss()]), stream(60.0, noise=[hiss()]), stream(60.0, seed=1)
    assert one.words == same.words
    assert one.words != other.words and not np.array_equal(one.samples, other.samples)
    again = build_stream(POSITIVES, [], [NEGATIVES[1]], seconds=30, seed=3)
    np.testing.assert_array_equal(
        again.samples, build_stream(POSITIVES, [], [NEGATIVES[1]], seconds=30, seed=3).samples
    )


@pytest.mark.parametrize("snr_db", [0.0, 20.0])
def test_noise_lies_at_its_level(snr_db):
    made = stream(120.0, negatives=[], noise=[hiss(2.0, 50), hiss(2.0, 5_000)], snr_db=(snr_db, snr_db))
    quiet = np.ones(len(made.samples), bool)
    for word in made.words:
        quiet[word.start - RATE : word.end + RATE] = False
    level = np.sqrt(np.square(made.samples[quiet].astype(float)).mean())
    assert level == pytest.approx(8_000 / np.sqrt(2) / 10 ** (snr_db / 20), rel=0.05)


def test_long_negatives_and_none():
    assert len(stream(120.0, negatives=[hiss(40.0)]).words) >= 2
    lone = stream(60.0, negatives=[])
    assert lone.recipe["other_clips"] == 0 and len(lone.words) == pytest.approx(10, abs=2)


def test_silent_clips_get_noise_all_the_same():
    silent = build_stream([(0, np.zeros(16_000, np.int16))], [], [hiss()], seconds=30)
    assert 1 < np.abs(silent.samples).max() < 300


def test_loud_sums_are_clipped():
    made = stream(60.0, noise=[hiss()], gain_db=(30.0, 30.0))
    assert made.samples.max() == 32_767 and made.samples.min() == -32_768


@pytest.mark.parametrize(("before", "seconds", "after"), [(0.3, 0.4, 0.3), (0.0, 0.5, 0.5), (0.5, 0.5, 0.0)])
@pytest.mark.parametrize("noise", [0, 30])
def test_bounds_of_a_word(before, seconds, after, noise):
    clip = beep(800, seconds, before, after) + hiss(1.0, noise)
    start, end = word_bounds(clip)
    assert abs(start - before * RATE) <= 160 and abs(end - (before + seconds) * RATE) <= 160


@pytest.mark.parametrize("clip", [np.zeros(16_000, np.int16), hiss(1.0), hiss(0.001), beep(440, 1.0, 0, 0)])
def test_bounds_where_nothing_stands_out(clip):
    assert word_bounds(clip) == (0, len(clip))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"positives": []}, "no positive clip"),
        ({"positives": [(0, np.zeros(100))]}, r"positive 0 is float64 \(100,\), expected int16"),
        ({"negatives": [np.zeros((2, 2), np.int16)]}, r"negative 0 is int16 \(2, 2\)"),
        ({"noise": [[1, 2]]}, "noise 0 is list"),
        ({"noise": [np.zeros(0, np.int16)]}, r"noise 0 is int16 \(0,\)"),
        ({"seconds": 0}, "stream of 0 s"),
        ({"seconds": 1.0}, "no hotword fits into 1 s"),
    ],
)
def test_what_cannot_be_is_refused(change, says):
    given = {"positives": POSITIVES, "negatives": NEGATIVES, "noise": [], "seconds": 60.0} | change
    with pytest.raises(AudioError, match=says):
        build_stream(given.pop("positives"), given.pop("negatives"), given.pop("noise"), **given)


@pytest.mark.parametrize("change", [{"snr_db": (5, 1)}, {"gap_seconds": (-1, 1)}, {"words_per_hour": 0}])
def test_bad_mixtures_are_refused(change):
    with pytest.raises(AudioError, match="expected|above 0"):
        Mixture(**change)
