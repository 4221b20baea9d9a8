/* SPDX-License-Identifier: Apache-2.0 */
/* Rows and columns of zero_point around a plane. */
#include "sf_internal.h"

static int8_t *fill(int8_t *to, int8_t value, int32_t count) {
    while (count-- > 0) {
        *to++ = value;
    }
    return to;
}

void sf_pad_s8(const sf_pad_params *restrict p, const int8_t *in, int8_t *out) {
    const int32_t channels = p->channels;
    const int32_t row = p->in_width * channels;
    const int32_t out_row = (p->left + p->in_width + p->right) * channels;
    out = fill(out, p->zero_point, p->top * out_row);
    for (int32_t y = 0; y < p->in_height; y++) {
        out = fill(out, p->zero_point, p->left * channels);
        for (int32_t i = 0; i < row; i++) {
            *out++ = *in++;
        }
        out = fill(out, p->zero_point, p->right * channels);
    }
    (void)fill(out, p->zero_point, p->bottom * out_row);
}
