/* SPDX-License-Identifier: Apache-2.0 */
/* Sum of two tensors with different scales, and the change of one tensor's scale. */
#include "sf_internal.h"

/* 255 << 20 leaves room in an int32 for the sum of two. */
enum { ADD_LEFT_SHIFT = 20 };

void sf_add_s8(const sf_add_params *p, const int8_t *a, const int8_t *b, int8_t *out) {
    for (uint32_t i = 0; i < p->count; i++) {
        const int32_t wide_a = (a[i] - p->zero_point_a) * (1 << ADD_LEFT_SHIFT);
        const int32_t wide_b = (b[i] - p->zero_point_b) * (1 << ADD_LEFT_SHIFT);
        const int32_t sum = sf_requantize_double(wide_a, p->multiplier_a, p->shift_a) +
                            sf_requantize_double(wide_b, p->multiplier_b, p->shift_b);
        out[i] = sf_activate(sf_requantize_double(sum, p->multiplier_out, p->shift_out),
                             p->out_zero_point, p->activation_min, p->activation_max);
    }
}

void sf_requantize_s8(const sf_requantize_params *p, const int8_t *in, int8_t *out) {
    for (uint32_t i = 0; i < p->count; i++) {
        const int32_t value =
            sf_requantize_double(in[i] - p->in_zero_point, p->multiplier, p->shift);
        out[i] = sf_activate(value, p->out_zero_point, p->activation_min, p->activation_max);
    }
}
