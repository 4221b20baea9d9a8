/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution for cores with DSP instructions: one channel plane at a time, widened to
 * int16 with its padding, so that SMLAD takes two neighbouring taps and no window needs a test for
 * edges.
 *
 * A kernel row of odd width ends in a pair whose second weight is 0; a dilated row is all such
 * pairs, since its taps are no neighbours. The plane has one more column for what these zeros meet.
 */
#include "sf_dsp.h"

typedef struct plane_shape {
    int32_t height; /* rows of the widened plane: all that a window reaches, padding included */
    int32_t stride; /* int16 from row to row, even */
    int32_t pairs;  /* words in a row of widened weights */
    int32_t step;   /* int16 from one pair's input to the next one's */
} plane_shape;

static plane_shape shape_of(const sf_window *w) {
    plane_shape s;
    const int32_t reach = (w->kernel_width - 1) * w->dilation_width;
    const int is_dense = w->dilation_width == 1;
    s.height =
        (w->out_height - 1) * w->stride_height + (w->kernel_height - 1) * w->dilation_height + 1;
    s.stride = ((w->out_width - 1) * w->stride_width + reach + 3) & ~1;
    s.pairs = is_dense ? (w->kernel_width + 1) / 2 : w->kernel_width;
    s.step = is_dense ? 2 : w->dilation_width;
    return s;
}

uint32_t sf_depthwise_dsp_scratch_bytes(const sf_depthwise_params *p) {
    const plane_shape s = shape_of(&p->window);
    return (uint32_t)(p->window.kernel_height * s.pairs * 4 + s.height * s.stride * 2);
}

static void widen_weights(const sf_window *w, const int8_t *from, uint32_t *to) {
    const int32_t taps = w->dilation_width == 1 ? 2 : 1;
    for (int32_t i = 0; i < w->kernel_height; i++) {
        for (int32_t j = 0; j < w->kernel_width; j += taps) {
            const int has_second = taps == 2 && j + 1 < w->kernel_width;
            const uint32_t second = has_second ? (uint16_t)from[j + 1] : 0u;
            to[0] = (uint16_t)from[j] | second << 16;
            to++;
        }
        from += w->kernel_width;
    }
}

/* The edges are the same for every channel and are filled once; this fills the inside. */
static void widen_plane(const sf_window *w, plane_shape s, const int8_t *in, int16_t *plane) {
    const int32_t rows = sf_min(w->in_height, s.height - w->pad_top);
    const int32_t columns = sf_min(w->in_width, s.stride - w->pad_left);
    const int32_t channels = w->in_channels;
    for (int32_t y = 0; y < rows; y++) {
        const int8_t *from = in + y * w->in_width * channels;
        int16_t *to = plane + (y + w->pad_top) * s.stride + w->pad_left;
        for (const int16_t *end = to + columns; to < end; from += channels) {
            *to++ = *from;
        }
    }
}

static int32_t window_sum(const sf_window *w, plane_shape s, const int16_t *in,
                          const uint32_t *weights, int32_t sum) {
    for (int32_t i = 0; i < w->kernel_height; i++) {
        const int16_t *from = in;
        for (const uint32_t *end = weights + s.pairs; weights < end; from += s.step) {
            sum = sf_smlad(*weights++, sf_load32(from), sum);
        }
        in += w->dilation_height * s.stride;
    }
    return sum;
}

/* The most usual window: its weights stay in registers along a row. */
static void row_3x3(const sf_depthwise_params *p, plane_shape s, const int16_t *in,
                    const uint32_t *weights, int32_t o, int8_t *out) {
    const sf_channel channel = sf_load_channel(&p->stage, o);
    const int32_t bias = p->stage.bias[o];
    const uint32_t w0 = weights[0], w1 = weights[1], w2 = weights[2];
    const uint32_t w3 = weights[3], w4 = weights[4], w5 = weights[5];
    for (int32_t x = p->window.out_width; x > 0; x--) {
        const int16_t *middle = in + s.stride;
        const int16_t *bottom = middle + s.stride;
        int32_t sum = sf_smlad(w0, sf_load32(in), bias);
        sum = sf_smlad(w1, sf_load32(in + 2), sum);
        sum = sf_smlad(w2, sf_load32(middle), sum);
        sum = sf_smlad(w3, sf_load32(middle + 2), sum);
        sum = sf_smlad(w4, sf_load32(bottom), sum);
        sum = sf_smlad(w5, sf_load32(bottom + 2), sum);
        *out = sf_finish_double(&p->stage, channel, sum);
        out += p->window.out_channels;
        in += p->window.stride_width;
    }
}

static void row_any(const sf_depthwise_params *p, plane_shape s, const int16_t *in,
                    const uint32_t *weights, int32_t o, int8_t *out) {
    const sf_channel channel = sf_load_channel(&p->stage, o);
    for (int32_t x = p->window.out_width; x > 0; x--) {
        const int32_t sum = window_sum(&p->window, s, in, weights, p->stage.bias[o]);
        *out = sf_finish_double(&p->stage, channel, sum);
        out += p->window.out_channels;
        in += p->window.stride_width;
    }
}

static void one_channel(const sf_depthwise_params *p, plane_shape s, const int16_t *plane,
                        const uint32_t *weights, int32_t o, int8_t *out) {
    const sf_window *w = &p->window;
    const int is_3x3 = w->kernel_height == 3 && w->kernel_width == 3 && w->dilation_width == 1 &&
                       w->dilation_height == 1;
    for (int32_t y = 0; y < w->out_height; y++) {
        if (is_3x3) {
            row_3x3(p, s, plane, weights, o, out);
        } else {
            row_any(p, s, plane, weights, o, out);
        }
        plane += w->stride_height * s.stride;
        out += w->out_width * w->out_channels;
    }
}

void sf_depthwise_s8_dsp(const sf_depthwise_params *p, const int8_t *in, int8_t *out,
                         void *scratch) {
    const sf_window *w = &p->window;
    const plane_shape s = shape_of(w);
    const int32_t taps = w->kernel_height * w->kernel_width;
    uint32_t *weights = scratch;
    int16_t *plane = (int16_t *)(weights + w->kernel_height * s.pairs);
    for (int32_t i = 0; i < s.height * s.stride; i++) {
        plane[i] = p->stage.in_zero_point;
    }
    int32_t o = 0;
    for (int32_t c = 0; c < w->in_channels; c++) {
        widen_plane(w, s, in + c, plane);
        for (int32_t m = 0; m < p->depth_multiplier; m++, o++) {
            widen_weights(w, p->kernel + o * taps, weights);
            one_channel(p, s, plane, weights, o, out + o);
        }
    }
}
