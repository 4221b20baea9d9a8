/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer for cores with DSP instructions: for what sf_dense_pairs does not take, and
 * where little code is wanted. */
#include "sf_fours.h"

void sf_dense_s8_dsp(const sf_dense_params *restrict p, const int8_t *in, int8_t *out) {
    const sf_fours f = {&p->stage, p->kernel, p->inputs, p->outputs, 0};
    for (int32_t i = 0; i < p->rows; i++, in += p->inputs, out += p->outputs) {
        sf_multiply_fours(&f, in, out);
    }
}
