/* SPDX-License-Identifier: Apache-2.0 */
/* Dot products with weights in pairs: the int8 weights A and B of two output channels for one tap
 * are one int16, 256 * A + B, and a word holds two taps. SMLAD with the word as it is adds up
 * 256 * sum(A x) + sum(B x), and SXTB16 leaves the two B's; so a word of four weights needs one
 * widening instead of two. What SMLAD wraps around cancels in the difference of the two sums, as
 * long as |sum(A x)| < 2^23. Private to the kernels. */
#ifndef SF_PAIRS_H
#define SF_PAIRS_H

#include "sf_dsp.h"

/* Four output channels' requantization: twice the bias and the multiplier of each, then four bytes
 * with how far to shift right, less 1. */
#define SF_RECORD_WORDS 9

/* Two pixels times `groups` groups of four channels (or one of two, see sf_pairs_last).
 * pixels: per two taps a word of either pixel; weights: per two taps a word of either two channels.
 * out_0, out_1: where the first group of each pixel goes.
 * zero_point_twice: 2 * out_zero_point + 1.
 * pixels_end, last_turn, skip, entry: see sf_prepare_pairs. */
typedef struct sf_pairs {
    const uint32_t *pixels;
    const uint32_t *weights;
    const int32_t *records;
    int8_t *out_0, *out_1;
    int32_t groups;
    int32_t zero_point_twice;
    uintptr_t last_turn;
    uint32_t skip, entry;
    const uint32_t *pixels_end;
} sf_pairs;

/* The loops in sf_pairs_dsp.c take that many pairs of taps in a turn, and add to their pointers at
 * its first step. */
#define SF_FOUR_UNROLL 16
#define SF_TWO_UNROLL 8

/* steps: pairs of taps. The first turn is entered in the middle: entry: steps that it leaves out;
 * skip: how far below the first pixel its pointer starts; last_turn: where that is for the last. */
static inline void sf_prepare_pairs(sf_pairs *job, const uint32_t *pixels, int32_t steps,
                                    uint32_t unroll) {
    const uint32_t missing = (uint32_t)-steps % unroll;
    job->pixels = pixels;
    job->pixels_end = pixels + 2 * steps;
    job->last_turn = (uintptr_t)job->pixels_end - 8 * unroll;
    job->skip = 8 * (missing > 0 ? missing : unroll);
    job->entry = missing;
}

/* Groups of four channels. */
void sf_pairs_four(const sf_pairs *job);

/* One group of two channels: a word of weights per two taps; out_0, out_1: two bytes each. */
void sf_pairs_two(const sf_pairs *job);

#endif
