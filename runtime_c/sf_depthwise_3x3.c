/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution with 3x3 windows, strip by strip: a strip is 5 or 6 neighbouring columns of
 * the output. What its windows reach, padding included, is widened to int16 in a buffer, of two
 * channels at a time, and then worked off row by row (sf_strips.h).
 *
 * With one buffer a strip is worked off before the next is widened. The columns that the next one
 * shares with it stay in the buffer: the outputs may overwrite the inputs, column by column. With
 * a buffer for each strip all inputs of a band of rows are read before its outputs are written.
 * Which it is, and how high a band may be, is the exporter's choice. */
#include "sf_strips.h"

/* Channels that are done together, in the rows of one band. */
typedef struct task {
    const sf_depthwise_3x3_params *p;
    const int8_t *in; /* of the first channel */
    int8_t *out;
    int16_t *buffers;
    const int8_t *padding; /* one pixel */
    int8_t *narrow; /* outputs of a plane that has fewer columns than a strip */
    int32_t row;    /* int16 in a row of a buffer, in a buffer, and to the second channel's */
    int32_t buffer, other;
    int32_t channel, channels; /* the first, and 1 or 2 */
    int32_t y, rows;           /* the band's output rows */
    sf_strip strip;
} task;

static int32_t row_of(const sf_window *w) {
    return 2 * (w->stride_width == 1 ? SF_STRIP_WORDS : SF_STRIP_WORDS_2);
}

static int32_t rows_of(const sf_window *w, int32_t out_rows) {
    return (out_rows - 1) * w->stride_height + 3;
}

static int is_narrow(const sf_depthwise_3x3_params *p) {
    return p->window.out_width < p->strip_outputs;
}

uint32_t sf_depthwise_3x3_scratch_bytes(const sf_depthwise_3x3_params *p) {
    const sf_window *w = &p->window;
    const int32_t buffers = sf_min(w->in_channels, 2) * p->buffers;
    const int32_t narrow = is_narrow(p) ? w->out_height * p->strip_outputs : 0;
    return (uint32_t)(buffers * rows_of(w, p->band_rows) * row_of(w) * 2 + ((narrow + 3) & ~3));
}

/* The first two strips share outputs where the width is no multiple of a strip's. */
static int32_t first_output(const task *t, int32_t k) {
    const int32_t behind = (t->p->strips - k) * t->p->strip_outputs;
    return k == 0 ? 0 : t->p->window.out_width - behind;
}

static int16_t *buffer_of(const task *t, int32_t k) {
    return t->buffers + (t->p->buffers == 1 ? 0 : k * t->buffer);
}

/* In both channels' buffers. */
SF_NOINLINE static void fill(const task *t, int16_t *to, int32_t count) {
    const int16_t value = t->p->in_zero_point;
    for (; count > 0; count--, to++) {
        to[0] = value;
        to[t->other] = value;
    }
}

/* The columns that the strip before shares with this one; what comes behind them is overwritten. */
static void keep_columns(const task *t, int16_t *to, int32_t rows, int32_t from, int32_t count) {
    const int32_t row = t->row;
    int16_t *second = to + t->other;
    if (count == 2) {
        for (; rows > 0; rows--, to += row, second += row) {
            const uint32_t x = sf_load32(to + from), y = sf_load32(second + from);
            sf_store32(to, x);
            sf_store32(second, y);
        }
    }
    for (; rows > 0; rows--, to += row, second += row) {
        for (int32_t i = 0; i < count; i += 2) {
            const uint32_t x = sf_load32(to + from + i), y = sf_load32(second + from + i);
            sf_store32(to + i, x);
            sf_store32(second + i, y);
        }
    }
}

/* One column of one or two channels. */
static void widen_column(const task *t, const int8_t *from, int32_t step, int16_t *to,
                         int32_t rows) {
    for (; rows > 0; rows--, to += t->row, from += step) {
        *to = *from;
        if (t->other) {
            to[t->other] = from[1];
        }
    }
}

/* Columns i to end of a strip, in rows that are inside; pixel: where the first row starts; x: the
 * column of the plane that is the strip's first. */
static void widen_rows(const task *t, int32_t pixel, int32_t x, int16_t *to, int32_t i, int32_t end,
                       int32_t rows) {
    const int32_t channels = t->p->window.in_channels, width = t->p->window.in_width;
    const int32_t step = width * channels, row = t->row;
    int16_t *second = to + t->other;
    const int8_t *from = t->in + (pixel + x + i) * channels;
    if (i == 0 && x == -1 && width >= 5 && t->other > 0) {
        sf_widen_edge(from + channels, to, second, channels, step, row, rows, t->p->in_zero_point);
        i = 6;
    }
    while (i < end) {
        const int inside = (uint32_t)(x + i) < (uint32_t)width;
        const int beside = (uint32_t)(x + i + 1) < (uint32_t)width;
        const int32_t step_a = inside ? step : 0, step_b = beside ? step : 0;
        from = t->in + (pixel + x + i) * channels;
        if ((i & 1) || t->other == 0) {
            widen_column(t, inside ? from : t->padding, step_a, to + i, rows);
            i++;
        } else if (inside && i + 6 <= end && x + i + 6 <= width) {
            sf_widen_six(from, to + i, second + i, channels, step, row, rows);
            i += 6;
        } else {
            sf_widen_columns(inside ? from : t->padding, beside ? from + channels : t->padding,
                             to + i, second + i, step_a, step_b, row, rows);
            i += 2;
        }
    }
}

/* The k-th strip's inputs in the band. */
SF_NOINLINE static void widen_strip(const task *t, int32_t k) {
    const sf_window *w = &t->p->window;
    const int32_t start = first_output(t, k);
    const int32_t x = start * w->stride_width - w->pad_left;
    const int32_t y = t->y * w->stride_height - w->pad_top;
    const int32_t rows = rows_of(w, t->rows);
    const int32_t top = sf_clamp(-y, 0, rows);
    const int32_t bottom = sf_clamp(w->in_height - y, top, rows);
    int16_t *to = buffer_of(t, k), *inside = to + top * t->row;
    int32_t i = 0, end = t->row;
    if (k > 0 && t->p->buffers == 1) {
        const int32_t moved = start - first_output(t, k - 1);
        i = t->row - moved;
        keep_columns(t, inside, bottom - top, moved, i);
    } else if (t->p->strips > 1) {
        fill(t, to, top * t->row);
        fill(t, inside + (bottom - top) * t->row, (rows - bottom) * t->row);
    } else {
        end = sf_min(w->in_width - x, t->row);
    }
    widen_rows(t, (y + top) * w->in_width, x, inside, i, end, bottom - top);
}

static void copy_narrow(const task *t, int8_t *out) {
    const sf_window *w = &t->p->window;
    const int8_t *from = t->narrow;
    for (int32_t y = 0; y < t->rows; y++, from += t->p->strip_outputs) {
        for (int32_t x = 0; x < w->out_width; x++, out += w->out_channels) {
            *out = from[x];
        }
    }
}

/* The strips from k to last, of all channels. */
SF_NOINLINE static void run_strips(const task *t, int32_t k, int32_t last) {
    const sf_window *w = &t->p->window;
    const int32_t multiplier = t->p->depth_multiplier;
    for (int32_t i = 0; i < t->channels * multiplier; i++) {
        const int32_t o = t->channel * multiplier + i;
        const int32_t other = t->channels == 1 || i >= multiplier ? t->other : 0;
        for (int32_t j = k; j <= last; j++) {
            const int32_t pixel = t->y * w->out_width + first_output(t, j);
            int8_t *out = t->out + pixel * w->out_channels + o;
            sf_run_strip(&t->strip, t->p->records + 5 * o, buffer_of(t, j) + other,
                         is_narrow(t->p) ? t->narrow : out);
            if (is_narrow(t->p)) {
                copy_narrow(t, out);
            }
        }
    }
}

static void run_band(const task *t) {
    const int32_t last = t->p->strips - 1;
    for (int32_t k = 0; k <= last; k++) {
        widen_strip(t, k);
        if (t->p->buffers == 1) {
            run_strips(t, k, k);
        }
    }
    if (t->p->buffers > 1) {
        run_strips(t, 0, last);
    }
}

/* An odd last channel is widened with the one before it, which is done and may be overwritten. */
void sf_depthwise_3x3_s8(const sf_depthwise_3x3_params *p, const int8_t *in, int8_t *out,
                         void *scratch) {
    const sf_window *w = &p->window;
    const int8_t padding[2] = {p->in_zero_point, p->in_zero_point};
    task t;
    t.p = p;
    t.out = out;
    t.padding = padding;
    t.buffers = scratch;
    t.row = row_of(w);
    t.buffer = rows_of(w, p->band_rows) * t.row;
    t.other = w->in_channels > 1 ? p->buffers * t.buffer : 0;
    t.narrow = (int8_t *)(t.buffers + sf_min(w->in_channels, 2) * p->buffers * t.buffer);
    t.strip.flags = (p->out_zero_point > INT8_MIN ? SF_STRIP_SIGNED : 0) |
                    (p->strip_outputs == 5 ? SF_STRIP_5 : 0) |
                    (w->stride_width == 2 ? SF_STRIP_STRIDE_2 : 0);
    t.strip.out_step = is_narrow(p) ? 1 : w->out_channels;
    t.strip.row_step = is_narrow(p) ? p->strip_outputs : w->out_width * w->out_channels;
    t.strip.in_step = w->stride_height * t.row * 2;
    t.strip.offset = 2 * p->out_zero_point + 1;
    fill(&t, t.buffers, p->buffers * t.buffer);
    for (t.channel = 0; t.channel < w->in_channels; t.channel += 2) {
        t.channels = sf_min(w->in_channels - t.channel, 2);
        t.in = in + t.channel - (t.channels == 1 && w->in_channels > 1);
        for (t.y = 0; t.y < w->out_height; t.y += t.rows) {
            t.rows = sf_min(p->band_rows, w->out_height - t.y);
            t.strip.span = t.rows * t.strip.in_step;
            run_band(&t);
        }
    }
}
