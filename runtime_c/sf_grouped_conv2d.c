/* SPDX-License-Identifier: Apache-2.0 */
/* Grouped convolution, scalar reference: one output at a time, straight from the definition. */
#include "sf_internal.h"

/* What a window's taps over one group add up to for one row of weights. Padding counts as
 * zero_point, since -zero_point * sum(kernel) is part of the bias. */
static int32_t window_sum(const sf_grouped_conv2d_params *p, const int8_t *in,
                          const int8_t *weights, int32_t top, int32_t left) {
    const sf_window *w = &p->window;
    int32_t sum = 0;
    for (int32_t i = 0; i < w->kernel_height; i++) {
        const int32_t y = top + i * w->dilation_height;
        for (int32_t j = 0; j < w->kernel_width; j++) {
            const int32_t x = left + j * w->dilation_width;
            const int inside = y >= 0 && y < w->in_height && x >= 0 && x < w->in_width;
            const int8_t *pixel = in + (inside ? (y * w->in_width + x) * w->in_channels : 0);
            for (int32_t c = 0; c < p->group_inputs; c++) {
                sum += *weights++ * (inside ? pixel[c] : p->stage.in_zero_point);
            }
        }
    }
    return sum;
}

/* All output channels of one pixel. */
static void one_pixel(const sf_grouped_conv2d_params *p, const int8_t *in, int32_t top,
                      int32_t left, int8_t *out) {
    const sf_output_stage *stage = &p->stage;
    const int32_t row =
        (p->window.kernel_height * p->window.kernel_width * p->group_inputs + 3) & ~3;
    for (int32_t o = 0, last = p->group_outputs; o < p->window.out_channels; o++) {
        if (o == last) {
            in += p->group_inputs;
            last += p->group_outputs;
        }
        const int32_t sum = stage->bias[o] + window_sum(p, in, p->kernel + o * row, top, left);
        const int32_t value = sf_requantize_double(sum, stage->multiplier[o], stage->shift[o]);
        out[o] = sf_finish(stage, value);
    }
}

void sf_grouped_conv2d_s8(const sf_grouped_conv2d_params *restrict p, const int8_t *in, int8_t *out,
                          void *scratch) {
    const sf_window *w = &p->window;
    (void)scratch;
    for (int32_t y = 0; y < w->out_height; y++) {
        const int32_t top = y * w->stride_height - w->pad_top;
        for (int32_t x = 0; x < w->out_width; x++, out += w->out_channels) {
            one_pixel(p, in, top, x * w->stride_width - w->pad_left, out);
        }
    }
}
