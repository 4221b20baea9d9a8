# SPDX-License-Identifier: Apache-2.0
"""features: shapes, known sounds, errors; what the integers are against the same in floating point."""

import numpy as np
import pytest

from shrinkfit.audio.features import AudioError, FeatureConfig, as_float, features
from shrinkfit.audio.mel import to_hz, to_mel
from shrinkfit.audio.tables import mel_edges
from tests.audio.sounds import noise, square, tone

CONFIG = FeatureConfig()
STEPS_PER_LOG2 = 256 / (CONFIG.ceiling_log2 - CONFIG.floor_log2)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((3, 16_000), (3, 49, 40)),
        ((16_000,), (49, 40)),
        ((1, 480), (1, 1, 40)),
        ((2, 799), (2, 1, 40)),
        ((0, 16_000), (0, 49, 40)),
        ((1, 64_000), (1, 199, 40)),  # more frames than are computed at once
    ],
)
def test_shape_and_type(shape, expected):
    found = features(np.zeros(shape, np.int16))
    assert found.shape == expected
    assert found.dtype == np.int8


def test_same_clips_give_same_features_in_any_company():
    clips = noise(70)
    found = features(clips)
    np.testing.assert_array_equal(found, features(clips.copy(), threads=1))
    np.testing.assert_array_equal(found[66], features(clips[66]))


def test_one_long_clip_is_the_frames_of_its_parts():
    long = noise(1, 60_000)[0]
    parts = np.stack([long[k * 320 : k * 320 + 480] for k in range(CONFIG.frames(len(long)))])
    parts = np.concatenate([long[[0, *range(0, 59_680, 320)][: len(parts)], None], parts], axis=1)
    # A part alone has no sample before its first, which the window takes as nothing.
    np.testing.assert_array_equal(features(long), features(parts[:, 1:])[:, 0])


def test_float_is_in_128_parts():
    assert as_float(np.array([-128, 0, 64, 127], np.int8)).tolist() == [-1, 0, 0.5, 127 / 128]


@pytest.mark.parametrize("level", [0, 20_000, -32_768])
def test_silence_is_the_floor_whatever_the_offset(level):
    assert np.all(features(np.full((2, 16_000), level, np.int16)) == -128)


def test_full_scale_reaches_the_top():
    assert features(np.stack([square(16), tone(1000, 32767)])).max(axis=(1, 2)).tolist() == [127, 127]


@pytest.mark.parametrize("hz", [150, 440, 1000, 3000, 7000])
def test_tone_is_loudest_in_its_own_band(hz):
    expected = np.searchsorted(mel_edges(CONFIG), hz / 31.25) - 1.5
    found = features(tone(hz, 1000)).argmax(axis=1)
    assert np.all(np.abs(found - expected) <= 1)


@pytest.mark.parametrize("amplitude", [40, 300, 1000])
def test_twice_as_loud_is_two_steps_of_log2(amplitude):
    soft, loud = features(np.stack([tone(1000, amplitude), tone(1000, 2 * amplitude)])).astype(int)
    band = soft[0].argmax()
    assert np.all(np.abs(loud[:, band] - soft[:, band] - 2 * STEPS_PER_LOG2) <= 1)


@pytest.mark.parametrize("deviation", [4, 256, 4096])
@pytest.mark.parametrize("setting", [{}, {"fft_size": 1024, "window_samples": 1024}, {"window_samples": 400}])
def test_white_noise_has_its_own_power_in_every_band(deviation, setting):
    config = FeatureConfig(**setting)
    clips = np.rint(np.random.default_rng(1).normal(0, deviation, (20, 16_000))).astype(np.int16)
    power = 2 ** ((features(clips, config).astype(int) + 128) / STEPS_PER_LOG2)
    np.testing.assert_allclose(power.mean(axis=(0, 1)), deviation**2, rtol=0.2)


def float_log_mel(clips, config):
    """The same features in floating point, without the difference: steps before rounding."""
    frames = np.lib.stride_tricks.sliding_window_view(clips, config.window_samples, axis=1)[:, :: config.hop_samples]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(config.window_samples) / config.window_samples)
    power = np.abs(np.fft.rfft(frames * window, config.fft_size)) ** 2 / np.sum(window**2)
    edges, bins = mel_edges(config), np.arange(config.fft_size // 2 + 1)[:, None]
    rising = (bins - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - bins) / np.diff(edges)[1:]
    filters = np.where(bins % config.bin_step == 0, np.maximum(0, np.minimum(rising, falling)), 0)
    log2 = np.log2(power @ (filters / filters.sum(axis=0)) + 1e-9)
    return np.clip((log2 - config.floor_log2) * 256 / (config.ceiling_log2 - config.floor_log2) - 128, -128, 127)


SETTINGS = [{}, {"window_samples": 400, "hop_samples": 160}, {"fine": True}, {"fine": True, "mel_scale": "slaney"}]


@pytest.mark.parametrize("level", [30, 1000, 20_000])
@pytest.mark.parametrize("setting", SETTINGS)
def test_near_floating_point_on_coloured_noise(level, setting):
    """Noise that falls by 12 dB from the lowest band to the highest; the mean error is under a step and a half."""
    rng = np.random.default_rng(3)
    spectrum = np.fft.rfft(rng.normal(size=(4, 16_000))) * np.linspace(1, 0.25, 8_001)
    clips = np.fft.irfft(spectrum)
    clips = np.rint(clips * level / np.abs(clips).max()).astype(np.int16)
    config = FeatureConfig(**setting)
    error = features(clips, config) - float_log_mel(clips, config)
    assert np.abs(error).mean() < 1.5


def test_narrow_bands_are_never_empty():
    for config in (FeatureConfig(bands=80, low_hz=0.0), FeatureConfig(bands=120, low_hz=0.0, fine=True)):
        assert features(noise(1), config).min() > -128
        assert np.diff(mel_edges(config)).min() > config.bin_step - 0.001


# The first as O'Shaughnessy's formula has it, the second as Slaney's Auditory Toolbox does.
PITCHES = [
    ("htk", [0, 700, 1_000, 6_300], [0, 781.17, 999.99, 2_595]),
    ("slaney", [0, 110, 440, 1_000, 6_400], [0, 1.65, 6.6, 15, 42]),
]


@pytest.mark.parametrize(("scale", "hz", "mel"), PITCHES)
def test_pitch(scale, hz, mel):
    np.testing.assert_allclose(to_mel(np.array(hz), scale), mel, atol=0.01)
    np.testing.assert_allclose(to_hz(to_mel(np.array(hz), scale), scale), hz, atol=1e-6)


def test_bands_of_slaneys_scale_are_even_below_1_khz_and_grow_above():
    config = FeatureConfig(bands=32, high_hz=3_800.0, fine=True, mel_scale="slaney")
    edges = mel_edges(config) * 31.25
    np.testing.assert_allclose(edges[[0, -1]], [60, 3_800])
    low, high = edges[edges < 1_000], edges[edges > 1_000]
    np.testing.assert_allclose(np.diff(low), low[1] - low[0])
    np.testing.assert_allclose(high[1:] / high[:-1], high[1] / high[0])
    found = features(tone(2_000, 1_000), config).argmax(axis=1)
    assert np.all(np.abs(found - (np.searchsorted(edges, 2_000) - 1.5)) <= 1)


def test_settings_survive_json():
    config = FeatureConfig(bands=20, kind="mfcc", noise_reduction=0.5, fine=True, mel_scale="slaney")
    assert FeatureConfig.from_dict(config.to_dict()) == config
    with pytest.raises(AudioError, match="filters is no setting"):
        FeatureConfig.from_dict({"filters": 3})


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
        features(samples)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"window_samples": 600}, "FFT"),
        ({"fft_size": 400, "window_samples": 400}, "none of 128"),
        ({"hop_samples": 0}, "hop"),
        ({"high_hz": 9000.0}, "half the sample rate"),
        ({"bands": 0}, "bands"),
        ({"bands": 64, "fft_size": 128, "window_samples": 128}, "at most 29 bands"),
        ({"floor_log2": 30.0}, "not below"),
        ({"ceiling_log2": 7.0}, "at least 8 apart"),
        ({"kind": "mel"}, "log_mel, mfcc"),
        ({"mel_scale": "bark"}, "mel_scale is 'bark'; expected one of htk, slaney"),
        ({"kind": "mfcc", "coefficients": 41}, "1 to 40"),
        ({"noise_reduction": 1.0}, "below 1"),
        ({"noise_rise_s": 0.0}, "seconds"),
    ],
)
def test_bad_config(setting, says):
    with pytest.raises(AudioError, match=says):
        FeatureConfig(**setting)
