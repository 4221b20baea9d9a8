/* SPDX-License-Identifier: Apache-2.0 */
/* What both programs here share: the header of a wav file, and the line about a detection. */
#ifndef SF_SOUND_H
#define SF_SOUND_H

#include <stdint.h>

#include "sf_model_listen.h"

#ifdef SF_VERIFIER_OUTPUT_BYTES
/* What stands for its scores after a run of the first network alone: the lowest there are. */
static const int8_t sf_not_verified[SF_VERIFIER_OUTPUT_BYTES] = SF_VERIFIER_LOWEST;
#endif

/* Reads count bytes and returns how many are missing. */
typedef int32_t (*sound_read)(void *file, void *to, uint32_t count);

enum { SOUND_NO_WAV = -1, SOUND_NO_PCM16_MONO = -2, SOUND_OTHER_RATE = -3 };
/* Of a file that was written as a stream, whose header does not know how long it became. */
enum { SOUND_UNKNOWN_LENGTH = INT32_MAX };
enum { WAV_PCM = 1, WAV_EXTENSIBLE = 0xFFFE, WAV_FORMAT_BYTES = 16, WAV_HEAD_BYTES = 12 };

static inline uint32_t sound_number(const uint8_t *at, int32_t bytes) {
    uint32_t value = 0;
    for (int32_t i = 0; i < bytes; i++) {
        value |= (uint32_t)at[i] << 8 * i;
    }
    return value;
}

static inline int32_t sound_is(const uint8_t *at, const char *name) {
    return at[0] == name[0] && at[1] == name[1] && at[2] == name[2] && at[3] == name[3];
}

/* Bytes until the next chunk; chunks begin at even bytes. */
static inline int32_t sound_skip(sound_read read, void *file, uint32_t bytes) {
    uint8_t unused;
    for (uint32_t left = bytes + bytes % 2; left > 0; left--) {
        if (read(file, &unused, 1) != 0) {
            return SOUND_NO_WAV;
        }
    }
    return 0;
}

static inline int32_t sound_format(const uint8_t *format) {
    const uint32_t tag = sound_number(format, 2);
    if ((tag != WAV_PCM && tag != WAV_EXTENSIBLE) || sound_number(format + 2, 2) != 1 ||
        sound_number(format + 14, 2) != 16) {
        return SOUND_NO_PCM16_MONO;
    }
    return sound_number(format + 4, 4) == SF_LISTENER_SAMPLE_RATE_HZ ? 0 : SOUND_OTHER_RATE;
}

/* Reads a wav file up to its samples and returns how many there are, or what is wrong with it. */
static inline int32_t sound_begin(sound_read read, void *file) {
    uint8_t head[WAV_FORMAT_BYTES];
    int32_t format = SOUND_NO_WAV;
    if (read(file, head, WAV_HEAD_BYTES) != 0 || !sound_is(head, "RIFF") ||
        !sound_is(head + 8, "WAVE")) {
        return SOUND_NO_WAV;
    }
    while (read(file, head, 8) == 0) {
        uint32_t bytes = sound_number(head + 4, 4);
        if (sound_is(head, "data")) {
            const int32_t is_open = bytes == 0 || bytes > INT32_MAX;
            return format != 0 ? format : is_open ? SOUND_UNKNOWN_LENGTH : (int32_t)(bytes / 2);
        }
        if (sound_is(head, "fmt ") && bytes >= WAV_FORMAT_BYTES) {
            if (read(file, head, WAV_FORMAT_BYTES) != 0) {
                return SOUND_NO_WAV;
            }
            format = sound_format(head);
            bytes -= WAV_FORMAT_BYTES;
        }
        if (sound_skip(read, file, bytes) != 0) {
            return SOUND_NO_WAV;
        }
    }
    return SOUND_NO_WAV;
}

static inline char *sound_text(char *at, const char *end, const char *text) {
    while (*text != 0 && at < end) {
        *at++ = *text++;
    }
    return at;
}

/* At least `digits` digits of a number that is not negative. */
static inline char *sound_digits(char *at, const char *end, int32_t value, int32_t digits) {
    char reversed[10];
    int32_t count = 0;
    do {
        reversed[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0 || count < digits);
    while (count > 0 && at < end) {
        *at++ = reversed[--count];
    }
    return at;
}

/* Thousandths as a decimal number. */
static inline char *sound_decimal(char *at, const char *end, int32_t thousandths) {
    at = sound_digits(at, end, thousandths / 1000, 1);
    return sound_digits(sound_text(at, end, "."), end, thousandths % 1000, 3);
}

enum { SOUND_LINE_BYTES = 128 };

/* "3.120 s  computer  0.954  (sample 49920, label 0, score 62521)", with a new line and a 0.
 * sample: how many had been taken. */
static inline void sound_line(char line[SOUND_LINE_BYTES], int32_t sample,
                              const sf_detection *detection) {
    const char *const end = &line[SOUND_LINE_BYTES - 2];
    const int32_t rate = SF_LISTENER_SAMPLE_RATE_HZ;
    char *at = sound_decimal(line, end, sample / rate * 1000 + sample % rate * 1000 / rate);
    at = sound_text(sound_text(at, end, " s  "), end, SF_LISTENER_LABEL(detection->label));
    at = sound_decimal(sound_text(at, end, "  "), end, detection->score * 125 / 8192);
    at = sound_digits(sound_text(at, end, "  (sample "), end, sample, 1);
    at = sound_digits(sound_text(at, end, ", label "), end, detection->label, 1);
    at = sound_digits(sound_text(at, end, ", score "), end, detection->score, 1);
    at = sound_text(at, end, ")");
    at[0] = '\n';
    at[1] = 0;
}

#endif
