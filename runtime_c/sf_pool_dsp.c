/* SPDX-License-Identifier: Apache-2.0 */
/* Largest value and average of the input pixels that a window covers, four channels at a time. */
#include "sf_tile.h"

/* The part of a window, along one axis, that lies on the input. */
static inline int32_t clip(int32_t start, int32_t length, int32_t size, int32_t *first) {
    *first = sf_max(start, 0);
    return sf_min(start + length, size) - *first;
}

/* Four outputs; from: the first of the tile's values. */
typedef uint32_t reduction(const int8_t *from, const sf_tile *tile);

static inline uint32_t average(const int8_t *from, const sf_tile *tile) {
    const int32_t count = tile->rows * tile->columns;
    int32_t sums[4] = {0, 0, 0, 0};
    uint32_t four = 0;
    sf_add_large_tile(from, tile, sums);
    for (int32_t i = 3; i >= 0; i--) {
        const int32_t half = sums[i] > 0 ? count / 2 : -(count / 2);
        four = four << 8 | (uint8_t)((sums[i] + half) / count);
    }
    return four;
}

/* in: the window's first pixel on the input. Where the channels are no multiple of 4, the last four
 * of them overlap the four before: the input is still there, as the contract's overlap has it. */
static inline void one_pixel(const sf_pool_params *p, const int8_t *in, const sf_tile *tile,
                             int8_t *out, reduction *reduce) {
    const uint32_t low = (uint8_t)p->activation_min * UINT32_C(0x01010101);
    const uint32_t high = (uint8_t)p->activation_max * UINT32_C(0x01010101);
    const int32_t last = p->window.in_channels - 4;
    for (int32_t c = 0;; c = sf_min(c + 4, last)) {
        const uint32_t four = sf_max4(reduce(in + c, tile), low);
        sf_store32(out + c, ~sf_max4(~four, ~high));
        if (c == last) {
            return;
        }
    }
}

/* Functions of their own, so that the loops around them take no registers from those inside. */
typedef void pixel(const sf_pool_params *p, const int8_t *in, const sf_tile *tile, int8_t *out);

SF_NOINLINE static void largest_of_pixel(const sf_pool_params *p, const int8_t *in,
                                         const sf_tile *tile, int8_t *out) {
    one_pixel(p, in, tile, out, sf_max_of_tile);
}

SF_NOINLINE static void average_of_pixel(const sf_pool_params *p, const int8_t *in,
                                         const sf_tile *tile, int8_t *out) {
    one_pixel(p, in, tile, out, average);
}

static inline void pool(const sf_pool_params *p, const int8_t *in, int8_t *out, pixel *make) {
    const sf_window *w = &p->window;
    const int32_t channels = w->in_channels, row_step = w->in_width * channels;
    for (int32_t y = 0; y < w->out_height; y++) {
        int32_t row, column;
        const int32_t rows =
            clip(y * w->stride_height - w->pad_top, w->kernel_height, w->in_height, &row);
        for (int32_t x = 0; x < w->out_width; x++, out += channels) {
            const int32_t columns =
                clip(x * w->stride_width - w->pad_left, w->kernel_width, w->in_width, &column);
            const sf_tile tile = sf_make_tile(rows, columns, row_step, channels);
            make(p, in + row * row_step + column * channels, &tile, out);
        }
    }
}

void sf_max_pool_s8_dsp(const sf_pool_params *restrict p, const int8_t *in, int8_t *out) {
    pool(p, in, out, largest_of_pixel);
}

void sf_average_pool_s8_dsp(const sf_pool_params *restrict p, const int8_t *in, int8_t *out) {
    pool(p, in, out, average_of_pixel);
}
