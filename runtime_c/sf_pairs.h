/* SPDX-License-Identifier: Apache-2.0 */
/* Dot products with weights in pairs: the int8 weights A and B of two output channels for one tap
 * are one int16, 256 * A + B, and a word holds two taps. SMLAD with the word as it is adds up
 * 256 * sum(A x) + sum(B x), and SXTB16 leaves the two B's; so a word of four weights needs one
 * widening instead of two. What SMLAD wraps around cancels in the difference of the two sums, as
 * long as |sum(A x)| < 2^23. Private to the kernels. */
#ifndef SF_PAIRS_H
#define SF_PAIRS_H

#include "sf_dsp.h"

/* Four output channels' requantization: four bytes with how far to shift right, less 1, then twice
 * the bias and the multiplier of each. */
#define SF_RECORD_WORDS 9

/* Two pixels times groups of four channels, or one of two.
 * pixels: per two taps a word of either pixel; weights: per two taps a word of either two channels.
 * records, records_end: of the groups. out_0, out_1: where the first group of each pixel goes.
 * zero_point_twice: 2 * out_zero_point + 1. The others: see sf_prepare_pairs. */
typedef struct sf_pairs {
    uintptr_t first_turn, last_turn, weights_before;
    const int32_t *records, *records_end;
    int8_t *out_0, *out_1;
    int32_t zero_point_twice;
    uint32_t advance, entry;
    const uint32_t *pixels, *pixels_end, *weights;
} sf_pairs;

/* The loops in sf_pairs_dsp.c take that many pairs of taps in a turn, and add to their pointers at
 * its first step. */
#define SF_FOUR_UNROLL 16
#define SF_TWO_UNROLL 8

/* steps: pairs of taps; words: of weights in a step. The first turn is entered in the middle:
 * entry: steps that it leaves out. first_turn, last_turn: where the pointer to the pixels starts
 * and ends; advance: from where the pointer to the weights ends, or from weights_before, to where
 * it starts for the next group. */
static inline void sf_prepare_pairs(sf_pairs *job, const uint32_t *pixels, const uint32_t *weights,
                                    int32_t steps, uint32_t words, uint32_t unroll) {
    const uint32_t missing = (uint32_t)-steps % unroll;
    const uint32_t skip = missing > 0 ? missing : unroll;
    job->pixels = pixels;
    job->pixels_end = pixels + 2 * steps;
    job->weights = weights;
    job->first_turn = (uintptr_t)pixels - 8 * skip;
    job->last_turn = (uintptr_t)job->pixels_end - 8 * unroll;
    job->weights_before = (uintptr_t)weights - 4 * words * unroll;
    job->advance = 4 * words * (unroll - skip);
    job->entry = missing;
}

/* Groups of four channels. */
void sf_pairs_four(const sf_pairs *job);

/* One group of two channels: a word of weights per two taps; out_0, out_1: two bytes each. */
void sf_pairs_two(const sf_pairs *job);

#endif
