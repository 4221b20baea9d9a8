/* SPDX-License-Identifier: Apache-2.0 */
/* Two "layers": y[i] = the sum of four inputs from 4 * i, times the weight, shifted; then a float
 * bias. */
#include "toy.h"

static const int8_t toy_weights[4] = {3, -5, 7, -11};

__attribute__((noinline)) static void toy_sums(const int8_t *in, const int8_t *weights,
                                               int32_t *sums) {
    for (int i = 0; i < 4; i++) {
        int32_t sum = 0;
        for (int j = 0; j < 4; j++) {
            sum += in[4 * i + j];
        }
        sums[i] = sum * weights[i];
    }
}

__attribute__((noinline)) static void toy_narrow(const int32_t *sums, float bias, int8_t *out) {
    for (int i = 0; i < 4; i++) {
        const int32_t value = (int32_t)((float)(sums[i] / 8) + bias);
        out[i] = (int8_t)(value > 127 ? 127 : value < -128 ? -128 : value);
    }
}

int8_t *toy_input(void *arena) {
    return arena;
}

const int8_t *toy_output(const void *arena) {
    return (const int8_t *)arena + 32;
}

sf_status toy_run(void *arena) {
    int8_t *bytes = arena;
    int32_t *sums = (int32_t *)(void *)(bytes + 16);
    toy_sums(bytes, toy_weights, sums);
    toy_narrow(sums, 1.0F, bytes + 32);
    return SF_OK;
}
