/* SPDX-License-Identifier: Apache-2.0 */
/* Mean over neighbouring axes; the division by the count is part of the multiplier. */
#include "sf_internal.h"

void sf_mean_s8(const sf_mean_params *restrict p, const int8_t *in, int8_t *out) {
    const int32_t inner = p->inner;
    const sf_scaler scale = sf_prepare_scaler(p->multiplier, p->shift);
    for (int32_t o = 0; o < p->outer; o++, in += p->reduced * inner) {
        for (int32_t i = 0; i < inner; i++) {
            const int8_t *from = in + i;
            int32_t sum = -p->in_zero_point * p->reduced;
            for (int32_t r = 0; r < p->reduced; r++, from += inner) {
                sum += *from;
            }
            *out++ = sf_activate(sf_scale(&scale, sum), p->out_zero_point, INT8_MIN, INT8_MAX);
        }
    }
}
