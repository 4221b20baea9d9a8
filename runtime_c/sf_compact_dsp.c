/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution and fully connected layer for cores with DSP instructions in little code: both are
 * rows of weights times a vector, four outputs at a time.
 *
 * The last block repeats the last output where fewer than four are left, and writes the same byte
 * again.
 */
#include "sf_widen.h"

typedef struct rows {
    const sf_output_stage *stage;
    const int8_t *kernel;
    int32_t count, outputs; /* of inputs: a row has as many weights and zeros up to whole words */
    int32_t rounds_twice;
} rows;

/* Apart, so that all registers are its own. */
SF_NOINLINE static void multiply_rows(const int8_t *weights[4], const int8_t *in, int32_t count,
                                      int32_t sums[4]) {
    const int8_t *w0 = weights[0], *w1 = weights[1], *w2 = weights[2], *w3 = weights[3];
    int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
    int8_t last[4] SF_ALIGN(4) = {0, 0, 0, 0};
    for (const int8_t *end = in + (count & ~3); in < end;) {
        sf_multiply_four(&in, &w0, &w1, &w2, &w3, &s0, &s1, &s2, &s3);
    }
    if (count & 3) {
        for (int32_t i = 0; i < (count & 3); i++) {
            last[i] = in[i];
        }
        in = last;
        sf_multiply_four(&in, &w0, &w1, &w2, &w3, &s0, &s1, &s2, &s3);
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

SF_NOINLINE static void multiply(const rows *restrict r, const int8_t *in, int8_t *out) {
    const int32_t step = (r->count + 3) & ~3, last = r->outputs - 1;
    for (int32_t first = 0; first <= last; first += 4) {
        const int8_t *weights[4];
        int32_t sums[4];
        for (int32_t i = 0; i < 4; i++) {
            const int32_t o = sf_min(first + i, last);
            weights[i] = r->kernel + o * step;
            sums[i] = r->stage->bias[o];
        }
        multiply_rows(weights, in, r->count, sums);
        for (int32_t i = 0; i < 4; i++) {
            const int32_t o = sf_min(first + i, last);
            const int32_t multiplier = r->stage->multiplier[o], shift = r->stage->shift[o];
            const int32_t x = r->rounds_twice ? sf_requantize_double(sums[i], multiplier, shift)
                                              : sf_requantize_single(sums[i], multiplier, shift);
            out[o] = sf_finish(r->stage, x);
        }
    }
}

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
    const rows r = {&p->stage, p->kernel, w->kernel_height * w->kernel_width * w->in_channels,
                    w->out_channels, 1};
    int8_t *window = (int8_t *)scratch;
    for (int32_t y = 0; y < w->out_height; y++) {
        for (int32_t x = 0; x < w->out_width; x++, out += w->out_channels) {
            copy_window(w, p->stage.in_zero_point, in, y * w->stride_height - w->pad_top,
                        x * w->stride_width - w->pad_left, window);
            multiply(&r, window, out);
        }
    }
}

void sf_dense_compact_s8_dsp(const sf_dense_params *restrict p, const int8_t *in, int8_t *out) {
    const rows r = {&p->stage, p->kernel, p->inputs, p->outputs, 0};
    for (int32_t i = 0; i < p->rows; i++, in += p->inputs, out += p->outputs) {
        multiply(&r, in, out);
    }
}
