/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of earlier calls in front of new ones, and means over more rows than a call brings. */
#include "sf_tile.h"

/* Both lie apart, or to before from. */
SF_NOINLINE static void move(void *out, const void *in, uint32_t bytes) {
    uint8_t *to = (uint8_t *)out;
    const uint8_t *from = (const uint8_t *)in;
    for (; bytes >= 16; bytes -= 16, from += 16, to += 16) {
        const uint32_t a = sf_load32(from), b = sf_load32(from + 4);
        const uint32_t c = sf_load32(from + 8), d = sf_load32(from + 12);
        sf_store32(to, a);
        sf_store32(to + 4, b);
        sf_store32(to + 8, c);
        sf_store32(to + 12, d);
    }
    sf_move(to, from, bytes);
}

void sf_time_window(const sf_time_window_params *p, const void *in, void *out, void *past) {
    uint8_t *rows = (uint8_t *)out + p->past_bytes;
    if (rows != in) {
        move(rows, in, p->in_bytes);
    }
    move(out, past, p->past_bytes);
    move(past, (const uint8_t *)out + p->in_bytes, p->past_bytes);
}

/* Sums of the new rows' blocks behind those that stay. */
static void keep_sums(const sf_time_mean_params *p, const int8_t *in, int16_t *sums) {
    const int32_t channels = p->channels, last = channels - 4;
    const int32_t old = (p->blocks - p->new_blocks) * channels;
    const int32_t start = -p->in_zero_point * p->values;
    const sf_tile tile = {1, p->values, 0, channels};
    move(sums, sums + p->new_blocks * channels, 2 * (uint32_t)old);
    int16_t *to = sums + old;
    for (int32_t block = 0; block < p->new_blocks; block++, to += channels) {
        for (int32_t c = 0;; c = sf_min(c + 4, last)) {
            int32_t four[4] = {start, start, start, start};
            sf_add_tile(in + c, &tile, four);
            for (int32_t i = 0; i < 4; i++) {
                to[c + i] = (int16_t)four[i];
            }
            if (c == last) {
                break;
            }
        }
        in += p->values * channels;
    }
}

/* Of one channel, over all blocks. */
static inline int32_t total(const sf_time_mean_params *p, const int16_t *sums) {
    int32_t sum = 0;
    for (int32_t block = p->blocks; block > 0; block--, sums += p->channels) {
        sum += *sums;
    }
    return sum;
}

void sf_time_mean_s8(const sf_time_mean_params *p, const int8_t *in, int8_t *out, void *sums) {
    int16_t *const kept = (int16_t *)sums;
    keep_sums(p, in, kept);
    for (int32_t c = 0; c < p->channels; c++) {
        const int32_t value = sf_requantize_double(total(p, kept + c), p->multiplier, p->shift);
        out[c] = sf_activate(value, p->out_zero_point, p->activation_min, p->activation_max);
    }
}

void sf_time_average_s8(const sf_time_mean_params *p, const int8_t *in, int8_t *out, void *sums) {
    int16_t *const kept = (int16_t *)sums;
    const int32_t count = p->blocks * p->values, zero = p->in_zero_point * count;
    keep_sums(p, in, kept);
    for (int32_t c = 0; c < p->channels; c++) {
        const int32_t sum = total(p, kept + c) + zero;
        const int32_t value = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
        out[c] = (int8_t)sf_clamp(value, p->activation_min, p->activation_max);
    }
}
