/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes moved from one arrangement to another: whatever joins, cuts, turns, repeats or pads
 * tensors. */
#include <string.h>

#include "sf_internal.h"

/* From this many bytes on a call of memcpy is quicker than a loop. */
enum { LONG_RUN = 8 };
enum { COUNT, IN_STEP, OUT_STEP, AXIS_FIELDS };

static inline void move(const uint8_t *from, uint8_t *to, uint32_t bytes) {
    if (bytes >= LONG_RUN) {
        (void)memcpy(to, from, bytes);
        return;
    }
    for (uint32_t i = 0; i < bytes; i++) {
        to[i] = from[i];
    }
}

void sf_copy(const sf_copy_params *p, const void *in, void *out) {
    int32_t done[SF_COPY_MAX_AXES] = {0};
    int32_t from = p->in_start, to = p->out_start;
    for (;;) {
        move((const uint8_t *)in + from, (uint8_t *)out + to, p->run);
        uint32_t axis = p->rank;
        for (;;) {
            if (axis == 0) {
                return;
            }
            axis--;
            const int32_t *a = p->axes + AXIS_FIELDS * axis;
            if (++done[axis] < a[COUNT]) {
                from += a[IN_STEP];
                to += a[OUT_STEP];
                break;
            }
            done[axis] = 0;
            from -= (a[COUNT] - 1) * a[IN_STEP];
            to -= (a[COUNT] - 1) * a[OUT_STEP];
        }
    }
}

void sf_fill(void *out, int8_t value, uint32_t bytes) {
    (void)memset(out, value, bytes);
}

void sf_pad_s8(const sf_pad_params *p, const int8_t *in, int8_t *out) {
    sf_fill(out, p->value, p->out_bytes);
    sf_copy(&p->copy, in, out);
}
