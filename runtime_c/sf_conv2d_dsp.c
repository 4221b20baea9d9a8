/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution for cores with DSP instructions. */
#include "sf_conv2d_dsp.h"

/* A window whose taps lie one after the other in the input needs no copy. */
static int lies_in_a_row(const sf_window *w) {
    const int row = w->kernel_width == 1 || w->dilation_width == 1;
    const int rows =
        w->kernel_height == 1 || (w->kernel_width == w->in_width && w->dilation_height == 1);
    return row && rows;
}

static int is_inside(const sf_window *w, int32_t top, int32_t left) {
    return top >= 0 && left >= 0 &&
           top + (w->kernel_height - 1) * w->dilation_height < w->in_height &&
           left + (w->kernel_width - 1) * w->dilation_width < w->in_width;
}

uint32_t sf_conv2d_dsp_scratch_bytes(const sf_conv2d_params *p) {
    const sf_window *w = &p->window;
    const uint32_t row = ((uint32_t)w->kernel_height * w->kernel_width * w->in_channels + 3u) & ~3u;
    const int32_t bottom = (w->out_height - 1) * w->stride_height - w->pad_top;
    const int32_t right = (w->out_width - 1) * w->stride_width - w->pad_left;
    const int never_copies =
        lies_in_a_row(w) && is_inside(w, -w->pad_top, -w->pad_left) && is_inside(w, bottom, right);
    /* Two widened windows, and one as bytes. */
    return never_copies ? 4u * row : 5u * row;
}

/* Copies a window that is scattered over the input or reaches over its edge. */
static void gather(const sf_conv2d_params *p, const int8_t *in, int32_t top, int32_t left,
                   int8_t *to) {
    const sf_window *w = &p->window;
    const int32_t channels = w->in_channels;
    const int whole_rows =
        w->dilation_width == 1 && left >= 0 && left + w->kernel_width <= w->in_width;
    const int32_t piece = whole_rows ? w->kernel_width * channels : channels;
    const int32_t pieces = whole_rows ? 1 : w->kernel_width;
    for (int32_t i = 0; i < w->kernel_height; i++) {
        const int32_t y = top + i * w->dilation_height;
        for (int32_t j = 0; j < pieces; j++) {
            const int32_t x = left + j * w->dilation_width;
            if (y < 0 || y >= w->in_height || x < 0 || x >= w->in_width) {
                to = fill(to, p->stage.in_zero_point, piece);
            } else {
                to = copy(to, in + (y * w->in_width + x) * channels, piece);
            }
        }
    }
}

static void widen_window(const sf_conv2d_params *p, const int8_t *in, int32_t y, int32_t x,
                         int32_t row, uint32_t *to, int8_t *bytes) {
    const sf_window *w = &p->window;
    const int32_t top = y * w->stride_height - w->pad_top;
    const int32_t left = x * w->stride_width - w->pad_left;
    const int8_t *from = bytes;
    if (lies_in_a_row(w) && is_inside(w, top, left)) {
        from = in + (top * w->in_width + left) * w->in_channels;
    } else {
        gather(p, in, top, left, bytes);
    }
    widen(from, row, to);
}

void sf_conv2d_s8_dsp(const sf_conv2d_params *restrict p, const int8_t *in, int8_t *out,
                      void *scratch) {
    const sf_window *w = &p->window;
    const int32_t row = w->kernel_height * w->kernel_width * w->in_channels;
    const int32_t words = (row + 3) / 4;
    uint32_t *pixels = (uint32_t *)scratch;
    int8_t *bytes = (int8_t *)(pixels + 4 * words);
    int32_t left = w->out_height * w->out_width;
    int32_t y = 0, x = 0;
    while (left > 0) {
        int8_t *outs[2];
        for (int32_t side = 0; side < 2; side++) {
            widen_window(p, in, y, x, row, pixels + side, bytes);
            outs[side] = out;
            if (--left > 0) {
                out += w->out_channels;
                if (++x == w->out_width) {
                    x = 0;
                    y++;
                }
            }
        }
        multiply_pixels(p, pixels, words, outs[0], outs[1]);
    }
}
