/* Written by shrinkfit from the model "tiny * / "net"". Do not edit: export again. */
#ifndef TINY_H
#define TINY_H

#include "shrinkfit.h"

#define TINY_ARENA_BYTES 16
#define TINY_STACK_BYTES 236 /* a call of tiny_run takes no more, compiled with -O2 */
#define TINY_INPUT_BYTES 6 /* int8 6 */
#define TINY_INPUT_SCALE 0.05f /* real = scale * (value - zero_point) */
#define TINY_INPUT_ZERO_POINT (-1)
#define TINY_OUTPUT_BYTES 3 /* int8 3 */
#define TINY_OUTPUT_SCALE 0.05463685f
#define TINY_OUTPUT_ZERO_POINT (-15)

#ifdef __cplusplus
extern "C" {
#endif

/* Where the int8 input goes; a run may overwrite it. arena: TINY_ARENA_BYTES, aligned to 8. */
int8_t *tiny_input(void *arena);

/* Runs the model on the input in the arena. */
SF_WARN_UNUSED sf_status tiny_run(void *arena);

/* The int8 output of the last run; the next input or run may overwrite it. */
const int8_t *tiny_output(const void *arena);

/* What each output stands for. */
extern const char *const tiny_labels[3];

#ifdef __cplusplus
}
#endif

#endif
