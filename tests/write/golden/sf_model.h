/* Written by shrinkfit: tiny under the names that the ports use for any model. */
#ifndef SF_MODEL_H
#define SF_MODEL_H

#include "tiny.h"

#define SF_MODEL_NAME "tiny"
#define SF_MODEL_ARENA_BYTES TINY_ARENA_BYTES
#define SF_MODEL_STACK_BYTES TINY_STACK_BYTES
#define SF_MODEL_INPUT_BYTES TINY_INPUT_BYTES
#define SF_MODEL_INPUT_SCALE TINY_INPUT_SCALE
#define SF_MODEL_INPUT_ZERO_POINT TINY_INPUT_ZERO_POINT
#define SF_MODEL_OUTPUT_BYTES TINY_OUTPUT_BYTES
#define SF_MODEL_OUTPUT_SCALE TINY_OUTPUT_SCALE
#define SF_MODEL_OUTPUT_ZERO_POINT TINY_OUTPUT_ZERO_POINT
#define sf_model_input tiny_input
#define sf_model_run tiny_run
#define sf_model_output tiny_output
#define sf_model_labels tiny_labels
#define sf_model_reset(arena) ((void)(arena))

/* each(function, bytes) for all inputs and outputs, in the model's order. */
#define SF_MODEL_EACH_INPUT(each) each(tiny_input, TINY_INPUT_BYTES)
#define SF_MODEL_EACH_OUTPUT(each) each(tiny_output, TINY_OUTPUT_BYTES)

#endif
