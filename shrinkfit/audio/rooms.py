# SPDX-License-Identifier: Apache-2.0
"""A source of chance goes in; what a room and a microphone do to sound comes out, and sound that went through both."""

from __future__ import annotations

import numpy as np

from shrinkfit.audio.sound import SAMPLE_RATE_HZ

RESPONSE_SAMPLES = 6_000
SOUND_METRES_PER_SECOND = 343.0
SMALLEST_ROOM_M, LARGEST_ROOM_M = (2.0, 2.0, 2.2), (8.0, 7.0, 3.5)
NEAR_SHARE = 0.6  # of the speakers stand within arm's reach of the microphone
ROOM_SHARE, MICROPHONE_SHARE, CLIPPED_SHARE = 0.75, 0.8, 0.2
MIRRORED = np.arange(-3, 4)  # image rooms on each axis
SPEECH_RMS = 2_000.0


def room_response(rng: np.random.Generator) -> np.ndarray:
    """Impulse response from a mouth to a microphone in a random box-shaped room.

    Early echoes by the image method (Allen and Berkley 1979), the tail as noise that decays with Sabine's time.

    Returns:
        float32 [RESPONSE_SAMPLES] of unit energy; the direct sound comes first.
    """
    size = rng.uniform(SMALLEST_ROOM_M, LARGEST_ROOM_M)
    mouth, microphone = rng.uniform(0.3, size - 0.3), rng.uniform(0.2, size - 0.2)
    if rng.random() < NEAR_SHARE:
        way = rng.normal(size=3)
        microphone = np.clip(mouth + way / np.linalg.norm(way) * rng.uniform(0.1, 1.5), 0.1, size - 0.1)
    reflected = rng.uniform(0.3, 0.92)
    distance, bounces = _images(size, mouth, microphone)
    late = (distance - distance.min()) / SOUND_METRES_PER_SECOND * SAMPLE_RATE_HZ
    sign = rng.choice((-1, 1), len(late), p=(0.1, 0.9))
    response = _at_fractions(late, sign * reflected**bounces / np.maximum(distance, 0.1))
    volume, surface = np.prod(size), 2 * (size[0] * size[1] + size[0] * size[2] + size[1] * size[2])
    decay_s = np.clip(0.161 * volume / (surface * (1 - reflected**2)), 0.05, 1.2)
    response += _tail(response, decay_s, rng)
    return (response / np.sqrt(np.sum(response**2))).astype(np.float32)


def _images(size: np.ndarray, mouth: np.ndarray, microphone: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances in metres of the mouth's mirror images, and how many walls each of them went by."""
    places = [np.concatenate([2 * MIRRORED * size[i] + mouth[i], 2 * MIRRORED * size[i] - mouth[i]]) for i in range(3)]
    counts = np.concatenate([np.abs(2 * MIRRORED), np.abs(2 * MIRRORED - 1)])
    x, y, z = (place - microphone[i] for i, place in enumerate(places))
    distance = np.sqrt(x[:, None, None] ** 2 + y[:, None] ** 2 + z**2)
    return distance.ravel(), (counts[:, None, None] + counts[:, None] + counts).ravel()


def _at_fractions(late: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Impulses at fractional samples, each shared by its two neighbours."""
    response = np.zeros(RESPONSE_SAMPLES)
    inside = late < RESPONSE_SAMPLES - 1
    whole = late[inside].astype(int)
    fraction = late[inside] - whole
    np.add.at(response, whole, gain[inside] * (1 - fraction))
    np.add.at(response, whole + 1, gain[inside] * fraction)
    return response


def _tail(early: np.ndarray, decay_s: float, rng: np.random.Generator) -> np.ndarray:
    time = np.arange(RESPONSE_SAMPLES) / SAMPLE_RATE_HZ
    tail = rng.standard_normal(RESPONSE_SAMPLES) * 10 ** (-3 * time / decay_s) * np.minimum(1, time / 0.04)
    # As loud as the images are in the stretch that both cover.
    both = slice(600, 2_000)
    return tail * 0.7 * np.sqrt((np.sum(early[both] ** 2) + 1e-9) / (np.sum(tail[both] ** 2) + 1e-9))


def microphone_response(bins: int, rng: np.random.Generator, ripple_db: float = 8.0) -> np.ndarray:
    """How strongly a random microphone and its amplifier take up each frequency.

    Args:
        bins: of a real FFT, 0 to half the sample rate.
        ripple_db: how far the response wanders over eight octaves.
    Returns:
        float [bins], gains.
    """
    hz = np.linspace(0, SAMPLE_RATE_HZ / 2, bins)
    knots_hz = (50, 120, 250, 500, 1_000, 2_000, 4_000, 8_000)
    wander = np.cumsum(rng.normal(0, ripple_db / 4, len(knots_hz)))
    gain_db = np.interp(np.log(np.maximum(hz, 20)), np.log(knots_hz), wander - wander.mean())
    if rng.random() < 0.5:  # high-pass
        gain_db -= 10 * np.log10(1 + (rng.uniform(60, 350) / np.maximum(hz, 5)) ** 4)
    if rng.random() < 0.4:  # low-pass, as cheap capsules, telephones and codecs have
        gain_db -= 10 * np.log10(1 + (hz / rng.uniform(3_000, 7_500)) ** rng.choice((4, 8, 16)))
    return 10 ** (gain_db / 20)


def through_microphone(sound: np.ndarray, rng: np.random.Generator, ripple_db: float = 8.0) -> np.ndarray:
    """Filter float [samples] with a random microphone response."""
    spectrum = np.fft.rfft(sound)
    return np.fft.irfft(spectrum * microphone_response(len(spectrum), rng, ripple_db), len(sound))


def room_spectra(responses: list[np.ndarray], length: int) -> list[np.ndarray]:
    """Responses as `recorded` wants them, for sound of so many samples; complex [bins] each."""
    return [np.fft.rfft(response, length + RESPONSE_SAMPLES) for response in responses]


def recorded(
    spoken: np.ndarray, length: int, rooms: list[np.ndarray], rng: np.random.Generator, share: float = 1.0
) -> np.ndarray:
    """What a recorder gets of something that is said: in a room, through a microphone, clipped now and then.

    Args:
        spoken: int16 [samples]; a random stretch of it where it is longer than length.
        length: samples that come out; zeros lie around what is said.
        rooms: to choose from, of `room_spectra` for this length.
        share: lowers the shares of clips that get a room, a microphone and clipping, for what was recorded already.
    Returns:
        int16 [length]; what is said has the level SPEECH_RMS.
    """
    if len(spoken) > length:
        start = int(rng.integers(0, len(spoken) - length + 1))
        spoken = spoken[start : start + length]
    start = (length - len(spoken)) // 2
    padded = length + RESPONSE_SAMPLES
    spectrum = np.fft.rfft(np.pad(spoken.astype(np.float64), (start, padded - start - len(spoken))))
    if rng.random() < ROOM_SHARE * share:
        spectrum *= rooms[rng.integers(len(rooms))]
    if rng.random() < MICROPHONE_SHARE * share:
        spectrum *= microphone_response(len(spectrum), rng)
    sound = np.fft.irfft(spectrum, padded)[:length]
    sound *= SPEECH_RMS / (np.sqrt(np.mean(sound[start : start + len(spoken)] ** 2)) + 1e-9)
    if rng.random() < CLIPPED_SHARE * share:
        limit = (np.abs(sound).max() + 1e-9) * rng.uniform(0.15, 0.7)  # a stretch may be silent
        sound = np.clip(sound, -limit, limit) if rng.random() < 0.5 else limit * np.tanh(sound / limit)
    return np.clip(np.rint(sound), -32_768, 32_767).astype(np.int16)
