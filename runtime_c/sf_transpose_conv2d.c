/* SPDX-License-Identifier: Apache-2.0 */
/* Transposed convolution: every output gathers the inputs that reach it. */
#include "sf_internal.h"

/* The taps of one axis that reach an output: first, first + stride, ... before end. They bring the
 * inputs position, position - 1, ... */
typedef struct taps {
    int32_t first, end, position;
} taps;

/* at: the output's place in the full output. */
static taps find_taps(int32_t at, int32_t stride, int32_t kernel, int32_t size) {
    taps found = {at % stride, sf_min(at + 1, kernel), at / stride};
    if (found.position >= size) {
        found.first += (found.position - size + 1) * stride;
        found.position = size - 1;
    }
    return found;
}

/* A tap that finds no input adds nothing, so the zero_point is no part of the bias. */
static int32_t taps_sum(const sf_conv2d_params *p, const int8_t *in, const int8_t *weights,
                        taps rows, taps columns) {
    const sf_window *w = &p->window;
    const int32_t zero_point = p->stage.in_zero_point;
    int32_t sum = 0;
    for (int32_t i = rows.first, y = rows.position; i < rows.end; i += w->stride_height, y--) {
        for (int32_t j = columns.first, x = columns.position; j < columns.end;
             j += w->stride_width, x--) {
            const int8_t *tap = weights + (i * w->kernel_width + j) * w->in_channels;
            const int8_t *pixel = in + (y * w->in_width + x) * w->in_channels;
            for (int32_t c = 0; c < w->in_channels; c++) {
                sum += tap[c] * (pixel[c] - zero_point);
            }
        }
    }
    return sum;
}

void sf_transpose_conv2d_s8(const sf_conv2d_params *restrict p, const int8_t *in, int8_t *out) {
    const sf_window *w = &p->window;
    const sf_output_stage *stage = &p->stage;
    const int32_t row = (w->kernel_height * w->kernel_width * w->in_channels + 3) & ~3;
    for (int32_t y = 0; y < w->out_height; y++) {
        const taps rows =
            find_taps(y + w->pad_top, w->stride_height, w->kernel_height, w->in_height);
        for (int32_t x = 0; x < w->out_width; x++) {
            const taps columns =
                find_taps(x + w->pad_left, w->stride_width, w->kernel_width, w->in_width);
            for (int32_t o = 0; o < w->out_channels; o++) {
                const int32_t sum =
                    stage->bias[o] + taps_sum(p, in, p->kernel + o * row, rows, columns);
                const int32_t value =
                    sf_requantize_double(sum, stage->multiplier[o], stage->shift[o]);
                *out++ = sf_finish(stage, value);
            }
        }
    }
}
