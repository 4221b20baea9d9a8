# SPDX-License-Identifier: Apache-2.0
"""Rooms and microphones: what they may change, and what they leave."""

import numpy as np
import pytest

from shrinkfit.audio.rooms import (
    RESPONSE_SAMPLES,
    SPEECH_RMS,
    microphone_response,
    recorded,
    room_response,
    room_spectra,
)

ROOMS = [room_response(np.random.default_rng(seed)) for seed in range(20)]


def rms(x):
    return float(np.sqrt(np.mean(np.square(x.astype(np.float64)))))


def test_a_room_answers_at_once_with_unit_energy_and_dies_away():
    for response in ROOMS:
        assert response.shape == (RESPONSE_SAMPLES,)
        assert np.sum(response**2) == pytest.approx(1, rel=1e-4)
        assert np.flatnonzero(response)[0] == 0
        assert np.sum(response[3_000:] ** 2) < 0.5 * np.sum(response[:3_000] ** 2)
    assert len({response.tobytes() for response in ROOMS}) == len(ROOMS)


@pytest.mark.parametrize("bins", [129, 8_001])
def test_a_microphone_has_gains(bins):
    gains = microphone_response(bins, np.random.default_rng(bins))
    assert gains.shape == (bins,)
    assert (gains > 0).all()
    assert np.isfinite(gains).all()


@pytest.mark.parametrize("samples", [3_000, 15_999, 40_000])
def test_what_is_recorded_has_speech_level_and_lies_in_the_middle(samples):
    rng = np.random.default_rng(samples)
    clip = recorded(rng.integers(-20_000, 20_000, samples).astype(np.int16), 25_920, room_spectra(ROOMS, 25_920), rng)
    assert clip.shape == (25_920,)
    assert clip.dtype == np.int16
    said = min(samples, 25_920)
    start = (25_920 - said) // 2
    assert 0.3 * SPEECH_RMS < rms(clip[start : start + said]) < 1.1 * SPEECH_RMS


def test_without_room_and_microphone_nothing_but_the_level_changes():
    rng = np.random.default_rng(0)
    said = rng.integers(-9_000, 9_000, 5_000).astype(np.int16)
    clip = recorded(said, 8_000, room_spectra(ROOMS, 8_000), rng, share=0.0)
    np.testing.assert_allclose(clip[1_500:6_500], said * (SPEECH_RMS / rms(said)), atol=0.51)
    assert not clip[:1_500].any()


@pytest.mark.filterwarnings("error")
def test_a_silent_stretch_of_a_recording_stays_silent():
    rng, rooms = np.random.default_rng(5), room_spectra(ROOMS, 25_920)
    for _ in range(100):  # some of them are clipped
        assert not recorded(np.zeros(8_000, np.int16), 25_920, rooms, rng).any()


def test_a_room_delays_nothing_and_echoes_by_its_response():
    click = np.zeros(100, np.int16)
    click[0] = 20_000
    for response in ROOMS[:3]:
        rooms = room_spectra([response], 12_000)
        for seed in range(50):  # until one has a room, and neither microphone nor clipping
            clip = recorded(click, 12_000, rooms, np.random.default_rng(seed)).astype(float)[5_950:11_950]
            echo = response * (clip[0] / response[0])
            if np.abs(clip - echo).max() < 0.51 + 0.002 * np.abs(clip).max():
                break
        else:
            raise AssertionError("no recording is the response")
