# SPDX-License-Identifier: Apache-2.0
"""A seed goes in, generated background noise comes out: coloured noise, mains hum, taps and gusts."""

from __future__ import annotations

import numpy as np

from shrinkfit.audio.dataset import CLIP_SAMPLES, SAMPLE_RATE_HZ

NOISE_SECONDS = 30


def background_noise(seed: int) -> dict[str, np.ndarray]:
    """Kinds of noise, each NOISE_SECONDS long.

    Returns:
        name -> int16 [samples].
    """
    rng = np.random.default_rng(seed)
    samples = NOISE_SECONDS * SAMPLE_RATE_HZ
    kinds = {
        "white": coloured_noise(samples, 0.0, rng),
        "pink": coloured_noise(samples, 1.0, rng),
        "brown": coloured_noise(samples, 2.0, rng),
        "hum": _hum(samples, rng),
        "taps": _taps(samples, rng),
        "gusts": coloured_noise(samples, 1.5, rng) * _swell(samples, rng),
    }
    return {name: _to_int16(sound) for name, sound in kinds.items()}


def silence_clips(noise: list[np.ndarray], count: int, seed: int) -> list[np.ndarray]:
    """Clips of a second without a word: noise from faint to loud, and now and then two kinds at once."""
    rng = np.random.default_rng([seed, 1])
    clips = []
    for _ in range(count):
        gains = [10 ** rng.uniform(-3, 0.3), 10 ** rng.uniform(-3, 0.3) * (rng.random() < 0.3)]
        mixed = sum(gain * _cut(noise[rng.integers(len(noise))], rng) for gain in gains)
        clips.append(np.clip(np.rint(mixed), -32768, 32767).astype(np.int16))
    return clips


def coloured_noise(samples: int, slope: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise whose power falls with frequency ** slope: 0 white, 1 pink, 2 brown; float [samples]."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    hz = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE_HZ)
    return np.fft.irfft(spectrum * np.maximum(hz, 30.0) ** (-slope / 2), samples)


def _hum(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Mains hum: 50 Hz and its multiples, over a little white noise."""
    time = np.arange(samples) / SAMPLE_RATE_HZ
    tones = sum(np.sin(2 * np.pi * (50 * k * time + rng.random())) / k for k in range(1, 12))
    return tones + 0.05 * rng.standard_normal(samples)


def _taps(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Short knocks, about four a second, such as keys and cups make."""
    sound = 0.02 * rng.standard_normal(samples)
    for start in rng.integers(0, samples - 1600, size=4 * NOISE_SECONDS):
        time = np.arange(1600) / SAMPLE_RATE_HZ
        tone = np.sin(2 * np.pi * rng.uniform(300, 4000) * time) + 0.5 * rng.standard_normal(1600)
        sound[start : start + 1600] += rng.uniform(0.2, 1) * tone * np.exp(-time / rng.uniform(0.003, 0.03))
    return sound


def _swell(samples: int, rng: np.random.Generator) -> np.ndarray:
    """A loudness that wanders over about a second, as wind does; in [0.1, 1]."""
    knots = rng.uniform(0.1, 1.0, size=NOISE_SECONDS + 1)
    return np.interp(np.arange(samples), np.linspace(0, samples, len(knots)), knots)


def _to_int16(sound: np.ndarray) -> np.ndarray:
    return np.rint(sound * (0.5 * 32767 / np.abs(sound).max())).astype(np.int16)


def _cut(noise: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    start = rng.integers(len(noise) - CLIP_SAMPLES + 1)
    return noise[start : start + CLIP_SAMPLES].astype(np.float64)
