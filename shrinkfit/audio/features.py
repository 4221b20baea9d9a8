# SPDX-License-Identifier: Apache-2.0
"""Clips of int16 samples go in, int8 features come out: the bit-exact, vectorized twin of runtime_c/sf_features.c.

docs/features.md defines every step. What is trained on these features hears the same numbers on the device.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from shrinkfit.audio.bands import band_sums, log_levels, quantized, track_noise
from shrinkfit.audio.config import AudioError, FeatureConfig
from shrinkfit.audio.features_c import feature_sources, features_c
from shrinkfit.audio.fft import power_spectrum
from shrinkfit.audio.tables import Tables, tables

__all__ = ["AudioError", "FeatureConfig", "as_float", "feature_sources", "features", "features_c"]

FRAMES_AT_ONCE = 128  # a block's int32 frames of 512 points, 256 KB, stay near the second-level cache


def features(samples: np.ndarray, config: FeatureConfig | None = None, *, threads: int | None = None) -> np.ndarray:
    """Features of many clips, each as a stream of its own.

    Args:
        samples: int16 [n, samples], or [samples] for one clip.
        config: FeatureConfig; the default when None.
        threads: how many work at once; as many as there are processors when None.
    Returns:
        int8 [n, frames, width] ([frames, width] for one clip); a feature is worth value / 128.
    Raises:
        AudioError: samples are not int16, not one- or two-dimensional, or shorter than a window.
    """
    config = config or FeatureConfig()
    samples = np.asarray(samples)
    if samples.dtype != np.int16 or samples.ndim not in (1, 2):
        raise AudioError(f"samples are {samples.dtype} {samples.shape}, expected int16 [n, samples]")
    frames = config.frames(samples.shape[-1])
    if frames < 1:
        raise AudioError(f"a clip has {samples.shape[-1]} samples, expected at least {config.window_samples}")
    clips, t = np.atleast_2d(samples), tables(config)
    out = np.empty((len(clips), frames, config.width), np.int8)
    step = max(1, FRAMES_AT_ONCE // frames)

    def block(start: int) -> None:
        levels = _levels(clips[start : start + step], config, t)
        levels = track_noise(levels, t) if config.tracks_noise else levels
        out[start : start + step] = quantized(levels, config, t)

    # Threads do: NumPy lets go of the interpreter's lock in its loops.
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        list(pool.map(block, range(0, len(clips), step)))
    return out if samples.ndim == 2 else out[0]


def as_float(features: np.ndarray) -> np.ndarray:
    """What a network is trained on: float32 value / 128, in [-1, 1)."""
    return features.astype(np.float32) / np.float32(128)


def difference(clips: np.ndarray) -> np.ndarray:
    """Each sample less the one before it, saturated; the first is 0.

    It takes off what the microphone adds at 0 Hz and lifts the quiet high bands, so that 16 bits go further; the
    bands' levels take it out again.

    Args:
        clips: int16 [n, samples].
    Returns:
        int16 [n, samples].
    """
    steps = np.diff(clips.astype(np.int32), axis=1, prepend=clips[:, :1])
    return np.clip(steps, -(2**15), 2**15 - 1).astype(np.int16)


def _levels(clips: np.ndarray, config: FeatureConfig, t: Tables) -> np.ndarray:
    """int32 [clips, frames, bands]; a long clip's frames are taken in blocks too."""
    sound = np.lib.stride_tricks.sliding_window_view(difference(clips), config.window_samples, axis=1)
    sound = sound[:, :: config.hop_samples].reshape(-1, config.window_samples)
    blocks = (sound[i : i + FRAMES_AT_ONCE] for i in range(0, len(sound), FRAMES_AT_ONCE))
    levels = np.concatenate([_frame_levels(np.ascontiguousarray(block.T), config, t) for block in blocks], axis=1)
    return levels.T.reshape(len(clips), -1, config.bands)


def _frame_levels(y: np.ndarray, config: FeatureConfig, t: Tables) -> np.ndarray:
    """int16 [window, frames] -> int32 [bands, frames]."""
    peak = (y ^ (y >> 15)).max(axis=0)
    shift = 15 - np.frexp(peak.astype(np.float32))[1]  # of the bits that all samples leave free
    v = np.zeros((config.fft_size, y.shape[1]), np.int32)
    product = y * t.window[: len(y), None].astype(np.int32)
    v[: len(y)] = product >> (16 - shift)
    return log_levels(band_sums(power_spectrum(v, t), t), shift, t)
