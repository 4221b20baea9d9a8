/* SPDX-License-Identifier: Apache-2.0 */
/* 3 x 3 convolution with weights for tiles, scalar reference: takes back what the exporter made of
 * them for the DSP kernel (sf_tiles.h), one weight at a time. */
#include "sf_internal.h"

/* The exporter's number for a row and a column of the 4 x 4 products, without the sign of rows 2
 * and 3. */
static int32_t stored(const sf_conv2d_3x3_params *p, int32_t o, int32_t c, int32_t row,
                      int32_t column) {
    const int32_t steps = (p->window.in_channels + 7) / 8 * 4;
    const int32_t run = 16 * (o / 4) + 4 * column + 3 - row;
    const int32_t step = c / 4 * 2 + c % 2, half = c / 2 % 2;
    const int8_t *bytes = p->kernel + 16 * (run * steps + step) + 4 * (o % 4) + 2 * half;
    return bytes[1] * 256 + (uint8_t)bytes[0];
}

/* A column of the products for row i of the kernel, twice. */
static int32_t of_row(const sf_conv2d_3x3_params *p, int32_t o, int32_t c, int32_t i,
                      int32_t column) {
    return i == 0   ? stored(p, o, c, 0, column)
           : i == 1 ? stored(p, o, c, 1, column) + stored(p, o, c, 2, column)
                    : -stored(p, o, c, 3, column);
}

static int32_t weight_of(const sf_conv2d_3x3_params *p, int32_t o, int32_t c, int32_t i,
                         int32_t j) {
    const int32_t four_times = j == 0   ? of_row(p, o, c, i, 0)
                               : j == 1 ? of_row(p, o, c, i, 1) - of_row(p, o, c, i, 2)
                                        : of_row(p, o, c, i, 3);
    return four_times / 4;
}

static int32_t window_sum(const sf_conv2d_3x3_params *p, const int8_t *in, int32_t o, int32_t top,
                          int32_t left) {
    const sf_window *w = &p->window;
    int32_t sum = 0;
    for (int32_t i = 0; i < 3; i++) {
        for (int32_t j = 0; j < 3; j++) {
            const int32_t y = top + i, x = left + j;
            const int inside = y >= 0 && y < w->in_height && x >= 0 && x < w->in_width;
            const int8_t *pixel = in + (inside ? (y * w->in_width + x) * w->in_channels : 0);
            for (int32_t c = 0; c < w->in_channels; c++) {
                sum += weight_of(p, o, c, i, j) * (inside ? pixel[c] : p->in_zero_point);
            }
        }
    }
    return sum;
}

void sf_conv2d_3x3_s8(const sf_conv2d_3x3_params *restrict p, const int8_t *in, int8_t *out,
                      void *scratch) {
    const sf_window *w = &p->window;
    (void)scratch;
    for (int32_t y = 0; y < w->out_height; y++) {
        for (int32_t x = 0; x < w->out_width; x++) {
            for (int32_t o = 0; o < w->out_channels; o++) {
                const int32_t *record = p->records + 4 * o;
                const int32_t sum =
                    record[0] / 2 + window_sum(p, in, o, y - w->pad_top, x - w->pad_left);
                *out++ = sf_activate(sf_requantize_double(sum, record[1], -record[2] - 1),
                                     p->out_zero_point, p->activation_min, p->activation_max);
            }
        }
    }
}
