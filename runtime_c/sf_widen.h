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

static inline void widen_four(const int8_t *from, uint32_t *to) {
    const uint32_t four = sf_load32(from);
    to[0] = sf_sxtb16(four);
    to[2] = sf_sxtb16_ror8(four);
}

/* count bytes become (count + 3) / 4 pairs of words, each pair 4 words after the one before. */
SF_NOINLINE static void widen(const int8_t *from, int32_t count, uint32_t *to) {
    for (; count >= 16; count -= 16, from += 16, to += 16) {
        widen_four(from, to);
        widen_four(from + 4, to + 4);
        widen_four(from + 8, to + 8);
        widen_four(from + 12, to + 12);
    }
    for (; count >= 4; count -= 4, from += 4, to += 4) {
        widen_four(from, to);
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

/* Whole words: up to 3 bytes more than count. */
static inline void copy_words(int8_t *to, const int8_t *from, int32_t count) {
    for (int32_t i = 0; i < count; i += 4) {
        sf_store32(to + i, sf_load32(from + i));
    }
}

static inline void fill_words(int8_t *to, uint32_t four, int32_t count) {
    for (int32_t i = 0; i < count; i += 4) {
        sf_store32(to + i, four);
    }
}

static inline void gather_taps(const sf_window *w, int8_t zero_point, const int8_t *in, int32_t top,
                               int32_t left, int8_t *to) {
    for (int32_t i = 0; i < w->kernel_height; i++) {
        const int32_t y = top + i * w->dilation_height;
        for (int32_t j = 0; j < w->kernel_width; j++) {
            const int32_t x = left + j * w->dilation_width;
            if (y < 0 || y >= w->in_height || x < 0 || x >= w->in_width) {
                to = fill(to, zero_point, w->in_channels);
            } else {
                to = copy(to, in + (y * w->in_width + x) * w->in_channels, w->in_channels);
            }
        }
    }
}

/* What gather and copy_rows write: a window, and up to 3 bytes behind it. */
#define SF_GATHER_SLACK 4

/* Rows of row bytes, step bytes apart, one after the other: by words, each row over what the one
 * before wrote too much. */
SF_NOINLINE static void copy_rows(int8_t *to, const int8_t *from, int32_t rows, int32_t row,
                                  int32_t step) {
    for (; rows > 0; rows--, from += step, to += row) {
        const int8_t *f = from;
        int8_t *t = to, *const end = to + row;
        do {
            sf_store32(t, sf_load32(f));
            f += 4;
            t += 4;
        } while (t < end);
    }
}

/* Copies a window that is scattered over the input or reaches over its edge. A row is filled,
 * copied and filled by words, each of which runs into what the next one writes. */
SF_NOINLINE static void gather(const sf_window *w, int8_t zero_point, const int8_t *in, int32_t top,
                               int32_t left, int8_t *to) {
    const int32_t channels = w->in_channels, width = w->in_width;
    const int32_t row = w->kernel_width * channels;
    const int32_t step = w->dilation_height * width * channels;
    const int8_t *from = in + (top * width + left) * channels;
    const int8_t *last_word = in + w->in_height * width * channels - 4;
    if (!has_whole_rows(w)) {
        gather_taps(w, zero_point, in, top, left, to);
    } else {
        const uint32_t four = (uint8_t)zero_point * UINT32_C(0x01010101);
        const int32_t before = sf_clamp(-left, 0, w->kernel_width);
        const int32_t there = sf_max(sf_min(w->kernel_width, width - left) - before, 0);
        const int32_t start = before * channels, count = there * channels;
        from += start;
        for (int32_t i = 0; i < w->kernel_height; i++, from += step, to += row) {
            const int32_t y = top + i * w->dilation_height;
            if (y < 0 || y >= w->in_height || there == 0) {
                fill_words(to, four, row);
                continue;
            }
            fill_words(to, four, start);
            if (from + (count - 1) / 4 * 4 <= last_word) {
                copy_words(to + start, from, count);
            } else {
                copy(to + start, from, count);
            }
            fill_words(to + start + count, four, row - start - count);
        }
    }
}

/* Goes from window to window, in the order of the output. */
typedef struct sf_cursor {
    const sf_window *window;
    const int8_t *in;
    int8_t *bytes; /* room for a copy of a window, and SF_GATHER_SLACK */
    int32_t top, left, column;
    int32_t last_top, last_left;       /* of the windows inside the input */
    int32_t pieces, count, piece_step; /* what is widened without a copy; no pieces: nothing is */
    const int8_t *last_copied;         /* the last start of a window that copy_rows may copy */
    int32_t row;                       /* of a window, in bytes, rounded up to whole words */
    int8_t zero_point;
} sf_cursor;

static inline sf_cursor sf_first_window(const sf_window *w, int8_t zero_point, const int8_t *in,
                                        int8_t *bytes) {
    const int32_t row = w->kernel_width * w->in_channels, window = w->kernel_height * row;
    sf_cursor c;
    c.window = w;
    c.in = in;
    c.bytes = bytes;
    c.top = -w->pad_top;
    c.left = -w->pad_left;
    c.column = 0;
    c.last_top = w->in_height - 1 - (w->kernel_height - 1) * w->dilation_height;
    c.last_left = w->in_width - 1 - (w->kernel_width - 1) * w->dilation_width;
    c.pieces = !widens_directly(w) ? 0 : lies_in_a_row(w) ? 1 : w->kernel_height;
    c.count = lies_in_a_row(w) ? window : row;
    c.piece_step = w->dilation_height * w->in_width * w->in_channels;
    c.last_copied = in - 1;
    if (has_whole_rows(w)) {
        const int32_t size = w->in_height * w->in_width * w->in_channels;
        c.last_copied = in + size - (w->kernel_height - 1) * c.piece_step - ((row + 3) & ~3);
    }
    c.row = (window + 3) & ~3;
    c.zero_point = zero_point;
    return c;
}

static inline void sf_next_window(sf_cursor *c) {
    c->left += c->window->stride_width;
    if (++c->column == c->window->out_width) {
        c->column = 0;
        c->left = -c->window->pad_left;
        c->top += c->window->stride_height;
    }
}

static inline void sf_widen_window(const sf_cursor *c, uint32_t *to) {
    const sf_window *w = c->window;
    const int8_t *from = c->in + (c->top * w->in_width + c->left) * w->in_channels;
    const int inside =
        c->top >= 0 && c->left >= 0 && c->top <= c->last_top && c->left <= c->last_left;
    if (inside && c->pieces > 0) {
        for (int32_t i = 0; i < c->pieces; i++, from += c->piece_step, to += c->count) {
            widen(from, c->count, to);
        }
        return;
    }
    if (inside && from <= c->last_copied) {
        copy_rows(c->bytes, from, w->kernel_height, w->kernel_width * w->in_channels,
                  c->piece_step);
    } else {
        gather(w, c->zero_point, c->in, c->top, c->left, c->bytes);
    }
    /* What lies behind the window meets weights that are 0. */
    widen(c->bytes, c->row, to);
}

#endif
