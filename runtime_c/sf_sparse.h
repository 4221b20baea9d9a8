/* SPDX-License-Identifier: Apache-2.0 */
/* Sparse layers: how their two streams are cut (shrinkfit/write/pack_sparse.py writes them), and
 * how a block is multiplied. Private to the kernels.
 *
 * blocks, bytes; per output: how many pairs of blocks; their numbers (a block is four inputs); how
 * far to shift right, less 33, or in a convolution less 1.
 * weights, words; per output: 256 * bias - 127 * the sum of all weights of odd inputs; a word per
 * block; the multiplier. An odd number of blocks has one more of zeros.
 * A block's word: an int16 for the inputs 0 and 1 and one for 2 and 3, each 256 * the even input's
 * weight + the odd one's.
 *
 * With u, t the weights of inputs x, y: 256 * (u x + t y) = (256 u + t) x + t (256 y - x). The
 * inputs' word with 127 - x in place of x, which flips its lower seven bits, is the two int16 of
 * 256 y - x + 127. So SXTB16 once for the weights and once for the inputs is enough, and what SMLAD
 * wraps around does not matter, as the sum is below 2^23. */
#ifndef SF_SPARSE_H
#define SF_SPARSE_H

#include "sf_dsp.h"

/* Inputs are whole words from here on: a row, or a copy of it with zeros behind. */
static inline void sf_copy_row(int8_t *to, const int8_t *from, int32_t count) {
    const int8_t *const end = from + (count & ~3);
    for (; from < end; from += 4, to += 4) {
        sf_store32(to, sf_load32(from));
    }
    for (int32_t i = 0; i < (-count & 3) + (count & 3); i++) {
        to[i] = i < (count & 3) ? from[i] : 0;
    }
}

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

/* Loads in a row cost one cycle each and one more. r1: weights, r2: blocks. */
#define SF_SPARSE_NUMBER(i) "ldrb " i ", [r2], #1\n\t"
#define SF_SPARSE_WEIGHTS(w) "ldr " w ", [r1], #4\n\t"
#define SF_SPARSE_INPUTS(x, in, i) "ldr " x ", [" in ", " i ", lsl #2]\n\t"
#define SF_SPARSE_EVEN(sum, w, x, even) \
    "sxtb16 " even ", " x "\n\t"        \
    "eor " x ", " x ", #0x007f007f\n\t" \
    "smlad " sum ", " w ", " even ", " sum "\n\t"
#define SF_SPARSE_ODD(sum, w, x) "smlad " sum ", " w ", " x ", " sum "\n\t"
#define SF_SPARSE_WIDEN(w) "sxtb16 " w ", " w "\n\t"

#else

/* One output's blocks and one row. Both streams move on. Gives 256 * the sum. */
static inline int32_t sf_sparse_sum(const int32_t **weights, const uint8_t **blocks,
                                    const int8_t *in) {
    int32_t sum = *(*weights)++;
    for (int32_t left = 2 * *(*blocks)++; left > 0; left--) {
        const uint32_t w = (uint32_t) * (*weights)++, x = sf_load32(in + 4 * *(*blocks)++);
        sum = sf_smlad(w, sf_sxtb16(x), sum);
        sum = sf_smlad(sf_sxtb16(w), x ^ UINT32_C(0x007F007F), sum);
    }
    return sum;
}

#endif

#endif
