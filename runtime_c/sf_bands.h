/* SPDX-License-Identifier: Apache-2.0 */
/* From the powers of a frame to the levels of its bands. Private to sf_features.c. */
#ifndef SF_BANDS_H
#define SF_BANDS_H

#include "sf_dsp.h"
#include "sf_features.h"
#include "sf_select.h"

enum { SF_LEVEL_BITS = 10, SF_GAIN_BITS = 20 };

/* How many zeros lead in 32 bits. */
static inline int32_t sf_leading_zeros(uint32_t x) {
#if defined(__GNUC__) && (!defined(__arm__) || defined(__ARM_FEATURE_CLZ))
    return x ? __builtin_clz(x) : 32;
#else
    int32_t zeros = 0;
    for (uint32_t bit = UINT32_C(0x80000000); bit && !(x & bit); bit >>= 1) {
        zeros++;
    }
    return zeros;
#endif
}

/* The next powers and weights, and of the stretch between two edges that was read last its power,
 * and what of it belongs to the band that rises there. */
typedef struct sf_stretch {
    const uint32_t *power;
    const uint16_t *weights;
    uint64_t rising;
    uint32_t whole;
} sf_stretch;

/* Where the bands of a frame go: their levels, or, where they are the features, int8 steps. */
typedef struct sf_bands {
    int32_t shifted; /* what the frame's shift adds to a level */
    int32_t *levels; /* or null */
    int8_t *frame;
} sf_bands;

static inline void sf_sum_stretch(sf_stretch *s, int32_t step) {
    const uint32_t *power = s->power;
    const uint16_t *weights = s->weights;
    uint64_t rising = 0;
    uint32_t whole = 0;
    for (int32_t count = *weights++; count > 0; count--) {
        rising += (uint64_t)*power * *weights++;
        whole += *power;
        power += step;
    }
    s->power = power;
    s->weights = weights;
    s->rising = rising;
    s->whole = whole;
}

/* log2 in Q10 of a sum in half steps; of 0 as half of 1. */
static inline int32_t sf_log2(const sf_features *f, uint32_t x) {
    const int32_t zeros = sf_leading_zeros(x);
    const uint32_t fraction = x << (zeros & 31) >> 23 & 255u;
    return (31 - zeros) * (1 << SF_LEVEL_BITS) + f->log2[fraction];
}

static inline void sf_put_band(const sf_features *f, const sf_bands *out, int32_t band,
                               uint32_t sum) {
    const int32_t level = sf_log2(f, sum) + f->levels[band] - out->shifted;
    if (out->levels) {
        out->levels[band] = level;
    } else {
        out->frame[band] = (int8_t)sf_ssat8((level * f->gain + f->offset) >> SF_GAIN_BITS);
    }
}

#if SF_USE_DSP && defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

/* sf_find_some for features that are the bands themselves, made of every second bin: from the
 * second stretch to the last. */
SF_NOINLINE static void sf_find_even(const sf_features *f, const sf_stretch *s,
                                     const sf_bands *bands, uint32_t rise) {
    const uint32_t *p = s->power;
    const uint16_t *w = s->weights;
    const int32_t *l = f->levels;
    int8_t *out = bands->frame;
    /* offset, gain, and where the frame ends */
    uint32_t line[3];
    line[0] = (uint32_t)(f->offset - bands->shifted * f->gain);
    line[1] = (uint32_t)f->gain;
    line[2] = (uint32_t)(uintptr_t)(bands->frame + f->bands);
    uint32_t lo, hi, whole, n, t, v;
    __asm volatile(
        "1:\n\t"
        "ldrh %[n], [%[w]], #2\n\t"
        "mov %[lo], #0\n\t"
        "mov %[hi], #0\n\t"
        "mov %[whole], #0\n\t"
        "2:\n\t"
        "cmp %[n], #8\n\t"
        "bls 3f\n\t"
        "ldr %[t], [%[p]], #8\n\t"
        "ldrh %[v], [%[w]], #2\n\t"
        "umlal %[lo], %[hi], %[t], %[v]\n\t"
        "add %[whole], %[whole], %[t]\n\t"
        "sub %[n], %[n], #1\n\t"
        "b 2b\n\t"
        "3:\n\t"
        "tbb [pc, %[n]]\n\t"
        "4:\n\t"
        ".byte (20f - 4b) / 2, (21f - 4b) / 2, (22f - 4b) / 2, (23f - 4b) / 2, (24f - 4b) / 2, "
        "(25f - 4b) / 2, (26f - 4b) / 2, (27f - 4b) / 2, (28f - 4b) / 2\n\t"
        ".balign 2\n\t"
        "28:\n\t"
        "ldr %[t], [%[p]], #8\n\t"
        "ldrh %[v], [%[w]], #2\n\t"
        "umlal %[lo], %[hi], %[t], %[v]\n\t"
        "add.w %[whole], %[whole], %[t]\n\t"
        "27:\n\t"
        "ldr %[t], [%[p]], #8\n\t"
        "ldrh %[v], [%[w]], #2\n\t"
        "umlal %[lo], %[hi], %[t], %[v]\n\t"
        "add.w %[whole], %[whole], %[t]\n\t"
        "26:\n\t"
        "ldr %[t], [%[p]], #8\n\t"
        "ldrh %[v], [%[w]], #2\n\t"
        "umlal %[lo], %[hi], %[t], %[v]\n\t"
        "add.w %[whole], %[whole], %[t]\n\t"
        "25:\n\t"
        "ldr %[t], [%[p]], #8\n\t"
        "ldrh %[v], [%[w]], #2\n\t"
        "umlal %[lo], %[hi], %[t], %[v]\n\t"
        "add.w %[whole], %[whole], %[t]\n\t"
        "24:\n\t"
        "ldr %[t], [%[p]], #8\n\t"
        "ldrh %[v], [%[w]], #2\n\t"
        "umlal %[lo], %[hi], %[t], %[v]\n\t"
        "add.w %[whole], %[whole], %[t]\n\t"
        "23:\n\t"
        "ldr %[t], [%[p]], #8\n\t"
        "ldrh %[v], [%[w]], #2\n\t"
        "umlal %[lo], %[hi], %[t], %[v]\n\t"
        "add.w %[whole], %[whole], %[t]\n\t"
        "22:\n\t"
        "ldr %[t], [%[p]], #8\n\t"
        "ldrh %[v], [%[w]], #2\n\t"
        "umlal %[lo], %[hi], %[t], %[v]\n\t"
        "add.w %[whole], %[whole], %[t]\n\t"
        "21:\n\t"
        "ldr %[t], [%[p]], #8\n\t"
        "ldrh %[v], [%[w]], #2\n\t"
        "umlal %[lo], %[hi], %[t], %[v]\n\t"
        "add.w %[whole], %[whole], %[t]\n\t"
        "20:\n\t"
        "lsr %[lo], %[lo], #15\n\t"
        "orr %[lo], %[lo], %[hi], lsl #17\n\t"
        "add %[whole], %[rise], %[whole], lsl #1\n\t"
        "sub %[whole], %[whole], %[lo]\n\t"
        "mov %[rise], %[lo]\n\t"
        "clz %[n], %[whole]\n\t"
        "lsl %[whole], %[whole], %[n]\n\t"
        "ubfx %[whole], %[whole], #23, #8\n\t"
        "ldrh %[whole], [%[log], %[whole], lsl #1]\n\t"
        "ldr %[t], [%[l]], #4\n\t"
        "ldr %[lo], [%[line]]\n\t"
        "ldr %[hi], [%[line], #4]\n\t"
        "rsb %[n], %[n], #31\n\t"
        "add %[whole], %[whole], %[n], lsl #10\n\t"
        "add %[whole], %[whole], %[t]\n\t"
        "mla %[whole], %[whole], %[hi], %[lo]\n\t"
        "ssat %[whole], #8, %[whole], asr #20\n\t"
        "strb %[whole], [%[out]], #1\n\t"
        "ldr %[t], [%[line], #8]\n\t"
        "cmp %[out], %[t]\n\t"
        "bne 1b\n\t"
        : [p] "+r"(p), [w] "+r"(w), [l] "+r"(l), [out] "+r"(out), [rise] "+r"(rise), [lo] "=&r"(lo),
          [hi] "=&r"(hi), [whole] "=&r"(whole), [n] "=&r"(n), [t] "=&r"(t), [v] "=&r"(v)
        : [log] "r"(f->log2), [line] "r"(line)
        : "memory", "cc");
}

#endif

/* The stretches from `from` on, of which each gives the band before it its sum: that one falls
 * there, and has what the rising band has not. rise: what it has already. */
static inline uint32_t sf_find_some(const sf_features *f, sf_stretch *s, const sf_bands *out,
                                    int32_t from, int32_t to, uint32_t rise) {
    for (int32_t i = from; i < to; i++) {
        const uint32_t before = rise;
        sf_sum_stretch(s, f->bin_step);
        rise = (uint32_t)(s->rising >> 15);
        if (i > 0) {
            sf_put_band(f, out, i - 1, before + 2 * s->whole - rise);
        }
    }
    return rise;
}

static void sf_find_bands(const sf_features *f, const uint32_t *power, const sf_bands *out) {
    sf_stretch s = {power + f->first_bin, f->weights, 0, 0};
#if SF_USE_DSP && defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
    if (!out->levels && f->bin_step == 2) {
        sf_find_even(f, &s, out, sf_find_some(f, &s, out, 0, 1, 0));
        return;
    }
#endif
    sf_find_some(f, &s, out, 0, f->bands + 1, 0);
}

#endif
