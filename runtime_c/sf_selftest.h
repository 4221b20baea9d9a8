/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a model on vectors whose outputs are known, on whatever runs it: a board, an emulator, a
 * computer. The exporter writes NAME_selftest.c, which describes a model and holds its vectors. */
#ifndef SF_SELFTEST_H
#define SF_SELFTEST_H

#include "shrinkfit.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Takes a piece of text that ends in 0; the pieces make lines that end in "\n". */
typedef void (*sf_print)(const char *text);

/* A model and its vectors, which it runs one after the other from a reset on.
 * reset, run: the model's own; reset is null in models that keep no state.
 * load: copies a vector's inputs into the arena.
 * compare: which byte of the outputs, all in a row, is the first that is not the vector's; -1 where
 * all are. */
typedef struct sf_selftest {
    const char *name;
    uint32_t vectors;
    void (*reset)(void *arena);
    void (*load)(void *arena, uint32_t vector);
    sf_status (*run)(void *arena);
    int32_t (*compare)(const void *arena, uint32_t vector);
} sf_selftest;

/* Runs all vectors and prints a line per vector that fails, then one with PASS or FAIL. Where the
 * core counts cycles (DWT's CYCCNT on Armv7-M and Armv8-M mainline) the last line has those of the
 * quickest and the slowest run, interrupts included; the counter is switched on and stays on, for
 * which the core has to be privileged.
 * arena: the model's; its content and the model's state are lost.
 * print: may be null.
 * Returns how many vectors failed: 0 is a pass. */
SF_WARN_UNUSED int sf_selftest_run(const sf_selftest *test, void *arena, sf_print print);

/* The first byte that differs, -1 where none does. */
int32_t sf_selftest_compare(const void *got, const void *expected, int32_t bytes);

#ifdef __cplusplus
}
#endif

#endif
