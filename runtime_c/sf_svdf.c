/* SPDX-License-Identifier: Apache-2.0 */
/* A dense layer, a memory of its last results, and a filter over that memory. */
#include "sf_internal.h"

static int32_t dot(const int8_t *weights, const int8_t *in, int32_t count, int32_t zero_point) {
    int32_t sum = 0;
    for (int32_t i = 0; i < count; i++) {
        sum += weights[i] * (in[i] - zero_point);
    }
    return sum;
}

void sf_svdf_s8(const sf_svdf_params *restrict p, const int8_t *in, int8_t *out, void *state) {
    const int8_t *weights = p->feature_kernel;
    const int16_t *taps = p->time_kernel;
    int16_t *memory = (int16_t *)state;
    const int32_t last = p->memory - 1;
    for (int32_t u = 0; u < p->units; u++) {
        uint32_t total = (uint32_t)p->bias[u]; /* what int32 cannot hold is lost, as in LiteRT */
        for (int32_t r = 0; r < p->rank; r++, weights += p->features, memory += p->memory) {
            const int32_t sum = dot(weights, in, p->features, p->in_zero_point);
            for (int32_t i = 0; i < last; i++) {
                memory[i] = memory[i + 1];
                total += (uint32_t)(*taps++ * memory[i]);
            }
            memory[last] = (int16_t)sf_saturate16(
                sf_requantize_double(sum, p->multiplier_feature, p->shift_feature));
            total += (uint32_t)(*taps++ * memory[last]);
        }
        out[u] = sf_activate(sf_requantize_double((int32_t)total, p->multiplier_out, p->shift_out),
                             p->out_zero_point, p->activation_min, p->activation_max);
    }
}
