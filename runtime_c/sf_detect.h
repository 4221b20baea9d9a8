/* SPDX-License-Identifier: Apache-2.0 */
/* From a network's outputs, one after the other, to "this hotword was said now".
 *
 * Each hotword's output is averaged over the last few outputs; a hotword is detected when its mean
 * reaches its threshold, and for a while afterwards nothing is. Integers only: the same bits on
 * every machine and in shrinkfit/audio/detect.py.
 *
 * Scores are means in 1/65536: 65536 is the real value 1.0. A softmax's or sigmoid's are in
 * [0, 65280], because its int8 outputs end at 255/256.
 */
#ifndef SF_DETECT_H
#define SF_DETECT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* hotwords: [hotword_count] which outputs they are, each once. thresholds: [hotword_count], scores.
 * multiplier: the outputs' scale / smoothing * 2^32, at least 1. state_bytes: 4 + 4 * hotword_count
 * + smoothing * hotword_count, rounded up to a multiple of 4. hotword_count: 1 to classes.
 * smoothing: over how many outputs the mean goes, 1 to 256; those from before the first are
 * zero_point, which is 0.0. refractory: at how many outputs after a detection nothing is detected.
 * classes: how many outputs the network has. */
typedef struct sf_detector {
    const uint16_t *hotwords;
    const int32_t *thresholds;
    uint32_t multiplier;
    uint32_t state_bytes;
    uint16_t classes;
    uint16_t hotword_count;
    uint16_t smoothing;
    uint16_t refractory;
    int8_t zero_point;
} sf_detector;

/* label: the hotword's output, or -1 where none was detected. score: the hotword's; where none was
 * detected the largest of those at their thresholds (it is not yet time for the next one), or of
 * all. */
typedef struct sf_detection {
    int32_t label;
    int32_t score;
} sf_detection;

/* Before the first output, and to forget what was heard. state: state_bytes, 4-byte aligned, of
 * one stream of sound; nothing else may write there between calls. */
void sf_detect_reset(const sf_detector *detector, void *state);

/* Takes one output of the network, int8 [classes], and writes *detection. Of hotwords that reach
 * their thresholds together the one with the largest score is detected, of equal ones the first in
 * `hotwords`. Returns 1 where a hotword was detected now, else 0. */
int32_t sf_detect(const sf_detector *detector, void *state, const int8_t *scores,
                  sf_detection *detection);

/* How sure it has been: writes each hotword's present score to highest, [hotword_count], where that
 * is larger than what stands there, or in any case with anew. */
void sf_detect_highest(const sf_detector *detector, void *state, int32_t anew, int32_t *highest);

/* As sf_detect, of two networks: the log odds of each hotword's score are the mean of those of its
 * output's and of others, [hotword_count], which count for share / 65536. So a network that is sure
 * of the contrary has its way. 0: its output's score. Only for a smoothing of 1. */
int32_t sf_detect_with(const sf_detector *detector, void *state, const int8_t *scores,
                       const int32_t *others, int32_t share, sf_detection *detection);

/* Lets the time of one output pass where there is none, as after a run of a first network after
 * which a second one did not run: refractory counts it. Only for a smoothing of 1. */
void sf_detect_nothing(void *state);

#ifdef __cplusplus
}
#endif

#endif
