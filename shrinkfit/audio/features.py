# SPDX-License-Identifier: Apache-2.0
"""Clips of int16 samples go in, log-mel features in [-1, 1] come out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from shrinkfit.errors import ShrinkfitError

CLIPS_AT_ONCE = 64  # one block's spectra, 64 x 49 x 257 complex64, stay near the second-level cache


class AudioError(ShrinkfitError):
    """Sound or a folder of it that cannot be used; the message says what came and what was expected."""


@dataclass(frozen=True)
class FeatureConfig:
    """How sound becomes features. The defaults give 49 frames of 40 bands for one second.

    Args:
        sample_rate_hz: samples per second.
        window_samples, hop_samples: length of a frame and distance between frames.
        fft_size: power of two, at least window_samples.
        bands: mel bands between low_hz and high_hz.
        floor_log2, ceiling_log2: log2 of a band's mean power (in squared int16 steps) that become -1 and 1.
    """

    sample_rate_hz: int = 16_000
    window_samples: int = 480
    hop_samples: int = 320
    fft_size: int = 512
    bands: int = 40
    low_hz: float = 60.0
    high_hz: float = 7_600.0
    floor_log2: float = 0.0
    ceiling_log2: float = 28.0

    def __post_init__(self) -> None:
        if not 0 < self.window_samples <= self.fft_size or self.hop_samples < 1:
            raise AudioError(
                f"a window of {self.window_samples} samples, hop {self.hop_samples}, does not suit an FFT of "
                f"{self.fft_size}: the window has to be in [1, FFT size] and the hop at least 1"
            )
        if not 0 <= self.low_hz < self.high_hz <= self.sample_rate_hz / 2 or self.bands < 1:
            raise AudioError(
                f"{self.bands} bands from {self.low_hz} to {self.high_hz} Hz do not lie between 0 and "
                f"{self.sample_rate_hz / 2:g} Hz, half the sample rate"
            )
        if self.floor_log2 >= self.ceiling_log2:
            raise AudioError(f"floor_log2 {self.floor_log2} is not below ceiling_log2 {self.ceiling_log2}")

    def frames(self, samples: int) -> int:
        """How many whole windows fit in a clip of that many samples."""
        return max(0, (samples - self.window_samples) // self.hop_samples + 1)


def log_mel(samples: np.ndarray, config: FeatureConfig | None = None) -> np.ndarray:
    """Log-mel features of many clips.

    Each frame is Hann windowed; a band's mean power p in squared int16 steps becomes log2(p + 1), and the range
    [floor_log2, ceiling_log2] is mapped to [-1, 1] and clipped, so that an int8 step is about 0.1 in log2.

    Args:
        samples: int16 [n, samples], or [samples] for one clip.
        config: FeatureConfig; the default when None.
    Returns:
        float32 [n, frames, bands] in [-1, 1] ([frames, bands] for one clip).
    Raises:
        AudioError: samples are not int16, not one- or two-dimensional, or shorter than a window.
    """
    config = config or FeatureConfig()
    samples = np.asarray(samples)
    if samples.dtype != np.int16 or samples.ndim not in (1, 2):
        raise AudioError(f"samples are {samples.dtype} {samples.shape}, expected int16 [n, samples]")
    if config.frames(samples.shape[-1]) < 1:
        raise AudioError(f"a clip has {samples.shape[-1]} samples, expected at least {config.window_samples}")
    clips = np.atleast_2d(samples)
    features = np.empty((len(clips), config.frames(clips.shape[1]), config.bands), np.float32)
    for start in range(0, len(clips), CLIPS_AT_ONCE):
        block = slice(start, start + CLIPS_AT_ONCE)
        features[block] = _log_mel_block(clips[block], config)
    return features if samples.ndim == 2 else features[0]


def _log_mel_block(clips: np.ndarray, config: FeatureConfig) -> np.ndarray:
    frames = np.lib.stride_tricks.sliding_window_view(clips, config.window_samples, axis=1)[:, :: config.hop_samples]
    spectra = np.fft.rfft(frames * _window(config), config.fft_size, axis=-1)
    power = np.square(spectra.real) + np.square(spectra.imag)
    shape = power.shape
    bands = power.reshape(-1, shape[-1]).astype(np.float32, copy=False) @ _mel_filters(config)
    middle = (config.ceiling_log2 + config.floor_log2) / 2
    half = (config.ceiling_log2 - config.floor_log2) / 2
    scaled = (np.log2(bands + np.float32(1)) - np.float32(middle)) * np.float32(1 / half)
    return np.clip(scaled, -1, 1).reshape(*shape[:2], config.bands)


@lru_cache
def _window(config: FeatureConfig) -> np.ndarray:
    """Periodic Hann window with unit energy, so that white noise keeps its power in every bin."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(config.window_samples) / config.window_samples)
    return (window / np.sqrt(np.sum(window**2))).astype(np.float32)


@lru_cache
def _mel_filters(config: FeatureConfig) -> np.ndarray:
    """Triangles on the mel scale 2595 log10(1 + f / 700) (O'Shaughnessy), each with weights that sum to 1.

    Returns:
        float32 [fft_size / 2 + 1, bands].
    """
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (config.low_hz, config.high_hz))
    edges_hz = 700 * (10 ** (np.linspace(low, high, config.bands + 2) / 2595) - 1)
    bins_hz = np.arange(config.fft_size // 2 + 1) * config.sample_rate_hz / config.fft_size
    left, middle, right = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    rising = (bins_hz[:, None] - left) / (middle - left)
    falling = (right - bins_hz[:, None]) / (right - middle)
    filters = np.maximum(0, np.minimum(rising, falling))
    # Low bands can be narrower than a bin and catch none: the nearest bin stands in.
    for band in np.flatnonzero(filters.sum(axis=0) == 0):
        filters[np.argmin(np.abs(bins_hz - middle[band])), band] = 1
    return (filters / filters.sum(axis=0)).astype(np.float32)
