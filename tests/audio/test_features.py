# SPDX-License-Identifier: Apache-2.0
"""log_mel: shapes, known sounds, determinism, errors."""

import time

import numpy as np
import pytest

from shrinkfit.audio.features import AudioError, FeatureConfig, log_mel

CONFIG = FeatureConfig()


def tone(hz, amplitude, samples=16_000):
    return np.rint(amplitude * np.sin(2 * np.pi * hz * np.arange(samples) / 16_000)).astype(np.int16)


def noise(clips, samples=16_000, seed=0):
    return np.random.default_rng(seed).integers(-3000, 3000, (clips, samples)).astype(np.int16)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((3, 16_000), (3, 49, 40)),
        ((16_000,), (49, 40)),
        ((1, 480), (1, 1, 40)),
        ((2, 799), (2, 1, 40)),
        ((0, 16_000), (0, 49, 40)),
    ],
)
def test_shape_and_type(shape, expected):
    features = log_mel(np.zeros(shape, np.int16))
    assert features.shape == expected
    assert features.dtype == np.float32


def test_same_clips_give_same_features_in_any_company():
    clips = noise(70)  # more than one block
    features = log_mel(clips)
    np.testing.assert_array_equal(features, log_mel(clips.copy()))
    np.testing.assert_allclose(features[66], log_mel(clips[66]), atol=1e-5)


def test_silence_is_the_floor():
    assert np.all(log_mel(np.zeros((2, 16_000), np.int16)) == -1)


def test_constant_stays_in_the_low_bands():
    """Bands start at 60 Hz; what a Hann window of 480 samples leaks falls by 18 dB per octave."""
    features = log_mel(np.full((1, 16_000), 20_000, np.int16))[0]
    assert np.all(features.argmax(axis=1) == 0)
    assert np.all(features[:, 20:] < features[:, :1] - 1)
    assert np.all(features[:, -10:] < -0.99)


def test_full_scale_stays_in_range():
    square = np.where(np.arange(16_000) // 8 % 2, 32767, -32768).astype(np.int16)
    features = log_mel(np.stack([square, tone(1000, 32767)]))
    assert np.all((features >= -1) & (features <= 1))
    assert features.max() == 1


@pytest.mark.parametrize("hz", [150, 440, 1000, 3000, 7000])
def test_tone_is_loudest_in_its_own_band(hz):
    mel = 2595 * np.log10(1 + np.array([CONFIG.low_hz, CONFIG.high_hz, hz]) / 700)
    expected = (mel[2] - mel[0]) / (mel[1] - mel[0]) * (CONFIG.bands + 1) - 1
    features = log_mel(tone(hz, 1000))
    assert np.all(np.abs(features.argmax(axis=1) - expected) <= 1)


def test_twice_as_loud_is_two_steps_of_log2():
    soft, loud = log_mel(tone(1000, 1000)), log_mel(tone(1000, 2000))
    band = soft[0].argmax()
    step = 2 / (CONFIG.ceiling_log2 - CONFIG.floor_log2)
    np.testing.assert_allclose(loud[:, band] - soft[:, band], 2 * step, rtol=1e-3)


def test_white_noise_has_its_own_power_in_every_band():
    """Unit-energy window, filters that sum to 1: mean power is the variance."""
    clips = np.rint(np.random.default_rng(1).normal(0, 256, (20, 16_000))).astype(np.int16)
    middle, half = (CONFIG.ceiling_log2 + CONFIG.floor_log2) / 2, (CONFIG.ceiling_log2 - CONFIG.floor_log2) / 2
    power = 2 ** (log_mel(clips) * half + middle)
    np.testing.assert_allclose(power.mean(axis=(0, 1)), 256**2, rtol=0.12)


def test_thousands_of_clips_per_second():
    clips = noise(256)
    log_mel(clips)
    started = time.process_time()
    log_mel(clips)
    assert 256 / (time.process_time() - started) > 1000


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (np.zeros((2, 16_000), np.float32), "float32"),
        (np.zeros((2, 3, 16_000), np.int16), "expected int16"),
        (np.zeros((2, 479), np.int16), "at least 480"),
        (np.int16(3), "expected int16"),
    ],
)
def test_bad_samples(samples, says):
    with pytest.raises(AudioError, match=says):
        log_mel(samples)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"window_samples": 600}, "FFT"),
        ({"hop_samples": 0}, "hop"),
        ({"high_hz": 9000.0}, "half the sample rate"),
        ({"bands": 0}, "bands"),
        ({"floor_log2": 30.0}, "not below"),
    ],
)
def test_bad_config(setting, says):
    with pytest.raises(AudioError, match=says):
        FeatureConfig(**setting)


def test_narrow_bands_are_never_empty():
    config = FeatureConfig(bands=80, low_hz=0.0)
    assert log_mel(noise(1), config).min() > -1
