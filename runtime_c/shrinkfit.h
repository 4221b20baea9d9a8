/* SPDX-License-Identifier: Apache-2.0 */
/* The int8 kernels that a generated model calls, their parameters and what each expects.
 *
 * Activations are int8 in NHWC order with one image: pixel after pixel, channel fastest.
 * real = scale * (value - zero_point). The arithmetic is LiteRT's reference kernels', bit for bit.
 *
 * A kernel checks nothing: the exporter has checked shapes and ranges. It uses no heap and keeps no
 * state. Unless its contract says otherwise input, output and scratch must not overlap.
 *
 * Each `_dsp` kernel takes the same parameters as the scalar one beside it and writes the same
 * bytes.
 */
#ifndef SHRINKFIT_H
#define SHRINKFIT_H

#include <stdint.h>

/* Counts changes that make a generated model and the runtime disagree. Python reads it from here.
 */
#define SF_FORMAT_VERSION 1

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "shrinkfit's kernels read packed weights as little-endian words"
#endif

#if defined(__GNUC__)
#define SF_WARN_UNUSED __attribute__((warn_unused_result))
#define SF_ALIGN(bytes) __attribute__((aligned(bytes)))
#else
#define SF_WARN_UNUSED
#define SF_ALIGN(bytes)
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum sf_status {
    SF_OK = 0,             /* the output is there */
    SF_ERROR_NULL = 1,     /* the arena is a null pointer */
    SF_ERROR_ALIGNMENT = 2 /* the arena's address is no multiple of 8 */
} sf_status;

/* How an int32 accumulator becomes an int8 output.
 * bias: one per output channel, with -in_zero_point * sum(kernel) folded in.
 * multiplier: in [2^30, 2^31); shift: positive means left. One per output channel too.
 * plain: 1 says that every shift is in [-22, -1], |accumulator| < 2^30 and the activation range is
 * [-128, 127], so that the short instruction sequence is exact. */
typedef struct sf_output_stage {
    const int32_t *bias;
    const int32_t *multiplier;
    const int8_t *shift;
    int8_t in_zero_point;
    int8_t out_zero_point;
    int8_t activation_min;
    int8_t activation_max;
    uint8_t plain;
} sf_output_stage;

/* A window that slides over a plane. Only the top and left padding matter: the output's size says
 * how far it goes. */
typedef struct sf_window {
    uint16_t in_height, in_width, in_channels;
    uint16_t out_height, out_width, out_channels;
    uint16_t kernel_height, kernel_width;
    uint16_t stride_height, stride_width;
    uint16_t dilation_height, dilation_width;
    uint16_t pad_top, pad_left;
} sf_window;

/* kernel: 4-byte aligned, [out_channels][row], a row is kernel_height * kernel_width * in_channels
 * weights (OHWI) and zeros up to a multiple of 4. */
typedef struct sf_conv2d_params {
    const int8_t *kernel;
    sf_output_stage stage;
    sf_window window;
} sf_conv2d_params;

/* kernel: [out_channels][kernel_height * kernel_width]; output channel
 * c * depth_multiplier + m reads input channel c. */
typedef struct sf_depthwise_params {
    const int8_t *kernel;
    sf_output_stage stage;
    sf_window window;
    uint16_t depth_multiplier;
} sf_depthwise_params;

/* kernel: 4-byte aligned, [outputs][inputs, then zeros up to a multiple of 4]; rows: how many input
 * vectors lie one after the other. */
typedef struct sf_dense_params {
    const int8_t *kernel;
    sf_output_stage stage;
    uint16_t rows, inputs, outputs;
} sf_dense_params;

/* Dilation is 1; in_channels == out_channels. */
typedef struct sf_pool_params {
    sf_window window;
    int8_t activation_min;
    int8_t activation_max;
} sf_pool_params;

/* Both inputs are brought to twice the larger of the two scales, with 20 more fractional bits. */
typedef struct sf_add_params {
    uint32_t count;
    int32_t multiplier_a, multiplier_b, multiplier_out;
    int8_t shift_a, shift_b, shift_out;
    int8_t zero_point_a, zero_point_b, out_zero_point;
    int8_t activation_min, activation_max;
} sf_add_params;

typedef struct sf_requantize_params {
    uint32_t count;
    int32_t multiplier;
    int8_t shift;
    int8_t in_zero_point, out_zero_point;
    int8_t activation_min, activation_max;
} sf_requantize_params;

/* The input seen as [outer][reduced][inner]; the mean is taken over the middle. */
typedef struct sf_mean_params {
    uint16_t outer, reduced, inner;
    int32_t multiplier;
    int8_t shift;
    int8_t in_zero_point, out_zero_point;
} sf_mean_params;

/* multiplier, shift: input_scale * beta with 26 fractional bits; diff_min: the difference to the
 * largest input from which on the exponential counts as 0. */
typedef struct sf_softmax_params {
    uint16_t rows, depth;
    int32_t multiplier;
    int8_t shift;
    int32_t diff_min;
} sf_softmax_params;

/* axes: for each of the rank axes along which runs of bytes repeat, the slowest first: their count,
 * then the bytes from one to the next in the input and in the output, which may be 0 or negative.
 * in_start, out_start: bytes to the first run; run: bytes that lie together in both. */
#define SF_COPY_MAX_AXES 8
typedef struct sf_copy_params {
    const int32_t *axes;
    uint32_t rank;
    int32_t in_start, out_start;
    uint32_t run;
} sf_copy_params;

/* out_bytes of value, then the input inside. */
typedef struct sf_pad_params {
    sf_copy_params copy;
    uint32_t out_bytes;
    int8_t value;
} sf_pad_params;

/* in: [in_height][in_width][in_channels]; out: [out_height][out_width][out_channels].
 * scratch: 4-byte aligned, sf_conv2d_dsp_scratch_bytes() long; the scalar kernel ignores it. */
void sf_conv2d_s8(const sf_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch);
void sf_conv2d_s8_dsp(const sf_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch);
uint32_t sf_conv2d_dsp_scratch_bytes(const sf_conv2d_params *p);

/* As the convolution; scratch: 4-byte aligned, sf_depthwise_dsp_scratch_bytes() long. */
void sf_depthwise_s8(const sf_depthwise_params *p, const int8_t *in, int8_t *out, void *scratch);
void sf_depthwise_s8_dsp(const sf_depthwise_params *p, const int8_t *in, int8_t *out,
                         void *scratch);
uint32_t sf_depthwise_dsp_scratch_bytes(const sf_depthwise_params *p);

/* in: [rows][inputs]; out: [rows][outputs]. */
void sf_dense_s8(const sf_dense_params *p, const int8_t *in, int8_t *out);
void sf_dense_s8_dsp(const sf_dense_params *p, const int8_t *in, int8_t *out);

/* Padding takes no part in the largest value, nor in the average, which is rounded half away from
 * zero. Every window holds at least one input pixel. */
void sf_max_pool_s8(const sf_pool_params *p, const int8_t *in, int8_t *out);
void sf_average_pool_s8(const sf_pool_params *p, const int8_t *in, int8_t *out);

/* out may be a or b. */
void sf_add_s8(const sf_add_params *p, const int8_t *a, const int8_t *b, int8_t *out);

/* out may be in. */
void sf_requantize_s8(const sf_requantize_params *p, const int8_t *in, int8_t *out);

/* in: [outer][reduced][inner]; out: [outer][inner]. */
void sf_mean_s8(const sf_mean_params *p, const int8_t *in, int8_t *out);

/* in, out: [rows][depth]; out has scale 1/256 and zero_point -128, and may be in. */
void sf_softmax_s8(const sf_softmax_params *p, const int8_t *in, int8_t *out);

/* Elements of any type. No byte of out is written twice; in and out must not overlap. */
void sf_copy(const sf_copy_params *p, const void *in, void *out);
void sf_fill(void *out, int8_t value, uint32_t bytes);

/* As sf_copy, with value in the rest of out. */
void sf_pad_s8(const sf_pad_params *p, const int8_t *in, int8_t *out);

#ifdef __cplusplus
}
#endif

#endif
