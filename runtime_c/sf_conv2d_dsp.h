/* SPDX-License-Identifier: Apache-2.0 */
/* What convolutions for cores with DSP instructions share: blocks of 2 pixels x 2 channels.
 *
 * Two windows at a time are widened to int16 in the order in which SXTB16 leaves four bytes, (0,2)
 * then (1,3), the two windows side by side; the weights get the same order as they are loaded. Odd
 * counts repeat the last pixel or channel and write the same byte twice, which saves the tail code.
 */
#ifndef SF_CONV2D_DSP_H
#define SF_CONV2D_DSP_H

#include "sf_widen.h"

/* words: in a row of weights. Two are taken at a time. Apart, so that all registers are its own. */
SF_NOINLINE static void multiply_rows(const int8_t *weights_0, const int8_t *weights_1,
                                      const uint32_t *pixels, int32_t words, int32_t bias_0,
                                      int32_t bias_1, int32_t sums[4]) {
    int32_t s0 = bias_0, s1 = bias_0, s2 = bias_1, s3 = bias_1;
    if (words & 1) {
        sf_multiply_block(&weights_0, &weights_1, &pixels, &s0, &s1, &s2, &s3);
    }
    for (const uint32_t *end = pixels + 4 * (words & ~1); pixels < end;) {
        sf_multiply_block(&weights_0, &weights_1, &pixels, &s0, &s1, &s2, &s3);
        sf_multiply_block(&weights_0, &weights_1, &pixels, &s0, &s1, &s2, &s3);
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

/* All output channels of two pixels. */
static void multiply_pixels(const sf_conv2d_params *restrict p, const uint32_t *pixels,
                            int32_t words, int8_t *out_0, int8_t *out_1) {
    const sf_output_stage *stage = &p->stage;
    const int32_t last = p->window.out_channels - 1;
    for (int32_t o = 0; o <= last; o += 2) {
        const int32_t next = sf_min(o + 1, last);
        const sf_channel c0 = sf_load_channel(stage, o), c1 = sf_load_channel(stage, next);
        int32_t sums[4];
        multiply_rows(p->kernel + o * words * 4, p->kernel + next * words * 4, pixels, words,
                      stage->bias[o], stage->bias[next], sums);
        if (stage->plain) {
            out_0[o] = (int8_t)sf_finish_plain(c0, sums[0]);
            out_1[o] = (int8_t)sf_finish_plain(c0, sums[1]);
            out_0[next] = (int8_t)sf_finish_plain(c1, sums[2]);
            out_1[next] = (int8_t)sf_finish_plain(c1, sums[3]);
        } else {
            out_0[o] = (int8_t)sf_finish_any(stage, c0, sums[0]);
            out_1[o] = (int8_t)sf_finish_any(stage, c0, sums[1]);
            out_0[next] = (int8_t)sf_finish_any(stage, c1, sums[2]);
            out_1[next] = (int8_t)sf_finish_any(stage, c1, sums[3]);
        }
    }
}

#endif
