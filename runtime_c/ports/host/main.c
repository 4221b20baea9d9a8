/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the model on every input in one file and writes the outputs to another, both raw; of several
 * inputs or outputs all of one run follow each other. State is kept from run to run. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "sf_model.h"

static _Alignas(8) uint8_t sf_arena[SF_MODEL_ARENA_BYTES];

static int fail(const char *what, const char *name) {
    (void)fprintf(stderr, "%s: %s\n", name, what);
    return 1;
}

#define READ(input, bytes) got += fread(input(sf_arena), 1, bytes, in);
#define WRITE(output, bytes) written += fwrite(output(sf_arena), 1, bytes, out);

static int run_all(FILE *in, FILE *out, char *names[]) {
    for (;;) {
        size_t got = 0, written = 0;
        SF_MODEL_EACH_INPUT(READ);
        if (got == 0 && feof(in)) {
            return 0;
        }
        if (got != SF_MODEL_INPUT_BYTES) {
            return fail("the last input is not whole", names[1]);
        }
        if (sf_model_run(sf_arena) != SF_OK) {
            return fail("the model's run reports an error", names[1]);
        }
        SF_MODEL_EACH_OUTPUT(WRITE);
        if (written != SF_MODEL_OUTPUT_BYTES) {
            return fail("cannot be written", names[2]);
        }
    }
}

int main(int count, char *names[]) {
    if (count != 3) {
        (void)fprintf(stderr, "usage: %s INPUTS OUTPUTS (raw: %d bytes in, %d out)\n", names[0],
                      (int)SF_MODEL_INPUT_BYTES, (int)SF_MODEL_OUTPUT_BYTES);
        return 2;
    }
    /* Not zero: a model that reads what it never wrote gives other outputs than the simulator. */
    (void)memset(sf_arena, 0xA5, sizeof sf_arena);
    sf_model_reset(sf_arena);
    FILE *in = fopen(names[1], "rb");
    if (in == NULL) {
        return fail("cannot be opened", names[1]);
    }
    FILE *out = fopen(names[2], "wb");
    if (out == NULL) {
        (void)fclose(in);
        return fail("cannot be opened", names[2]);
    }
    int status = run_all(in, out, names);
    (void)fclose(in);
    if (fclose(out) != 0) {
        status = fail("cannot be written", names[2]);
    }
    return status;
}
