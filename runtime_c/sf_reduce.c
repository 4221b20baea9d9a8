/* SPDX-License-Identifier: Apache-2.0 */
/* Mean and largest value over some of the axes. */
#include "sf_internal.h"

typedef int32_t combination(int32_t so_far, int32_t value);

static int32_t sum(int32_t so_far, int32_t value) {
    return so_far + value;
}

/* What becomes of one output's values; in points to the first of them. */
static inline int32_t reduce(const sf_reduction *p, const int8_t *in, int32_t start,
                             combination *combine) {
    for (int32_t i = 0; i < p->first; i++) {
        const int8_t *from = in + i * p->middle * p->second * p->inner;
        for (int32_t j = 0; j < p->second; j++, from += p->inner) {
            start = combine(start, *from);
        }
    }
    return start;
}

/* The first value of output (o, m, i). */
static inline const int8_t *at(const sf_reduction *p, const int8_t *in, int32_t o, int32_t m,
                               int32_t i) {
    return in + (o * p->first * p->middle + m) * p->second * p->inner + i;
}

void sf_mean_s8(const sf_mean_params *restrict p, const int8_t *in, int8_t *out) {
    const sf_reduction *shape = &p->shape;
    const int32_t start = -p->in_zero_point * shape->first * shape->second;
    for (int32_t o = 0; o < shape->outer; o++) {
        for (int32_t m = 0; m < shape->middle; m++) {
            for (int32_t i = 0; i < shape->inner; i++) {
                const int32_t total = reduce(shape, at(shape, in, o, m, i), start, sum);
                *out++ = sf_activate(sf_requantize_double(total, p->multiplier, p->shift),
                                     p->out_zero_point, INT8_MIN, INT8_MAX);
            }
        }
    }
}

void sf_reduce_max_s8(const sf_reduction *restrict p, const int8_t *in, int8_t *out) {
    for (int32_t o = 0; o < p->outer; o++) {
        for (int32_t m = 0; m < p->middle; m++) {
            for (int32_t i = 0; i < p->inner; i++) {
                *out++ = (int8_t)reduce(p, at(p, in, o, m, i), INT8_MIN, sf_max);
            }
        }
    }
}
