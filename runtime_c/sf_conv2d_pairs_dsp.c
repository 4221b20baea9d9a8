/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution by pairs of channels for cores with DSP instructions: two windows at a time. */
#include "sf_pairs.h"
#include "sf_widen.h"

uint32_t sf_conv2d_pairs_dsp_scratch_bytes(const sf_conv2d_pairs_params *p) {
    const sf_window *w = &p->window;
    const uint32_t row = ((uint32_t)w->kernel_height * w->kernel_width * w->in_channels + 3u) & ~3u;
    /* Two widened windows, and one as bytes. */
    return never_copies(w) ? 4u * row : 5u * row + SF_GATHER_SLACK;
}

/* Channels behind the last group of four: one group whose unused channels must not be written. */
static void multiply_rest(const sf_conv2d_pairs_params *p, sf_pairs job, int32_t steps) {
    const int32_t full = p->window.out_channels / 4, rest = p->window.out_channels % 4;
    int8_t made[2][4];
    int8_t *outs[2];
    outs[0] = job.out_0 + 4 * full;
    outs[1] = job.out_1 + 4 * full;
    const uint32_t *weights = job.weights + 2 * steps * full;
    job.records += SF_RECORD_WORDS * full;
    job.records_end = job.records + SF_RECORD_WORDS;
    job.out_0 = made[0];
    job.out_1 = made[1];
    if (rest == 3) {
        sf_prepare_pairs(&job, job.pixels, weights, steps, 2, SF_FOUR_UNROLL);
        sf_pairs_four(&job);
    } else {
        sf_prepare_pairs(&job, job.pixels, weights, steps, 1, SF_TWO_UNROLL);
        sf_pairs_two(&job);
    }
    for (int32_t side = 0; side < 2; side++) {
        for (int32_t i = 0; i < rest; i++) {
            outs[side][i] = made[side][i];
        }
    }
}

SF_NOINLINE static void clamp_pixel(const sf_conv2d_pairs_params *p, int8_t *out) {
    for (int32_t i = 0; i < p->window.out_channels; i++) {
        out[i] = (int8_t)sf_clamp(out[i], p->activation_min, p->activation_max);
    }
}

/* Output pixel i reads input pixel i. */
static int follows_the_input(const sf_window *w) {
    return w->kernel_height == 1 && w->kernel_width == 1 && w->pad_top == 0 && w->pad_left == 0 &&
           w->stride_height == 1 && w->stride_width == 1 && w->out_width == w->in_width;
}

void sf_conv2d_pairs_s8_dsp(const sf_conv2d_pairs_params *restrict p, const int8_t *in, int8_t *out,
                            void *scratch) {
    const sf_window *w = &p->window;
    const int32_t steps = (w->kernel_height * w->kernel_width * w->in_channels + 3) / 4 * 2;
    uint32_t *pixels = (uint32_t *)scratch;
    sf_cursor at = sf_first_window(w, p->in_zero_point, in, (int8_t *)(pixels + 2 * steps));
    int32_t left = w->out_height * w->out_width;
    sf_pairs job;
    sf_prepare_pairs(&job, pixels, (const uint32_t *)(const void *)p->kernel, steps, 2,
                     SF_FOUR_UNROLL);
    job.records = p->records;
    job.records_end = p->records + w->out_channels / 4 * SF_RECORD_WORDS;
    job.zero_point_twice = 2 * p->out_zero_point + 1;
    const int in_line = follows_the_input(w);
    for (; left > 0; left -= 2) {
        /* An odd last pixel is its own partner. */
        const int32_t step = left > 1;
        job.out_0 = out;
        job.out_1 = out + step * w->out_channels;
        out += 2 * w->out_channels;
        if (in_line) {
            widen(in, w->in_channels, pixels);
            widen(in + step * w->in_channels, w->in_channels, pixels + 1);
            in += 2 * w->in_channels;
        } else {
            sf_widen_window(&at, pixels);
            if (step) {
                sf_next_window(&at);
            }
            sf_widen_window(&at, pixels + 1);
            sf_next_window(&at);
        }
        if (w->out_channels >= 4) {
            sf_pairs_four(&job);
        }
        if (w->out_channels % 4 != 0) {
            multiply_rest(p, job, steps);
        }
        if (p->activation_min > INT8_MIN || p->activation_max < INT8_MAX) {
            clamp_pixel(p, job.out_0);
            clamp_pixel(p, job.out_1);
        }
    }
}
