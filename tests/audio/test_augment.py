# SPDX-License-Identifier: Apache-2.0
"""Augmentation stays within its bounds and depends on its seed alone."""

import numpy as np
import pytest

from shrinkfit.audio.augment import Augmentation, augment, mix_noise
from shrinkfit.audio.copies import augmented_features
from shrinkfit.audio.features import as_float, features

STILL = {"speed": (1.0, 1.0), "shift_samples": 0, "gain_db": (0.0, 0.0), "noise_share": 0.0}
NOISE = (np.random.default_rng(5).integers(-9000, 9000, 50_000).astype(np.int16),)


def clips(n=4, samples=16_000):
    return np.random.default_rng(7).integers(-8000, 8000, (n, samples)).astype(np.int16)


def changed(clip, seed=0, noise=NOISE, **settings):
    return augment(clip, noise, np.random.default_rng(seed), Augmentation(**{**STILL, **settings}))


def rms(x):
    return float(np.sqrt(np.mean(np.square(x.astype(np.float64)))))


def test_nothing_asked_nothing_changed():
    np.testing.assert_array_equal(changed(clips()), clips())


def test_same_seed_same_copies():
    one, two, other = (augment(clips(), NOISE, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert (one != other).any(axis=1).all()


@pytest.mark.parametrize("seed", range(8))
def test_shift_is_bounded(seed):
    pulse = np.zeros((1, 2000), np.int16)
    pulse[0, 1000] = 10_000
    place = int(changed(pulse, seed, shift_samples=100)[0].argmax())
    assert 900 <= place <= 1100
    assert changed(pulse, seed, shift_samples=100)[0].max() == 10_000


def test_shift_goes_both_ways():
    pulse = np.zeros((40, 2000), np.int16)
    pulse[:, 1000] = 10_000
    places = changed(pulse, shift_samples=100).argmax(axis=1)
    assert places.min() < 950
    assert places.max() > 1050


@pytest.mark.parametrize("gain", [-12.0, 0.0, 6.0])
def test_gain(gain):
    louder = changed(clips() // 4, gain_db=(gain, gain))
    assert rms(louder) / rms(clips() // 4) == pytest.approx(10 ** (gain / 20), rel=1e-3)


def test_loud_clips_saturate():
    full = np.full((1, 100), -32768, np.int16)
    assert changed(full, gain_db=(6.0, 6.0), noise=()).tolist() == full.tolist()
    assert changed(~full, gain_db=(6.0, 6.0), noise=()).tolist() == (~full).tolist()


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 30.0])
def test_noise_has_the_asked_level(snr_db):
    noisy = changed(clips(), noise_share=1.0, snr_db=(snr_db, snr_db)).astype(np.int32)
    level = 20 * np.log10(rms(clips()) / rms(noisy - clips()))
    assert level == pytest.approx(snr_db, abs=0.2)


def test_silent_clips_get_faint_noise():
    noisy = mix_noise(np.zeros(1000, np.float32), NOISE[0][:1000].astype(np.float32), 0.0)
    assert rms(noisy) == pytest.approx(100, rel=1e-3)


def test_silent_noise_changes_nothing():
    clip = clips(1)[0].astype(np.float32)
    np.testing.assert_array_equal(mix_noise(clip, np.zeros_like(clip), 10.0), clip)


@pytest.mark.parametrize(("speed", "hz"), [(0.8, 800), (1.0, 1000), (1.25, 1250)])
def test_speed_moves_the_pitch(speed, hz):
    tone = np.rint(5000 * np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)).astype(np.int16)[None]
    middle = changed(tone, speed=(speed, speed))[0, 2000:14_000]
    peak = np.abs(np.fft.rfft(middle)).argmax() * 16_000 / len(middle)
    assert peak == pytest.approx(hz, abs=2)


def test_copies_depend_on_seed_and_number_only():
    three = augmented_features(clips(), NOISE, 3, seed=1, progress=False)
    two = augmented_features(clips(), NOISE, 2, seed=1, progress=False)
    assert three.shape == (3, 4, 49, 40)
    assert three.dtype == np.float16
    np.testing.assert_array_equal(three[:2], two)
    assert (three[0] != three[1]).any()


def test_unchanged_copies_are_the_clips_features():
    copy = augmented_features(clips(), (), 1, how=Augmentation(**STILL), progress=False)[0]
    np.testing.assert_array_equal(copy, as_float(features(clips())))
