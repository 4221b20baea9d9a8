# SPDX-License-Identifier: Apache-2.0
"""A source of chance and some spoken words go in; generated background noise comes out.

What lies around a microphone at home: hiss, gusts, hum, machines, water, dishes, keys, music, creatures, and people
who talk at once. Each stretch is another random one of its kind, heard through another microphone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from shrinkfit.audio.dataset import CLIP_SAMPLES
from shrinkfit.audio.rooms import room_response, through_microphone
from shrinkfit.audio.sound import SAMPLE_RATE_HZ

NOISE_SECONDS = 10
RMS = 1_500.0
MOST_PARTIALS = 25
Rng = np.random.Generator


def background_noise(
    seed: int, words: Sequence[np.ndarray] = (), rounds: int = 1, progress: Callable[[], object] | None = None
) -> dict[str, np.ndarray]:
    """Kinds of noise, each NOISE_SECONDS long.

    Args:
        seed: of all that is random.
        words: int16 [samples] each, from which crowds are made; without them there is no crowd.
        rounds: how many of each kind.
        progress: called after each stretch, or None.
    Returns:
        name -> int16 [samples]: each kind with its number, and mixtures of two.
    """
    samples, made = NOISE_SECONDS * SAMPLE_RATE_HZ, {}
    for number in range(rounds):
        for kind, make in KINDS.items():
            rng = np.random.default_rng([seed, number, *kind.encode()])
            made[f"{kind}{number}"] = _level(through_microphone(make(samples, rng), rng))
        rng = np.random.default_rng([seed, number])
        for i in range(2 if len(words) else 0):
            made[f"crowd{i}_{number}"] = _level(through_microphone(_crowd(samples, rng, words), rng))
        for i in range(3):
            one, two = (made[name] for name in rng.choice(list(made), 2))
            made[f"mixture{i}_{number}"] = _level(one + two * 10 ** rng.uniform(-0.5, 0.2))
        if progress is not None:
            progress()
    return {name: np.clip(np.rint(RMS * sound), -32_768, 32_767).astype(np.int16) for name, sound in made.items()}


def silence_clips(noise: list[np.ndarray], count: int, seed: int) -> list[np.ndarray]:
    """Clips of a second without a word: noise from faint to loud, and now and then two kinds at once."""
    rng = np.random.default_rng([seed, 1])
    clips = []
    for _ in range(count):
        gains = [10 ** rng.uniform(-3, 0.8), 10 ** rng.uniform(-3, 0.8) * (rng.random() < 0.3)]
        mixed = sum(gain * _cut(noise[rng.integers(len(noise))], rng) for gain in gains)
        clips.append(np.clip(np.rint(mixed), -32768, 32767).astype(np.int16))
    return clips


def coloured_noise(samples: int, slope: float, rng: Rng) -> np.ndarray:
    """Gaussian noise whose power falls with frequency ** slope: 0 white, 1 pink, 2 brown; float [samples]."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    hz = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE_HZ)
    return np.fft.irfft(spectrum * np.maximum(hz, 30.0) ** (-slope / 2), samples)


def _level(sound: np.ndarray) -> np.ndarray:
    return sound / (np.sqrt(np.mean(sound**2)) + 1e-9)


def _swell(samples: int, rng: Rng, a_second: float, lowest: float) -> np.ndarray:
    """A loudness that wanders between lowest and 1."""
    knots = rng.uniform(lowest, 1.0, size=int(samples / SAMPLE_RATE_HZ * a_second) + 2)
    return np.interp(np.arange(samples), np.linspace(0, samples, len(knots)), knots)


def _events(samples: int, rng: Rng, a_second: float, make: Callable[[], np.ndarray]) -> np.ndarray:
    """Short sounds at random times, the faintest 24 dB below the loudest."""
    sound = np.zeros(samples + 2 * SAMPLE_RATE_HZ)
    for start in rng.integers(0, samples, max(1, int(a_second * samples / SAMPLE_RATE_HZ))):
        event = make()
        sound[start : start + len(event)] += event * 10 ** rng.uniform(-1.2, 0)
    return sound[:samples]


def _ring(rng: Rng, modes: int, low_hz: float, high_hz: float, decay_s: float, seconds: float) -> np.ndarray:
    """What a thing gives when it is hit: a few tones that die away."""
    time = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    tones = np.exp(rng.uniform(np.log(low_hz), np.log(high_hz), modes))
    decays = decay_s * rng.uniform(0.4, 1.5, modes)
    strength, phase = rng.uniform(0.2, 1, modes), rng.uniform(0, 6, modes)
    rows = np.sin(2 * np.pi * tones[:, None] * time + phase[:, None]) * np.exp(-time / decays[:, None])
    return strength @ rows


def _harmonics(hz: np.ndarray, rng: Rng, fall: float) -> np.ndarray:
    """A tone of wandering pitch hz [samples] with its overtones, the k-th of strength k ** -fall."""
    phase = 2 * np.pi * np.cumsum(hz) / SAMPLE_RATE_HZ
    partials = min(MOST_PARTIALS, max(1, int(7_000 / hz.max())))
    return sum(rng.uniform(0.3, 1) * k**-fall * np.sin(k * phase + rng.uniform(0, 6)) for k in range(1, partials + 1))


def _hiss(samples: int, rng: Rng) -> np.ndarray:
    return through_microphone(coloured_noise(samples, rng.uniform(-0.3, 2.2), rng), rng, 15)


def _gusts(samples: int, rng: Rng) -> np.ndarray:
    return coloured_noise(samples, rng.uniform(1, 2.2), rng) * _swell(samples, rng, rng.uniform(0.7, 4), 0.05)


def _hum(samples: int, rng: Rng) -> np.ndarray:
    mains = np.full(samples, rng.choice((50.0, 60.0, 100.0, 120.0)))
    hum = _level(_harmonics(mains, rng, rng.uniform(0.5, 1.5)))
    return hum + rng.uniform(0.05, 1) * _level(coloured_noise(samples, 1, rng))


def _machine(samples: int, rng: Rng) -> np.ndarray:
    """A motor that speeds up and slows down, and air or friction in its rhythm."""
    turning = rng.uniform(20, 180) * (1 + 0.15 * (_swell(samples, rng, 1, 0) - 0.5))
    rhythm = 2 * np.pi * rng.uniform(1, 6) * np.arange(samples) / SAMPLE_RATE_HZ
    air = _level(through_microphone(coloured_noise(samples, rng.uniform(0, 1.5), rng), rng, 20))
    beat = 1 + 0.8 * rng.random() * np.sin(rhythm + rng.uniform(0, 6))
    return rng.uniform(0.1, 1) * _level(_harmonics(turning, rng, rng.uniform(0.2, 1))) + beat * air


def _water(samples: int, rng: Rng) -> np.ndarray:
    bubbles = _events(samples, rng, rng.uniform(10, 60), lambda: _ring(rng, 1, 400, 4_000, 0.01, 0.05))
    rush = through_microphone(coloured_noise(samples, rng.uniform(-0.5, 1), rng), rng, 20)
    return rng.uniform(0, 0.8) * _level(bubbles) + _level(rush) * _swell(samples, rng, 3, 0.4)


def _dishes(samples: int, rng: Rng) -> np.ndarray:
    def clink() -> np.ndarray:
        return _ring(rng, 6, 600, 7_000, rng.uniform(0.01, 0.08), 0.3) + 0.3 * _ring(rng, 3, 150, 900, 0.02, 0.3)

    rest = _level(through_microphone(coloured_noise(samples, 1, rng), rng, 20))
    return _level(_events(samples, rng, rng.uniform(1, 5), clink)) + rng.uniform(0.02, 0.4) * rest


def _taps(samples: int, rng: Rng) -> np.ndarray:
    def tap() -> np.ndarray:
        return rng.standard_normal(800) * np.exp(-np.arange(800) / rng.uniform(20, 200))

    taps = _level(_events(samples, rng, rng.uniform(2, 12), tap))
    return taps + rng.uniform(0.02, 0.3) * _level(coloured_noise(samples, 1, rng))


def _music(samples: int, rng: Rng) -> np.ndarray:
    """Chords of one key in a steady beat, with drums."""
    sound, beat = np.zeros(samples + 2 * SAMPLE_RATE_HZ), int(SAMPLE_RATE_HZ * rng.uniform(0.25, 0.6))
    root, fall = rng.uniform(80, 220), rng.uniform(0.8, 2)
    for start in range(0, samples, beat):
        for _ in range(rng.integers(1, 4)):
            length = int(beat * rng.uniform(0.8, 3))
            time = np.arange(length) / SAMPLE_RATE_HZ
            hz = root * 2 ** (rng.choice((0, 2, 4, 5, 7, 9, 11, 12, 14, 16)) / 12) * rng.choice((1, 2, 4))
            note = _harmonics(hz * (1 + 0.004 * np.sin(2 * np.pi * 5.5 * time)), rng, fall)
            sound[start : start + length] += note * np.minimum(1, time / 0.01) * np.exp(-time / rng.uniform(0.15, 1.2))
        if rng.random() < 0.8:
            time = np.arange(3_000) / SAMPLE_RATE_HZ
            low = 6 * np.sin(2 * np.pi * (50 + 80 * np.exp(-time / 0.03)) * time)
            drum = low if rng.random() < 0.5 else 2 * rng.standard_normal(len(time))
            sound[start : start + len(time)] += drum * np.exp(-time / 0.04)
    return sound[:samples]


def _creatures(samples: int, rng: Rng) -> np.ndarray:
    """Voices without words: animals, babies, sirens; pitch and colour glide."""

    def call() -> np.ndarray:
        length = int(rng.uniform(0.3, 1.2) * SAMPLE_RATE_HZ)
        knots = np.exp(rng.uniform(np.log(200), np.log(900))) * 2 ** np.cumsum(rng.normal(0, 0.25, 6))
        hz = np.interp(np.arange(length), np.linspace(0, length, 6), np.clip(knots, 120, 1_800))
        loudness = np.sin(np.pi * np.arange(length) / length) ** rng.uniform(0.3, 1.5)
        return through_microphone(_harmonics(hz, rng, rng.uniform(0.3, 1.2)), rng, 25) * loudness

    calls = _level(_events(samples, rng, rng.uniform(0.5, 1.2), call))
    return calls + 0.05 * _level(coloured_noise(samples, 1, rng))


def _crowd(samples: int, rng: Rng, words: Sequence[np.ndarray]) -> np.ndarray:
    """Two to seven people who talk at once, in a room."""
    sound = np.zeros(samples)
    for _ in range(rng.integers(2, 8)):
        said, length = [], 0
        while length < samples:
            word = _level(words[int(rng.integers(len(words)))].astype(np.float64)) * 10 ** rng.uniform(-0.3, 0.1)
            said += [word, np.zeros(int(rng.uniform(0, 0.3) * SAMPLE_RATE_HZ))]
            length += len(said[-1]) + len(word)
        sound += rng.uniform(0.3, 1) * np.concatenate(said)[:samples]
    room = room_response(rng)
    padded = samples + len(room)
    return np.fft.irfft(np.fft.rfft(sound, padded) * np.fft.rfft(room, padded), padded)[:samples]


def _cut(noise: np.ndarray, rng: Rng) -> np.ndarray:
    start = rng.integers(len(noise) - CLIP_SAMPLES + 1)
    return noise[start : start + CLIP_SAMPLES].astype(np.float64)


KINDS = {
    "hiss": _hiss,
    "gusts": _gusts,
    "hum": _hum,
    "machine": _machine,
    "water": _water,
    "dishes": _dishes,
    "taps": _taps,
    "music": _music,
    "creatures": _creatures,
}
