/* SPDX-License-Identifier: Apache-2.0 */
/* See sf_fours.h. The last block repeats the last output where fewer than four are left, and writes
 * the same byte again. */
#include "sf_fours.h"

/* Apart, so that all registers are its own. */
SF_NOINLINE static void multiply_rows(const int8_t *weights[4], const int8_t *in, int32_t count,
                                      int32_t sums[4]) {
    const int8_t *w0 = weights[0], *w1 = weights[1], *w2 = weights[2], *w3 = weights[3];
    int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
    int8_t last[4] SF_ALIGN(4) = {0, 0, 0, 0};
    for (const int8_t *end = in + (count & ~3); in < end;) {
        sf_multiply_four(&in, &w0, &w1, &w2, &w3, &s0, &s1, &s2, &s3);
    }
    if (count & 3) {
        for (int32_t i = 0; i < (count & 3); i++) {
            last[i] = in[i];
        }
        in = last;
        sf_multiply_four(&in, &w0, &w1, &w2, &w3, &s0, &s1, &s2, &s3);
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

void sf_multiply_fours(const sf_fours *restrict f, const int8_t *in, int8_t *out) {
    const int32_t step = (f->count + 3) & ~3, last = f->outputs - 1;
    for (int32_t first = 0; first <= last; first += 4) {
        const int8_t *weights[4];
        int32_t sums[4];
        for (int32_t i = 0; i < 4; i++) {
            const int32_t o = sf_min(first + i, last);
            weights[i] = f->kernel + o * step;
            sums[i] = f->stage->bias[o];
        }
        multiply_rows(weights, in, f->count, sums);
        for (int32_t i = 0; i < 4; i++) {
            const int32_t o = sf_min(first + i, last);
            const int32_t multiplier = f->stage->multiplier[o], shift = f->stage->shift[o];
            const int32_t x = f->rounds_twice ? sf_requantize_double(sums[i], multiplier, shift)
                                              : sf_requantize_single(sums[i], multiplier, shift);
            out[o] = sf_finish(f->stage, x);
        }
    }
}
