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
    const uint32_t bytes =
        (uint32_t)(p->window.kernel_height * s.pairs * 4 + s.height * s.stride * 2);
    const uint32_t scalar = sf_depthwise_scratch_bytes(p);
    return bytes > scalar ? bytes : scalar;
}

static uint32_t pair(int8_t low, int8_t high) {
    return ((uint32_t)low & UINT32_C(0xFFFF)) | (uint32_t)high << 16;
}

static void widen_weights(const sf_window *w, const int8_t *from, uint32_t *to) {
    const int32_t taps = w->dilation_width == 1 ? 2 : 1;
    for (int32_t i = 0; i < w->kernel_height; i++) {
        for (int32_t j = 0; j < w->kernel_width; j += taps) {
            *to++ = pair(from[j], taps == 2 && j + 1 < w->kernel_width ? from[j + 1] : 0);
        }
        from += w->kernel_width;
    }
}

/* The edges are the same for every channel and are filled once; this fills the inside. */
SF_NOINLINE static void widen_plane(const sf_window *w, plane_shape s, const int8_t *in,
                                    int16_t *plane) {
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

SF_NOINLINE static int32_t window_sum(const int16_t *in, int32_t rows, int32_t row_step,
                                      const uint32_t *weights, int32_t pairs, int32_t step,
                                      int32_t sum) {
    for (; rows > 0; rows--, in += row_step) {
        const int16_t *from = in;
        for (const uint32_t *end = weights + pairs; weights < end; from += step) {
            sum = sf_smlad(*weights++, sf_load32(from), sum);
        }
    }
    return sum;
}

/* The most usual window, `wanted` outputs at a time: two where stride_width is 1, of which a row's
 * last pair may write one; else one, and the neighbour's sum is lost. */
static inline void channel_3x3(const sf_depthwise_params *restrict p, plane_shape s,
                               const int16_t *plane, int32_t o, int8_t *out, int32_t wanted) {
    const sf_channel channel = sf_load_channel(&p->stage, o);
    const int8_t *k = p->kernel + 9 * o;
    const int32_t bias = p->stage.bias[o];
    const int32_t out_step = p->window.out_channels;
    const int32_t in_step = wanted * p->window.stride_width;
    const uint32_t w[6] = {pair(k[0], k[1]), pair(k[1], k[2]), pair(k[3], k[4]),
                           pair(k[4], k[5]), pair(k[6], k[7]), pair(k[7], k[8])};
    for (int32_t y = p->window.out_height; y > 0; y--) {
        const int16_t *in = plane;
        for (int32_t x = p->window.out_width; x > 0; x -= wanted, in += in_step) {
            int32_t sum = bias, next = bias;
            sf_window_pair_3x3(in, s.stride, w, &sum, &next);
            *out = (int8_t)sf_finish_plain(channel, sum);
            out += out_step;
            if (wanted == 2 && x > 1) {
                *out = (int8_t)sf_finish_plain(channel, next);
                out += out_step;
            }
        }
        plane += p->window.stride_height * s.stride;
    }
}

SF_NOINLINE static void channel_3x3_pairs(const sf_depthwise_params *p, plane_shape s,
                                          const int16_t *plane, int32_t o, int8_t *out) {
    channel_3x3(p, s, plane, o, out, 2);
}

SF_NOINLINE static void channel_3x3_singles(const sf_depthwise_params *p, plane_shape s,
                                            const int16_t *plane, int32_t o, int8_t *out) {
    channel_3x3(p, s, plane, o, out, 1);
}

SF_NOINLINE static void channel_any(const sf_depthwise_params *restrict p, plane_shape s,
                                    const int16_t *plane, const uint32_t *weights, int32_t o,
                                    int8_t *out) {
    const sf_window *w = &p->window;
    const sf_channel channel = sf_load_channel(&p->stage, o);
    const int32_t row_step = w->dilation_height * s.stride;
    const int32_t bias = p->stage.bias[o];
    for (int32_t y = w->out_height; y > 0; y--) {
        const int16_t *in = plane;
        for (int32_t x = w->out_width; x > 0; x--) {
            const int32_t sum =
                window_sum(in, w->kernel_height, row_step, weights, s.pairs, s.step, bias);
            *out = (int8_t)sf_finish_double(&p->stage, channel, sum);
            out += w->out_channels;
            in += w->stride_width;
        }
        plane += w->stride_height * s.stride;
    }
}

/* Where taps are neighbours and the short requantization will do. */
static int is_plain_3x3(const sf_depthwise_params *p) {
    const sf_window *w = &p->window;
    return p->stage.plain && w->kernel_height == 3 && w->kernel_width == 3 &&
           w->dilation_height == 1 && w->dilation_width == 1;
}

void sf_depthwise_s8_dsp(const sf_depthwise_params *restrict p, const int8_t *in, int8_t *out,
                         void *scratch) {
    const sf_window *w = &p->window;
    const plane_shape s = shape_of(w);
    const int32_t taps = w->kernel_height * w->kernel_width;
    uint32_t *weights = (uint32_t *)scratch;
    int16_t *plane = (int16_t *)(weights + w->kernel_height * s.pairs);
    for (int32_t i = 0; i < s.height * s.stride; i++) {
        plane[i] = p->stage.in_zero_point;
    }
    int32_t o = 0;
    for (int32_t c = 0; c < w->in_channels; c++) {
        widen_plane(w, s, in + c, plane);
        for (int32_t m = 0; m < p->depth_multiplier; m++, o++) {
            if (is_plain_3x3(p) && w->stride_width == 1) {
                channel_3x3_pairs(p, s, plane, o, out + o);
            } else if (is_plain_3x3(p)) {
                channel_3x3_singles(p, s, plane, o, out + o);
            } else {
                widen_weights(w, p->kernel + o * taps, weights);
                channel_any(p, s, plane, weights, o, out + o);
            }
        }
    }
}
