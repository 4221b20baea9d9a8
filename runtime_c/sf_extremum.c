/* SPDX-License-Identifier: Apache-2.0 */
/* The larger or the smaller of two tensors' values, either tensor broadcast. */
#include "sf_internal.h"

static void maximum_row(const void *shape, const int8_t *a, const int8_t *b, int8_t *out) {
    const sf_axis row = ((const sf_broadcast *)shape)->row;
    for (const int8_t *end = out + row.count; out < end; a += row.step_a, b += row.step_b) {
        *out++ = *a > *b ? *a : *b;
    }
}

static void minimum_row(const void *shape, const int8_t *a, const int8_t *b, int8_t *out) {
    const sf_axis row = ((const sf_broadcast *)shape)->row;
    for (const int8_t *end = out + row.count; out < end; a += row.step_a, b += row.step_b) {
        *out++ = *a < *b ? *a : *b;
    }
}

void sf_maximum_s8(const sf_broadcast *restrict p, const int8_t *a, const int8_t *b, int8_t *out) {
    sf_for_rows(p, maximum_row, p, a, b, out);
}

void sf_minimum_s8(const sf_broadcast *restrict p, const int8_t *a, const int8_t *b, int8_t *out) {
    sf_for_rows(p, minimum_row, p, a, b, out);
}
