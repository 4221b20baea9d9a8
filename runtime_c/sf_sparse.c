/* SPDX-License-Identifier: Apache-2.0 */
/* Sparse layers, scalar reference. LiteRT rounds a fully connected layer once, a convolution twice.
 */
#include "sf_sparse.h"

/* One output; both streams move on. */
static int32_t sum_up(const int32_t **weights, const uint8_t **blocks, const int8_t *in,
                      int32_t inputs) {
    int32_t sum = 0, odd = 0;
    const int32_t start = *(*weights)++;
    for (int32_t left = 2 * *(*blocks)++; left > 0; left--) {
        const uint32_t word = (uint32_t) * (*weights)++;
        const int32_t first = 4 * *(*blocks)++;
        for (int32_t i = 0; i < 4; i += 2) {
            const int32_t pair = (int16_t)(uint16_t)(word >> (8 * i));
            const int32_t t = (int8_t)(uint8_t)pair, u = (pair - t) / 256;
            if (first + i < inputs) {
                sum += u * in[first + i];
            }
            if (first + i + 1 < inputs) {
                sum += t * in[first + i + 1];
            }
            odd += t;
        }
    }
    return sum + ((int32_t)((uint32_t)start + 127u * (uint32_t)odd) >> 8);
}

static void write_row(const sf_sparse_params *restrict p, const int8_t *in, int8_t *out,
                      int is_convolution) {
    const int32_t *weights = p->weights;
    const uint8_t *blocks = p->blocks;
    for (int32_t o = 0; o < p->outputs; o++) {
        const int32_t sum = sum_up(&weights, &blocks, in, p->inputs);
        const int32_t multiplier = *weights++, right = *blocks++;
        const int32_t value = is_convolution ? sf_requantize_double(sum, multiplier, -1 - right)
                                             : sf_requantize_single(sum, multiplier, -2 - right);
        out[o] = sf_activate(value, p->out_zero_point, p->activation_min, p->activation_max);
    }
}

void sf_sparse_dense_s8(const sf_sparse_params *restrict p, const int8_t *in, int8_t *out,
                        void *scratch) {
    (void)scratch;
    for (uint32_t r = 0; r < p->rows; r++, in += p->inputs, out += p->outputs) {
        write_row(p, in, out, 0);
    }
}

/* The pixel is copied, so that its outputs may lie where it was. */
void sf_sparse_conv2d_s8(const sf_sparse_params *restrict p, const int8_t *in, int8_t *out,
                         void *scratch) {
    for (uint32_t r = 0; r < p->rows; r++, in += p->inputs, out += p->outputs) {
        sf_copy_row((int8_t *)scratch, in, p->inputs);
        write_row(p, (const int8_t *)scratch, out, 1);
    }
}
