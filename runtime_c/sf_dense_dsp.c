/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer for cores with DSP instructions: four outputs at a time.
 *
 * The last block repeats the last output where fewer than four are left, and writes the same byte
 * again. Inputs that do not fill a word are met by zero weights.
 */
#include "sf_dsp.h"

/* Sums four outputs over whole words of inputs, then over what is left. Apart, so that all
 * registers are its own. */
SF_NOINLINE static void multiply_rows(const int8_t *const weights[4], const int8_t *in,
                                      int32_t count, int32_t sums[4]) {
    const int8_t *w0 = weights[0], *w1 = weights[1], *w2 = weights[2], *w3 = weights[3];
    int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
    for (const int8_t *end = in + (count & ~3); in < end;) {
        sf_multiply_four(&in, &w0, &w1, &w2, &w3, &s0, &s1, &s2, &s3);
    }
    if (count & 3) {
        int8_t last[4] SF_ALIGN(4) = {0, 0, 0, 0};
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

static void four_outputs(const sf_dense_params *restrict p, const int8_t *in, int32_t first,
                         int8_t *out) {
    const sf_output_stage *stage = &p->stage;
    const int32_t row = (p->inputs + 3) & ~3;
    const int8_t *weights[4];
    int32_t sums[4];
    for (int32_t i = 0; i < 4; i++) {
        const int32_t o = sf_min(first + i, p->outputs - 1);
        weights[i] = p->kernel + o * row;
        sums[i] = stage->bias[o];
    }
    multiply_rows(weights, in, p->inputs, sums);
    for (int32_t i = 0; i < 4; i++) {
        const int32_t o = sf_min(first + i, p->outputs - 1);
        const int32_t value = sf_requantize_single(sums[i], stage->multiplier[o], stage->shift[o]);
        out[o] = sf_finish(stage, value);
    }
}

void sf_dense_s8_dsp(const sf_dense_params *restrict p, const int8_t *in, int8_t *out) {
    for (int32_t r = 0; r < p->rows; r++, in += p->inputs, out += p->outputs) {
        for (int32_t o = 0; o < p->outputs; o += 4) {
            four_outputs(p, in, o, out);
        }
    }
}
