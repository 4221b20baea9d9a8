/* SPDX-License-Identifier: Apache-2.0 */
/* Moving means of the hotwords' outputs, kept as sums: one output comes in, the oldest goes. */
#include "sf_detect.h"

/* Of a sum times `multiplier`, to a score. Sums may be negative where zero_point is above -128. */
enum { SHIFT = 16, ONE = 1 << SHIFT };
typedef char sf_detect_arithmetic_shift_needed[((-1) >> 1) == -1 ? 1 : -1];

/* The state is this, then int32 sums [hotword_count], then int8 outputs [smoothing][hotword_count],
 * of which those at `oldest` are the next to go. */
typedef struct state_head {
    uint16_t oldest;
    uint16_t waiting; /* outputs until something may be detected again */
} state_head;

static int32_t *sums_of(void *state) {
    return (int32_t *)(void *)((state_head *)state + 1);
}

static int8_t *outputs_of(const sf_detector *detector, void *state) {
    return (int8_t *)(sums_of(state) + detector->hotword_count);
}

void sf_detect_reset(const sf_detector *detector, void *state) {
    state_head *head = (state_head *)state;
    int32_t *sums = sums_of(state);
    int8_t *outputs = outputs_of(detector, state);
    head->oldest = 0;
    head->waiting = 0;
    for (uint32_t i = 0; i < detector->hotword_count; i++) {
        sums[i] = 0;
    }
    for (uint32_t i = 0; i < (uint32_t)detector->smoothing * detector->hotword_count; i++) {
        outputs[i] = detector->zero_point;
    }
}

/* |sum| is at most 255 * 256, so the product has 48 bits. */
static int32_t score_of(const sf_detector *detector, int32_t sum) {
    const int64_t half = INT64_C(1) << (SHIFT - 1);
    return (int32_t)(((int64_t)sum * (int64_t)detector->multiplier + half) >> SHIFT);
}

/* Writes hotword i to *detection where it is the best so far. best: -1 before the first, then
 * whether the best one reaches its threshold; returned anew. */
static int32_t better(const sf_detector *detector, uint32_t i, int32_t score, int32_t best,
                      sf_detection *detection) {
    const int32_t reaches = score >= detector->thresholds[i];
    if (reaches > best || (reaches == best && score > detection->score)) {
        detection->label = (int32_t)detector->hotwords[i];
        detection->score = score;
        return reaches;
    }
    return best;
}

/* After the last hotword: whether something is detected now. */
static int32_t decided(const sf_detector *detector, state_head *head, int32_t best,
                       sf_detection *detection) {
    if (best > 0 && head->waiting == 0) {
        head->waiting = detector->refractory;
        return 1;
    }
    if (head->waiting > 0) {
        head->waiting--;
    }
    detection->label = -1;
    return 0;
}

int32_t sf_detect(const sf_detector *detector, void *state, const int8_t *scores,
                  sf_detection *detection) {
    state_head *head = (state_head *)state;
    int32_t *sums = sums_of(state);
    int8_t *oldest = outputs_of(detector, state) + (uint32_t)head->oldest * detector->hotword_count;
    int32_t best = -1;
    for (uint32_t i = 0; i < detector->hotword_count; i++) {
        const int8_t output = scores[detector->hotwords[i]];
        sums[i] += output - oldest[i];
        oldest[i] = output;
        best = better(detector, i, score_of(detector, sums[i]), best, detection);
    }
    head->oldest = (uint16_t)(head->oldest + 1u == detector->smoothing ? 0u : head->oldest + 1u);
    return decided(detector, head, best, detection);
}

void sf_detect_highest(const sf_detector *detector, void *state, int32_t anew, int32_t *highest) {
    const int32_t *sums = sums_of(state);
    for (uint32_t i = 0; i < detector->hotword_count; i++) {
        const int32_t score = score_of(detector, sums[i]);
        if (anew || score > highest[i]) {
            highest[i] = score;
        }
    }
}

/* Of x in 1 to 65536, in 1/65536, digit by digit: a number in [1, 2), squared, reaches 2 or does
 * not. */
static int32_t log2_of(uint32_t x) {
    uint32_t whole = 0;
    while (x >> whole > 1u) {
        whole++;
    }
    uint32_t part = x << (31u - whole); /* in [1, 2), in 2^-31 */
    for (uint32_t digit = 0; digit < SHIFT; digit++) {
        const uint64_t square = ((uint64_t)part * part) >> 31;
        const uint32_t reaches = (uint32_t)(square >> 32);
        whole = 2u * whole + reaches;
        part = (uint32_t)(square >> reaches);
    }
    return (int32_t)whole;
}

/* log2(p / (1 - p)) of a score p, in 1/65536; what lies outside (0, 1) counts as the nearest score
 * inside. */
static int32_t log_odds(int32_t score) {
    const int32_t p = score < 1 ? 1 : (score > ONE - 1 ? ONE - 1 : score);
    return log2_of((uint32_t)p) - log2_of((uint32_t)(ONE - p));
}

/* The lowest score whose log odds are no less than the weighted mean of both's. */
static int32_t mixed(int32_t own, int32_t other, int32_t share) {
    const int32_t odds = log_odds(own);
    const int64_t moved = (int64_t)share * (log_odds(other) - odds) + ONE / 2;
    const int32_t wanted = odds + (int32_t)(moved >> SHIFT);
    int32_t low = 1;
    int32_t high = ONE - 1;
    while (low < high) {
        const int32_t middle = (low + high) / 2;
        if (log_odds(middle) < wanted) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

int32_t sf_detect_with(const sf_detector *detector, void *state, const int8_t *scores,
                       const int32_t *others, int32_t share, sf_detection *detection) {
    int32_t best = -1;
    for (uint32_t i = 0; i < detector->hotword_count; i++) {
        const int32_t own =
            score_of(detector, scores[detector->hotwords[i]] - detector->zero_point);
        const int32_t score = share == 0 ? own : mixed(own, others[i], share);
        best = better(detector, i, score, best, detection);
    }
    return decided(detector, (state_head *)state, best, detection);
}

void sf_detect_nothing(void *state) {
    state_head *head = (state_head *)state;
    if (head->waiting > 0) {
        head->waiting--;
    }
}
