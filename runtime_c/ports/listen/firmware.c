/* SPDX-License-Identifier: Apache-2.0 */
/* Listens to sound.wav (16-bit mono) over semihosting, prints what it detects, and writes the
 * scores of every run to scores.bin, raw. A product's main takes its samples from a microphone
 * here, which is all that changes. The exit status says what went wrong. */
#include <stdint.h>

#include "sf_model_listen.h"
#include "../cortex_m4/semihost.h"
#include "sound.h"

enum {
    DONE = 0,
    FAULT = 15,
    NO_SOUND_FILE = 20,
    NO_SCORES_FILE,
    NO_WAV,
    NO_PCM16_MONO,
    OTHER_RATE,
    LISTENER_REFUSED,
    WRITE_FAILED
};
enum { BUFFER_SAMPLES = 256 };

static SF_ALIGN(8) uint8_t sf_listener[SF_LISTENER_BYTES];
/* As a microphone's DMA would fill it. */
static int16_t sf_samples[BUFFER_SAMPLES];
static sf_heard sf_heard_last;
static char line[SOUND_LINE_BYTES];
static int32_t sound;
static int32_t scores;

void Fault_Handler(void);
void Fault_Handler(void) {
    finish(FAULT);
}

static int32_t read_bytes(void *file, void *to, uint32_t count) {
    return semihost(SYS_READ, (uintptr_t) * (int32_t *)file, (uintptr_t)to, count);
}

static int32_t open_sound(void) {
    sound = semihost(SYS_OPEN, (uintptr_t) "sound.wav", MODE_RB, 9);
    if (sound < 0) {
        finish(NO_SOUND_FILE);
    }
    scores = semihost(SYS_OPEN, (uintptr_t) "scores.bin", MODE_WB, 10);
    if (scores < 0) {
        finish(NO_SCORES_FILE);
    }
    const int32_t count = sound_begin(read_bytes, &sound);
    if (count < 0) {
        finish((uint32_t)(NO_WAV + SOUND_NO_WAV - count));
    }
    return count;
}

static void write_scores(const int8_t *from, uint32_t count) {
    if (semihost(SYS_WRITE, (uintptr_t)scores, (uintptr_t)from, count) != 0) {
        finish(WRITE_FAILED);
    }
}

static void tell(int32_t sample) {
    if (sf_heard_last.scored) {
        write_scores(sf_model_output(sf_listener), SF_MODEL_OUTPUT_BYTES);
#ifdef SF_VERIFIER_OUTPUT_BYTES
        write_scores(sf_heard_last.scored == 2 ? sf_verifier_output(sf_listener) : sf_not_verified,
                     SF_VERIFIER_OUTPUT_BYTES);
#endif
    }
    if (sf_heard_last.detected) {
        sound_line(line, sample, &sf_heard_last.detection);
        (void)semihost_call(SYS_WRITE0, (uintptr_t)line);
    }
}

int main(void) {
    int32_t left = open_sound();
    int32_t sample = 0;
    if (sf_listener_reset(sf_listener) != SF_OK) {
        finish(LISTENER_REFUSED);
    }
    for (;;) {
        const int32_t wanted = left < BUFFER_SAMPLES ? left : BUFFER_SAMPLES;
        const int32_t missing = read_bytes(&sound, sf_samples, (uint32_t)(2 * wanted));
        const int32_t count = wanted - (missing + 1) / 2;
        for (int32_t at = 0; at < count;) {
            const int32_t taken =
                sf_listener_take(sf_listener, sf_samples + at, count - at, &sf_heard_last);
            at += taken;
            sample += taken;
            tell(sample);
        }
        left -= count;
        if (count < BUFFER_SAMPLES) {
            finish(DONE);
        }
    }
}
