# SPDX-License-Identifier: Apache-2.0
"""Power per bin in, int8 features out: mel bands, logarithm, noise estimate, cosine transform, as in sf_features.c."""

from __future__ import annotations

import numpy as np

from shrinkfit.audio.config import FeatureConfig
from shrinkfit.audio.tables import GAIN_BITS, LOG2_BITS, MFCC_SHIFT, NOISE_BITS, NOISE_GAINS, Tables

FINE_BITS = 7  # that the cosine transform's inputs have more than an int8 feature


def band_sums(power: np.ndarray, t: Tables) -> np.ndarray:
    """Triangular sums in half steps.

    Args:
        power: int32 [bins, frames].
        t: tables of the config.
    Returns:
        uint32 values as int64 [bands, frames].
    """
    # Products of 28 or 30 bits with 16 are whole in float64's 53 bits, and so are their sums over a segment.
    power = power[t.bins].astype(np.float64)
    starts = np.concatenate([[0], np.cumsum(t.counts)]).astype(int)
    shape = (len(t.counts), power.shape[1])
    rising, whole = np.empty(shape, np.int64), np.empty(shape, np.int64)
    weights = t.weights.astype(np.float64)
    for i, (start, end) in enumerate(zip(starts[:-1], starts[1:], strict=True)):
        rising[i] = (weights[start:end] @ power[start:end]).astype(np.int64)
        whole[i] = power[start:end].sum(axis=0).astype(np.int64)
    rising >>= 15
    return rising[:-1] + (2 * whole - rising)[1:]


def log_levels(sums: np.ndarray, shift: np.ndarray, t: Tables) -> np.ndarray:
    """Levels in Q10: log2 of each band's mean power in squared int16 steps.

    Args:
        sums: from band_sums, [bands, frames].
        shift: int [frames], by which the frame was shifted left.
    Returns:
        int32 [bands, frames].
    """
    exponent = np.frexp(sums.astype(np.float64))[1] - 1  # floor(log2), exact: below 2^53; -1 for 0
    fraction = (sums << (31 - exponent)) >> 23 & 0xFF
    log2 = (exponent << LOG2_BITS) + t.log2[fraction]
    return (log2 + t.levels[:, None] - (shift << (LOG2_BITS + 1))).astype(np.int32)


def track_noise(levels: np.ndarray, t: Tables) -> np.ndarray:
    """Levels after noise reduction and gain normalization.

    Args:
        levels: int32 [clips, frames, bands].
    Returns:
        int32 of the same shape.
    """
    assert t.noise_gains is not None, "only tables of features that track noise come here"
    out, noise = np.empty_like(levels), None
    for i in range(levels.shape[1]):
        fine = levels[:, i] << NOISE_BITS
        if noise is None:
            noise = fine
        step = fine - noise
        noise = noise + np.where(step < 0, step >> t.fall, step >> t.rise)
        estimate = noise >> NOISE_BITS
        above = np.clip((levels[:, i] - estimate) >> (LOG2_BITS - 3), 0, NOISE_GAINS - 1)
        taken = (t.normalization * (estimate - t.reference)) >> 8
        out[:, i] = levels[:, i] + t.noise_gains[above] - taken
    return out


def quantized(levels: np.ndarray, config: FeatureConfig, t: Tables) -> np.ndarray:
    """int8 features [..., width] of levels [..., bands]."""
    if config.kind == "log_mel":
        steps = (levels * np.int32(t.gain) + np.int32(t.offset)) >> GAIN_BITS
        return np.clip(steps, -128, 127).astype(np.int8)
    half = (1 << (GAIN_BITS - 1)) - (1 << (GAIN_BITS - FINE_BITS - 1))
    fine = (levels * np.int32(t.gain) + np.int32(t.offset - half)) >> (GAIN_BITS - FINE_BITS)
    fine = np.clip(fine, -(128 << FINE_BITS), 127 << FINE_BITS)
    assert t.cosines is not None, "tables of mfcc features have them"
    # float64 holds these sums exactly and has the faster product.
    sums = (fine.astype(np.float64) @ t.cosines.T.astype(np.float64)).astype(np.int64)
    return np.clip((sums + (1 << (MFCC_SHIFT - 1))) >> MFCC_SHIFT, -128, 127).astype(np.int8)
