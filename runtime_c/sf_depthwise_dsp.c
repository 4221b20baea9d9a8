/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution for cores with DSP instructions: one channel plane at a time, widened to
 * int16 with its padding, so that SMLAD takes two neighbouring taps and no window needs a test for
 * edges. All of a channel's inputs are in its plane before the outputs are written.
 *
 * The plane's rows lie along the kernel's longer axis. A kernel row of odd width ends in a pair
 * whose second weight is 0; a dilated row is all such pairs, since its taps are no neighbours. The
 * plane has more columns for what these zeros meet. */
#include "sf_dsp.h"

/* Outputs that are worked on together where neighbours reach overlapping inputs. */
enum { GROUP = 4 };

/* One axis of the window; steps are bytes from one to the next. */
typedef struct axis {
    int32_t in, out, kernel, stride, dilation, pad;
    int32_t in_step, out_step, kernel_step;
} axis;

/* Rows lie along `along`. */
typedef struct plane_shape {
    axis across, along;
    int32_t height; /* rows of the widened plane: all that a window reaches, padding included */
    int32_t stride; /* int16 from row to row, even */
    int32_t pairs;  /* words in a row of widened weights */
    int32_t step;   /* int16 from one pair's input to the next one's */
    int32_t group;  /* GROUP or 1 */
} plane_shape;

static plane_shape shape_of(const sf_window *w) {
    plane_shape s;
    const int32_t in = w->in_channels, out = w->out_channels;
    const axis y = {w->in_height,     w->out_height,      w->kernel_height,
                    w->stride_height, w->dilation_height, w->pad_top,
                    w->in_width * in, w->out_width * out, w->kernel_width};
    const axis x = {w->in_width,
                    w->out_width,
                    w->kernel_width,
                    w->stride_width,
                    w->dilation_width,
                    w->pad_left,
                    in,
                    out,
                    1};
    const int is_upright = y.kernel > x.kernel;
    s.across = is_upright ? x : y;
    s.along = is_upright ? y : x;
    const axis *const a = &s.along;
    const int is_dense = a->dilation == 1;
    s.group = is_dense && a->stride == 1 ? GROUP : 1;
    const int32_t out_columns = (a->out + s.group - 1) & -s.group;
    s.height = (s.across.out - 1) * s.across.stride + (s.across.kernel - 1) * s.across.dilation + 1;
    s.stride = ((out_columns - 1) * a->stride + (a->kernel - 1) * a->dilation + 3) & ~1;
    s.pairs = is_dense ? (a->kernel + 1) / 2 : a->kernel;
    s.step = is_dense ? 2 : a->dilation;
    return s;
}

/* What lies behind the last row is read, but meets zeros. */
static int32_t plane_values(const plane_shape *s) {
    return s->height * s->stride + 2;
}

uint32_t sf_depthwise_dsp_scratch_bytes(const sf_depthwise_params *p) {
    const plane_shape s = shape_of(&p->window);
    const uint32_t bytes = (uint32_t)(s.across.kernel * s.pairs * 4 + plane_values(&s) * 2);
    /* The scalar kernel runs in the same bytes. */
    const uint32_t copied = (uint32_t)((p->window.in_height * p->window.in_width + 3) & ~3);
    return bytes > copied ? bytes : copied;
}

static uint32_t pair(int8_t low, int8_t high) {
    return ((uint32_t)low & UINT32_C(0xFFFF)) | (uint32_t)high << 16;
}

static void widen_weights(const plane_shape *s, const int8_t *kernel, uint32_t *to) {
    const int32_t taps = s->along.dilation == 1 ? 2 : 1, step = s->along.kernel_step;
    for (int32_t i = 0; i < s->across.kernel; i++) {
        const int8_t *from = kernel + i * s->across.kernel_step;
        for (int32_t j = 0; j < s->along.kernel; j += taps, from += taps * step) {
            *to++ = pair(from[0], taps == 2 && j + 1 < s->along.kernel ? from[step] : 0);
        }
    }
}

/* The edges are the same for every channel and are filled once; this fills the inside. */
SF_NOINLINE static void widen_plane(const plane_shape *s, const int8_t *in, int16_t *plane) {
    const int32_t rows = sf_min(s->across.in, s->height - s->across.pad);
    const int32_t columns = sf_min(s->along.in, s->stride - s->along.pad);
    const int32_t step = s->along.in_step;
    for (int32_t y = 0; y < rows; y++) {
        const int8_t *from = in + y * s->across.in_step;
        int16_t *to = plane + (y + s->across.pad) * s->stride + s->along.pad;
        for (const int16_t *end = to + columns; to < end; from += step) {
            *to++ = *from;
        }
    }
}

SF_NOINLINE static int32_t window_sum(const plane_shape *s, const int16_t *in,
                                      const uint32_t *weights, int32_t sum) {
    const int32_t row_step = s->across.dilation * s->stride, step = s->step;
    for (int32_t rows = s->across.kernel; rows > 0; rows--, in += row_step) {
        const int16_t *from = in;
        for (const uint32_t *end = weights + s->pairs; weights < end; from += step) {
            sum = sf_smlad(*weights++, sf_load32(from), sum);
        }
    }
    return sum;
}

static inline void window_sums(const plane_shape *s, const int16_t *in, const uint32_t *weights,
                               int32_t sums[GROUP]) {
    const int32_t row_step = s->across.dilation * s->stride;
    int32_t s0 = sums[0], s1 = s0, s2 = s0, s3 = s0;
    for (int32_t rows = s->across.kernel; rows > 0; rows--, in += row_step) {
        weights = sf_window_row(in, weights, s->pairs, &s0, &s1, &s2, &s3);
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

SF_NOINLINE static void run_channel(const sf_depthwise_params *p, const plane_shape *s,
                                    const int16_t *plane, const uint32_t *weights, int32_t o,
                                    int8_t *out) {
    const sf_channel channel = sf_load_channel(&p->stage, o);
    const int32_t step = s->along.out_step;
    for (int32_t y = 0; y < s->across.out; y++, plane += s->across.stride * s->stride) {
        const int16_t *in = plane;
        int8_t *to = out + y * s->across.out_step;
        for (int32_t x = s->along.out; x > 0; x -= s->group) {
            int32_t sums[GROUP] = {p->stage.bias[o]};
            if (s->group == 1) {
                sums[0] = window_sum(s, in, weights, sums[0]);
                in += s->along.stride;
            } else {
                window_sums(s, in, weights, sums);
                in += GROUP;
            }
            for (int32_t i = 0; i < sf_min(x, s->group); i++, to += step) {
                *to = (int8_t)sf_finish_double(&p->stage, channel, sums[i]);
            }
        }
    }
}

void sf_depthwise_s8_dsp(const sf_depthwise_params *p, const int8_t *in, int8_t *out,
                         void *scratch) {
    const sf_window *w = &p->window;
    const plane_shape s = shape_of(w);
    const int32_t taps = w->kernel_height * w->kernel_width;
    uint32_t *weights = (uint32_t *)scratch;
    int16_t *plane = (int16_t *)(weights + s.across.kernel * s.pairs);
    for (int32_t i = 0; i < plane_values(&s); i++) {
        plane[i] = p->stage.in_zero_point;
    }
    int32_t o = 0;
    for (int32_t c = 0; c < w->in_channels; c++) {
        widen_plane(&s, in + c, plane);
        for (int32_t m = 0; m < p->depth_multiplier; m++, o++) {
            widen_weights(&s, p->kernel + o * taps, weights);
            run_channel(p, &s, plane, weights, o, out + o);
        }
    }
}
