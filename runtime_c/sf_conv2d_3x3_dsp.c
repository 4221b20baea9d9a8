/* SPDX-License-Identifier: Apache-2.0 */
/* 3 x 3 convolution for cores with DSP instructions, two tiles of 2 x 2 outputs at a time. */
#include "sf_tiles.h"
#include "sf_widen.h"

/* What scratch holds, in this order: the data of all runs, the runs' sums, two rows of outputs, two
 * tiles' inputs. */
typedef struct sf_sizes {
    uint32_t run, pixel, rows; /* in bytes: of one run; of an output pixel; of both rows */
    int32_t blocks;            /* of two tiles, in a row */
} sf_sizes;

static inline sf_sizes sizes_of(const sf_window *w) {
    sf_sizes s;
    s.run = (w->in_channels + 7u) / 8u * 32u;
    s.pixel = (w->out_channels + 3u) & ~3u;
    s.blocks = (w->out_width + 3) / 4;
    s.rows = 8u * (uint32_t)s.blocks * s.pixel;
    return s;
}

uint32_t sf_conv2d_3x3_dsp_scratch_bytes(const sf_conv2d_3x3_params *p) {
    const sf_sizes s = sizes_of(&p->window);
    const uint32_t inputs = SF_TILES_HIGH * SF_TILES_WIDE * (uint32_t)p->window.in_channels;
    return SF_RUNS * s.run + SF_RUNS * 32u + s.rows + inputs + SF_GATHER_SLACK;
}

/* As copy, four words a turn. */
static inline void copy_fours(int8_t *restrict to, const int8_t *restrict from, int32_t count) {
    for (; count >= 16; count -= 16, to += 16, from += 16) {
        const uint32_t a = sf_load32(from), b = sf_load32(from + 4);
        const uint32_t c = sf_load32(from + 8), d = sf_load32(from + 12);
        sf_store32(to, a);
        sf_store32(to + 4, b);
        sf_store32(to + 8, c);
        sf_store32(to + 12, d);
    }
    copy(to, from, count);
}

/* One row of outputs from scratch to where it belongs. */
static void put_row(const sf_conv2d_3x3_params *p, const int8_t *from, uint32_t pixel,
                    int8_t *out) {
    const int32_t channels = p->window.out_channels, width = p->window.out_width;
    if (pixel == (uint32_t)channels) {
        copy_fours(out, from, width * channels);
    } else {
        int8_t *to = out;
        for (int32_t x = 0; x < width; x++, from += pixel) {
            to = copy(to, from, channels);
        }
    }
    if (p->activation_min > INT8_MIN || p->activation_max < INT8_MAX) {
        for (int32_t i = 0; i < width * channels; i++) {
            out[i] = (int8_t)sf_clamp(out[i], p->activation_min, p->activation_max);
        }
    }
}

/* Inputs as a window over two tiles: gather fills what lies outside. */
static sf_window window_of_tiles(const sf_window *w) {
    sf_window tiles = *w;
    tiles.kernel_height = SF_TILES_HIGH;
    tiles.kernel_width = SF_TILES_WIDE;
    return tiles;
}

void sf_conv2d_3x3_s8_dsp(const sf_conv2d_3x3_params *restrict p, const int8_t *in, int8_t *out,
                          void *scratch) {
    const sf_window tiles = window_of_tiles(&p->window);
    const sf_sizes sizes = sizes_of(&tiles);
    const int32_t channels = tiles.in_channels, row = tiles.in_width * channels;
    const int32_t out_row = tiles.out_width * tiles.out_channels;
    uint32_t *const data = (uint32_t *)scratch;
    int32_t *const sums = (int32_t *)(data + SF_RUNS * (sizes.run / 4));
    int8_t *const rows = (int8_t *)(sums + SF_RUNS * 8);
    int8_t *const bytes = rows + sizes.rows;
    sf_tiles job;
    job.data = data;
    job.weights = (const uint32_t *)(const void *)p->kernel;
    job.records = p->records;
    job.groups = (tiles.out_channels + 3) / 4;
    job.run_bytes = sizes.run;
    job.sums = sums;
    job.pixel_step = sizes.pixel;
    job.row_step = sizes.rows / 2;
    job.is_signed = p->out_zero_point > INT8_MIN;
    for (int32_t y = 0; y < tiles.out_height; y += 2, out += 2 * out_row) {
        const int32_t top = y - tiles.pad_top;
        for (int32_t i = 0; i < sizes.blocks; i++) {
            const int32_t left = 4 * i - tiles.pad_left;
            if (channels % 4 == 0 && is_inside(&tiles, top, left)) {
                sf_tiles_inputs(in + top * row + left * channels, data, channels, row, sizes.run,
                                channels);
            } else {
                gather(&tiles, p->in_zero_point, in, top, left, bytes);
                sf_tiles_inputs(bytes, data, channels, SF_TILES_WIDE * channels, sizes.run,
                                channels);
            }
            job.out = rows + 4 * i * (int32_t)sizes.pixel;
            sf_tiles_four(&job);
        }
        /* Only now: windows of the row above read what these outputs may lie over. */
        put_row(p, rows, sizes.pixel, out);
        if (y + 1 < tiles.out_height) {
            put_row(p, rows + sizes.rows / 2, sizes.pixel, out + out_row);
        }
    }
}
