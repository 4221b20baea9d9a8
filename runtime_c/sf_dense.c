/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer, scalar reference. LiteRT rounds this one once, not twice. */
#include "sf_internal.h"

void sf_dense_s8(const sf_dense_params *restrict p, const int8_t *in, int8_t *out) {
    const sf_output_stage *stage = &p->stage;
    const int32_t row = (p->inputs + 3) & ~3;
    for (int32_t r = 0; r < p->rows; r++, in += p->inputs) {
        const int8_t *weights = p->kernel;
        for (int32_t o = 0; o < p->outputs; o++, weights += row) {
            int32_t sum = stage->bias[o];
            for (int32_t i = 0; i < p->inputs; i++) {
                sum += weights[i] * in[i];
            }
            const int32_t value = sf_requantize_single(sum, stage->multiplier[o], stage->shift[o]);
            *out++ = sf_finish(stage, value);
        }
    }
}
