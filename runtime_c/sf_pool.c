/* SPDX-License-Identifier: Apache-2.0 */
/* Largest value and average of the input pixels that a window covers. */
#include "sf_internal.h"

typedef struct span {
    int32_t first, end;
} span;

/* The part of a window, along one axis, that lies on the input. */
static span clip(int32_t start, int32_t length, int32_t size) {
    const span s = {sf_max(start, 0), sf_min(start + length, size)};
    return s;
}

static int32_t largest(const sf_window *w, const int8_t *in, span rows, span columns) {
    int32_t result = INT8_MIN;
    for (int32_t y = rows.first; y < rows.end; y++) {
        for (int32_t x = columns.first; x < columns.end; x++) {
            result = sf_max(result, in[(y * w->in_width + x) * w->in_channels]);
        }
    }
    return result;
}

/* Halves away from zero. */
static int32_t average(const sf_window *w, const int8_t *in, span rows, span columns) {
    const int32_t count = (rows.end - rows.first) * (columns.end - columns.first);
    int32_t sum = 0;
    for (int32_t y = rows.first; y < rows.end; y++) {
        for (int32_t x = columns.first; x < columns.end; x++) {
            sum += in[(y * w->in_width + x) * w->in_channels];
        }
    }
    return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

typedef int32_t reduction(const sf_window *w, const int8_t *in, span rows, span columns);

static inline void pool(const sf_pool_params *p, const int8_t *in, int8_t *out, reduction *reduce) {
    const sf_window *w = &p->window;
    for (int32_t y = 0; y < w->out_height; y++) {
        const span rows = clip(y * w->stride_height - w->pad_top, w->kernel_height, w->in_height);
        for (int32_t x = 0; x < w->out_width; x++) {
            const span columns =
                clip(x * w->stride_width - w->pad_left, w->kernel_width, w->in_width);
            for (int32_t c = 0; c < w->in_channels; c++) {
                const int32_t value = reduce(w, in + c, rows, columns);
                *out++ = (int8_t)sf_clamp(value, p->activation_min, p->activation_max);
            }
        }
    }
}

void sf_max_pool_s8(const sf_pool_params *restrict p, const int8_t *in, int8_t *out) {
    pool(p, in, out, largest);
}

void sf_average_pool_s8(const sf_pool_params *restrict p, const int8_t *in, int8_t *out) {
    pool(p, in, out, average);
}
