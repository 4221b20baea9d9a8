/* Written by shrinkfit: constants of tiny, in the order that the kernels want.
 * Only tiny.c includes this. */
#ifndef TINY_WEIGHTS_H
#define TINY_WEIGHTS_H

#include "shrinkfit.h"

/* op/0 */
static const int8_t tiny_op_0_kernel[24] SF_ALIGN(4) = {
    -62, -89, -22, 85, 43, -83, 0, 0, 39, -71, -59, -47, -73, -114, 0, 0, 25, 50, 87, -52, -76, -89,
    0, 0,
};
static const int32_t tiny_op_0_bias[3] = {
    3607, 3801, -5003,
};
static const int32_t tiny_op_0_multiplier[3] = {
    1476385198, 1895562393, 1708357692,
};
static const int8_t tiny_op_0_shift[3] = {
    -6, -6, -6,
};
static const sf_dense_params tiny_op_0 = {
    .kernel = tiny_op_0_kernel,
    .stage =
        {
            .bias = tiny_op_0_bias,
            .multiplier = tiny_op_0_multiplier,
            .shift = tiny_op_0_shift,
            .in_zero_point = -1,
            .out_zero_point = -15,
            .activation_min = -128,
            .activation_max = 127,
            .plain = 1,
        },
    .rows = 1,
    .inputs = 6,
    .outputs = 3,
};

#endif
