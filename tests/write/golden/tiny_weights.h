/* Written by shrinkfit: constants of tiny, in the order that the kernels want.
 * Only tiny.c includes this. */
#ifndef TINY_WEIGHTS_H
#define TINY_WEIGHTS_H

#include "shrinkfit.h"

/* op/0 */
static const int32_t tiny_op_0_stream[18] = {
    927193, 3801, -372915673, 1423025849, 716636160, -1399980032, 1028, 1476385198, 1895562393,
    -1280768, 0, 1459624192, -872402432, -1275068416, -1493172224, -508, 1708357692, 0,
};
static const sf_dense_pairs_params tiny_op_0 = {
    .stream = tiny_op_0_stream,
    .rows = 1,
    .inputs = 6,
    .outputs = 3,
    .out_zero_point = -15,
    .activation_min = -128,
    .activation_max = 127,
};

#endif
