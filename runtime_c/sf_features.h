/* SPDX-License-Identifier: Apache-2.0 */
/* From int16 sound to int8 features, frame by frame as samples come in. docs/features.md defines
 * every rounding step; shrinkfit/audio/features.py computes the same bytes and writes the tables.
 */
#ifndef SF_FEATURES_H
#define SF_FEATURES_H

#include <stdint.h>

#include "shrinkfit.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Spectral subtraction and gain normalization, by an estimate of each band's noise.
 * gains: log2 of what is left of a band that lies i / 8 (in log2) above its noise, Q10.
 * rise, fall: how far a step of the estimate is shifted right.
 * share: of the noise's level that is taken off, Q8; reference: the level that stays, Q10. */
typedef struct sf_noise_params {
    const int16_t *gains;
    int16_t share;
    uint8_t rise, fall;
    int32_t reference;
} sf_noise_params;

/* Constants and tables, which the exporter writes: flash. All tables are aligned to 4 bytes.
 * fft_size: 128, 256, 512 or 1024. blocks: hops that a window touches.
 * spare_samples: how far the window may move before its samples are moved down.
 * first_bin: where the bands begin; bin_step: from bin to bin, 1 or 2. weights: of each of the
 * bands + 1 stretches from one band edge to the next how many bins are taken, and for each of them,
 * Q16, how much of it belongs to the band that rises there; the band that falls has the rest.
 * opening: for each two neighbouring points of the first pass the window's values for the samples
 * fft_size / 8 apart that there are, in the order 0, 4, 2, 6, 1, 5, 3, 7, two in a word; then the
 * cosines and sines, Q15, that the two points of the sequences 2, 1 and 3 are multiplied with; only
 * of 2 where odd bins are not used.
 * passes, split: those of all further passes, and of the bins 4 t.
 * log2: [256], Q10. levels: [bands], Q10. gain, offset: from a level to int8 steps, Q20.
 * cosines: [width][bands], Q15; null where the features are the bands themselves.
 * noise: null where no noise is estimated. */
typedef struct sf_features {
    uint16_t window_samples, hop_samples, fft_size, blocks;
    uint16_t bands, width, first_bin, bin_step, spare_samples;
    int32_t state_bytes, scratch_bytes;
    int32_t gain, offset;
    const int16_t *opening, *passes, *split;
    const uint16_t *weights, *log2;
    const int32_t *levels;
    const int16_t *cosines;
    const sf_noise_params *noise;
} sf_features;

/* Before the first sample, and where a stream begins anew.
 * state: features->state_bytes, aligned to 8, kept between calls. */
void sf_features_reset(const sf_features *features, void *state);

/* Takes samples until a frame is complete or all are used up, and returns how many it took.
 * Frame k is of the samples k * hop_samples up to k * hop_samples + window_samples, however they
 * were cut into calls.
 * state: as sf_features_reset left it, or the call before; scratch: features->scratch_bytes,
 * aligned to 8, not kept; samples: [count]; count: at least 0; frame: [features->width];
 * done: 1 where `frame` holds a new frame, which is worth value / 128, else 0 and frame is as it
 * was. */
int32_t sf_features_take(const sf_features *features, void *state, void *scratch,
                         const int16_t *samples, int32_t count, int8_t *frame, int32_t *done);

/* What sf_features_take is made of.
 *
 * Differences of neighbouring samples, saturated, to out [count]; previous: the sample before the
 * first. Returns a number with as many bits as the largest needs besides its sign. */
uint32_t sf_differences_s16(const int16_t *samples, int32_t previous, int32_t count, int16_t *out);
uint32_t sf_differences_s16_dsp(const int16_t *samples, int32_t previous, int32_t count,
                                int16_t *out);

/* The power of the first fft_size / 2 + 1 bins of a frame; of those that no band takes some may be
 * left out.
 * samples: [window_samples, even], each at most 2^(15 - shift) in size; scratch: as above; the
 * powers end up 2 * fft_size bytes behind its beginning. */
void sf_power_spectrum_s16(const sf_features *features, const int16_t *samples, int32_t shift,
                           void *scratch);
void sf_power_spectrum_s16_dsp(const sf_features *features, const int16_t *samples, int32_t shift,
                               void *scratch);

#ifdef __cplusplus
}
#endif

#endif
