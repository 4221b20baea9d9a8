/* SPDX-License-Identifier: Apache-2.0 */
/* sf_spectrum.c for cores with DSP instructions: two numbers in a word, and loops for each length,
 * so that every place is a constant away from a pointer. */
#include "sf_features.h"
#include "sf_points.h"

enum { SQRT_HALF = 23170, ROUND = 1 << 15 };
#define BOTH_SQRT_HALF ((uint32_t)SQRT_HALF | (uint32_t)SQRT_HALF << 16)
#define BOTH_ONE UINT32_C(0x00010001)

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

/* a * b / 2, b in Q15 */
INLINE uint32_t times(uint32_t a, uint32_t b) {
    return sf_high_halves((uint32_t)sf_smlsd(a, b, ROUND), (uint32_t)sf_smladx(a, b, ROUND));
}

/* a * exp(i pi / 4) / 2 */
INLINE uint32_t eighth_turn(uint32_t a) {
    return sf_high_halves((uint32_t)sf_smlsd(a, BOTH_SQRT_HALF, ROUND),
                          (uint32_t)sf_smlad(a, BOTH_SQRT_HALF, ROUND));
}

/* Two windowed samples, halved. */
INLINE uint32_t windowed(uint32_t samples, uint32_t window, int32_t shift, int32_t round) {
    const int32_t low = sf_smlabb(samples, window, round);
    const int32_t high = sf_smlatt(samples, window, round);
    return sf_high_halves((uint32_t)low << shift, (uint32_t)high << shift);
}

/* Two real numbers times cos(pi / 4), halved. */
INLINE uint32_t scaled(uint32_t a) {
    return sf_high_halves((uint32_t)sf_smlabb(a, SQRT_HALF, ROUND),
                          (uint32_t)sf_smlatb(a, SQRT_HALF, ROUND));
}

typedef struct first_job {
    const uint32_t *samples, *window, *twiddles;
    uint32_t *out;
    int32_t stride; /* words between the samples of a butterfly: fft_size / 16 */
    int32_t shift;
} first_job;

/* Butterflies of the words from `from` up to `to`; the samples of the last 8 - inputs are zeros. */
INLINE void first_pass(const first_job *job, int32_t from, int32_t to, int32_t inputs) {
    const int32_t n = job->stride, shift = job->shift, round = 1 << (15 - shift);
    const uint32_t *x = job->samples + from, *h = job->window + from;
    const uint32_t *t = job->twiddles + 6 * from;
    uint32_t *real = job->out + from, *out = job->out + 2 * n + 2 * from;
    for (int32_t i = from; i < to; i++, x++, h++, t += 6, out += 2) {
        const uint32_t v0 = inputs > 0 ? windowed(x[0], h[0], shift, round) : 0;
        const uint32_t v4 = inputs > 4 ? windowed(x[4 * n], h[4 * n], shift, round) : 0;
        const uint32_t v2 = inputs > 2 ? windowed(x[2 * n], h[2 * n], shift, round) : 0;
        const uint32_t v6 = inputs > 6 ? windowed(x[6 * n], h[6 * n], shift, round) : 0;
        const uint32_t s0 = sf_shadd16(v0, v4), d0 = sf_shsub16(v0, v4);
        const uint32_t s2 = sf_shadd16(v2, v6), d2 = sf_shsub16(v2, v6);
        const uint32_t v1 = inputs > 1 ? windowed(x[n], h[n], shift, round) : 0;
        const uint32_t v5 = inputs > 5 ? windowed(x[5 * n], h[5 * n], shift, round) : 0;
        const uint32_t v3 = inputs > 3 ? windowed(x[3 * n], h[3 * n], shift, round) : 0;
        const uint32_t v7 = inputs > 7 ? windowed(x[7 * n], h[7 * n], shift, round) : 0;
        const uint32_t s1 = sf_shadd16(v1, v5), d1 = inputs > 5 ? sf_ssub16(v1, v5) : v1;
        const uint32_t s3 = sf_shadd16(v3, v7), d3 = inputs > 7 ? sf_ssub16(v3, v7) : v3;
        const uint32_t e = scaled(sf_ssub16(d1, d3)), g = scaled(sf_sadd16(d1, d3));
        const uint32_t re1 = sf_sadd16(d0, e), im1 = sf_sadd16(d2, g);
        const uint32_t re2 = sf_ssub16(s0, s2), im2 = sf_ssub16(s1, s3);
        const uint32_t re3 = sf_ssub16(d0, e), im3 = sf_ssub16(g, d2);
        real[0] = sf_shadd16(s0, s2);
        real[n] = sf_shadd16(s1, s3);
        real++;
        out[0] = times(sf_low_halves(re1, im1), t[0]);
        out[1] = times(sf_high_halves(re1, im1), t[3]);
        out[2 * n] = times(sf_low_halves(re2, im2), t[1]);
        out[2 * n + 1] = times(sf_high_halves(re2, im2), t[4]);
        out[4 * n] = times(sf_low_halves(re3, im3), t[2]);
        out[4 * n + 1] = times(sf_high_halves(re3, im3), t[5]);
    }
}

SF_NOINLINE static void first_passes(const first_job *job, int32_t words) {
    const int32_t full = words / job->stride, rest = words % job->stride;
    for (int32_t part = 0; part < 2; part++) {
        const int32_t from = part ? rest : 0, to = part ? job->stride : rest;
        const int32_t inputs = full + 1 - part;
        if (inputs == 8) {
            first_pass(job, from, to, 8);
        } else if (inputs == 7) {
            first_pass(job, from, to, 7);
        } else if (inputs == 6) {
            first_pass(job, from, to, 6);
        } else if (inputs == 5) {
            first_pass(job, from, to, 5);
        } else {
            first_pass(job, from, to, inputs);
        }
    }
}

/* As in sf_spectrum.c: the outputs, but for the first, of which y[0] and the result are the two
 * halves. */
INLINE uint32_t radix_8(const uint32_t *x, int32_t n, uint32_t y[8]) {
    const uint32_t x0 = x[0], x4 = x[4 * n], x2 = x[2 * n], x6 = x[6 * n];
    const uint32_t x1 = x[n], x5 = x[5 * n], x3 = x[3 * n], x7 = x[7 * n];
    const uint32_t b0 = sf_shadd16(x0, x4), d0 = sf_shsub16(x0, x4);
    const uint32_t b2 = sf_shadd16(x2, x6), d2 = sf_shsub16(x2, x6);
    const uint32_t b1 = sf_shadd16(x1, x5), d1 = sf_shsub16(x1, x5);
    const uint32_t b3 = sf_shadd16(x3, x7), d3 = sf_shsub16(x3, x7);
    const uint32_t f0 = sf_shasx(d0, d2), f1 = sf_shsax(d0, d2);
    const uint32_t g0 = eighth_turn(sf_sasx(d1, d3)), g1 = eighth_turn(sf_ssax(d1, d3));
    const uint32_t e0 = sf_shadd16(b0, b2), e2 = sf_shsub16(b0, b2);
    const uint32_t e1 = sf_shadd16(b1, b3), e3 = sf_shsub16(b1, b3);
    y[0] = sf_sadd16(e0, BOTH_ONE);
    y[1] = sf_sadd16(f0, g0);
    y[2] = sf_sasx(e2, e3);
    y[3] = sf_sasx(f1, g1);
    y[4] = sf_ssub16(e0, e1);
    y[5] = sf_ssub16(f0, g0);
    y[6] = sf_ssax(e2, e3);
    y[7] = sf_ssax(f1, g1);
    return e1;
}

INLINE void middle_pass(uint32_t *x, const uint32_t *end, const uint32_t *twiddles, int32_t n) {
    for (; x < end; x += 7 * n) {
        const uint32_t *t = twiddles;
        for (const uint32_t *stop = x + n; x < stop; x++, t += 7) {
            uint32_t y[8];
            const uint32_t e1 = radix_8(x, n, y);
            x[0] = sf_shadd16(y[0], e1);
            x[n] = times(y[1], t[0]);
            x[2 * n] = times(y[2], t[1]);
            x[3 * n] = times(y[3], t[2]);
            x[4 * n] = times(y[4], t[3]);
            x[5 * n] = times(y[5], t[4]);
            x[6 * n] = times(y[6], t[5]);
            x[7 * n] = times(y[7], t[6]);
        }
    }
}

SF_NOINLINE static void middle_passes(uint32_t *x, const uint32_t *t, int32_t points) {
    const uint32_t *end = x + 4 * points;
    if (points == 64) {
        middle_pass(x, end, t, 8);
        return;
    }
    if (points == 32) {
        middle_pass(x, end, t, 4);
        return;
    }
    if (points == 128) {
        middle_pass(x, end, t, 16);
        t += 7 * 16;
    }
    middle_pass(x, end, t, 2);
}

/* The last DFT of 2, 4 or 8 neighbouring points. */
INLINE void last_dft(const uint32_t *x, int32_t radix, uint32_t y[8]) {
    if (radix == 8) {
        const uint32_t e1 = radix_8(x, 1, y);
        y[0] = sf_sadd16(y[0], e1);
    } else if (radix == 4) {
        const uint32_t b0 = sf_shadd16(x[0], x[2]), b1 = sf_shadd16(x[1], x[3]);
        const uint32_t b2 = sf_shsub16(x[0], x[2]), b3 = sf_shsub16(x[1], x[3]);
        y[0] = sf_sadd16(b0, b1);
        y[1] = sf_sasx(b2, b3);
        y[2] = sf_ssub16(b0, b1);
        y[3] = sf_ssax(b2, b3);
    } else {
        y[0] = sf_sadd16(x[0], x[1]);
        y[1] = sf_ssub16(x[0], x[1]);
    }
}

/* 8 times the lowest bin of the DFT with number i of a sequence. step: from one bin to the next. */
INLINE int32_t lowest_bin(int32_t i, int32_t step) {
    return step == 64 ? 8 * i : (i & 56) | (i & 7) << 6;
}

/* Powers of the sequences 1 to 3. The second half of a sequence's points are bins above the middle,
 * which mirror those below. */
INLINE void last_powers(const uint32_t *x, uint32_t *power, int32_t radix, int32_t step) {
    x += radix * (step / 8);
    for (int32_t q = 1; q <= 3; q++) {
        for (int32_t i = 0; i < step / 8; i++, x += radix) {
            uint32_t *up = power + lowest_bin(i, step) + q;
            uint32_t *down = power + step - lowest_bin(i, step) - q;
            uint32_t y[8];
            last_dft(x, radix, y);
            for (int32_t k = 0; k < radix / 2; k++) {
                up[k * step] = sf_smuad(y[k], y[k]);
                down[k * step] = sf_smuad(y[radix - 1 - k], y[radix - 1 - k]);
            }
        }
    }
}

/* The points of sequence 0 in their order, over sequence 1, and the first again behind them. */
INLINE void last_points(uint32_t *x, int32_t radix, int32_t step) {
    const int32_t points = radix * (step / 8);
    uint32_t *out = x + points;
    for (int32_t i = 0; i < step / 8; i++, x += radix) {
        uint32_t y[8];
        last_dft(x, radix, y);
        for (int32_t k = 0; k < radix; k++) {
            out[lowest_bin(i, step) / 8 + k * (step / 8)] = y[k];
        }
    }
    out[points] = out[0];
}

INLINE void last_pass(uint32_t *x, uint32_t *power, int32_t radix, int32_t step) {
    last_powers(x, power, radix, step);
    last_points(x, radix, step);
}

SF_NOINLINE static void last_passes(uint32_t *x, uint32_t *power, int32_t points) {
    if (points == 64) {
        last_pass(x, power, 8, 64);
    } else if (points == 32) {
        last_pass(x, power, 4, 64);
    } else if (points == 16) {
        last_pass(x, power, 2, 64);
    } else {
        last_pass(x, power, 2, 512);
    }
}

/* The bins 4 t of the sound from the complex points that hold the real sequence 0. */
SF_NOINLINE static void real_bins(const uint32_t *x, const uint32_t *split, int32_t points,
                                  uint32_t *power) {
    const uint32_t *mirror = x + points;
    uint32_t *down = power + 4 * points;
    for (const uint32_t *end = x + points / 2; x <= end; power += 4, down -= 4) {
        const uint32_t z = *x++, m = *mirror--;
        const uint32_t a = sf_halves_of(sf_shadd16(z, m), sf_shsub16(z, m));
        const uint32_t b = times(sf_halves_of(sf_ssub16(z, m), sf_sadd16(z, m)), *split++);
        const uint32_t lower = sf_sadd16(a, b), upper = sf_ssub16(a, b);
        *down = sf_smuad(upper, upper);
        *power = sf_smuad(lower, lower);
    }
}

void sf_power_spectrum_s16_dsp(const sf_features *features, const int16_t *samples, int32_t shift,
                               void *scratch) {
    const int32_t points = features->fft_size / 8;
    uint32_t *x = (uint32_t *)scratch, *power = x + 4 * points;
    first_job job;
    job.samples = (const uint32_t *)(const void *)samples;
    job.window = (const uint32_t *)(const void *)features->window;
    job.twiddles = (const uint32_t *)(const void *)features->first;
    job.out = x;
    job.stride = points / 2;
    job.shift = shift;
    first_passes(&job, (features->window_samples + 1) / 2);
    middle_passes(x, (const uint32_t *)(const void *)features->passes, points);
    last_passes(x, power, points);
    real_bins(x + points, (const uint32_t *)(const void *)features->split, points, power);
}
