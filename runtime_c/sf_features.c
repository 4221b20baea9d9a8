/* SPDX-License-Identifier: Apache-2.0 */
/* Streaming log-mel features and MFCCs in fixed point: samples, bands, logarithm, noise estimate.
 * The spectrum is in sf_spectrum.c and sf_spectrum_dsp.c. */
#include <string.h>

#include "sf_bands.h"
#include "sf_features.h"
#include "sf_select.h"

enum { LEVEL_BITS = SF_LEVEL_BITS, GAIN_BITS = SF_GAIN_BITS, NOISE_BITS = 6, NOISE_GAINS = 64 };
enum { FINE_BITS = 7, COSINE_SHIFT = 22 };

/* What is kept between calls begins so; behind it lie, for each hop in the window, a word with as
 * many bits as its samples need, the noise of each band where it is estimated, and samples. */
typedef struct stream {
    int32_t start;    /* where the window begins among the samples */
    int32_t position; /* samples of it that are there; below 0 where a hop leaves some out */
    int32_t previous; /* the sample before */
    int32_t frames;   /* 0: not even a sample yet; 1: no frame yet; 2: past the first frame */
} stream;

static uint32_t *peaks_of(void *state) {
    return (uint32_t *)((char *)state + sizeof(stream));
}

static int32_t *noise_of(const sf_features *f, void *state) {
    return (int32_t *)(peaks_of(state) + f->blocks);
}

static int16_t *samples_of(const sf_features *f, void *state) {
    return (int16_t *)(noise_of(f, state) + (f->noise ? f->bands : 0));
}

void sf_features_reset(const sf_features *features, void *state) {
    memset(state, 0, (uint32_t)features->state_bytes);
}

/* Takes up to the end of a hop or of the window. */
static int32_t take_some(const sf_features *f, void *state, const int16_t *in, int32_t count) {
    stream *s = (stream *)state;
    if (s->frames == 0 && count > 0) {
        s->previous = in[0];
        s->frames = 1;
    }
    if (s->position < 0) {
        const int32_t skipped = sf_min(count, -s->position);
        if (skipped > 0) {
            s->previous = in[skipped - 1];
            s->position += skipped;
        }
        return skipped;
    }
    const int32_t block = s->position / f->hop_samples;
    const int32_t end = sf_min((block + 1) * f->hop_samples, f->window_samples);
    const int32_t taken = sf_min(count, end - s->position);
    peaks_of(state)[block] |=
        sf_differences(in, s->previous, taken, samples_of(f, state) + s->start + s->position);
    s->previous = in[taken - 1];
    s->position += taken;
    return taken;
}

/* Moves samples down, four words at a time. */
static void move_down(int16_t *to, const int16_t *from, int32_t count) {
    for (; count >= 8; count -= 8, from += 8, to += 8) {
        const uint32_t a = sf_load32(from), b = sf_load32(from + 2);
        const uint32_t c = sf_load32(from + 4), d = sf_load32(from + 6);
        sf_store32(to, a);
        sf_store32(to + 2, b);
        sf_store32(to + 4, c);
        sf_store32(to + 6, d);
    }
    for (; count > 0; count--) {
        *to++ = *from++;
    }
}

/* Makes room for the next hop. */
static void move_on(const sf_features *f, void *state) {
    stream *s = (stream *)state;
    uint32_t *peaks = peaks_of(state);
    int16_t *samples = samples_of(f, state);
    s->position = (int32_t)f->window_samples - f->hop_samples;
    s->start += f->hop_samples;
    if (s->start > f->spare_samples) {
        move_down(samples, samples + s->start, s->position);
        s->start = 0;
    }
    for (int32_t i = 1; i < f->blocks; i++) {
        peaks[i - 1] = peaks[i];
    }
    peaks[f->blocks - 1] = 0;
    s->frames = 2;
}

/* Bits that all samples of the window leave free. */
static int32_t free_bits(const sf_features *f, const uint32_t *peaks) {
    uint32_t all = 0;
    for (int32_t i = 0; i < f->blocks; i++) {
        all |= peaks[i];
    }
    return sf_leading_zeros(all << 1 | 1u) - 16;
}

/* The level with the noise taken off; *noise follows it. */
static int32_t clean(const sf_noise_params *p, int32_t level, int32_t *noise, int32_t first) {
    const int32_t fine = level * (1 << NOISE_BITS);
    if (first) {
        *noise = fine;
    }
    const int32_t step = fine - *noise;
    *noise += step >> (step < 0 ? p->fall : p->rise);
    const int32_t estimate = *noise >> NOISE_BITS;
    const int32_t above = sf_clamp((level - estimate) >> (LEVEL_BITS - 3), 0, NOISE_GAINS - 1);
    return level + p->gains[above] - ((p->share * (estimate - p->reference)) >> 8);
}

static void clean_bands(const sf_features *f, void *state, int32_t *levels) {
    const int32_t first = ((const stream *)state)->frames < 2;
    int32_t *noise = noise_of(f, state);
    for (int32_t i = 0; i < f->bands; i++) {
        levels[i] = clean(f->noise, levels[i], noise + i, first);
    }
}

static void write_bands(const sf_features *f, const int32_t *levels, int8_t *frame) {
    for (int32_t i = 0; i < f->bands; i++) {
        frame[i] = (int8_t)sf_ssat8((levels[i] * f->gain + f->offset) >> GAIN_BITS);
    }
}

/* The cosine transform's inputs have FINE_BITS more than a feature. */
static void write_cosines(const sf_features *f, int32_t *levels, int8_t *frame) {
    const int32_t half = (1 << (GAIN_BITS - 1)) - (1 << (GAIN_BITS - FINE_BITS - 1));
    const int16_t *cosines = f->cosines;
    for (int32_t i = 0; i < f->bands; i++) {
        const int32_t fine = (levels[i] * f->gain + f->offset - half) >> (GAIN_BITS - FINE_BITS);
        levels[i] = sf_clamp(fine, -128 * (1 << FINE_BITS), 127 * (1 << FINE_BITS));
    }
    for (int32_t k = 0; k < f->width; k++) {
        int32_t sum = 1 << (COSINE_SHIFT - 1);
        for (int32_t i = 0; i < f->bands; i++) {
            sum += levels[i] * *cosines++;
        }
        frame[k] = (int8_t)sf_ssat8(sum >> COSINE_SHIFT);
    }
}

static void write_frame(const sf_features *f, void *state, void *scratch, int8_t *frame) {
    const uint32_t *power = (const uint32_t *)scratch + f->fft_size / 2;
    /* The spectrum is no longer needed where its powers are there, and bands are fewer than bins.
     */
    int32_t *levels = f->noise || f->cosines ? (int32_t *)scratch : 0;
    const int32_t shift = free_bits(f, peaks_of(state));
    sf_bands out;
    out.shifted = shift << (LEVEL_BITS + 1);
    out.levels = levels;
    out.frame = frame;
    sf_power_spectrum(f, samples_of(f, state) + ((const stream *)state)->start, shift, scratch);
    sf_find_bands(f, power, &out);
    if (f->noise) {
        clean_bands(f, state, levels);
    }
    if (f->cosines) {
        write_cosines(f, levels, frame);
    } else if (f->noise) {
        write_bands(f, levels, frame);
    }
}

int32_t sf_features_take(const sf_features *features, void *state, void *scratch,
                         const int16_t *samples, int32_t count, int8_t *frame, int32_t *done) {
    const stream *s = (const stream *)state;
    int32_t taken = 0;
    *done = 0;
    while (taken < count && !*done) {
        taken += take_some(features, state, samples + taken, count - taken);
        *done = s->position == features->window_samples;
    }
    if (*done) {
        write_frame(features, state, scratch, frame);
        move_on(features, state);
    }
    return taken;
}
