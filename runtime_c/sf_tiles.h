/* SPDX-License-Identifier: Apache-2.0 */
/* A 3 x 3 convolution in tiles of 2 x 2 outputs with 16 products instead of 36 (Winograd,
 * Arithmetic Complexity of Computations, 1980; Lavin and Gray, arXiv:1509.09308, F(2 x 2, 3 x 3)),
 * in integers: along an axis, from four inputs d and three weights g, m0 = (d0 - d2) * 2 g0 m1 =
 * (d1 + d2) * (g0 + g1 + g2) m2 = (d2 - d1) * (g0 - g1 + g2)  m3 = (d1 - d3) * 2 g2 2 * y0 = m0 +
 * m1 + m2            2 * y1 = m1 - m2 - m3 and so along both for 4 * y. The weights are the
 * exporter's, their sums and differences too; the products are added up over the channels before
 * they are put together. Private to the kernels.
 *
 * The 16 products, m[row][column], come in the order of their runs: column 0 to 3, of each the rows
 * 3, 2, 1, 0, with the weights of rows 3 and 2 negated. The sums of a run are not set back for the
 * next one: what the runs before made cancels when they are put together, and so does what wraps
 * around. */
#ifndef SF_TILES_H
#define SF_TILES_H

#include "sf_dsp.h"

#define SF_RUNS 16
/* Two neighbouring tiles go together: 4 x 6 inputs, 2 x 4 outputs. */
#define SF_TILES_HIGH 4
#define SF_TILES_WIDE 6
/* Per output channel: twice the bias, multiplier, how far to shift right, less 1, and a half for
 * the rounding and the zero_point, both shifted left. */
#define SF_TILES_RECORD_WORDS 4

/* Two tiles times `groups` groups of four output channels.
 * data: [run][pair of channels][tile], two channels a word; weights: [group][run][pair of
 * channels][channel of the group].
 * out: the top left output's first channel; the outputs to the right are pixel_step bytes apart,
 * those below row_step.
 * run_bytes: of the data of one run, a multiple of 32.
 * sums: room for 128 words. The assembly has room for 16 words of its own: keep the order. */
typedef struct sf_tiles {
    const uint32_t *data;
    const uint32_t *weights;
    const int32_t *records;
    int8_t *out;
    int32_t groups;
    uint32_t run_bytes;
    int32_t *sums;
    uint32_t pixel_step;
    uint32_t row_step;
    uint32_t is_signed; /* whether the output's zero_point is above the lowest value */
    uint32_t room[6];
} sf_tiles;

void sf_tiles_four(const sf_tiles *job);

/* Two tiles' inputs to the data of all runs. step, row: bytes from input to input, to the right and
 * down. Channels go by four; up to 3 bytes behind an input meet weights that are 0. */
void sf_tiles_inputs(const int8_t *from, uint32_t *to, int32_t step, int32_t row,
                     uint32_t run_bytes, int32_t channels);

#endif
