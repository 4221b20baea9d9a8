/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes moved from one arrangement to another: whatever joins, cuts, turns, repeats or pads
 * tensors. */
#include <string.h>

#include "sf_dsp.h"

/* From this many bytes on a call of memcpy is quicker than a loop. */
enum { LONG_RUN = 64 };
enum { COUNT, IN_STEP, OUT_STEP, AXIS_FIELDS };

static inline void move(const uint8_t *from, uint8_t *to, uint32_t bytes) {
    if (bytes >= LONG_RUN) {
        (void)memcpy(to, from, bytes);
    } else {
        sf_move(to, from, bytes);
    }
}

/* The runs along the last axis. */
static void move_row(const int32_t *axis, uint32_t run, const uint8_t *in, uint8_t *out) {
    const int32_t in_step = axis[IN_STEP], out_step = axis[OUT_STEP];
    int32_t left = axis[COUNT], from = 0, to = 0;
    if (run == 1) {
        for (; left > 0; left--, from += in_step, to += out_step) {
            out[to] = in[from];
        }
        return;
    }
    for (; left > 0; left--, from += in_step, to += out_step) {
        move(in + from, out + to, run);
    }
}

void sf_copy(const sf_copy_params *p, const void *in, void *out) {
    static const int32_t once[AXIS_FIELDS] = {1, 0, 0};
    int32_t from = p->in_start, to = p->out_start;
    int32_t done[SF_COPY_MAX_AXES] = {0};
    const uint32_t outer = p->rank > 0 ? p->rank - 1 : 0;
    const int32_t *row = p->rank > 0 ? p->axes + AXIS_FIELDS * outer : once;
    for (;;) {
        move_row(row, p->run, (const uint8_t *)in + from, (uint8_t *)out + to);
        uint32_t axis = outer;
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
