/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SF_MODEL_H
#define SF_MODEL_H
#include "toy.h"
#define SF_MODEL_ARENA_BYTES TOY_ARENA_BYTES
#define SF_MODEL_INPUT_BYTES TOY_INPUT_BYTES
#define SF_MODEL_OUTPUT_BYTES TOY_OUTPUT_BYTES
#define sf_model_input toy_input
#define sf_model_run toy_run
#define sf_model_output toy_output
#define sf_model_reset(arena) ((void)(arena))
#define SF_MODEL_EACH_INPUT(each) each(toy_input, TOY_INPUT_BYTES)
#define SF_MODEL_EACH_OUTPUT(each) each(toy_output, TOY_OUTPUT_BYTES)
#endif
