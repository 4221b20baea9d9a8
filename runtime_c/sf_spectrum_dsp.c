/* SPDX-License-Identifier: Apache-2.0 */
/* sf_spectrum.c for cores with DSP instructions, two numbers in a word. The usual size, 512 with
 * even bins only, has loops of its own in sf_spectrum_512.h. */
#include "sf_features.h"
#include "sf_points.h"
#include "sf_spectrum_512.h"

enum { SQRT_HALF = 23170, ROUND = 1 << 15 };
#define BOTH_SQRT_HALF ((uint32_t)SQRT_HALF | (uint32_t)SQRT_HALF << 16)
#define BOTH_ONE UINT32_C(0x00010001)

/* Two samples, and the two before them; bit n + 1 of a half says that n + 1 bits are needed besides
 * the sign. */
static inline uint32_t two_differences(uint32_t in, uint32_t before, int16_t *out, uint32_t bits) {
    const uint32_t y = sf_qsub16(in, before >> 16 | in << 16);
    sf_store32(out, y);
    return bits | (y ^ y << 1);
}

uint32_t sf_differences_s16_dsp(const int16_t *samples, int32_t previous, int32_t count,
                                int16_t *out) {
    uint32_t bits = 0, before = (uint32_t)previous << 16;
    for (; count >= 8; count -= 8, samples += 8, out += 8) {
        const uint32_t a = sf_load32(samples), b = sf_load32(samples + 2);
        const uint32_t c = sf_load32(samples + 4), d = sf_load32(samples + 6);
        bits = two_differences(a, before, out, bits);
        bits = two_differences(b, a, out + 2, bits);
        bits = two_differences(c, b, out + 4, bits);
        bits = two_differences(d, c, out + 6, bits);
        before = d;
    }
    bits = (bits | bits >> 16) >> 1 & 0x7FFFu;
    previous = (int16_t)(uint16_t)(before >> 16);
    for (; count > 0; count--, samples++) {
        const int32_t y = sf_saturate16(*samples - previous);
        previous = *samples;
        *out++ = (int16_t)y;
        bits |= (uint32_t)(y ^ (y >> 15));
    }
    return bits;
}

/* a * b / 2, b in Q15 */
static inline uint32_t times(uint32_t a, uint32_t b) {
    return sf_high_halves((uint32_t)sf_smlsd(a, b, ROUND), (uint32_t)sf_smladx(a, b, ROUND));
}

/* a * exp(i pi / 4) / 2 */
static inline uint32_t eighth_turn(uint32_t a) {
    return sf_high_halves((uint32_t)sf_smlsd(a, BOTH_SQRT_HALF, ROUND),
                          (uint32_t)sf_smlad(a, BOTH_SQRT_HALF, ROUND));
}

/* Two windowed samples, halved. */
static inline uint32_t windowed(uint32_t samples, uint32_t window, int32_t shift) {
    const uint32_t low = (uint32_t)sf_smlabb(samples, window, 0);
    return sf_high_halves(low << shift, (uint32_t)sf_smlatt(samples, window, 0) << shift);
}

/* Two real numbers times cos(pi / 4), halved. */
static inline uint32_t scaled(uint32_t a) {
    return sf_high_halves((uint32_t)sf_smlabb(a, SQRT_HALF, ROUND),
                          (uint32_t)sf_smlatb(a, SQRT_HALF, ROUND));
}

/* Two neighbouring points of four sequences, n words apart, from two neighbouring samples each; of
 * the sequences 0 and 2 only where odd bins are not used. */
static void first_butterfly(const uint32_t v[8], const uint32_t *t, int32_t n, int32_t odd,
                            uint32_t *real, uint32_t *out) {
    const uint32_t s0 = sf_shadd16(v[0], v[4]), d0 = sf_shsub16(v[0], v[4]);
    const uint32_t s2 = sf_shadd16(v[2], v[6]), d2 = sf_shsub16(v[2], v[6]);
    const uint32_t s1 = sf_shadd16(v[1], v[5]), d1 = sf_ssub16(v[1], v[5]);
    const uint32_t s3 = sf_shadd16(v[3], v[7]), d3 = sf_ssub16(v[3], v[7]);
    const uint32_t re2 = sf_ssub16(s0, s2), im2 = sf_ssub16(s1, s3);
    real[0] = sf_shadd16(s0, s2);
    real[n / 2] = sf_shadd16(s1, s3);
    out[2 * n] = times(sf_low_halves(re2, im2), t[0]);
    out[2 * n + 1] = times(sf_high_halves(re2, im2), t[1]);
    if (!odd) {
        return;
    }
    const uint32_t e = scaled(sf_ssub16(d1, d3)), g = scaled(sf_sadd16(d1, d3));
    const uint32_t re1 = sf_sadd16(d0, e), im1 = sf_sadd16(d2, g);
    const uint32_t re3 = sf_ssub16(d0, e), im3 = sf_ssub16(g, d2);
    out[n] = times(sf_low_halves(re1, im1), t[2]);
    out[n + 1] = times(sf_high_halves(re1, im1), t[3]);
    out[3 * n] = times(sf_low_halves(re3, im3), t[4]);
    out[3 * n + 1] = times(sf_high_halves(re3, im3), t[5]);
}

static void first_pass(const sf_features *f, const uint32_t *samples, int32_t shift,
                       uint32_t *out) {
    static const uint8_t order[8] = {0, 4, 2, 6, 1, 5, 3, 7};
    const int32_t points = f->fft_size / 8, stride = points / 2;
    const int32_t words = (f->window_samples + 1) / 2, odd = f->bin_step == 1;
    const uint32_t *table = (const uint32_t *)(const void *)f->opening;
    for (int32_t j = 0; j < stride; j++) {
        uint32_t v[8];
        for (int32_t i = 0; i < 8; i++) {
            const int32_t word = j + order[i] * stride;
            v[order[i]] = 0;
            if (word < words) {
                v[order[i]] = windowed(samples[word], *table++, shift);
            }
        }
        first_butterfly(v, table, points, odd, out + j, out + 2 * j);
        table += odd ? 6 : 2;
    }
}

/* As in sf_spectrum.c; points are n words apart. */
static inline uint32_t radix_8(const uint32_t *x, int32_t n, uint32_t y[8]) {
    const uint32_t b0 = sf_shadd16(x[0], x[4 * n]), d0 = sf_shsub16(x[0], x[4 * n]);
    const uint32_t b2 = sf_shadd16(x[2 * n], x[6 * n]), d2 = sf_shsub16(x[2 * n], x[6 * n]);
    const uint32_t b1 = sf_shadd16(x[n], x[5 * n]), d1 = sf_shsub16(x[n], x[5 * n]);
    const uint32_t b3 = sf_shadd16(x[3 * n], x[7 * n]), d3 = sf_shsub16(x[3 * n], x[7 * n]);
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

static void middle_pass(uint32_t *x, const uint32_t *end, const uint32_t *twiddles, int32_t n) {
    for (; x < end; x += 7 * n) {
        const uint32_t *t = twiddles;
        for (const uint32_t *stop = x + n; x < stop; x++, t += 7) {
            uint32_t y[8];
            const uint32_t e1 = radix_8(x, n, y);
            x[0] = sf_shadd16(y[0], e1);
            for (int32_t k = 1; k < 8; k++) {
                x[k * n] = times(y[k], t[k - 1]);
            }
        }
    }
}

/* DFTs of neighbouring points, in place. */
static void last_pass(uint32_t *x, const uint32_t *end, int32_t radix) {
    for (; x < end; x += radix) {
        if (radix == 8) {
            const uint32_t e1 = radix_8(x, 1, x);
            x[0] = sf_sadd16(x[0], e1);
        } else if (radix == 4) {
            const uint32_t b0 = sf_shadd16(x[0], x[2]), b1 = sf_shadd16(x[1], x[3]);
            const uint32_t b2 = sf_shsub16(x[0], x[2]), b3 = sf_shsub16(x[1], x[3]);
            x[0] = sf_sadd16(b0, b1);
            x[1] = sf_sasx(b2, b3);
            x[2] = sf_ssub16(b0, b1);
            x[3] = sf_ssax(b2, b3);
        } else {
            const uint32_t b = x[0];
            x[0] = sf_sadd16(b, x[1]);
            x[1] = sf_ssub16(b, x[1]);
        }
    }
}

/* Where the passes leave point r, as in sf_spectrum.c. */
static inline int32_t place_of(int32_t r, int32_t points) {
    int32_t place = 0;
    for (int32_t n = points; n > 8; n >>= 3) {
        place += (r & 7) * (n >> 3);
        r >>= 3;
    }
    return place + r;
}

/* Powers of the bins 8 r + q, and of those that mirror them. */
static void sequence_bins(const uint32_t *x, int32_t points, uint32_t *up, uint32_t *down) {
    for (int32_t r = 0; r < points / 2; r++, up += 8, down += 8) {
        const uint32_t low = x[place_of(r, points)], high = x[place_of(points - 1 - r, points)];
        *up = sf_smuad(low, low);
        *down = sf_smuad(high, high);
    }
}

/* Two bins of the sound from two points of the sequence that holds real numbers. */
static inline void real_bins(uint32_t z, uint32_t mirror, uint32_t twiddle, uint32_t *upper,
                             uint32_t *lower) {
    const uint32_t a = sf_halves_of(sf_shadd16(z, mirror), sf_shsub16(z, mirror));
    const uint32_t b = times(sf_halves_of(sf_ssub16(z, mirror), sf_sadd16(z, mirror)), twiddle);
    const uint32_t high = sf_ssub16(a, b), low = sf_sadd16(a, b);
    *upper = sf_smuad(high, high);
    *lower = sf_smuad(low, low);
}

static void transform(const sf_features *f, uint32_t *x) {
    const int32_t points = f->fft_size / 8;
    const uint32_t *twiddles = (const uint32_t *)(const void *)f->passes;
    int32_t n = points;
    for (; n > 8; twiddles += 7 * n) {
        n >>= 3;
        middle_pass(x, x + points, twiddles, n);
    }
    last_pass(x, x + points, n);
}

static void any_size(const sf_features *f, const uint32_t *samples, int32_t shift, uint32_t *x) {
    const int32_t points = f->fft_size / 8;
    const uint32_t *split = (const uint32_t *)(const void *)f->split;
    uint32_t *power = x + 4 * points;
    first_pass(f, samples, shift, x);
    for (int32_t q = f->bin_step; q <= 3; q += f->bin_step) {
        transform(f, x + q * points);
        sequence_bins(x + q * points, points, power + q, power + 8 - q);
    }
    transform(f, x);
    for (int32_t t = 0; t <= points / 2; t++) {
        const uint32_t mirror = x[place_of(-t & (points - 1), points)];
        real_bins(x[place_of(t, points)], mirror, split[t], power + 4 * (points - t),
                  power + 4 * t);
    }
}

#if SF_HAS_512
static void size_512(const sf_features *f, const uint32_t *samples, int32_t shift, uint32_t *x) {
    const int32_t words = (f->window_samples + 1) / 2, full = words / 32, rest = words % 32;
    const uint32_t *table = (const uint32_t *)(const void *)f->opening;
    const uint32_t *split = (const uint32_t *)(const void *)f->split;
    uint32_t *power = x + 256;
    table = sf_512_first(samples, table, x, shift, rest, full + 1);
    sf_512_first(samples + rest, table, x + 2 * rest, shift, 32 - rest, full);
    sf_512_middle(x, (const uint32_t *)(const void *)f->passes);
    sf_512_last(x, power);
    sf_512_real_bins(x + 128, split, power);
}
#endif

void sf_power_spectrum_s16_dsp(const sf_features *features, const int16_t *samples, int32_t shift,
                               void *scratch) {
    const uint32_t *words = (const uint32_t *)(const void *)samples;
#if SF_HAS_512
    if (features->fft_size == 512 && features->bin_step == 2 && features->window_samples >= 384) {
        size_512(features, words, shift, (uint32_t *)scratch);
        return;
    }
#endif
    any_size(features, words, shift, (uint32_t *)scratch);
}
