/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of weights times a vector, four outputs at a time, in little code. Private to the kernels.
 */
#ifndef SF_FOURS_H
#define SF_FOURS_H

#include "sf_dsp.h"

/* count: of inputs; a row of the kernel has as many weights and zeros up to whole words.
 * rounds_twice: as convolutions do, or once, as fully connected layers. */
typedef struct sf_fours {
    const sf_output_stage *stage;
    const int8_t *kernel;
    int32_t count, outputs, rounds_twice;
} sf_fours;

/* in: [count]; out: [outputs]. */
void sf_multiply_fours(const sf_fours *f, const int8_t *in, int8_t *out);

#endif
