/* SPDX-License-Identifier: Apache-2.0 */
/* What joins features, network and detector into one function that takes samples, NAME_listen. */
#ifndef SF_LISTEN_H
#define SF_LISTEN_H

#include <stdint.h>

#include "sf_detect.h"
#include "shrinkfit.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What became of the samples that NAME_listen took.
 * scored: 1 where the network has run, so that NAME_output holds new scores; 2 where a verifier's
 * has run, too.
 * detected: 1 where a hotword was detected just now. detection: the detector's word on the new
 * scores; as it was where there are none. With a verifier its detector's, which has none where the
 * verifier's network has not run. */
typedef struct sf_heard {
    int32_t scored;
    int32_t detected;
    sf_detection detection;
} sf_heard;

/* Which frames a network is given: `frames` of `width` bytes, the oldest first, of which `hop` are
 * new each time; 1 <= hop <= frames.
 * table: [256], what each byte of a frame becomes, by byte + 128; NULL where it stays as it is.
 * settle: after how many runs the scores begin to count, which is when a network that keeps state
 * has seen as much sound as it looks back on. */
typedef struct sf_frames {
    const int8_t *table;
    uint16_t width;
    uint16_t frames;
    uint16_t hop;
    uint16_t settle;
} sf_frames;

/* What sf_frames_take says of the input: not yet there, there, there and its scores count. */
enum { SF_FRAMES_WAIT = 0, SF_FRAMES_SETTLE = 1, SF_FRAMES_DUE = 2 };

/* Bytes of what lies between two calls in `state`, aligned to 4; nothing else may write there. */
int32_t sf_frames_state_bytes(const sf_frames *frames);

/* Forgets all frames: the first input is complete after `frames` of them. */
void sf_frames_reset(const sf_frames *frames, void *state);

/* Takes a frame, [width], and writes input, [frames][width], where that many and `hop` new ones are
 * there. frame and input may lie anywhere but in state. */
int32_t sf_frames_take(const sf_frames *frames, void *state, const int8_t *frame, int8_t *input);

#ifdef __cplusplus
}
#endif

#endif
