/* SPDX-License-Identifier: Apache-2.0 */
/* A plane in another size. */
#include "sf_dsp.h"

enum { POSITION_BITS = 10, ONE = 1 << POSITION_BITS };

/* Between which two rows or columns an output lies; upper: the second one's weight, of ONE. It can
 * be negative where both are the first. */
typedef struct place {
    int32_t first, second, upper;
} place;

/* Divisions, not shifts: a negative position is more than -ONE, and its row or column is 0. */
static place find(int32_t position, int32_t size) {
    const int32_t first = position / ONE;
    const place found = {first, sf_min((position + ONE - 1) / ONE, size - 1),
                         position - first * ONE};
    return found;
}

void sf_resize_bilinear_s8(const sf_resize_bilinear_params *restrict p, const int8_t *in,
                           int8_t *out) {
    const int32_t channels = p->channels, row = p->in_width * channels;
    const int32_t half = 1 << (2 * POSITION_BITS - 1);
    for (int32_t i = 0; i < p->out_height; i++) {
        const place y = find(i * p->step_y + p->offset_y, p->in_height);
        for (int32_t j = 0; j < p->out_width; j++) {
            const place x = find(j * p->step_x + p->offset_x, p->in_width);
            const int8_t *top = in + y.first * row, *bottom = in + y.second * row;
            for (int32_t c = 0; c < channels; c++, top++, bottom++) {
                const int32_t left = top[x.first * channels] * (ONE - y.upper) +
                                     bottom[x.first * channels] * y.upper;
                const int32_t right = top[x.second * channels] * (ONE - y.upper) +
                                      bottom[x.second * channels] * y.upper;
                const int32_t sum = left * (ONE - x.upper) + right * x.upper;
                *out++ = (int8_t)((sum + (sum > 0 ? half : -half)) / (ONE * ONE));
            }
        }
    }
}

void sf_resize_nearest_s8(const sf_resize_nearest_params *restrict p, const int8_t *in,
                          int8_t *out) {
    const int32_t channels = p->channels;
    for (int32_t i = 0; i < p->out_height; i++) {
        const int8_t *row = in + p->rows[i] * p->in_width * channels;
        for (int32_t j = 0; j < p->out_width; j++) {
            sf_move(out, row + p->columns[j] * channels, (uint32_t)channels);
            out += channels;
        }
    }
}
