/* SPDX-License-Identifier: Apache-2.0 */
#include "sf_verify.h"

#include <stddef.h>
#include <string.h>

/* Behind it follow the first detector's highest scores, int32 [hotword_count], and a ring of
 * samples. next: where the next sample goes, which is where the oldest one is. waiting: after how
 * many runs the second network is to run; 0 where it is not. */
typedef struct past {
    int32_t next;
    int32_t waiting;
} past;

static int32_t *highest_of(void *state) {
    return (int32_t *)(void *)((past *)state + 1);
}

static int32_t head_bytes(const sf_verifier *verifier) {
    return (int32_t)sizeof(past) + 4 * (int32_t)verifier->first->hotword_count;
}

static int16_t *samples_of(const sf_verifier *verifier, void *state) {
    return (int16_t *)(void *)((int8_t *)state + head_bytes(verifier));
}

int32_t sf_verify_state_bytes(const sf_verifier *verifier) {
    return (head_bytes(verifier) + 2 * verifier->samples + 3) / 4 * 4;
}

void sf_verify_reset(const sf_verifier *verifier, void *state) {
    past *const at = (past *)state;
    at->next = 0;
    at->waiting = 0;
    (void)memset(samples_of(verifier, state), 0, 2 * (size_t)verifier->samples);
}

void sf_verify_keep(const sf_verifier *verifier, void *state, const int16_t *samples,
                    int32_t count) {
    past *const at = (past *)state;
    int16_t *const kept = samples_of(verifier, state);
    int32_t taken = count > verifier->samples ? count - verifier->samples : 0;
    while (taken < count) {
        const int32_t room = verifier->samples - at->next;
        const int32_t part = count - taken < room ? count - taken : room;
        (void)memcpy(kept + at->next, samples + taken, 2 * (size_t)part);
        at->next = part == room ? 0 : at->next + part;
        taken += part;
    }
}

int32_t sf_verify_due(const sf_verifier *verifier, void *state, void *first_state,
                      int32_t candidate) {
    past *const at = (past *)state;
    const int32_t begins = at->waiting == 0;
    if (begins && !candidate) {
        return 0;
    }
    at->waiting = begins ? verifier->delay : at->waiting - 1;
    sf_detect_highest(verifier->first, first_state, begins, highest_of(state));
    return at->waiting == 0;
}

const int32_t *sf_verify_first(void *state) {
    return highest_of(state);
}

/* Frames of count samples, to `frame` and behind it; returns where the next one goes. */
static int8_t *hear(const sf_features *features, int8_t *scratch, const int16_t *samples,
                    int32_t count, int8_t *frame) {
    int32_t taken = 0;
    while (taken < count) {
        int32_t done = 0;
        taken += sf_features_take(features, scratch, scratch + (features->state_bytes + 7) / 8 * 8,
                                  samples + taken, count - taken, frame, &done);
        frame += done ? features->width : 0;
    }
    return frame;
}

void sf_verify_input(const sf_verifier *verifier, void *state, void *scratch, int8_t *input) {
    const past *const at = (const past *)state;
    const int16_t *const kept = samples_of(verifier, state);
    const sf_features *const features = verifier->features;
    int8_t *const own = (int8_t *)scratch;
    sf_features_reset(features, own);
    int8_t *end = hear(features, own, kept + at->next, verifier->samples - at->next, input);
    end = hear(features, own, kept, at->next, end);
    if (verifier->table != NULL) {
        for (int8_t *value = input; value < end; value++) {
            *value = verifier->table[*value + 128];
        }
    }
}
