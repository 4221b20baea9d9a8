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

/* Channels that are done together, in the rows of one band. Lengths in int16. */
typedef struct task {
    const sf_depthwise_3x3_params *p;
    int16_t *buffers;
    int8_t *narrow;      /* outputs of a plane that has fewer columns than a strip */
    int32_t row, buffer; /* of a buffer's row, and of a buffer */
    int32_t other;       /* to the second channel's buffers; 0 where there is one channel */
    int32_t channels;    /* 1 or 2 */
    int32_t rows;        /* of the output in this band */
    int32_t top;         /* rows of padding in the buffers; behind them, widening.rows */
    const int8_t *first; /* where the first of these starts, of the first channel */
    int8_t padding[2];   /* one pixel */
    sf_widening widening;
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
static int32_t first_output(const sf_depthwise_3x3_params *p, int32_t k) {
    return k == 0 ? 0 : p->window.out_width - (p->strips - k) * p->strip_outputs;
}

/* From `to` on, so many int16 of both channels' buffers; an even number. */
SF_NOINLINE static void fill(const task *t, int16_t *to, int32_t count) {
    const uint32_t two = (uint32_t)(uint16_t)t->widening.padding * UINT32_C(0x10001);
    for (const int16_t *end = to + count; to < end; to += 2) {
        sf_store32(to, two);
        sf_store32(to + t->other, two);
    }
}

/* The columns that the strip before shares with this one; what comes behind them is overwritten. */
static void keep_columns(const task *t, int16_t *to, int32_t from, int32_t count) {
    const int32_t row = t->row;
    int16_t *const last = to + t->widening.rows * row, *second = to + t->other;
    if (count == 2) {
        for (; to < last; to += row, second += row) {
            const uint32_t x = sf_load32(to + from), y = sf_load32(second + from);
            sf_store32(to, x);
            sf_store32(second, y);
        }
    }
    for (; to < last; to += row, second += row) {
        for (int32_t i = 0; i < count; i += 2) {
            const uint32_t x = sf_load32(to + from + i), y = sf_load32(second + from + i);
            sf_store32(to + i, x);
            sf_store32(second + i, y);
        }
    }
}

/* One column of one or two channels. */
static void widen_column(const task *t, sf_column a, int16_t *to) {
    for (int32_t rows = t->widening.rows; rows > 0; rows--, to += t->row, a.from += a.step) {
        *to = *a.from;
        if (t->other) {
            to[t->other] = a.from[1];
        }
    }
}

static sf_column column_at(const task *t, int32_t x) {
    const int is_inside = (uint32_t)x < t->p->window.in_width;
    sf_column c = {t->padding, 0};
    if (is_inside) {
        c.from = t->first + x * t->widening.channels;
        c.step = t->widening.step;
    }
    return c;
}

/* Columns i to end of a strip, in the rows that lie in the plane; x: the plane's column that is the
 * strip's first. */
SF_NOINLINE static void widen_rows(const task *t, int32_t x, int16_t *to, int32_t i, int32_t end) {
    const int32_t width = t->p->window.in_width;
    while (i < end) {
        int16_t *const first = to + i, *const second = first + t->other;
        if (t->other > 0 && x + i >= 0 && i + 6 <= end && x + i + 6 <= width) {
            sf_widen_six(t->first + (x + i) * t->widening.channels, first, second, &t->widening);
            i += 6;
            continue;
        }
        const sf_column two[2] = {column_at(t, x + i), column_at(t, x + i + 1)};
        if ((i & 1) || t->other == 0) {
            widen_column(t, two[0], first);
            i++;
        } else {
            sf_widen_columns(two, first, second, &t->widening);
            i += 2;
        }
    }
}

/* The strip's inputs; `moved`: how many columns behind the strip before, whose buffer it takes
 * over; 0 where it has its own. Padding beside a plane of one strip is in the buffer from the
 * start. */
static void widen_strip(const task *t, int32_t start, int16_t *to, int32_t moved) {
    const sf_window *w = &t->p->window;
    const int32_t x = start * w->stride_width - w->pad_left;
    const int is_single = t->p->strips == 1;
    const int32_t end = is_single ? sf_min(w->in_width - x, t->row) : t->row;
    int32_t i = 0;
    to += t->top * t->row;
    if (moved > 0) {
        i = t->row - moved;
        keep_columns(t, to, moved, i);
    } else if (is_single && w->in_width == 6) {
        i = w->pad_left;
    } else if (x == -1 && w->in_width >= 5 && t->other > 0) {
        sf_widen_edge(t->first, to, to + t->other, &t->widening);
        i = 6;
    }
    if (i < end) {
        widen_rows(t, x, to, i, end);
    }
}

/* One channel's strip for all its multiples, of planes that may be narrower than a strip. */
SF_NOINLINE static void run_multiples(const task *t, const int32_t *record, const int16_t *window,
                                      int8_t *out) {
    const sf_window *w = &t->p->window;
    for (int32_t m = 0; m < t->p->depth_multiplier; m++, record += 5) {
        const int8_t *from = t->narrow;
        int8_t *to = out + m;
        sf_run_strip(&t->strip, record, window, t->narrow ? t->narrow : to);
        for (int32_t y = t->narrow ? t->rows : 0; y > 0; y--, from += t->strip.row_step) {
            for (int32_t x = 0; x < w->out_width; x++, to += w->out_channels) {
                *to = from[x];
            }
        }
    }
}

/* All outputs of a strip; out: of the first channel's first. The second channel's buffer has the
 * only one where both are widened for an odd last one, and is the first's where there is no other.
 */
static void run_strip(const task *t, const int32_t *record, const int16_t *window, int8_t *out) {
    const int32_t multiplier = t->p->depth_multiplier;
    const int is_simple = multiplier == 1 && t->narrow == NULL;
    for (int32_t c = t->channels; c > 0; c--, record += 5 * multiplier, out += multiplier) {
        const int16_t *from = c == 1 ? window + t->other : window;
        if (is_simple) {
            sf_run_strip(&t->strip, record, from, out);
        } else {
            run_multiples(t, record, from, out);
        }
    }
}

/* out: of the first channel, the band's first. */
static void run_band(const task *t, const int32_t *records, int8_t *out) {
    const sf_depthwise_3x3_params *p = t->p;
    const int32_t step = p->window.out_channels, buffer = p->buffers > 1 ? t->buffer : 0;
    int16_t *to = t->buffers;
    int32_t before = 0;
    for (int32_t k = 0; k < p->strips; k++, to += buffer) {
        const int32_t start = first_output(p, k);
        if (p->band_rows < p->window.out_height) {
            const int32_t inside_end = (t->top + t->widening.rows) * t->row;
            fill(t, to, t->top * t->row);
            fill(t, to + inside_end, t->buffer - inside_end);
        }
        widen_strip(t, start, to, buffer == 0 ? start - before : 0);
        before = start;
        if (buffer == 0) {
            run_strip(t, records, to, out + start * step);
        }
    }
    to = t->buffers;
    for (int32_t k = 0; buffer > 0 && k < p->strips; k++, to += buffer) {
        run_strip(t, records, to, out + first_output(p, k) * step);
    }
}

/* All channels. An odd last one is widened with the one before it, which is done and may be
 * overwritten. */
static void run_channels(task *t, const int8_t *in, int8_t *out) {
    const int32_t channels = t->p->window.in_channels, multiplier = t->p->depth_multiplier;
    const int32_t together = sf_min(channels, 2);
    const int32_t *records = t->p->records;
    for (int32_t c = 0; c < channels; c += 2) {
        t->channels = sf_min(channels - c, together);
        t->first = in + c - (together - t->channels);
        run_band(t, records, out);
        records += 5 * t->channels * multiplier;
        out += t->channels * multiplier;
    }
}

void sf_depthwise_3x3_s8(const sf_depthwise_3x3_params *p, const int8_t *in, int8_t *out,
                         void *scratch) {
    const sf_window *w = &p->window;
    const int32_t channels = w->in_channels, together = sf_min(channels, 2);
    task t;
    t.p = p;
    t.buffers = (int16_t *)scratch;
    t.row = row_of(w);
    t.buffer = rows_of(w, p->band_rows) * t.row;
    t.other = channels > 1 ? p->buffers * t.buffer : 0;
    t.narrow = is_narrow(p) ? (int8_t *)(t.buffers + together * p->buffers * t.buffer) : NULL;
    t.padding[0] = t.padding[1] = p->in_zero_point;
    t.widening.channels = channels;
    t.widening.step = w->in_width * channels;
    t.widening.row = t.row * 2;
    t.widening.padding = p->in_zero_point & 0xFFFF;
    t.strip.flags = (p->out_zero_point > INT8_MIN ? SF_STRIP_SIGNED : 0) |
                    (p->strip_outputs == 5 ? SF_STRIP_5 : 0) |
                    (w->stride_width == 2 ? SF_STRIP_STRIDE_2 : 0);
    t.strip.out_step = t.narrow ? 1 : w->out_channels;
    t.strip.row_step = t.narrow ? p->strip_outputs : w->out_width * w->out_channels;
    t.strip.offset = 2 * p->out_zero_point + 1;
    fill(&t, t.buffers, p->buffers * t.buffer);
    for (int32_t y = 0; y < w->out_height; y += t.rows) {
        const int32_t in_y = y * w->stride_height - w->pad_top;
        t.rows = sf_min(p->band_rows, w->out_height - y);
        const int32_t rows = rows_of(w, t.rows);
        t.top = sf_clamp(-in_y, 0, rows);
        t.widening.rows = sf_clamp(w->in_height - in_y, t.top, rows) - t.top;
        t.strip.span = t.rows * w->stride_height * t.row * 2;
        run_channels(&t, in + (in_y + t.top) * w->in_width * channels,
                     out + y * w->out_width * w->out_channels);
    }
}
