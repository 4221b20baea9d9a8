/* SPDX-License-Identifier: Apache-2.0 */
/* Mean and largest value over some of the axes, four neighbouring outputs at a time. */
#include "sf_tile.h"

/* Writes four outputs; from: the first of the tile's values. */
typedef void reduction(const void *params, const int8_t *from, const sf_tile *tile, int8_t *out);

static void mean(const void *params, const int8_t *from, const sf_tile *tile, int8_t *out) {
    const sf_mean_params *p = (const sf_mean_params *)params;
    const int32_t start = -p->in_zero_point * tile->rows * tile->columns;
    int32_t sums[4] = {start, start, start, start};
    sf_add_large_tile(from, tile, sums);
    for (int32_t i = 0; i < 4; i++) {
        const int32_t value = sf_requantize_double(sums[i], p->multiplier, p->shift);
        out[i] = sf_activate(value, p->out_zero_point, INT8_MIN, INT8_MAX);
    }
}

static void largest(const void *params, const int8_t *from, const sf_tile *tile, int8_t *out) {
    (void)params;
    sf_store32(out, sf_max_of_tile(from, tile));
}

/* Where inner is no multiple of 4, the last four outputs of a line overlap the four before. */
static inline void reduce(const sf_reduction *p, const void *params, const int8_t *in, int8_t *out,
                          reduction *one) {
    const int32_t line = p->second * p->inner, last = p->inner - 4;
    const sf_tile tile = sf_make_tile(p->first, p->second, p->middle * line, p->inner);
    for (int32_t o = 0; o < p->outer; o++, in += p->first * p->middle * line) {
        for (int32_t m = 0; m < p->middle; m++, out += p->inner) {
            for (int32_t i = 0;; i = sf_min(i + 4, last)) {
                one(params, in + m * line + i, &tile, out + i);
                if (i == last) {
                    break;
                }
            }
        }
    }
}

void sf_mean_s8_dsp(const sf_mean_params *restrict p, const int8_t *in, int8_t *out) {
    reduce(&p->shape, p, in, out, mean);
}

void sf_reduce_max_s8_dsp(const sf_reduction *restrict p, const int8_t *in, int8_t *out) {
    reduce(p, p, in, out, largest);
}
