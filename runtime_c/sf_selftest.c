/* SPDX-License-Identifier: Apache-2.0 */
/* The self-test of an exported model. */
#include "sf_selftest.h"

#include <stddef.h>

static void sf_print_nothing(const char *text) {
    (void)text;
}

/* Digit by digit, as the smallest cores have no division. */
static void sf_print_number(sf_print print, uint32_t number) {
    static const uint32_t powers[] = {1000000000u, 100000000u, 10000000u, 1000000u, 100000u,
                                      10000u,      1000u,      100u,      10u,      1u};
    char digits[11];
    uint32_t length = 0;
    for (uint32_t i = 0; i < sizeof powers / sizeof powers[0]; i++) {
        char digit = '0';
        for (; number >= powers[i]; number -= powers[i]) {
            digit++;
        }
        if (digit != '0' || length > 0 || powers[i] == 1u) {
            digits[length] = digit;
            length++;
        }
    }
    digits[length] = '\0';
    print(digits);
}

/* The quickest and the slowest run. */
typedef struct sf_cycle_range {
    uint32_t least, most;
} sf_cycle_range;

#if defined(__ARM_ARCH_7M__) || defined(__ARM_ARCH_7EM__) || defined(__ARM_ARCH_8M_MAIN__) || \
    defined(__ARM_ARCH_8_1M_MAIN__)
/* Armv7-M Architecture Reference Manual, C1.6.5 and C1.8; the same places in Armv8-M. */
#define SF_DEMCR (*(volatile uint32_t *)0xE000EDFCu)
#define SF_DWT_CTRL (*(volatile uint32_t *)0xE0001000u)
#define SF_DWT_CYCCNT (*(volatile uint32_t *)0xE0001004u)
#define SF_DWT_LAR (*(volatile uint32_t *)0xE0001FB0u)
#define SF_TRCENA (1u << 24)
#define SF_CYCCNTENA 1u

static void sf_start_cycles(void) {
    SF_DEMCR |= SF_TRCENA;
    SF_DWT_CTRL |= SF_CYCCNTENA;
    if ((SF_DWT_CTRL & SF_CYCCNTENA) == 0) {
        /* Some Cortex-M7 lock their DWT: the CoreSight key. */
        SF_DWT_LAR = 0xC5ACCE55u;
        SF_DWT_CTRL |= SF_CYCCNTENA;
    }
}

static uint32_t sf_cycles(void) {
    return SF_DWT_CYCCNT;
}

static void sf_note_cycles(sf_cycle_range *range, uint32_t before) {
    const uint32_t cycles = sf_cycles() - before;
    range->least = cycles < range->least ? cycles : range->least;
    range->most = cycles > range->most ? cycles : range->most;
}

/* A counter that stands still is none: the part has left it out, or an emulator has. */
static void sf_print_cycles(sf_print print, const sf_cycle_range *range) {
    if (range->most > 0) {
        print(", ");
        sf_print_number(print, range->least);
        print(" to ");
        sf_print_number(print, range->most);
        print(" cycles a run");
    }
}
#else
static void sf_start_cycles(void) {}

static uint32_t sf_cycles(void) {
    return 0;
}

static void sf_note_cycles(sf_cycle_range *range, uint32_t before) {
    (void)range;
    (void)before;
}

static void sf_print_cycles(sf_print print, const sf_cycle_range *range) {
    (void)print;
    (void)range;
}
#endif

static void sf_print_failure(const sf_selftest *test, sf_print print, uint32_t vector) {
    print(test->name);
    print(": vector ");
    sf_print_number(print, vector);
}

/* 0 where the vector's outputs are as they should be, else 1. */
static int sf_check_vector(const sf_selftest *test, void *arena, uint32_t vector, sf_status status,
                           sf_print print) {
    const int32_t differs = status == SF_OK ? test->compare(arena, vector) : 0;
    if (status != SF_OK) {
        sf_print_failure(test, print, vector);
        print(": the run returns status ");
        sf_print_number(print, (uint32_t)status);
        print("\n");
    } else if (differs >= 0) {
        sf_print_failure(test, print, vector);
        print(": output byte ");
        sf_print_number(print, (uint32_t)differs);
        print(" is not what was exported\n");
    }
    return status != SF_OK || differs >= 0;
}

static void sf_print_verdict(const sf_selftest *test, sf_print print, int failed) {
    print(test->name);
    if (failed != 0) {
        print(": FAIL, ");
        sf_print_number(print, (uint32_t)failed);
        print(" of ");
    } else {
        print(": PASS, ");
    }
    sf_print_number(print, test->vectors);
    print(" vectors");
}

static int sf_run_vectors(const sf_selftest *test, void *arena, sf_print print,
                          sf_cycle_range *range) {
    int failed = 0;
    if (test->reset != NULL) {
        test->reset(arena);
    }
    for (uint32_t vector = 0; vector < test->vectors; vector++) {
        test->load(arena, vector);
        const uint32_t before = sf_cycles();
        const sf_status status = test->run(arena);
        sf_note_cycles(range, before);
        failed += sf_check_vector(test, arena, vector, status, print);
    }
    return failed;
}

int sf_selftest_run(const sf_selftest *test, void *arena, sf_print print) {
    const sf_print say = print != NULL ? print : sf_print_nothing;
    if (arena == NULL || (uintptr_t)arena % 8 != 0) {
        say(test->name);
        say(": FAIL, the arena is a null pointer or not aligned to 8\n");
        return (int)test->vectors;
    }
    sf_start_cycles();
    sf_cycle_range range = {0xFFFFFFFFu, 0};
    const int failed = sf_run_vectors(test, arena, say, &range);
    sf_print_verdict(test, say, failed);
    sf_print_cycles(say, &range);
    say("\n");
    return failed;
}

int32_t sf_selftest_compare(const void *got, const void *expected, int32_t bytes) {
    const uint8_t *a = (const uint8_t *)got, *b = (const uint8_t *)expected;
    for (int32_t i = 0; i < bytes; i++) {
        if (a[i] != b[i]) {
            return i;
        }
    }
    return -1;
}
