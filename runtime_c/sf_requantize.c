/* SPDX-License-Identifier: Apache-2.0 */
/* The change of a tensor's scale. */
#include "sf_lanes.h"

static void requantize_on_line(const sf_requantize_params *p, const int8_t *in, int8_t *out) {
    const sf_line l = p->line;
    const int8_t *const end = in + p->count;
    for (; end - in >= 4; in += 4, out += 4) {
        const uint32_t word = sf_load32(in), even = word << 8 & SF_ODD_VALUES;
        const uint32_t odd = word & SF_ODD_VALUES;
        out[0] = sf_on_line(sf_smlawb(l.factor_a, even, l.offset));
        out[1] = sf_on_line(sf_smlawb(l.factor_a, odd, l.offset));
        out[2] = sf_on_line(sf_smlawt(l.factor_a, even, l.offset));
        out[3] = sf_on_line(sf_smlawt(l.factor_a, odd, l.offset));
    }
    while (in < end) {
        *out++ = sf_on_line(sf_smlawb(l.factor_a, (uint32_t)*in++ << 8, l.offset));
    }
}

void sf_requantize_s8(const sf_requantize_params *restrict p, const int8_t *in, int8_t *out) {
    if (p->line.factor_a != 0) {
        requantize_on_line(p, in, out);
        return;
    }
    const sf_scaler scale = sf_prepare_scaler(p->multiplier, p->shift);
    const int32_t in_zero = p->in_zero_point, zero = p->out_zero_point;
    for (uint32_t i = 0; i < p->count; i++) {
        out[i] = (int8_t)sf_scale_to_int8(&scale, in[i] - in_zero, zero);
    }
    sf_clamp_row(out, (int32_t)p->count, p->activation_min, p->activation_max);
}
