/* SPDX-License-Identifier: Apache-2.0 */
/* The power spectrum of a real frame by a radix-8 FFT in 16 bits. The reference for
 * sf_spectrum_dsp.c.
 *
 * Exponents are positive, which conjugates the spectrum and leaves its power as it is. Products are
 * rounded, halves are rounded down. docs/features.md has the ranges. */
#include "sf_features.h"
#include "sf_internal.h"

enum { SQRT_HALF = 23170, ROUND = 1 << 15 }; /* cos(pi / 4) in Q15; half of a last bit */

typedef struct point {
    int16_t re, im;
} point;

/* Sizes fit 16 bits by the ranges of the passes. */
static inline point make(int32_t re, int32_t im) {
    const point p = {(int16_t)re, (int16_t)im};
    return p;
}

static inline point add(point a, point b) {
    return make(a.re + b.re, a.im + b.im);
}

static inline point subtract(point a, point b) {
    return make(a.re - b.re, a.im - b.im);
}

static inline point half(point a, point b) {
    return make((a.re + b.re) >> 1, (a.im + b.im) >> 1);
}

static inline point half_less(point a, point b) {
    return make((a.re - b.re) >> 1, (a.im - b.im) >> 1);
}

/* a + i b */
static inline point add_turned(point a, point b) {
    return make(a.re - b.im, a.im + b.re);
}

/* a - i b */
static inline point subtract_turned(point a, point b) {
    return make(a.re + b.im, a.im - b.re);
}

/* a * b / 2, b in Q15 */
static inline point times(point a, point b) {
    return make((a.re * b.re - a.im * b.im + ROUND) >> 16,
                (a.re * b.im + a.im * b.re + ROUND) >> 16);
}

/* a * exp(i pi / 4) / 2 */
static inline point eighth_turn(point a) {
    return make(((a.re - a.im) * SQRT_HALF + ROUND) >> 16,
                ((a.re + a.im) * SQRT_HALF + ROUND) >> 16);
}

static inline uint32_t power_of(point a) {
    return (uint32_t)(a.re * a.re) + (uint32_t)(a.im * a.im);
}

uint32_t sf_differences_s16(const int16_t *samples, int32_t previous, int32_t count, int16_t *out) {
    uint32_t bits = 0;
    for (int32_t i = 0; i < count; i++) {
        const int32_t y = sf_saturate16(samples[i] - previous);
        previous = samples[i];
        out[i] = (int16_t)y;
        bits |= (uint32_t)(y ^ (y >> 15));
    }
    return bits;
}

/* Eight windowed samples, halved, from number j on, fft_size / 8 apart; those behind the window are
 * zeros. window: of these and of the next eight, in turns. */
static void load(const sf_features *f, const int16_t *samples, int32_t shift, int32_t j,
                 const int16_t *window, int32_t v[8]) {
    static const uint8_t order[8] = {0, 4, 2, 6, 1, 5, 3, 7};
    for (int32_t i = 0; i < 8; i++) {
        const int32_t place = (j & ~1) + order[i] * (f->fft_size / 8);
        v[order[i]] = 0;
        if (place < f->window_samples) {
            v[order[i]] = samples[place + (j & 1)] * *window * (1 << shift) >> 16;
            window += 2;
        }
    }
}

/* Eight real samples -> point j of four sequences. Sequence 0 is real: its points j and j + points,
 * as halves of the complex ones that the other passes see; a quarter of their sums. Sequence q:
 * bins 8 r + q, a quarter too. twiddles: of the sequences 2, 1 and 3, with the neighbour's; 1
 * and 3 are left out where odd bins are not used. */
static void first_butterfly(const int32_t v[8], const point *twiddles, int32_t points, int32_t j,
                            int32_t odd, point *out) {
    int16_t *real = (int16_t *)(void *)out;
    int32_t s[4], d[4];
    for (int32_t m = 0; m < 4; m++) {
        s[m] = (v[m] + v[m + 4]) >> 1;
        d[m] = m & 1 ? v[m] - v[m + 4] : (v[m] - v[m + 4]) >> 1;
    }
    const int32_t e = ((d[1] - d[3]) * SQRT_HALF + ROUND) >> 16;
    const int32_t g = ((d[1] + d[3]) * SQRT_HALF + ROUND) >> 16;
    real[j] = (int16_t)((s[0] + s[2]) >> 1);
    real[j + points] = (int16_t)((s[1] + s[3]) >> 1);
    out[2 * points + j] = times(make(s[0] - s[2], s[1] - s[3]), twiddles[0]);
    if (!odd) {
        return;
    }
    out[points + j] = times(make(d[0] + e, d[2] + g), twiddles[2]);
    out[3 * points + j] = times(make(d[0] - e, g - d[2]), twiddles[4]);
}

static void first_pass(const sf_features *f, const int16_t *samples, int32_t shift, point *out) {
    const int32_t points = f->fft_size / 8;
    const int16_t *table = f->opening;
    const int32_t odd = f->bin_step == 1;
    for (int32_t j = 0; j < points; j += 2) {
        const int32_t inputs = (f->window_samples - j + points - 1) / points;
        const point *twiddles = (const point *)(const void *)(table + 2 * sf_max(inputs, 0));
        for (int32_t k = 0; k < 2; k++) {
            int32_t v[8];
            load(f, samples, shift, j + k, table + k, v);
            first_butterfly(v, twiddles + k, points, j + k, odd, out);
        }
        table = (const int16_t *)(const void *)(twiddles + (odd ? 6 : 2));
    }
}

/* The DFT of eight points, a quarter of it; x[0] is left as the two halves of its last sum. */
static inline point radix_8(point x[8]) {
    const point b0 = half(x[0], x[4]), b1 = half(x[1], x[5]), b2 = half(x[2], x[6]);
    const point b3 = half(x[3], x[7]), d0 = half_less(x[0], x[4]), d1 = half_less(x[1], x[5]);
    const point d2 = half_less(x[2], x[6]), d3 = half_less(x[3], x[7]);
    const point e0 = half(b0, b2), e1 = half(b1, b3), e2 = half_less(b0, b2);
    const point e3 = half_less(b1, b3);
    const point f0 = make((d0.re - d2.im) >> 1, (d0.im + d2.re) >> 1);
    const point f1 = make((d0.re + d2.im) >> 1, (d0.im - d2.re) >> 1);
    const point g0 = eighth_turn(add_turned(d1, d3)), g1 = eighth_turn(subtract_turned(d1, d3));
    /* Sums of what was rounded down lose a step, all alike, which would gather in the low bins. */
    x[0] = add(e0, make(1, 1));
    x[1] = add(f0, g0);
    x[2] = add_turned(e2, e3);
    x[3] = add_turned(f1, g1);
    x[4] = subtract(e0, e1);
    x[5] = subtract(f0, g0);
    x[6] = subtract_turned(e2, e3);
    x[7] = subtract_turned(f1, g1);
    return e1;
}

/* A radix-8 pass over all blocks of 8 * n points; an eighth. */
static void middle_pass(point *points, const point *end, const point *twiddles, int32_t n) {
    for (; points < end; points += 8 * n) {
        const point *t = twiddles;
        for (int32_t j = 0; j < n; j++, t += 7) {
            point x[8];
            for (int32_t m = 0; m < 8; m++) {
                x[m] = points[j + m * n];
            }
            const point e1 = radix_8(x);
            points[j] = half(x[0], e1);
            for (int32_t m = 1; m < 8; m++) {
                points[j + m * n] = times(x[m], t[m - 1]);
            }
        }
    }
}

/* DFTs of neighbouring points, in place. */
static void last_pass(point *x, const point *end, int32_t radix) {
    for (; x < end; x += radix) {
        if (radix == 8) {
            const point e1 = radix_8(x);
            x[0] = add(x[0], e1);
        } else if (radix == 4) {
            const point b0 = half(x[0], x[2]), b1 = half(x[1], x[3]);
            const point b2 = half_less(x[0], x[2]), b3 = half_less(x[1], x[3]);
            x[0] = add(b0, b1);
            x[1] = add_turned(b2, b3);
            x[2] = subtract(b0, b1);
            x[3] = subtract_turned(b2, b3);
        } else {
            const point b = x[0];
            x[0] = add(b, x[1]);
            x[1] = subtract(b, x[1]);
        }
    }
}

static void transform(const sf_features *f, point *x) {
    const int32_t points = f->fft_size / 8;
    const point *twiddles = (const point *)(const void *)f->passes;
    int32_t n = points;
    for (; n > 8; twiddles += 7 * n) {
        n >>= 3;
        middle_pass(x, x + points, twiddles, n);
    }
    last_pass(x, x + points, n);
}

/* Where the passes leave point r: its digits to the base of 8, the first pass's lowest, turned
 * round. */
static int32_t place_of(int32_t r, int32_t points) {
    int32_t place = 0, n = points;
    for (; n > 8; n >>= 3) {
        place += (r & 7) * (n >> 3);
        r >>= 3;
    }
    return place + r;
}

/* The bins 4 t of the sound from the complex points that hold the real sequence 0. */
static void real_bins(const point *x, const point *split, int32_t points, uint32_t *power) {
    for (int32_t t = 0; t <= points / 2; t++) {
        const point z = x[place_of(t, points)], m = x[place_of(-t & (points - 1), points)];
        const point a = make((z.re + m.re) >> 1, (z.im - m.im) >> 1);
        const point b = times(make(z.re - m.re, z.im + m.im), split[t]);
        power[4 * (points - t)] = power_of(subtract(a, b));
        power[4 * t] = power_of(add(a, b));
    }
}

void sf_power_spectrum_s16(const sf_features *features, const int16_t *samples, int32_t shift,
                           void *scratch) {
    const int32_t points = features->fft_size / 8;
    point *x = (point *)scratch;
    uint32_t *power = (uint32_t *)scratch + 4 * points;
    first_pass(features, samples, shift, x);
    for (int32_t q = features->bin_step; q <= 3; q += features->bin_step) {
        transform(features, x + q * points);
        for (int32_t r = 0; r < points; r++) {
            const int32_t bin = 8 * r + q;
            const point y = x[q * points + place_of(r, points)];
            power[bin <= 4 * points ? bin : 8 * points - bin] = power_of(y);
        }
    }
    transform(features, x);
    real_bins(x, (const point *)(const void *)features->split, points, power);
}
