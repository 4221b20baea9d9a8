/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution for cores with DSP instructions: blocks of 2 pixels x 2 channels.
 *
 * Two windows at a time are widened to int16 in the order in which SXTB16 leaves four bytes, (0,2)
 * then (1,3), the two windows side by side; the weights get the same order as they are loaded. Odd
 * counts repeat the last pixel or channel and write the same byte twice, which saves the tail code.
 */
#include "sf_dsp.h"

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

static int8_t *copy(int8_t *to, const int8_t *from, int32_t count) {
    for (; count >= 4; count -= 4, to += 4, from += 4) {
        sf_store32(to, sf_load32(from));
    }
    for (; count > 0; count--) {
        *to++ = *from++;
    }
    return to;
}

static int8_t *fill(int8_t *to, int8_t value, int32_t count) {
    const uint32_t four = (uint8_t)value * UINT32_C(0x01010101);
    for (; count >= 4; count -= 4, to += 4) {
        sf_store32(to, four);
    }
    for (; count > 0; count--) {
        *to++ = value;
    }
    return to;
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

/* count bytes become (count + 3) / 4 pairs of words, each pair 4 words after the one before. */
static void widen(const int8_t *from, int32_t count, uint32_t *to) {
    for (; count >= 4; count -= 4, from += 4, to += 4) {
        const uint32_t four = sf_load32(from);
        to[0] = sf_sxtb16(four);
        to[2] = sf_sxtb16_ror8(four);
    }
    if (count > 0) {
        uint32_t four = 0;
        for (int32_t i = 0; i < count; i++) {
            four |= (uint32_t)(uint8_t)from[i] << (8 * i);
        }
        to[0] = sf_sxtb16(four);
        to[2] = sf_sxtb16_ror8(four);
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

/* words: in a row of weights. Two are taken at a time. Apart, so that all registers are its own. */
SF_NOINLINE static void multiply_rows(const int8_t *weights_0, const int8_t *weights_1,
                                      const uint32_t *pixels, int32_t words, int32_t bias_0,
                                      int32_t bias_1, int32_t sums[4]) {
    int32_t s0 = bias_0, s1 = bias_0, s2 = bias_1, s3 = bias_1;
    if (words & 1) {
        sf_multiply_block(&weights_0, &weights_1, &pixels, &s0, &s1, &s2, &s3);
    }
    for (const uint32_t *end = pixels + 4 * (words & ~1); pixels < end;) {
        sf_multiply_block(&weights_0, &weights_1, &pixels, &s0, &s1, &s2, &s3);
        sf_multiply_block(&weights_0, &weights_1, &pixels, &s0, &s1, &s2, &s3);
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

/* All output channels of two pixels. */
static void multiply_pixels(const sf_conv2d_params *restrict p, const uint32_t *pixels,
                            int32_t words, int8_t *out_0, int8_t *out_1) {
    const sf_output_stage *stage = &p->stage;
    const int32_t last = p->window.out_channels - 1;
    for (int32_t o = 0; o <= last; o += 2) {
        const int32_t next = sf_min(o + 1, last);
        const sf_channel c0 = sf_load_channel(stage, o), c1 = sf_load_channel(stage, next);
        int32_t sums[4];
        multiply_rows(p->kernel + o * words * 4, p->kernel + next * words * 4, pixels, words,
                      stage->bias[o], stage->bias[next], sums);
        if (stage->plain) {
            out_0[o] = (int8_t)sf_finish_plain(c0, sums[0]);
            out_1[o] = (int8_t)sf_finish_plain(c0, sums[1]);
            out_0[next] = (int8_t)sf_finish_plain(c1, sums[2]);
            out_1[next] = (int8_t)sf_finish_plain(c1, sums[3]);
        } else {
            out_0[o] = (int8_t)sf_finish_any(stage, c0, sums[0]);
            out_1[o] = (int8_t)sf_finish_any(stage, c0, sums[1]);
            out_0[next] = (int8_t)sf_finish_any(stage, c1, sums[2]);
            out_1[next] = (int8_t)sf_finish_any(stage, c1, sums[3]);
        }
    }
}

void sf_conv2d_s8_dsp(const sf_conv2d_params *restrict p, const int8_t *in, int8_t *out,
                      void *scratch) {
    const sf_window *w = &p->window;
    const int32_t row = w->kernel_height * w->kernel_width * w->in_channels;
    const int32_t words = (row + 3) / 4;
    uint32_t *pixels = scratch;
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
