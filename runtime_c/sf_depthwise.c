/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution, scalar reference: one output at a time, straight from the definition. A
 * channel's plane is copied first, so that its outputs may overwrite its inputs. */
#include "sf_internal.h"

/* Padding counts as zero_point, since -zero_point * sum(kernel) is part of the bias. */
static int32_t window_sum(const sf_depthwise_params *p, const int8_t *plane, const int8_t *weights,
                          int32_t top, int32_t left) {
    const sf_window *w = &p->window;
    int32_t sum = 0;
    for (int32_t i = 0; i < w->kernel_height; i++) {
        const int32_t y = top + i * w->dilation_height;
        for (int32_t j = 0; j < w->kernel_width; j++) {
            const int32_t x = left + j * w->dilation_width;
            const int inside = y >= 0 && y < w->in_height && x >= 0 && x < w->in_width;
            const int32_t value = inside ? plane[y * w->in_width + x] : p->stage.in_zero_point;
            sum += *weights++ * value;
        }
    }
    return sum;
}

static void one_channel(const sf_depthwise_params *p, const int8_t *plane, int32_t o, int8_t *out) {
    const sf_window *w = &p->window;
    const sf_output_stage *stage = &p->stage;
    const int8_t *weights = p->kernel + o * w->kernel_height * w->kernel_width;
    for (int32_t y = 0; y < w->out_height; y++) {
        const int32_t top = y * w->stride_height - w->pad_top;
        for (int32_t x = 0; x < w->out_width; x++) {
            const int32_t left = x * w->stride_width - w->pad_left;
            const int32_t sum = stage->bias[o] + window_sum(p, plane, weights, top, left);
            const int32_t value = sf_requantize_double(sum, stage->multiplier[o], stage->shift[o]);
            out[(y * w->out_width + x) * w->out_channels + o] = sf_finish(stage, value);
        }
    }
}

uint32_t sf_depthwise_scratch_bytes(const sf_depthwise_params *p) {
    return (uint32_t)((p->window.in_height * p->window.in_width + 3) & ~3);
}

void sf_depthwise_s8(const sf_depthwise_params *p, const int8_t *in, int8_t *out, void *scratch) {
    const int32_t pixels = p->window.in_height * p->window.in_width;
    const int32_t channels = p->window.in_channels;
    int8_t *plane = (int8_t *)scratch;
    int32_t o = 0;
    for (int32_t c = 0; c < channels; c++) {
        for (int32_t i = 0; i < pixels; i++) {
            plane[i] = in[i * channels + c];
        }
        for (int32_t m = 0; m < p->depth_multiplier; m++) {
            one_channel(p, plane, o++, out);
        }
    }
}
