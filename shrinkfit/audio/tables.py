# SPDX-License-Identifier: Apache-2.0
"""A FeatureConfig in, the integer tables that sf_features.c and its twin compute with out (docs/features.md)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from shrinkfit.audio.config import FeatureConfig
from shrinkfit.audio.mel import to_hz, to_mel

WINDOW_PEAK = 32_440  # 1 % below 2^15: sums that just fit in 16 bits keep room for what rounding adds
LOG2_BITS = 10  # of a level's fraction; a level is a log2 of power
GAIN_BITS = 20  # of the factor from levels to int8 steps
NOISE_BITS = 6  # that the noise estimate has more than a level
NOISE_GAINS = 64  # of 1/8 in log2
MFCC_GAIN = 3  # coefficients behind the first are some times smaller than it; below 4 for the sum in int32
MFCC_SHIFT = 22


@dataclass(frozen=True, eq=False)
class Tables:
    """What the exporter writes into flash.

    Args:
        window: int16 [window_samples, even], Hann in Q15, peak WINDOW_PEAK.
        first: int16 [fft_size / 8, 3, 2], cos and sin in Q15 of 2 pi j q / fft_size, q = 1, 2, 3.
        opening: int16, window and first in the order in which the C takes them.
        passes: for each further radix-8 pass over n * 8 points int16 [n, 7, 2], of 2 pi j q / (8 n), q = 1 .. 7.
        last: radix of the pass behind them: 2, 4 or 8.
        split: int16 [fft_size / 16 + 1, 2], sin and -cos of 8 pi t / fft_size.
        bin_step: from one bin that is used to the next, 1 or 2.
        bins: int [sum of counts], those that the bands are made of, one after the other.
        counts: uint16 [bands + 1], bins taken from one band edge to the next.
        weights: uint16 [sum of counts], Q16, how much of a bin belongs to the band whose middle is the next edge.
        log2: uint16 [256], log2(1 + i / 256) in the middle of the step, Q10.
        levels: int32 [bands], Q10, from a band's log2 to that of its mean power.
        gain, offset: level -> int8 steps in Q20, rounding included.
        cosines: int16 [coefficients, bands] Q15, or None.
        noise_gains: int16 [64], Q10, log2 of what spectral subtraction leaves, by (level - noise) in steps of 1/8,
            or None.
        rise, fall: right shifts of the noise estimate's steps.
        normalization, reference: share in Q8, and the level in Q10 that it brings noise to.
    """

    window: np.ndarray
    first: np.ndarray
    opening: np.ndarray
    passes: tuple[np.ndarray, ...]
    last: int
    split: np.ndarray
    bin_step: int
    bins: np.ndarray
    counts: np.ndarray
    weights: np.ndarray
    log2: np.ndarray
    levels: np.ndarray
    gain: int
    offset: int
    cosines: np.ndarray | None
    noise_gains: np.ndarray | None
    rise: int
    fall: int
    normalization: int
    reference: int


@lru_cache
def tables(config: FeatureConfig) -> Tables:
    """All tables of a config; computed in double precision and rounded to the nearest."""
    points = config.fft_size // 8
    window = _window(config)
    bins, counts, weights = _segments(config)
    passes, last = _passes(points)
    half = (config.ceiling_log2 - config.floor_log2) / 2
    middle = (config.ceiling_log2 + config.floor_log2) / 2
    gain = round(128 / half * 2 ** (GAIN_BITS - LOG2_BITS))
    angles = 2 * np.pi * np.outer(np.arange(points), (1, 2, 3)) / config.fft_size
    first = _q15(np.stack([np.cos(angles), np.sin(angles)], -1))
    theta = np.pi * np.arange(points // 2 + 1) / points
    fraction = (np.arange(256) + 0.5) / 256
    return Tables(
        window=window,
        first=first,
        opening=_opening(window, first, (1, 0, 2) if config.fine else (1,)),
        passes=passes,
        last=last,
        split=_q15(np.stack([np.sin(theta), -np.cos(theta)], -1)),
        bin_step=config.bin_step,
        bins=bins,
        counts=counts,
        weights=weights,
        log2=np.rint(np.log2(1 + fraction) * 2**LOG2_BITS).astype(np.uint16),
        levels=_levels(config, window, bins, counts, weights),
        gain=gain,
        offset=round(-middle * gain * 2**LOG2_BITS) + 2 ** (GAIN_BITS - 1),
        cosines=_cosines(config) if config.kind == "mfcc" else None,
        noise_gains=_noise_gains(config.noise_reduction) if config.tracks_noise else None,
        rise=_shift(config.noise_rise_s, config),
        fall=_shift(config.noise_fall_s, config),
        normalization=round(config.gain_normalization * 256),
        reference=round((0.75 * config.floor_log2 + 0.25 * config.ceiling_log2) * 2**LOG2_BITS),
    )


def _q15(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values * 2**15), -(2**15) + 1, 2**15 - 1).astype(np.int16)


def _window(config: FeatureConfig) -> np.ndarray:
    """Periodic Hann window; an odd one gets a zero behind it."""
    n = np.arange(config.window_samples)
    hann = np.rint(WINDOW_PEAK * (0.5 - 0.5 * np.cos(2 * np.pi * n / config.window_samples))).astype(np.int16)
    return np.pad(hann, (0, len(hann) % 2))


def _opening(window: np.ndarray, first: np.ndarray, sequences: tuple[int, ...]) -> np.ndarray:
    """For each two neighbouring points: the window of the inputs that there are, the even ones first, then twiddles."""
    stride, found = len(first) // 2, []
    pairs = window.reshape(-1, 2)
    for i in range(stride):
        found += [pairs[i + m * stride] for m in (0, 4, 2, 6, 1, 5, 3, 7) if i + m * stride < len(pairs)]
        found += [first[2 * i + k, q] for q in sequences for k in (0, 1)]
    return np.concatenate(found)


def _passes(points: int) -> tuple[tuple[np.ndarray, ...], int]:
    """Radix-8 passes over `points` complex numbers, and the radix that is left for the last."""
    found = []
    while points > 8:
        points //= 8
        angles = 2 * np.pi * np.outer(np.arange(points), range(1, 8)) / (8 * points)
        found.append(_q15(np.stack([np.cos(angles), np.sin(angles)], -1)))
    return tuple(found), points


def mel_edges(config: FeatureConfig) -> np.ndarray:
    """Edges of the bands in bins, float64 [bands + 2].

    Even steps on the config's mel scale; where they would be below the step between the bins that are used they are
    that, and the mel steps begin behind, so that no band is empty.
    """
    bin_hz, step = config.sample_rate_hz / config.fft_size, config.bin_step

    def mel_behind(linear: int) -> np.ndarray:
        start_hz = config.low_hz + linear * step * bin_hz
        low, high = to_mel(np.array([start_hz, config.high_hz]), config.mel_scale)
        return to_hz(np.linspace(low, high, config.bands + 2 - linear), config.mel_scale) / bin_hz

    linear, mel = 0, mel_behind(0)
    while linear < config.bands and mel[1] - mel[0] < step:
        linear += 1
        mel = mel_behind(linear)
    return np.concatenate([config.low_hz / bin_hz + step * np.arange(linear), mel])


def _segments(config: FeatureConfig) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bins, counts and weights."""
    edges = mel_edges(config)
    bins = np.arange(0, config.fft_size // 2 + 1, config.bin_step)
    bins = bins[(bins >= edges[0]) & (bins < edges[-1])]
    segment = np.searchsorted(edges, bins, side="right") - 1
    rising = (bins - edges[segment]) / (edges[segment + 1] - edges[segment])
    weights = np.minimum(np.rint(rising * 2**16), 2**16 - 1).astype(np.uint16)
    return bins, np.bincount(segment, minlength=config.bands + 1).astype(np.uint16), weights


def _levels(
    config: FeatureConfig, window: np.ndarray, bins: np.ndarray, counts: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """log2 of what turns a band's sum into the mean power of sound, the difference's response taken out.

    White noise of variance v gets log2(v) in every band: its difference has the autocorrelation 2 and -1, which the
    window's own reduces.
    """
    share = weights / 2**16
    hann = window / 2**15
    neighbours = np.sum(hann[1:] * hann[:-1]) / np.sum(np.square(hann))
    response = 2 - 2 * neighbours * np.cos(2 * np.pi * bins / config.fft_size)
    segment = np.repeat(np.arange(config.bands + 1), counts)
    up = np.bincount(segment, share * response, config.bands + 1)[:-1]
    down = np.bincount(segment, (1 - share) * response, config.bands + 1)[1:]
    log2 = np.log2((config.fft_size / 2) ** 2 / np.sum(np.square(hann)) / (up + down))
    # A band's sum is kept in half steps.
    return np.rint((log2 - 1) * 2**LOG2_BITS).astype(np.int32)


def _cosines(config: FeatureConfig) -> np.ndarray:
    """The mean, then MFCC_GAIN times the cosine sums of the DCT-II, all over the number of bands."""
    order = np.arange(config.coefficients)[:, None]
    waves = np.cos(np.pi * order * (np.arange(config.bands) + 0.5) / config.bands) / config.bands
    return _q15(np.where(order == 0, 1, MFCC_GAIN) * waves)


def _noise_gains(share: float) -> np.ndarray:
    above = (np.arange(NOISE_GAINS) + 0.5) / 8
    return np.rint(np.log2(1 - share * 2.0**-above) * 2**LOG2_BITS).astype(np.int16)


def _shift(seconds: float, config: FeatureConfig) -> int:
    frames = seconds * config.sample_rate_hz / config.hop_samples
    return int(np.clip(np.rint(np.log2(frames)), 0, 14))
