# SPDX-License-Identifier: Apache-2.0
"""Clips go in; the same words, said a little faster, later, louder or in noise, come out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Augmentation:
    """How far clips may be changed; each amount is drawn uniformly per clip.

    Args:
        speed: (slowest, fastest) rate of playing; the pitch follows.
        shift_samples: largest shift to the left or right; zeros fill the gap.
        gain_db: (lowest, highest).
        noise_share: share of the clips that get noise, in [0, 1].
        snr_db: (noisiest, cleanest), clip against noise by root mean square.
    """

    speed: tuple[float, float] = (0.85, 1.15)
    shift_samples: int = 1_600
    gain_db: tuple[float, float] = (-12.0, 6.0)
    noise_share: float = 0.8
    snr_db: tuple[float, float] = (3.0, 30.0)


def augment(
    samples: np.ndarray, noise: tuple[np.ndarray, ...], rng: np.random.Generator, how: Augmentation | None = None
) -> np.ndarray:
    """Changed copies of clips.

    Args:
        samples: int16 [n, samples].
        noise: int16 arrays [at least samples]; none is mixed in when empty.
        rng: the only source of chance; the same state gives the same copies.
    Returns:
        int16 [n, samples], saturated.
    """
    how = how or Augmentation()
    return np.stack([_augment_clip(clip, noise, rng, how) for clip in samples])


def _augment_clip(
    clip: np.ndarray, noise: tuple[np.ndarray, ...], rng: np.random.Generator, how: Augmentation
) -> np.ndarray:
    changed = _play(clip, rng.uniform(*how.speed), int(rng.integers(-how.shift_samples, how.shift_samples + 1)))
    if len(noise) and rng.random() < how.noise_share:
        changed = mix_noise(changed, _cut(noise, len(clip), rng), rng.uniform(*how.snr_db))
    changed *= np.float32(10 ** (rng.uniform(*how.gain_db) / 20))
    return np.clip(np.rint(changed), -32768, 32767).astype(np.int16)


def _play(clip: np.ndarray, speed: float, shift: int) -> np.ndarray:
    """Resample around the middle by linear interpolation and shift right, in one pass; zeros come in at the ends."""
    middle = (len(clip) - 1) / 2
    positions = (np.arange(len(clip), dtype=np.float32) - np.float32(middle + shift)) * np.float32(speed)
    positions += np.float32(middle)
    left = np.floor(positions)
    fraction = positions - left
    padded = np.zeros(len(clip) + 2, np.float32)
    padded[1:-1] = clip
    index = np.clip(left.astype(np.int32) + 1, 0, len(clip))
    inside = (positions > -1) & (positions < len(clip))
    return np.where(inside, padded[index] * (1 - fraction) + padded[index + 1] * fraction, np.float32(0))


def _cut(noise: tuple[np.ndarray, ...], length: int, rng: np.random.Generator) -> np.ndarray:
    source = noise[rng.integers(len(noise))]
    start = rng.integers(len(source) - length + 1)
    return source[start : start + length].astype(np.float32)


def mix_noise(clip: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Add noise, scaled so that the clip is `snr_db` louder than it (root mean square over the whole clip).

    A silent clip has no level to compare with; it gets the noise as if it had a level of 100 steps.

    Args:
        clip, noise: float32 [samples].
    Returns:
        float32 [samples].
    """
    clip_rms, noise_rms = (float(np.sqrt(np.mean(np.square(x)))) for x in (clip, noise))
    if noise_rms == 0:
        return clip
    level = (clip_rms if clip_rms >= 1 else 100.0) / 10 ** (snr_db / 20)
    return clip + noise * np.float32(level / noise_rms)
