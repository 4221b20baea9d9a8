# SPDX-License-Identifier: Apache-2.0
"""Scenes hold what they are asked to hold; recordings are cut to what is said."""

from dataclasses import replace

import numpy as np
import pytest

from shrinkfit.audio.dataset import write_wav
from shrinkfit.audio.features import AudioError, FeatureConfig, as_float, features
from shrinkfit.audio.scenes import SceneMix, Scenes, Voices
from shrinkfit.audio.spoken import (
    SHORTEST_SAMPLES,
    SPACE_SAMPLES,
    Rendered,
    Spoken,
    cut_to_speech,
    from_features,
    levels,
    merged,
    read_recordings,
    render,
    render_for,
    speech_samples,
    to_features,
)

CONFIG = FeatureConfig()
STILL = SceneMix(0.5, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0, (0.0, 0.0), 0.0, (20.0, 20.0), 0, 0)
NOISE = [np.full((80, 40), 10, np.float16)]


def tone(hz, samples=8_000):
    return np.rint(8_000 * np.sin(2 * np.pi * hz * np.arange(samples) / 16_000)).astype(np.int16)


def spoken(n=12):
    """Tones: a hotword at 500 Hz, something else at 3000 Hz."""
    labels = np.arange(n) % 2
    return Spoken(tuple(tone((500, 3_000)[k]) for k in labels), labels, ("a",) * n, tuple("abcdefghijkl"[:n]))


def scenes(mix=STILL, weights=None):
    said = spoken()
    voices = Voices(
        render(said, 2, share=0.0), said.labels, said.labels + 5, np.ones(12) if weights is None else weights
    )
    return Scenes([voices], NOISE, 1, 49, mix=mix)


def test_shares_and_labels_are_as_asked():
    x, labels, words = scenes().draw(200, np.random.default_rng(0))
    assert x.shape == (200, 49, 40)
    assert x.dtype == np.float32
    assert np.bincount(labels).tolist() == [100, 50, 50]
    assert (words == np.array([5, 6, -1])[labels]).all()
    loudest = x.mean(axis=1).argmax(axis=1)
    assert loudest[labels == 0].max() < 15 < loudest[labels == 1].min()


@pytest.mark.parametrize("field", ["stretch", "tract", "wander_db", "noisy", "company", "frames_off"])
def test_each_change_changes_scenes_within_range(field):
    still = scenes().draw(64, np.random.default_rng(1))[0]
    mixed = scenes(replace(STILL, **{field: 8 if field == "frames_off" else 0.9})).draw(64, np.random.default_rng(1))[0]
    assert (still != mixed).any()
    assert np.abs(mixed).max() <= 1


def test_the_same_chance_gives_the_same_scenes():
    one, two = (scenes(SceneMix()).draw(32, np.random.default_rng(3)) for _ in range(2))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def test_hotwords_that_are_cut_are_none():
    _, labels, words = scenes(replace(STILL, cut_hotwords=1.0)).draw(80, np.random.default_rng(4))
    assert np.bincount(labels, minlength=3).tolist() == [0, 60, 20]
    assert (words == -1).sum() == 60


def test_weights_say_what_is_chosen():
    weights = np.where(np.arange(12) < 2, 1.0, 0.0)
    drawn = scenes(weights=weights)._choose(np.zeros(50, int), np.random.default_rng(0))
    assert set(drawn) == {0}


def test_levels_and_features_are_each_others_inverse():
    clip = tone(800, 16_000)[None]
    np.testing.assert_allclose(
        to_features(levels(clip).astype(np.float32), CONFIG), as_float(features(clip)), atol=1e-3
    )
    np.testing.assert_allclose(from_features(np.array([-1.0, 0, 1]), CONFIG), [0, 14, 28])


def test_louder_by_the_gain():
    one = scenes(replace(STILL, silences=0.0)).draw(50, np.random.default_rng(6))[0].max(axis=(1, 2))
    two = scenes(replace(STILL, silences=0.0, gain_db=(-12.0, -12.0))).draw(50, np.random.default_rng(6))[0]
    np.testing.assert_allclose(one - two.max(axis=(1, 2)), 12 / (10 * np.log10(2)) / 14, atol=0.02)


@pytest.mark.parametrize(("start", "length"), [(0, 16_000), (10_000, 30_000), (60_000, 80_000)])
def test_recordings_are_cut_around_what_is_said(start, length):
    clip = np.random.default_rng(0).integers(-20, 20, length).astype(np.int16)
    where = min(start, length - 6_000)
    clip[where : where + 6_000] = tone(700, 6_000)
    cut = cut_to_speech(clip)
    assert len(cut) <= SPACE_SAMPLES
    loud = np.flatnonzero(np.abs(cut) > 1_000)
    assert len(loud) > 4_000
    assert abs((loud[0] + loud[-1]) / 2 - len(cut) / 2) < 800


@pytest.mark.parametrize(("said", "counted"), [(3_000, SHORTEST_SAMPLES), (9_600, 9_600), (16_000, 16_000)])
def test_how_much_of_a_recording_is_speech(said, counted):
    clip = np.random.default_rng(0).integers(-20, 20, 25_600).astype(np.int16)
    clip[4_800 : 4_800 + said] = tone(700, said)
    assert speech_samples(clip) == pytest.approx(counted, abs=4 * 320)
    assert speech_samples(clip[4_800:][: min(said, 6_000)]) <= min(said, 6_000)


def test_recordings_may_lie_anywhere_in_the_window_whatever_silence_is_around_them(tmp_path):
    clip = np.random.default_rng(0).integers(-20, 20, 24_000).astype(np.int16)
    clip[8_000:16_000] = tone(700, 8_000)
    write_wav(tmp_path / "one.wav", clip)
    recorded = read_recordings(tmp_path, 0, "a")
    both = merged([recorded, Spoken((tone(700, 4_000),), np.zeros(1, int), ("a",), ("b",))])
    assert len(both.samples[0]) > 20_000 and both.lengths == (pytest.approx(8_000, abs=4 * 320), 4_000)
    lengths = render(both.take([1, 0]), 1, share=0.0).lengths
    assert lengths == pytest.approx([4_000 / 320, 8_000 / 320], abs=4)


@pytest.mark.parametrize(("name", "says"), [("nowhere", "is no folder"), ("empty", "no usable sound file")])
def test_a_folder_without_recordings_is_refused(tmp_path, name, says):
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioError, match=says):
        read_recordings(tmp_path / name, 0)


def test_recordings_have_their_label_and_speaker(tmp_path):
    (tmp_path / "deeper").mkdir()
    for name in ("one.wav", "deeper/abc_nohash_1.wav"):
        write_wav(tmp_path / name, tone(600, 16_000))
    said = read_recordings(tmp_path, 1, "hello")
    assert said.labels.tolist() == [1, 1]
    assert set(said.speakers) == {"one", "abc"}
    assert said.words == ("hello", "hello")
    rendered = render(said, 3)
    assert isinstance(rendered, Rendered)
    assert rendered.levels.shape == (3, 2, 80, 40)


def test_several_kinds_of_features_are_rendered_at_once_as_each_alone():
    other = FeatureConfig(window_samples=400, hop_samples=160, bands=32, fine=True)
    said = spoken()
    first, second = render_for(said, [(FeatureConfig(), 2), (other, 3)], seed=4)
    for rendered, copies, config in ((first, 2, None), (second, 3, other)):
        alone = render(said, copies, seed=4, config=config)
        np.testing.assert_array_equal(rendered.levels, alone.levels)
        np.testing.assert_array_equal(rendered.lengths, alone.lengths)
