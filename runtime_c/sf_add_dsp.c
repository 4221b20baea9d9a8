/* SPDX-License-Identifier: Apache-2.0 */
/* Sum of two tensors, four values at a time. */
#include "sf_lanes.h"

enum { LEFT_SHIFT = 20 };

static void add_on_line(const sf_add_params *p, const int8_t *a, const int8_t *b, int8_t *out) {
    const sf_line l = p->line;
    int8_t *const end = out + p->count, *const last = out + (p->count & ~3u);
    while (out < last) {
        sf_add_four(&l, SF_ODD_VALUES, &a, &b, &out);
    }
    while (out < end) {
        const int32_t part = sf_smlawb(l.factor_a, (uint32_t)*a++ << 8, l.offset);
        *out++ = sf_on_line(sf_smlawb(l.factor_b, (uint32_t)*b++ << 8, part));
    }
}

/* What scales the input with the smaller scale, and the sum; both shift right by at least 1. */
typedef struct scales {
    int32_t large_zero, small_zero, multiplier, half, right;
    int32_t out_multiplier, out_offset, out_right;
} scales;

/* x: the larger scale's input, whose factor is 1/2; y: the smaller's. The sign is the product's,
 * or that of a product that rounds to 0, where it does not matter. */
static inline int32_t add_one(const scales *s, int32_t x, int32_t y) {
    const int32_t wide = (y - s->small_zero) * (1 << (LEFT_SHIFT + 1));
    const int32_t small = sf_smmlar(wide, s->multiplier, s->half + (wide >> 31)) >> s->right;
    const int32_t sum = (small + (x - s->large_zero) * (1 << (LEFT_SHIFT - 1))) * 2;
    const int32_t scaled = sf_smmlar(sum, s->out_multiplier, s->out_offset + (sum >> 31));
    return sf_ssat8(scaled >> s->out_right);
}

static void add_rounded(const sf_add_params *p, const int8_t *a, const int8_t *b, int8_t *out) {
    /* The larger scale's factor is exactly 1/2; equal scales have two of them. */
    const int a_is_large = p->shift_a == 0 && p->multiplier_a == 1 << 30;
    const int8_t *large = a_is_large ? a : b, *small = a_is_large ? b : a;
    const int32_t multiplier = a_is_large ? p->multiplier_b : p->multiplier_a;
    const int32_t right = a_is_large ? -p->shift_b : -p->shift_a;
    const scales s = {
        a_is_large ? p->zero_point_a : p->zero_point_b,
        a_is_large ? p->zero_point_b : p->zero_point_a,
        /* A factor of 1/2 is 1 less 2^-31, which rounds to 1, and a half. */
        right > 0         ? multiplier
        : multiplier == 0 ? 0
                          : INT32_MAX,
        (int32_t)(UINT32_C(1) << (sf_max(right, 1) - 1)),
        sf_max(right, 1),
        p->multiplier_out,
        (2 * p->out_zero_point + 1) * (1 << (-p->shift_out - 1)),
        -p->shift_out,
    };
    for (const int8_t *end = out + p->count; out < end;) {
        *out++ = (int8_t)add_one(&s, *large++, *small++);
    }
}

void sf_add_s8_dsp(const sf_add_params *restrict p, const int8_t *a, const int8_t *b, int8_t *out) {
    if (p->line.factor_a != 0) {
        add_on_line(p, a, b, out);
        return;
    }
    add_rounded(p, a, b, out);
    sf_clamp_row(out, (int32_t)p->count, p->activation_min, p->activation_max);
}
