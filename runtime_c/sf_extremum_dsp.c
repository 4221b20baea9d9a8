/* SPDX-License-Identifier: Apache-2.0 */
/* The larger or the smaller of two tensors' values, four at a time. */
#include "sf_lanes.h"

/* flip: 0, or all ones for the smaller: of complements it is the larger one. */
static inline void extremum_row(const sf_axis *row, uint32_t flip, const int8_t *a, const int8_t *b,
                                int8_t *out) {
    /* At most one of the two is repeated along a row that has several values. */
    const int8_t *x = row->step_a != 0 ? a : b, *y = row->step_a != 0 ? b : a;
    const int32_t step = row->step_a & row->step_b, flip_one = -(int32_t)(flip & 1);
    const int8_t *const last = out + (row->count & ~3);
    if (step != 0) {
        for (; out < last; x += 4, y += 4, out += 4) {
            sf_store32(out, sf_max4(sf_load32(x) ^ flip, sf_load32(y) ^ flip) ^ flip);
        }
    } else {
        const uint32_t four = ((uint8_t)*y * UINT32_C(0x01010101)) ^ flip;
        for (; out < last; x += 4, out += 4) {
            sf_store32(out, sf_max4(sf_load32(x) ^ flip, four) ^ flip);
        }
    }
    for (int32_t left = row->count & 3; left > 0; left--, x++, y += step) {
        *out++ = (int8_t)(sf_max(*x ^ flip_one, *y ^ flip_one) ^ flip_one);
    }
}

SF_NOINLINE static void maximum_row(const void *shape, const int8_t *a, const int8_t *b,
                                    int8_t *out) {
    extremum_row(&((const sf_broadcast *)shape)->row, 0, a, b, out);
}

SF_NOINLINE static void minimum_row(const void *shape, const int8_t *a, const int8_t *b,
                                    int8_t *out) {
    extremum_row(&((const sf_broadcast *)shape)->row, UINT32_MAX, a, b, out);
}

void sf_maximum_s8_dsp(const sf_broadcast *restrict p, const int8_t *a, const int8_t *b,
                       int8_t *out) {
    sf_for_rows(p, maximum_row, p, a, b, out);
}

void sf_minimum_s8_dsp(const sf_broadcast *restrict p, const int8_t *a, const int8_t *b,
                       int8_t *out) {
    sf_for_rows(p, minimum_row, p, a, b, out);
}
