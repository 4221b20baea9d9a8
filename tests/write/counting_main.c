/* SPDX-License-Identifier: Apache-2.0 */
/* A self-test whose model moves the cycle counter itself, on an emulator whose counter is plain
 * memory: the first run takes 7 cycles, run n 4000000000 + n. Its outputs are always as they should
 * be. */
#include <stdint.h>

#include "net_selftest.h"

#define CYCCNT (*(volatile uint32_t *)0xE0001004u)

enum { TEXT_BYTES = 512 };

static _Alignas(8) uint8_t sf_arena[NET_ARENA_BYTES];
static char said[TEXT_BYTES];
static uint32_t length, runs;

static void say(const char *text) {
    for (; *text != 0 && length + 1 < TEXT_BYTES; text++) {
        said[length] = *text;
        length++;
    }
}

static void load(void *arena, uint32_t vector) {
    (void)arena;
    /* So that the counter turns over within a run. */
    CYCCNT = 0xFFFFFF00u + vector;
}

static sf_status counting_run(void *arena) {
    (void)arena;
    CYCCNT += runs == 0 ? 7u : 4000000000u + runs;
    runs++;
    return SF_OK;
}

static int32_t compare(const void *arena, uint32_t vector) {
    (void)arena;
    (void)vector;
    return -1;
}

sf_status sf_test_run(void *arena);
sf_status sf_test_run(void *arena) {
    const sf_selftest test = {"counting", 4, 0, load, counting_run, compare};
    return sf_selftest_run(&test, arena, say) == 0 ? SF_OK : SF_ERROR_NULL;
}

const char *sf_test_said(const void *arena);
const char *sf_test_said(const void *arena) {
    (void)arena;
    return said;
}

/* For the emulator to call; the volatile pointers keep them in the image. */
static sf_status (*volatile run)(void *) = sf_test_run;
static const char *(*volatile said_at)(const void *) = sf_test_said;

int main(void) {
    (void)said_at(sf_arena);
    return (int)run(sf_arena);
}
