/* SPDX-License-Identifier: Apache-2.0 */
#include "sf_listen.h"

#include <string.h>

/* A ring: the frames follow behind. next: where the next frame goes. missing: how many frames to
 * the next run. unsettled: how many runs still do not count. */
typedef struct ring {
    int32_t next;
    int32_t missing;
    int32_t unsettled;
} ring;

int32_t sf_frames_state_bytes(const sf_frames *frames) {
    const int32_t bytes = (int32_t)sizeof(ring) + frames->frames * frames->width;
    return (bytes + 3) / 4 * 4;
}

void sf_frames_reset(const sf_frames *frames, void *state) {
    ring *const at = (ring *)state;
    at->next = 0;
    at->missing = frames->frames;
    at->unsettled = frames->settle;
}

/* A frame as the network's input has it. */
static void keep(const sf_frames *frames, const int8_t *frame, int8_t *to) {
    if (frames->table == NULL) {
        (void)memcpy(to, frame, frames->width);
        return;
    }
    for (int32_t i = 0; i < frames->width; i++) {
        to[i] = frames->table[frame[i] + 128];
    }
}

int32_t sf_frames_take(const sf_frames *frames, void *state, const int8_t *frame, int8_t *input) {
    ring *const at = (ring *)state;
    int8_t *const kept = (int8_t *)(at + 1);
    keep(frames, frame, kept + at->next * frames->width);
    at->next = at->next + 1 == frames->frames ? 0 : at->next + 1;
    at->missing--;
    if (at->missing > 0) {
        return SF_FRAMES_WAIT;
    }
    at->missing = frames->hop;
    /* The oldest frame is where the next one will go. */
    const int32_t newer = at->next * frames->width;
    const int32_t older = frames->frames * frames->width - newer;
    (void)memcpy(input, kept + newer, (size_t)older);
    (void)memcpy(input + older, kept, (size_t)newer);
    if (at->unsettled == 0) {
        return SF_FRAMES_DUE;
    }
    at->unsettled--;
    return SF_FRAMES_SETTLE;
}
