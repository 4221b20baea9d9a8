/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of a plane, widened to int16 for SMLAD. Private to the kernels.
 *
 * Bytes are widened in the order in which SXTB16 leaves four of them, (0,2) then (1,3), and two
 * windows lie side by side; the weights have or get the same order.
 */
#ifndef SF_WIDEN_H
#define SF_WIDEN_H

#include "sf_dsp.h"

static inline int8_t *copy(int8_t *to, const int8_t *from, int32_t count) {
    for (; count >= 4; count -= 4, to += 4, from += 4) {
        sf_store32(to, sf_load32(from));
    }
    for (; count > 0; count--) {
        *to++ = *from++;
    }
    return to;
}

static inline int8_t *fill(int8_t *to, int8_t value, int32_t count) {
    const uint32_t four = (uint8_t)value * UINT32_C(0x01010101);
    for (; count >= 4; count -= 4, to += 4) {
        sf_store32(to, four);
    }
    for (; count > 0; count--) {
        *to++ = value;
    }
    return to;
}

/* count bytes become (count + 3) / 4 pairs of words, each pair 4 words after the one before. */
SF_NOINLINE static void widen(const int8_t *from, int32_t count, uint32_t *to) {
    for (; count >= 4; count -= 4, from += 4, to += 4) {
        const uint32_t four = sf_load32(from);
        to[0] = sf_sxtb16(four);
        to[2] = sf_sxtb16_ror8(four);
    }
    if (count > 0) {
        uint32_t four = 0;
        for (int32_t i = 0; i < count; i++) {
            four |= (uint32_t)(uint8_t)from[i] << (8 * i);
        }
        to[0] = sf_sxtb16(four);
        to[2] = sf_sxtb16_ror8(four);
    }
}

/* Taps of a kernel row lie one after the other in the input. */
static inline int has_whole_rows(const sf_window *w) {
    return w->kernel_width == 1 || w->dilation_width == 1;
}

/* So do those of the whole window. */
static inline int lies_in_a_row(const sf_window *w) {
    const int rows =
        w->kernel_height == 1 || (w->kernel_width == w->in_width && w->dilation_height == 1);
    return has_whole_rows(w) && rows;
}

static inline int is_inside(const sf_window *w, int32_t top, int32_t left) {
    return top >= 0 && left >= 0 &&
           top + (w->kernel_height - 1) * w->dilation_height < w->in_height &&
           left + (w->kernel_width - 1) * w->dilation_width < w->in_width;
}

/* Where a window inside need not be copied before it is widened: its rows are whole words. */
static inline int widens_directly(const sf_window *w) {
    return lies_in_a_row(w) || (has_whole_rows(w) && w->kernel_width * w->in_channels % 4 == 0);
}

/* No window needs to be copied. */
static inline int never_copies(const sf_window *w) {
    const int32_t bottom = (w->out_height - 1) * w->stride_height - w->pad_top;
    const int32_t right = (w->out_width - 1) * w->stride_width - w->pad_left;
    return widens_directly(w) && is_inside(w, -w->pad_top, -w->pad_left) &&
           is_inside(w, bottom, right);
}

/* Copies a window that is scattered over the input or reaches over its edge. */
SF_NOINLINE static void gather(const sf_window *w, int8_t zero_point, const int8_t *in, int32_t top,
                               int32_t left, int8_t *to) {
    const int32_t channels = w->in_channels;
    const int whole_rows =
        w->dilation_width == 1 && left >= 0 && left + w->kernel_width <= w->in_width;
    const int32_t piece = whole_rows ? w->kernel_width * channels : channels;
    const int32_t pieces = whole_rows ? 1 : w->kernel_width;
    for (int32_t i = 0; i < w->kernel_height; i++) {
        const int32_t y = top + i * w->dilation_height;
        for (int32_t j = 0; j < pieces; j++) {
            const int32_t x = left + j * w->dilation_width;
            if (y < 0 || y >= w->in_height || x < 0 || x >= w->in_width) {
                to = fill(to, zero_point, piece);
            } else {
                to = copy(to, in + (y * w->in_width + x) * channels, piece);
            }
        }
    }
}

/* The window of output (y, x); bytes: room for a copy of it. */
static inline void widen_window(const sf_window *w, int8_t zero_point, const int8_t *in, int32_t y,
                                int32_t x, uint32_t *to, int8_t *bytes) {
    const int32_t top = y * w->stride_height - w->pad_top;
    const int32_t left = x * w->stride_width - w->pad_left;
    const int32_t in_step = w->dilation_height * w->in_width * w->in_channels;
    const int32_t step = w->kernel_width * w->in_channels;
    const int8_t *from = in + (top * w->in_width + left) * w->in_channels;
    if (!widens_directly(w) || !is_inside(w, top, left)) {
        gather(w, zero_point, in, top, left, bytes);
        widen(bytes, w->kernel_height * step, to);
    } else if (lies_in_a_row(w)) {
        widen(from, w->kernel_height * step, to);
    } else {
        for (int32_t i = 0; i < w->kernel_height; i++, from += in_step, to += step) {
            widen(from, step, to);
        }
    }
}

#endif
