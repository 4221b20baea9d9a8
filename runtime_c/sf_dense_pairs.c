/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer with weights in pairs, scalar reference. LiteRT rounds this one once. */
#include "sf_dense_pairs.h"

/* half: of the word, 0 or 1; is_a: of which output of the pair. */
static int32_t weight_of(int32_t word, int32_t half, int32_t is_a) {
    const int32_t pair = (int16_t)(uint16_t)((uint32_t)word >> (16 * half));
    const int32_t b = (int8_t)(uint8_t)pair;
    return is_a ? (pair - b) / 256 : b;
}

static int32_t sum_up(const int32_t *weights, int32_t pairs, const int8_t *in, int32_t inputs,
                      int32_t is_a, int32_t sum) {
    for (int32_t first = 0; first < inputs; first += 4, weights += 2 * pairs) {
        const int32_t start = sf_min(first, sf_max(inputs - 4, 0));
        for (int32_t i = 0; i < 4 && start + i < inputs; i++) {
            sum += weight_of(weights[(i & 1) * pairs], i >> 1, is_a) * in[start + i];
        }
    }
    return sum;
}

/* `wanted`: how many of the group's outputs there are. Gives the next group's stream. */
static const int32_t *group(const sf_dense_pairs_params *restrict p, const int32_t *stream,
                            int32_t pairs, const int8_t *in, int8_t *out, int32_t wanted) {
    const int32_t *const weights = stream + 2 * pairs;
    const int32_t *const records = weights + 2 * pairs * ((p->inputs + 3) / 4);
    for (int32_t o = 0; o < wanted; o++) {
        const int32_t pair = o / 2, b = stream[pairs + pair];
        const int32_t a = (int32_t)((uint32_t)stream[pair] - (uint32_t)b) >> 8;
        const int32_t *const record = records + o / 4 * 5;
        const int32_t right = (int32_t)((uint32_t)record[0] >> (o % 4 * 8) & 255u) + 33;
        const int32_t sum =
            sum_up(weights + pair, pairs, in, p->inputs, o % 2 == 0, o % 2 == 0 ? a : b);
        const int32_t value = sf_requantize_single(sum, record[1 + o % 4], 31 - right);
        out[o] = sf_activate(value, p->out_zero_point, p->activation_min, p->activation_max);
    }
    return records + (pairs == 1 ? 3 : 10);
}

void sf_dense_pairs_s8(const sf_dense_pairs_params *restrict p, const int8_t *in, int8_t *out) {
    for (int32_t r = 0; r < p->rows; r++, in += p->inputs, out += p->outputs) {
        const int32_t *stream = p->stream;
        for (int32_t o = 0; o < p->outputs;) {
            const int32_t pairs = p->outputs - o >= 8 ? 4 : 1;
            const int32_t wanted = sf_min(2 * pairs, p->outputs - o);
            stream = group(p, stream, pairs, in, out + o, wanted);
            o += 2 * pairs;
        }
    }
}
