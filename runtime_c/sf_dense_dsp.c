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

static void multiply_rows(const int8_t *const weights[4], const int8_t *in, int32_t count,
                          int32_t sums[4]) {
    const int8_t *w0 = weights[0], *w1 = weights[1], *w2 = weights[2], *w3 = weights[3];
    int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
    for (; count > 0; count -= 4, in += 4) {
        const uint32_t word = count >= 4 ? sf_load32(in) : last_word(in, count);
        const uint32_t even = sf_sxtb16(word);
        const uint32_t odd = sf_sxtb16_ror8(word);
        s0 = multiply_word(even, odd, w0, s0);
        s1 = multiply_word(even, odd, w1, s1);
        s2 = multiply_word(even, odd, w2, s2);
        s3 = multiply_word(even, odd, w3, s3);
        w0 += 4, w1 += 4, w2 += 4, w3 += 4;
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

static void four_outputs(const sf_dense_params *p, const int8_t *in, int32_t first, int8_t *out) {
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
        const sf_channel channel = sf_load_channel(stage, o);
        const int32_t value = sf_requantize_single(sums[i], channel.multiplier, channel.shift);
        out[o] = sf_finish(stage, value);
    }
}

void sf_dense_s8_dsp(const sf_dense_params *p, const int8_t *in, int8_t *out) {
    for (int32_t r = 0; r < p->rows; r++, in += p->inputs, out += p->outputs) {
        for (int32_t o = 0; o < p->outputs; o += 4) {
            four_outputs(p, in, o, out);
        }
    }
}
