/* SPDX-License-Identifier: Apache-2.0 */
/* Sum and difference of two tensors with different scales, either of them broadcast. */
#include "sf_lanes.h"

/* 255 << 20 leaves room in an int32 for the sum of two. */
enum { ADD_LEFT_SHIFT = 20 };

/* a + sign * b, rounded as the reference rounds it. */
static void add(const sf_add_params *p, const sf_axis *row, int32_t sign, const int8_t *a,
                const int8_t *b, int8_t *out) {
    const sf_scaler scale_a = sf_prepare_scaler(p->multiplier_a, p->shift_a);
    const sf_scaler scale_b = sf_prepare_scaler(p->multiplier_b, p->shift_b);
    const sf_scaler scale_out = sf_prepare_scaler(p->multiplier_out, p->shift_out);
    const int32_t zero_a = p->zero_point_a, zero_b = p->zero_point_b, zero = p->out_zero_point;
    const int32_t step_a = row->step_a, step_b = row->step_b;
    int8_t *const start = out;
    for (const int8_t *end = out + row->count; out < end; a += step_a, b += step_b) {
        const int32_t wide_a = (*a - zero_a) * (1 << ADD_LEFT_SHIFT);
        const int32_t wide_b = (*b - zero_b) * (1 << ADD_LEFT_SHIFT);
        const int32_t sum = sf_scale(&scale_a, wide_a) + sign * sf_scale(&scale_b, wide_b);
        *out++ = (int8_t)sf_scale_to_int8(&scale_out, sum, zero);
    }
    sf_clamp_row(start, row->count, p->activation_min, p->activation_max);
}

void sf_add_s8(const sf_add_params *restrict p, const int8_t *a, const int8_t *b, int8_t *out) {
    const sf_axis row = {(int32_t)p->count, 1, 1};
    add(p, &row, 1, a, b, out);
}

static void add_on_line(const sf_line *line, const sf_axis *row, const int8_t *a, const int8_t *b,
                        int8_t *out) {
    const sf_line l = *line;
    const int32_t step_a = row->step_a, step_b = row->step_b;
    for (const int8_t *end = out + row->count; out < end; a += step_a, b += step_b) {
        const int32_t part = sf_smlawb(l.factor_a, (uint32_t)*a << 8, l.offset);
        const int32_t sum = sf_smlawb(l.factor_b, (uint32_t)*b << 8, part);
        *out++ = sf_on_line(sum);
    }
}

static void one_row(const sf_broadcast_add_params *p, int32_t sign, const int8_t *a,
                    const int8_t *b, int8_t *out) {
    if (p->sum.line.factor_a != 0) {
        add_on_line(&p->sum.line, &p->shape.row, a, b, out);
    } else {
        add(&p->sum, &p->shape.row, sign, a, b, out);
    }
}

static void add_row(const void *params, const int8_t *a, const int8_t *b, int8_t *out) {
    one_row((const sf_broadcast_add_params *)params, 1, a, b, out);
}

static void sub_row(const void *params, const int8_t *a, const int8_t *b, int8_t *out) {
    one_row((const sf_broadcast_add_params *)params, -1, a, b, out);
}

void sf_broadcast_add_s8(const sf_broadcast_add_params *restrict p, const int8_t *a,
                         const int8_t *b, int8_t *out) {
    sf_for_rows(&p->shape, add_row, p, a, b, out);
}

void sf_sub_s8(const sf_broadcast_add_params *restrict p, const int8_t *a, const int8_t *b,
               int8_t *out) {
    sf_for_rows(&p->shape, sub_row, p, a, b, out);
}
