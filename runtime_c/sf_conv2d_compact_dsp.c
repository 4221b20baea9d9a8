/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution for cores with DSP instructions in little code: one window after the other. */
#include "sf_fours.h"

uint32_t sf_conv2d_compact_dsp_scratch_bytes(const sf_conv2d_params *p) {
    const sf_window *w = &p->window;
    return ((uint32_t)w->kernel_height * w->kernel_width * w->in_channels + 3u) & ~3u;
}

/* The window at (top, left), tap by tap. */
static inline void copy_window(const sf_window *w, int8_t zero_point, const int8_t *in, int32_t top,
                               int32_t left, int8_t *to) {
    for (int32_t i = 0; i < w->kernel_height; i++, top += w->dilation_height) {
        int32_t x = left;
        for (int32_t j = 0; j < w->kernel_width; j++, x += w->dilation_width) {
            const int inside = (uint32_t)top < w->in_height && (uint32_t)x < w->in_width;
            int32_t count = w->in_channels;
            const int8_t *from = inside ? in + (top * w->in_width + x) * count : &zero_point;
            for (; inside && count >= 4; count -= 4, to += 4, from += 4) {
                sf_store32(to, sf_load32(from));
            }
            for (; count > 0; count--, from += inside) {
                *to++ = *from;
            }
        }
    }
}

void sf_conv2d_compact_s8_dsp(const sf_conv2d_params *restrict p, const int8_t *in, int8_t *out,
                              void *scratch) {
    const sf_window *w = &p->window;
    const sf_fours f = {&p->stage, p->kernel, w->kernel_height * w->kernel_width * w->in_channels,
                        w->out_channels, 1};
    int8_t *window = (int8_t *)scratch;
    for (int32_t y = 0; y < w->out_height; y++) {
        for (int32_t x = 0; x < w->out_width; x++, out += w->out_channels) {
            copy_window(w, p->stage.in_zero_point, in, y * w->stride_height - w->pad_top,
                        x * w->stride_width - w->pad_left, window);
            sf_multiply_fours(&f, window, out);
        }
    }
}
