/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution with weights in pairs, scalar reference: reads what the exporter packed for the DSP
 * kernel one weight at a time. */
#include "sf_internal.h"

/* Tap k of channel o; steps: pairs of taps in a row. */
static int32_t weight_of(const sf_conv2d_pairs_params *p, int32_t steps, int32_t o, int32_t k) {
    const int32_t group = o / 4, rest = p->window.out_channels - 4 * group;
    const int32_t words = rest > 2 ? 2 : 1; /* of a step */
    const int32_t step = k / 4 * 2 + k % 2, half = k / 2 % 2;
    const int32_t word = 2 * steps * group + step * words + o % 4 / 2;
    const int8_t *bytes = p->kernel + 4 * word + 2 * half;
    return o % 2 ? bytes[0] : bytes[1] + (bytes[0] < 0);
}

static int32_t window_sum(const sf_conv2d_pairs_params *p, const int8_t *in, int32_t steps,
                          int32_t o, int32_t top, int32_t left) {
    const sf_window *w = &p->window;
    int32_t sum = 0, k = 0;
    for (int32_t i = 0; i < w->kernel_height; i++) {
        const int32_t y = top + i * w->dilation_height;
        for (int32_t j = 0; j < w->kernel_width; j++) {
            const int32_t x = left + j * w->dilation_width;
            const int inside = y >= 0 && y < w->in_height && x >= 0 && x < w->in_width;
            const int8_t *pixel = in + (inside ? (y * w->in_width + x) * w->in_channels : 0);
            for (int32_t c = 0; c < w->in_channels; c++, k++) {
                sum += weight_of(p, steps, o, k) * (inside ? pixel[c] : p->in_zero_point);
            }
        }
    }
    return sum;
}

static int8_t finish(const sf_conv2d_pairs_params *p, int32_t o, int32_t sum) {
    const int32_t *record = p->records + 9 * (o / 4), at = o % 4;
    const int32_t right = (int32_t)((uint32_t)record[0] >> (8 * at) & 0xFFu) + 1;
    const int32_t x =
        sf_requantize_double(record[1 + 2 * at] / 2 + sum, record[2 + 2 * at], -right);
    return sf_activate(x, p->out_zero_point, p->activation_min, p->activation_max);
}

void sf_conv2d_pairs_s8(const sf_conv2d_pairs_params *restrict p, const int8_t *in, int8_t *out,
                        void *scratch) {
    const sf_window *w = &p->window;
    const int32_t steps = (w->kernel_height * w->kernel_width * w->in_channels + 3) / 4 * 2;
    (void)scratch;
    for (int32_t y = 0; y < w->out_height; y++) {
        const int32_t top = y * w->stride_height - w->pad_top;
        for (int32_t x = 0; x < w->out_width; x++) {
            const int32_t left = x * w->stride_width - w->pad_left;
            for (int32_t o = 0; o < w->out_channels; o++) {
                *out++ = finish(p, o, window_sum(p, in, steps, o, top, left));
            }
        }
    }
}
