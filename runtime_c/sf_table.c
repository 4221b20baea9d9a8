/* SPDX-License-Identifier: Apache-2.0 */
/* Any function of one value. */
#include "sf_internal.h"

void sf_table_s8(const sf_table_params *restrict p, const int8_t *in, int8_t *out) {
    const int8_t *const zero = p->table - INT8_MIN;
    for (const int8_t *end = in + p->count; in < end;) {
        *out++ = zero[*in++];
    }
}
