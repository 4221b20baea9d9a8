/* SPDX-License-Identifier: Apache-2.0 */
/* What a listener with a verifier keeps: the newest sound, which a second network hears once more
 * a while after the first one's detector thought that a hotword was said. */
#ifndef SF_VERIFY_H
#define SF_VERIFY_H

#include <stdint.h>

#include "sf_detect.h"
#include "sf_features.h"

#ifdef __cplusplus
extern "C" {
#endif

/* features: of the second network. table: [256], what each of their bytes becomes in its input, by
 * byte + 128; NULL where it stays as it is. first: the first network's detector. samples: from
 * which the second one's input is made, at least 1. delay: how many runs of the first network after
 * its detection. */
typedef struct sf_verifier {
    const sf_features *features;
    const int8_t *table;
    const sf_detector *first;
    int32_t samples;
    int32_t delay;
} sf_verifier;

/* Bytes of what lies between two calls in `state`, aligned to 4; nothing else may write there. */
int32_t sf_verify_state_bytes(const sf_verifier *verifier);

/* Forgets all sound: what was before the first sample is silence. */
void sf_verify_reset(const sf_verifier *verifier, void *state);

/* Keeps the newest samples, [count]. */
void sf_verify_keep(const sf_verifier *verifier, void *state, const int16_t *samples,
                    int32_t count);

/* After each run of the first network: whether it is time for the second one. first_state: of the
 * first one's detector. candidate: 1 where that has detected something now; not looked at until a
 * hotword of before has been verified. */
int32_t sf_verify_due(const sf_verifier *verifier, void *state, void *first_state,
                      int32_t candidate);

/* When that is so: the first detector's highest score of each hotword, [hotword_count], since it
 * detected something. */
const int32_t *sf_verify_first(void *state);

/* Writes the second network's input, frame after frame, from the sound that is kept.
 * scratch: the features' state_bytes, rounded up to a multiple of 8, and then scratch_bytes;
 * aligned to 8, not kept. */
void sf_verify_input(const sf_verifier *verifier, void *state, void *scratch, int8_t *input);

#ifdef __cplusplus
}
#endif

#endif
