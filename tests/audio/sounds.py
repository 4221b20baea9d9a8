# SPDX-License-Identifier: Apache-2.0
"""Sounds that are hard on fixed point, and real ones where they are."""

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from shrinkfit.audio.dataset import fit_length
from shrinkfit.audio.sound import read_sound

SHARED = Path(os.environ.get("SHRINKFIT_SHARED", Path(__file__).resolve().parents[3] / "shared"))


def tone(hz, amplitude, samples=16_000):
    return np.rint(amplitude * np.sin(2 * np.pi * hz * np.arange(samples) / 16_000)).astype(np.int16)


def noise(clips, samples=16_000, seed=0):
    return np.random.default_rng(seed).integers(-3000, 3000, (clips, samples)).astype(np.int16)


def square(period, samples=16_000):
    """Full scale; period in samples, even."""
    return np.where(np.arange(samples) // (period // 2) % 2, 32767, -32768).astype(np.int16)


def hard_sounds(samples=4_000):
    """Name -> int16 [samples]."""
    rng, n = np.random.default_rng(7), np.arange(samples)
    sounds = {
        "silence": np.zeros(samples),
        "loudest": np.full(samples, 32767),
        "most negative": np.full(samples, -32768),
        "offset": np.full(samples, 1234),
        "one impulse": 32767 * (n == samples // 3),
        "impulses": np.where(n % 640 == 3, -32768, 0),
        "smallest": n == samples // 2,
        "clipped tone": np.clip(90_000 * np.sin(0.31 * n), -32768, 32767),
        "chirp": 32767 * np.sin(1e-4 * n**2),
        "loud noise": rng.integers(-32768, 32768, samples),
        "bits": rng.integers(-1, 2, samples),
        "fading noise": rng.normal(0, 1, samples) * 2.0 ** (14 - 16 * n / samples),
    }
    sounds |= {f"square of {period}": square(period, samples) for period in (2, 4, 6, 8, 16, 32, 64, 128, 200)}
    return {name: sound.astype(np.int16) for name, sound in sounds.items()}


@cache
def speech(count):
    """int16 [count, 16000] of recordings, from all words alike."""
    folder = SHARED / "speech_commands"
    if not folder.is_dir():
        pytest.skip("needs recordings in ../shared/speech_commands, or in SHRINKFIT_SHARED")
    words = [sorted(word.glob("*.wav")) for word in sorted(folder.iterdir()) if word.is_dir()]
    files = [word[i] for i in range(max(map(len, words))) for word in words if i < len(word)]
    return np.stack([fit_length(read_sound(path).samples) for path in files[:count]])
