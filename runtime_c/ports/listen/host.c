/* SPDX-License-Identifier: Apache-2.0 */
/* Listens to a wav file, 16-bit mono, or to raw samples on standard input, and prints what it
 * detects; the scores of every run go to a second file where one is named. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sf_model_listen.h"
#include "sound.h"

enum { MOST_SAMPLES = 4096, USUAL_SAMPLES = 256 };

static SF_ALIGN(8) uint8_t sf_listener[SF_LISTENER_BYTES];
static int16_t sf_samples[MOST_SAMPLES];

static int fail(const char *what, const char *name) {
    (void)fprintf(stderr, "%s: %s\n", name, what);
    return 1;
}

static int32_t read_bytes(void *file, void *to, uint32_t count) {
    return (int32_t)(count - fread(to, 1, count, (FILE *)file));
}

static int32_t write_scores(const int8_t *from, size_t count, FILE *scores) {
    return fwrite(from, 1, count, scores) != count;
}

static int32_t tell(const sf_heard *heard, int32_t sample, FILE *scores) {
    if (heard->detected) {
        char line[SOUND_LINE_BYTES];
        sound_line(line, sample, &heard->detection);
        (void)fputs(line, stdout);
        (void)fflush(stdout);
    }
    if (!heard->scored || scores == NULL) {
        return 0;
    }
#ifdef SF_VERIFIER_OUTPUT_BYTES
    const int8_t *const said =
        heard->scored == 2 ? sf_verifier_output(sf_listener) : sf_not_verified;
    const int32_t written =
        write_scores(sf_model_output(sf_listener), SF_MODEL_OUTPUT_BYTES, scores);
    return written != 0 || write_scores(said, SF_VERIFIER_OUTPUT_BYTES, scores);
#else
    return write_scores(sf_model_output(sf_listener), SF_MODEL_OUTPUT_BYTES, scores);
#endif
}

static int listen_to(FILE *sound, int32_t left, int32_t most, FILE *scores) {
    sf_heard heard;
    int32_t sample = 0, count;
    do {
        const int32_t wanted = left < most ? left : most;
        count = (int32_t)fread(sf_samples, 2, (size_t)wanted, sound);
        for (int32_t at = 0; at < count;) {
            const int32_t taken =
                sf_listener_take(sf_listener, sf_samples + at, count - at, &heard);
            at += taken;
            sample += taken;
            if (tell(&heard, sample, scores)) {
                return fail("cannot be written", "the scores");
            }
        }
        left -= count;
    } while (count == most);
    return 0;
}

static int32_t begin(FILE *sound, const char *name) {
    static const char *const wrong[] = {"is no wav file", "is not 16-bit mono",
                                        "has another sample rate than the model"};
    const int32_t count = sound_begin(read_bytes, sound);
    if (count < 0) {
        (void)fail(wrong[-1 - count], name);
    }
    return count;
}

int main(int count, char *names[]) {
    const long most = count > 3 ? strtol(names[3], NULL, 10) : USUAL_SAMPLES;
    if (count < 2 || count > 4 || most < 1 || most > MOST_SAMPLES) {
        (void)fprintf(stderr,
                      "usage: %s SOUND.wav [SCORES.bin [SAMPLES]]\n"
                      "- in place of SOUND.wav: raw int16 samples at %d Hz on standard input\n"
                      "SAMPLES: how many to hand over at once, 1 to %d\n",
                      names[0], (int)SF_LISTENER_SAMPLE_RATE_HZ, (int)MOST_SAMPLES);
        return 2;
    }
    const int is_raw = strcmp(names[1], "-") == 0;
    FILE *const sound = is_raw ? stdin : fopen(names[1], "rb");
    if (sound == NULL) {
        return fail("cannot be opened", names[1]);
    }
    const int32_t samples = is_raw ? SOUND_UNKNOWN_LENGTH : begin(sound, names[1]);
    FILE *const scores = count > 2 ? fopen(names[2], "wb") : NULL;
    /* Not zero: a listener that reads what it never wrote gives other scores than its twin. */
    (void)memset(sf_listener, 0xA5, sizeof sf_listener);
    int status =
        samples < 0 || (count > 2 && scores == NULL) || sf_listener_reset(sf_listener) != SF_OK;
    status = status != 0 ? 1 : listen_to(sound, samples, (int32_t)most, scores);
    if (scores != NULL && fclose(scores) != 0) {
        status = fail("cannot be written", names[2]);
    }
    (void)fclose(sound);
    return status;
}
