/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the model on every input in inputs.bin and writes outputs.bin, both raw, over semihosting.
 * The exit status says what went wrong. A product's main reads its sensor here instead. */
#include <stdint.h>

#include "sf_model.h"
#include "semihost.h"

enum {
    DONE = 0,
    NO_INPUT_FILE = 10,
    NO_OUTPUT_FILE,
    PARTIAL_INPUT,
    RUN_FAILED,
    WRITE_FAILED,
    FAULT
};

static _Alignas(8) uint8_t sf_arena[SF_MODEL_ARENA_BYTES];

void Fault_Handler(void);
void Fault_Handler(void) {
    finish(FAULT);
}

/* Reads and writes return the count of bytes that are missing. */
#define READ(input, bytes) \
    unread += semihost(SYS_READ, (uintptr_t)in, (uintptr_t)input(sf_arena), bytes);
#define WRITE(output, bytes) \
    unwritten += semihost(SYS_WRITE, (uintptr_t)out, (uintptr_t)output(sf_arena), bytes);

int main(void) {
    /* The third argument is the length of the name. */
    const int32_t in = semihost(SYS_OPEN, (uintptr_t) "inputs.bin", MODE_RB, 10);
    if (in < 0) {
        finish(NO_INPUT_FILE);
    }
    const int32_t out = semihost(SYS_OPEN, (uintptr_t) "outputs.bin", MODE_WB, 11);
    if (out < 0) {
        finish(NO_OUTPUT_FILE);
    }
    sf_model_reset(sf_arena);
    for (;;) {
        int32_t unread = 0, unwritten = 0;
        SF_MODEL_EACH_INPUT(READ);
        if (unread == (int32_t)(SF_MODEL_INPUT_BYTES)) {
            finish(DONE);
        }
        if (unread != 0) {
            finish(PARTIAL_INPUT);
        }
        if (sf_model_run(sf_arena) != SF_OK) {
            finish(RUN_FAILED);
        }
        SF_MODEL_EACH_OUTPUT(WRITE);
        if (unwritten != 0) {
            finish(WRITE_FAILED);
        }
    }
}
