/* SPDX-License-Identifier: Apache-2.0 */
/* Grouped convolution for cores with DSP instructions: each group is a convolution of its own,
 * whose pixels lie apart. */
#include "sf_conv2d_dsp.h"

uint32_t sf_grouped_conv2d_dsp_scratch_bytes(const sf_grouped_conv2d_params *p) {
    const uint32_t taps = (uint32_t)p->window.kernel_height * p->window.kernel_width;
    /* Two widened windows, and one as bytes. */
    return 5u * ((taps * p->group_inputs + 3u) & ~3u);
}

static void gather_group(const sf_conv2d_params *group, const int8_t *in, int32_t step, int32_t y,
                         int32_t x, int8_t *to) {
    const sf_window *w = &group->window;
    const int32_t top = y * w->stride_height - w->pad_top;
    const int32_t left = x * w->stride_width - w->pad_left;
    for (int32_t i = 0; i < w->kernel_height; i++) {
        const int32_t row = top + i * w->dilation_height;
        for (int32_t j = 0; j < w->kernel_width; j++) {
            const int32_t column = left + j * w->dilation_width;
            if (row < 0 || row >= w->in_height || column < 0 || column >= w->in_width) {
                to = fill(to, group->stage.in_zero_point, w->in_channels);
            } else {
                to = copy(to, in + (row * w->in_width + column) * step, w->in_channels);
            }
        }
    }
}

/* in, out: of the group's first channel; in_step, out_step: from pixel to pixel. */
static void convolve(const sf_conv2d_params *restrict group, const int8_t *in, int32_t in_step,
                     int8_t *out, int32_t out_step, uint32_t *pixels) {
    const sf_window *w = &group->window;
    const int32_t row = w->kernel_height * w->kernel_width * w->in_channels;
    const int32_t words = (row + 3) / 4;
    int8_t *bytes = (int8_t *)(pixels + 4 * words);
    int32_t left = w->out_height * w->out_width;
    int32_t y = 0, x = 0;
    while (left > 0) {
        int8_t *outs[2];
        for (int32_t side = 0; side < 2; side++) {
            gather_group(group, in, in_step, y, x, bytes);
            widen(bytes, row, pixels + side);
            outs[side] = out;
            if (--left > 0) {
                out += out_step;
                if (++x == w->out_width) {
                    x = 0;
                    y++;
                }
            }
        }
        multiply_pixels(group, pixels, words, outs[0], outs[1]);
    }
}

void sf_grouped_conv2d_s8_dsp(const sf_grouped_conv2d_params *restrict p, const int8_t *in,
                              int8_t *out, void *scratch) {
    const sf_window *w = &p->window;
    const int32_t row = (w->kernel_height * w->kernel_width * p->group_inputs + 3) & ~3;
    sf_conv2d_params group = {p->kernel, p->stage, p->window};
    group.window.in_channels = p->group_inputs;
    group.window.out_channels = p->group_outputs;
    for (int32_t o = 0; o < w->out_channels; o += p->group_outputs) {
        convolve(&group, in, w->in_channels, out, w->out_channels, (uint32_t *)scratch);
        in += p->group_inputs;
        out += p->group_outputs;
        group.kernel += p->group_outputs * row;
        group.stage.bias += p->group_outputs;
        group.stage.multiplier += p->group_outputs;
        group.stage.shift += p->group_outputs;
    }
}
