/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOY_H
#define TOY_H
#include <stdint.h>

#include "shrinkfit.h"

#define TOY_ARENA_BYTES 40
#define TOY_INPUT_BYTES 16
#define TOY_OUTPUT_BYTES 4
int8_t *toy_input(void *arena);
sf_status toy_run(void *arena);
const int8_t *toy_output(const void *arena);
#endif
