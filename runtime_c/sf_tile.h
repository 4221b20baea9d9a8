/* SPDX-License-Identifier: Apache-2.0 */
/* Largest value and sum of four neighbouring channels over rows and columns: what pools and
 * reductions share. Private to the kernels. */
#ifndef SF_TILE_H
#define SF_TILE_H

#include "sf_lanes.h"

/* Values at from + row * row_step + column * step; both counts are at least 1. */
typedef struct sf_tile {
    int32_t rows, columns, row_step, step;
} sf_tile;

/* So many int8 of the same sign fit the 16 bits of a half. */
enum { SF_HALF_SUMS = 255 };

/* The same values; rows that follow one another without a gap are one. */
static inline sf_tile sf_make_tile(int32_t rows, int32_t columns, int32_t row_step, int32_t step) {
    const sf_tile tile = {rows, columns, row_step, step};
    const sf_tile line = {1, rows * columns, row_step, step};
    return columns * step == row_step ? line : tile;
}

/* Not inlined, as the registers are just enough for the loop alone. */
SF_NOINLINE static uint32_t sf_max_of_tile(const int8_t *from, const sf_tile *tile) {
    const int32_t step = tile->step, columns = tile->columns;
    uint32_t largest = UINT32_C(0x80808080);
    for (int32_t row = tile->rows; row > 0; row--, from += tile->row_step) {
        const int8_t *in = from;
        if (columns & 1) {
            largest = sf_max4(largest, sf_load32(in));
            in += step;
        }
        for (int32_t left = columns >> 1; left > 0; left--, in += 2 * step) {
            const uint32_t first = sf_load32(in), second = sf_load32(in + step);
            largest = sf_max4(sf_max4(largest, first), second);
        }
    }
    return largest;
}

/* Adds at most SF_HALF_SUMS values of each channel to its sum. */
SF_NOINLINE static void sf_add_tile(const int8_t *from, const sf_tile *tile, int32_t sums[4]) {
    const int32_t step = tile->step, columns = tile->columns;
    uint32_t even = 0, odd = 0;
    for (int32_t row = tile->rows; row > 0; row--, from += tile->row_step) {
        const int8_t *in = from;
        if (columns & 1) {
            const uint32_t word = sf_load32(in);
            even = sf_sxtab16(even, word);
            odd = sf_sxtab16_ror8(odd, word);
            in += step;
        }
        for (int32_t left = columns >> 1; left > 0; left--, in += 2 * step) {
            sf_sum_two(in, step, &even, &odd);
        }
    }
    sums[0] += (int16_t)(uint16_t)even;
    sums[1] += (int16_t)(uint16_t)odd;
    sums[2] += (int16_t)(uint16_t)(even >> 16);
    sums[3] += (int16_t)(uint16_t)(odd >> 16);
}

/* As sf_add_tile, for a tile of any size. */
static inline void sf_add_large_tile(const int8_t *from, const sf_tile *tile, int32_t sums[4]) {
    if (tile->rows * tile->columns <= SF_HALF_SUMS) {
        sf_add_tile(from, tile, sums);
        return;
    }
    for (int32_t row = 0; row < tile->rows; row++, from += tile->row_step) {
        for (int32_t column = 0; column < tile->columns; column += SF_HALF_SUMS) {
            const sf_tile part = {1, sf_min(tile->columns - column, SF_HALF_SUMS), 0, tile->step};
            sf_add_tile(from + column * tile->step, &part, sums);
        }
    }
}

#endif
