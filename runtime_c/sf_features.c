/* SPDX-License-Identifier: Apache-2.0 */
/* Streaming log-mel features and MFCCs in fixed point: samples, bands, logarithm, noise estimate.
 * The spectrum is in sf_spectrum.c and sf_spectrum_dsp.c. */
#include <string.h>

#include "sf_features.h"
#include "sf_internal.h"
#include "sf_select.h"

enum { LEVEL_BITS = 10, GAIN_BITS = 20, NOISE_BITS = 6, NOISE_GAINS = 64 };
enum { FINE_BITS = 7, COSINE_SHIFT = 22 };

/* What is kept between calls, in the order in which it lies there; `noise` only where it is
 * estimated. position: samples of the current window that are there, negative where a hop leaves
 * some out; peaks: of each hop in the window, all bits that a sample or its complement needs. */
typedef struct stream {
    int32_t position;
    int16_t previous;
    int16_t frames; /* 0: none yet, not even a sample; 1: no frame yet; 2: past the first frame */
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

/* Differences of `count` samples, saturated; returns all bits that they need. */
static uint32_t take_differences(stream *s, const int16_t *in, int32_t count, int16_t *out) {
    uint32_t peak = 0;
    int32_t previous = s->previous;
    for (int32_t i = 0; i < count; i++) {
        const int32_t y = sf_saturate16(in[i] - previous);
        previous = in[i];
        out[i] = (int16_t)y;
        peak |= (uint32_t)(y ^ (y >> 15));
    }
    s->previous = (int16_t)previous;
    return peak;
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
    peaks_of(state)[block] |= take_differences(s, in, taken, samples_of(f, state) + s->position);
    s->position += taken;
    return taken;
}

/* Makes room for the next hop. */
static void move_on(const sf_features *f, void *state) {
    stream *s = (stream *)state;
    uint32_t *peaks = peaks_of(state);
    int16_t *samples = samples_of(f, state);
    s->position = (int32_t)f->window_samples - f->hop_samples;
    if (s->position > 0) {
        memmove(samples, samples + f->hop_samples, (uint32_t)s->position * sizeof *samples);
    }
    memmove(peaks, peaks + 1, (f->blocks - 1u) * sizeof *peaks);
    peaks[f->blocks - 1] = 0;
    s->frames = 2;
}

/* How many zeros lead in 32 bits; x is not 0. */
static inline int32_t leading_zeros(uint32_t x) {
#if defined(__GNUC__) && (!defined(__arm__) || defined(__ARM_FEATURE_CLZ))
    return __builtin_clz(x);
#else
    int32_t zeros = 0;
    for (; !(x & UINT32_C(0x80000000)); x <<= 1) {
        zeros++;
    }
    return zeros;
#endif
}

/* Bits that all samples of the window leave free. */
static int32_t free_bits(const sf_features *f, const uint32_t *peaks) {
    uint32_t all = 0;
    for (int32_t i = 0; i < f->blocks; i++) {
        all |= peaks[i];
    }
    return leading_zeros(all << 1 | 1u) - 16;
}

/* Triangular sums of the powers, in half steps. One rising and one falling band share each stretch
 * between two edges: what the one has of a bin the other has not. */
static void sum_bands(const sf_features *f, const uint32_t *power, uint32_t *sums) {
    const uint16_t *weights = f->weights;
    power += f->first_bin;
    for (int32_t i = 0; i <= f->bands; i++) {
        uint64_t rising = 0;
        uint32_t whole = 0;
        for (int32_t n = f->counts[i]; n > 0; n--) {
            rising += (uint64_t)*power * *weights++;
            whole += *power++;
        }
        const uint32_t rise = (uint32_t)(rising >> 15);
        if (i > 0) {
            sums[i - 1] += 2 * whole - rise;
        }
        if (i < f->bands) {
            sums[i] = rise;
        }
    }
}

/* log2 in Q10; below 1 as of 1. */
static inline int32_t log2_of(const sf_features *f, uint32_t x) {
    const int32_t zeros = leading_zeros(x | (x == 0));
    const uint32_t fraction = (x | (x == 0)) << zeros >> 23 & 255u;
    return ((31 - zeros) << LEVEL_BITS) + f->log2[fraction];
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

/* Sums become levels, in place: log2 of each band's mean power, Q10. */
static void find_levels(const sf_features *f, void *state, int32_t shift, int32_t *levels) {
    const int32_t first = ((const stream *)state)->frames < 2;
    for (int32_t i = 0; i < f->bands; i++) {
        const int32_t log2 = log2_of(f, (uint32_t)levels[i]);
        levels[i] = log2 + f->levels[i] - (shift << (LEVEL_BITS + 1));
        if (f->noise) {
            levels[i] = clean(f->noise, levels[i], noise_of(f, state) + i, first);
        }
    }
}

static void write_bands(const sf_features *f, const int32_t *levels, int8_t *frame) {
    for (int32_t i = 0; i < f->bands; i++) {
        const int32_t steps = (levels[i] * f->gain + f->offset) >> GAIN_BITS;
        frame[i] = (int8_t)sf_clamp(steps, INT8_MIN, INT8_MAX);
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
        frame[k] = (int8_t)sf_clamp(sum >> COSINE_SHIFT, INT8_MIN, INT8_MAX);
    }
}

static void write_frame(const sf_features *f, void *state, void *scratch, int8_t *frame) {
    const uint32_t *power = (const uint32_t *)scratch + f->fft_size / 2;
    /* The spectrum is no longer needed where its powers are there, and bands are fewer than bins.
     */
    int32_t *levels = (int32_t *)scratch;
    const int32_t shift = free_bits(f, peaks_of(state));
    sf_power_spectrum(f, samples_of(f, state), shift, scratch);
    sum_bands(f, power, (uint32_t *)levels);
    find_levels(f, state, shift, levels);
    if (f->cosines) {
        write_cosines(f, levels, frame);
    } else {
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
