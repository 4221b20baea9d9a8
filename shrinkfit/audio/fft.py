# SPDX-License-Identifier: Apache-2.0
"""Windowed frames in 16 bits in, the power of their spectra out: the FFT of sf_features.c, bit for bit.

Arrays are int32 [..., frames]: each step is done for all frames of a block at once. All exponents are positive, which
conjugates the spectrum of real sound and leaves its power as it is. Products are rounded, halves are rounded down.
docs/features.md has the steps, their ranges and why nothing overflows.
"""

from __future__ import annotations

import numpy as np

from shrinkfit.audio.tables import Tables

SQRT_HALF = 23_170  # cos(pi / 4) in Q15
ROUND = 1 << 15  # half of a product's last bit that stays


def power_spectrum(v: np.ndarray, t: Tables) -> np.ndarray:
    """Power of the bins of real frames.

    Args:
        v: int32 [fft_size, frames], windowed, within +-2^14.
        t: tables of the config.
    Returns:
        int32 [fft_size / 2 + 1, frames], |DFT(v) * 4 / fft_size|^2; 0 for bins that the config does not use.
    """
    sequences = range(0, 4, t.bin_step)
    re, im = _first_pass(v, t.first, sequences)
    re, im = re[:, None], im[:, None]  # [sequence, blocks, points, frames]
    for twiddles in t.passes:
        re, im = _split(re, 8), _split(im, 8)
        re, im = _radix8(re, im, halve_first=True)
        re, im = _twiddled(re, im, twiddles)
        re, im = (x.reshape(len(x), -1, *x.shape[3:]) for x in (re, im))
    re, im = _split(re, t.last), _split(im, t.last)
    re, im = _LAST[t.last](re, im)
    re, im = (_in_order(x[:, :, :, 0], len(t.passes)) for x in (re, im))
    return _powers(re, im, t.split, len(v), sequences)


def _half(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x = x + y
    x >>= 1
    return x


def _half_less(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x = x - y
    x >>= 1
    return x


def _times(re: np.ndarray, im: np.ndarray, c: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(re + i im) (c + i s) / 2, Q15 factors."""
    a = re * c
    a -= im * s
    a += ROUND
    a >>= 16
    b = re * s
    b += im * c
    b += ROUND
    b >>= 16
    return a, b


def _first_pass(v: np.ndarray, twiddles: np.ndarray, sequences: range) -> tuple[np.ndarray, np.ndarray]:
    """Real radix-8 pass: complex sequences of fft_size / 8 points, [len(sequences), points, frames].

    The first is the real sequence of the bins 4 t, two points of it in each complex one; sequence q has bins 8 r + q.
    """
    x = v.reshape(8, len(v) // 8, -1)
    s = _half(x[:4], x[4:])
    real = np.concatenate([_half(s[0], s[2]), _half(s[1], s[3])])
    points = {2: (s[0] - s[2], s[1] - s[3])}
    if 1 in sequences:
        d0, d2 = _half_less(x[0], x[4]), _half_less(x[2], x[6])
        d1, d3 = x[1] - x[5], x[3] - x[7]
        e = ((d1 - d3) * SQRT_HALF + ROUND) >> 16
        f = ((d1 + d3) * SQRT_HALF + ROUND) >> 16
        points |= {1: (d0 + e, d2 + f), 3: (d0 - e, f - d2)}
    parts = [(real[0::2], real[1::2])]
    for q in sequences[1:]:
        c, s = (twiddles[:, q - 1, part, None].astype(np.int32) for part in (0, 1))
        parts.append(_times(*points[q], c, s))
    re, im = zip(*parts, strict=True)
    return np.stack(re), np.stack(im)


def _split(x: np.ndarray, radix: int) -> np.ndarray:
    """[sequence, blocks, radix, points / radix, frames]."""
    return x.reshape(*x.shape[:2], radix, x.shape[2] // radix, x.shape[3])


def _radix8(re: np.ndarray, im: np.ndarray, halve_first: bool) -> tuple[np.ndarray, np.ndarray]:
    """DFTs over axis 2; a quarter of them, the first output an eighth if asked."""
    re, im = np.moveaxis(re, 2, 0), np.moveaxis(im, 2, 0)
    b_re, b_im = _half(re[:4], re[4:]), _half(im[:4], im[4:])
    d_re, d_im = _half_less(re[:4], re[4:]), _half_less(im[:4], im[4:])
    e0_re, e0_im = _half(b_re[0], b_re[2]), _half(b_im[0], b_im[2])
    e1_re, e1_im = _half(b_re[1], b_re[3]), _half(b_im[1], b_im[3])
    e2_re, e2_im = _half_less(b_re[0], b_re[2]), _half_less(b_im[0], b_im[2])
    e3_re, e3_im = _half_less(b_re[1], b_re[3]), _half_less(b_im[1], b_im[3])
    f0_re, f0_im = _half_less(d_re[0], d_im[2]), _half(d_im[0], d_re[2])
    f1_re, f1_im = _half(d_re[0], d_im[2]), _half_less(d_im[0], d_re[2])
    g0_re, g0_im = _eighth_turn(d_re[1] - d_im[3], d_im[1] + d_re[3])
    g1_re, g1_im = _eighth_turn(d_re[1] + d_im[3], d_im[1] - d_re[3])
    # Sums of what was rounded down lose a whole step, all alike, which would gather in the lowest bins.
    e0_re += 1
    e0_im += 1
    first = _half if halve_first else np.add
    out_re = [first(e0_re, e1_re), f0_re + g0_re, e2_re - e3_im, f1_re - g1_im]
    out_re += [e0_re - 1 - e1_re, f0_re - g0_re, e2_re + e3_im, f1_re + g1_im]
    out_im = [first(e0_im, e1_im), f0_im + g0_im, e2_im + e3_re, f1_im + g1_re]
    out_im += [e0_im - 1 - e1_im, f0_im - g0_im, e2_im - e3_re, f1_im - g1_re]
    return np.stack(out_re, 2), np.stack(out_im, 2)


def _eighth_turn(re: np.ndarray, im: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Times exp(i pi / 4) / 2."""
    return ((re - im) * SQRT_HALF + ROUND) >> 16, ((re + im) * SQRT_HALF + ROUND) >> 16


def _twiddled(re: np.ndarray, im: np.ndarray, twiddles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outputs 1 .. 7 times their twiddles, halved by it; [sequence, blocks, 8, points, frames]."""
    c, s = (twiddles[:, :, part].T[:, :, None].astype(np.int32) for part in (0, 1))
    re[:, :, 1:], im[:, :, 1:] = _times(re[:, :, 1:], im[:, :, 1:], c, s)
    return re, im


def _last8(re: np.ndarray, im: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return _radix8(re, im, halve_first=False)


def _last4(re: np.ndarray, im: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b, c, d = (re[:, :, i] for i in range(4))
    p, q, r, s = (im[:, :, i] for i in range(4))
    b0, b1, b2, b3 = _half(a, c), _half(b, d), _half_less(a, c), _half_less(b, d)
    p0, p1, p2, p3 = _half(p, r), _half(q, s), _half_less(p, r), _half_less(q, s)
    return np.stack([b0 + b1, b2 - p3, b0 - b1, b2 + p3], 2), np.stack([p0 + p1, p2 + b3, p0 - p1, p2 - b3], 2)


def _last2(re: np.ndarray, im: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    re, im = (np.stack([x[:, :, 0] + x[:, :, 1], x[:, :, 0] - x[:, :, 1]], 2) for x in (re, im))
    return re, im


_LAST = {2: _last2, 4: _last4, 8: _last8}


def _in_order(x: np.ndarray, passes: int) -> np.ndarray:
    """[n, blocks, radix, frames], blocks with the passes' digits, the last fastest -> [n, points, frames]."""
    blocks = x.reshape(len(x), *[8] * passes, x.shape[2], x.shape[3])
    axes = (0, *range(passes + 1, 0, -1), passes + 2)
    return blocks.transpose(axes).reshape(len(x), -1, x.shape[3])


def _powers(re: np.ndarray, im: np.ndarray, split: np.ndarray, size: int, sequences: range) -> np.ndarray:
    points = size // 8
    power = np.zeros((size // 2 + 1, re.shape[-1]), np.int32)
    for i, q in enumerate(sequences[1:], 1):
        squares = re[i] * re[i]
        squares += im[i] * im[i]
        power[q::8] = squares[: points // 2]
        power[8 - q :: 8] = squares[: points // 2 - 1 : -1]
    power[0::4][points // 2 :], power[0::4][: points // 2 + 1] = _real_bins(re[0], im[0], split)
    return power


def _real_bins(re: np.ndarray, im: np.ndarray, split: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From the complex sequence that holds a real one: powers of its bins points - t, backwards, and t.

    Returns:
        upper, lower: int32 [points / 2 + 1, frames]; both have the middle one.
    """
    points = len(re)
    t = np.arange(points // 2 + 1)
    mirror = -t % points
    a_re, a_im = _half(re[t], re[mirror]), _half_less(im[t], im[mirror])
    b_re, b_im = re[t] - re[mirror], im[t] + im[mirror]
    b_re, b_im = _times(b_re, b_im, *(split[:, part, None].astype(np.int32) for part in (0, 1)))
    lower = np.square(a_re + b_re) + np.square(a_im + b_im)
    upper = np.square(a_re - b_re) + np.square(a_im - b_im)
    return upper[::-1], lower
