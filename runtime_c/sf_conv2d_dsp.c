/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution for cores with DSP instructions. */
#include "sf_conv2d_dsp.h"

uint32_t sf_conv2d_dsp_scratch_bytes(const sf_conv2d_params *p) {
    const sf_window *w = &p->window;
    const uint32_t row = ((uint32_t)w->kernel_height * w->kernel_width * w->in_channels + 3u) & ~3u;
    /* Two widened windows, and one as bytes. */
    return never_copies(w) ? 4u * row : 5u * row + SF_GATHER_SLACK;
}

void sf_conv2d_s8_dsp(const sf_conv2d_params *restrict p, const int8_t *in, int8_t *out,
                      void *scratch) {
    const sf_window *w = &p->window;
    const int32_t words = (w->kernel_height * w->kernel_width * w->in_channels + 3) / 4;
    uint32_t *pixels = (uint32_t *)scratch;
    sf_cursor at = sf_first_window(w, p->stage.in_zero_point, in, (int8_t *)(pixels + 4 * words));
    int32_t left = w->out_height * w->out_width;
    while (left > 0) {
        int8_t *outs[2];
        for (int32_t side = 0; side < 2; side++) {
            sf_widen_window(&at, pixels + side);
            outs[side] = out;
            if (--left > 0) {
                out += w->out_channels;
                sf_next_window(&at);
            }
        }
        multiply_pixels(p, pixels, words, outs[0], outs[1]);
    }
}
