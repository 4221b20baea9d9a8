/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer for cores with DSP instructions: four outputs at a time.
 *
 * The last block repeats the last output where fewer than four are left, and writes the same byte
 * again. Inputs that do not fill a word are met by zero weights.
 */
#include "sf_dsp.h"

static inline int32_t multiply_word(uint32_t even, uint32_t odd, const int8_t *weights,
                                    int32_t sum) {
    const uint32_t word = sf_load32(weights);
    return sf_smlad(sf_sxtb16_ror8(word), odd, sf_smlad(sf_sxtb16(word), even, sum));
}

static uint32_t last_word(const int8_t *in, int32_t count) {
    uint32_t word = 0;
    for (int32_t i = 0; i < count; i++) {
        word |= (uint32_t)(uint8_t)in[i] << (8 * i);
    }
    return word;
}

typedef struct block {
    int32_t sum[4];
} block;

static inline void multiply_words(block *b, uint32_t word, const int8_t *const weights[4],
                                  int32_t at) {
    const uint32_t even = sf_sxtb16(word);
    const uint32_t odd = sf_sxtb16_ror8(word);
    b->sum[0] = multiply_word(even, odd, weights[0] + at, b->sum[0]);
    b->sum[1] = multiply_word(even, odd, weights[1] + at, b->sum[1]);
    b->sum[2] = multiply_word(even, odd, weights[2] + at, b->sum[2]);
    b->sum[3] = multiply_word(even, odd, weights[3] + at, b->sum[3]);
}

static inline void multiply_rows(const int8_t *const weights[4], const int8_t *in, int32_t count,
                                 block *b) {
    int32_t at = 0;
    for (; at + 4 <= count; at += 4) {
        multiply_words(b, sf_load32(in + at), weights, at);
    }
    if (at < count) {
        multiply_words(b, last_word(in + at, count - at), weights, at);
    }
}

static void four_outputs(const sf_dense_params *restrict p, const int8_t *in, int32_t first,
                         int8_t *out) {
    const sf_output_stage *stage = &p->stage;
    const int32_t row = (p->inputs + 3) & ~3;
    const int8_t *weights[4];
    block b;
    for (int32_t i = 0; i < 4; i++) {
        const int32_t o = sf_min(first + i, p->outputs - 1);
        weights[i] = p->kernel + o * row;
        b.sum[i] = stage->bias[o];
    }
    multiply_rows(weights, in, p->inputs, &b);
    for (int32_t i = 0; i < 4; i++) {
        const int32_t o = sf_min(first + i, p->outputs - 1);
        const int32_t value = sf_requantize_single(b.sum[i], stage->multiplier[o], stage->shift[o]);
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
