/* SPDX-License-Identifier: Apache-2.0 */
/* Any function of one value. */
#include "sf_dsp.h"

void sf_table_s8(const sf_table_params *restrict p, const int8_t *in, int8_t *out) {
    const int8_t *const table = p->table;
    const int8_t *const end = in + p->count;
    for (; end - in >= 4; in += 4, out += 4) {
        /* As the table's index: -128 is its first value. */
        const uint32_t four = sf_load32(in) ^ UINT32_C(0x80808080);
        out[0] = table[four & 255u];
        out[1] = table[(four >> 8) & 255u];
        out[2] = table[(four >> 16) & 255u];
        out[3] = table[four >> 24];
    }
    while (in < end) {
        *out++ = table[*in++ - INT8_MIN];
    }
}
