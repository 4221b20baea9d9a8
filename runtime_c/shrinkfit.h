/* SPDX-License-Identifier: Apache-2.0 */
/* The int8 kernels that a generated model calls, their parameters and what each expects.
 *
 * Activations are int8 in NHWC order with one image: pixel after pixel, channel fastest.
 * real = scale * (value - zero_point). The arithmetic is LiteRT's reference kernels', bit for bit.
 *
 * A kernel checks nothing: the exporter has checked shapes and ranges. It uses no heap and keeps no
 * state. Unless its contract says otherwise input, output and scratch must not overlap; scratch
 * never overlaps anything.
 *
 * "out may follow in": the output's pixels are written in their order, and each only after the
 * windows of all pixels before it have been read. So out may lie over in wherever no pixel ends
 * behind the first input byte that its own window or a later one needs
 * (shrinkfit/price/overlap.py). "out may be in, or lie before it" holds for kernels that write each
 * value after they have read those up to it: out may begin anywhere up to where in begins.
 *
 * Each `_dsp` kernel takes the same parameters as the scalar one beside it and writes the same
 * bytes.
 */
#ifndef SHRINKFIT_H
#define SHRINKFIT_H

#include <stdint.h>

/* Counts changes that make a generated model and the runtime disagree. Python reads it from here.
 */
#define SF_FORMAT_VERSION 2

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "shrinkfit's kernels read packed weights as little-endian words"
#endif

#if defined(__SIZEOF_INT__) && __SIZEOF_INT__ < 4
#error "shrinkfit's kernels need an int of 32 bits"
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

/* As the convolution's, for layers whose requantization is the short one (sf_output_stage's
 * `plain`, but for the activation range), with the weights of two output channels in one int16: 256
 * * A + B, which needs |sum(A * input)| < 2^23. kernel: 4-byte aligned; group by group of four
 * channels, of each for every two taps two words, channels (0, 1) and (2, 3), a word with two taps,
 * a tap with the even channel as A; taps come in the order 0, 2, 1, 3 of every four, with zeros up
 * to a multiple of 4. A last group of one or two channels has one word. records: per group of four
 * a word of bytes, how far to shift each right, less 1, then {2 * bias, multiplier} of each
 * channel. */
typedef struct sf_conv2d_pairs_params {
    const int8_t *kernel;
    const int32_t *records;
    sf_window window;
    int8_t in_zero_point;
    int8_t out_zero_point;
    int8_t activation_min;
    int8_t activation_max;
} sf_conv2d_pairs_params;

/* As sf_conv2d_pairs_params, for 3 x 3 kernels without strides and dilation, with weights for tiles
 * of 2 x 2 outputs, which needs |4 * sum(kernel * input)| < 2^31. kernel: 4-byte aligned int16;
 * group by group of four output channels, of each the 16 runs of sf_tiles.h, of each two input
 * channels of the group's four output channels after the other; input channels come in the order 0,
 * 2, 1, 3 of every four, with zeros up to a multiple of 8. The weights of a run are those of a row
 * and a column of T g T', T = {{2, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 2}}, those of rows 2 and 3
 * negated. records: of each channel 2 * bias, multiplier, how far to shift right, less 1, and 2 *
 * out_zero_point + 1 shifted left that far; up to whole groups. */
typedef struct sf_conv2d_3x3_params {
    const int8_t *kernel;
    const int32_t *records;
    sf_window window;
    int8_t in_zero_point;
    int8_t out_zero_point;
    int8_t activation_min;
    int8_t activation_max;
} sf_conv2d_3x3_params;

/* As the convolution's, but the channels fall into groups: group_outputs output channels after the
 * other read the same group_inputs input channels, the next ones the next, and a row has the
 * weights of one group. */
typedef struct sf_grouped_conv2d_params {
    const int8_t *kernel;
    sf_output_stage stage;
    sf_window window;
    uint16_t group_inputs, group_outputs;
} sf_grouped_conv2d_params;

/* kernel: [out_channels][kernel_height * kernel_width]; output channel
 * c * depth_multiplier + m reads input channel c. */
typedef struct sf_depthwise_params {
    const int8_t *kernel;
    sf_output_stage stage;
    sf_window window;
    uint16_t depth_multiplier;
} sf_depthwise_params;

/* The depthwise convolution with a window of 3x3, no dilation, both strides 1 or 2, and a short
 * requantization (sf_output_stage's `plain`). records: five words for each output channel: 2 *
 * bias, multiplier, then twelve bytes with the weights 0 1 1 2, 3 4 4 5, 6 7 8 and how far to shift
 * right, less 1. strip_outputs: columns that are worked on together, 6, or 5 with a stride of 1;
 * strips: how many make up a row; buffers: 1 (then band_rows is out_height, and either strips is 1
 * or the stride is 1, in_width == out_width and pad_left <= 2) or strips; band_rows: output rows
 * that have their inputs in the buffers together. To be allowed in place, more than one band needs
 * out_width <= (stride_height - pad_top) * in_width. */
typedef struct sf_depthwise_3x3_params {
    const int32_t *records;
    sf_window window;
    uint16_t depth_multiplier;
    uint16_t strip_outputs, strips, buffers, band_rows;
    int8_t in_zero_point;
    int8_t out_zero_point;
} sf_depthwise_3x3_params;

/* kernel: 4-byte aligned, [outputs][inputs, then zeros up to a multiple of 4]; rows: how many input
 * vectors lie one after the other. */
typedef struct sf_dense_params {
    const int8_t *kernel;
    sf_output_stage stage;
    uint16_t rows, inputs, outputs;
} sf_dense_params;

/* stream: biases, weights in pairs, multipliers and shifts, as sf_dense_pairs.h says; every shift
 * is in [-23, -2], and no sum of an output with an even number reaches 2^23. own_records: 1: every
 * output has a multiplier and a shift; 0: they share one. */
typedef struct sf_dense_pairs_params {
    const int32_t *stream;
    uint16_t rows, inputs, outputs;
    int8_t out_zero_point, activation_min, activation_max;
    uint8_t own_records;
} sf_dense_pairs_params;

/* A fully connected layer or a 1x1 convolution with stride 1 of which only the blocks of four
 * weights along the inputs that are not all 0 are stored, as sf_sparse.h says; rows: input vectors,
 * or pixels. inputs: at most 1024. No sum reaches 2^23; every shift is in [-23, -2], or of a
 * convolution in [-22, -1]. */
typedef struct sf_sparse_params {
    const int32_t *weights;
    const uint8_t *blocks;
    uint16_t inputs, outputs;
    uint32_t rows;
    int8_t out_zero_point, activation_min, activation_max;
} sf_sparse_params;

/* Dilation is 1; in_channels == out_channels. */
typedef struct sf_pool_params {
    sf_window window;
    int8_t activation_min;
    int8_t activation_max;
} sf_pool_params;

/* out = saturate((offset + (factor_a * a >> 8) + (factor_b * b >> 8)) >> 21), zero points and all;
 * factor_a is 0 where no such line gives the outputs that the other fields say. */
typedef struct sf_line {
    int32_t factor_a, factor_b, offset;
} sf_line;

/* Both inputs are brought to twice the larger of the two scales, with 20 more fractional bits. */
typedef struct sf_add_params {
    uint32_t count;
    sf_line line;
    int32_t multiplier_a, multiplier_b, multiplier_out;
    int8_t shift_a, shift_b, shift_out;
    int8_t zero_point_a, zero_point_b, out_zero_point;
    int8_t activation_min, activation_max;
} sf_add_params;

/* One axis of a broadcast: how many steps the output takes, and how far each input goes in one; 0
 * where the input is repeated. */
typedef struct sf_axis {
    int32_t count, step_a, step_b;
} sf_axis;

/* The output's bytes lie one after the other; along a row an input's step is 0 or 1. */
typedef struct sf_broadcast {
    sf_axis outer, middle, inner, row;
} sf_broadcast;

/* sum.count: the row's. */
typedef struct sf_broadcast_add_params {
    sf_broadcast shape;
    sf_add_params sum;
} sf_broadcast_add_params;

typedef struct sf_mul_params {
    sf_broadcast shape;
    int32_t multiplier;
    int8_t shift;
    int8_t zero_point_a, zero_point_b, out_zero_point;
    int8_t activation_min, activation_max;
} sf_mul_params;

/* Input b is the slope. above: scale from zero on; below: scale of the product under zero. */
typedef struct sf_prelu_params {
    sf_broadcast shape;
    int32_t multiplier_above, multiplier_below;
    int8_t shift_above, shift_below;
    int8_t zero_point_a, zero_point_b, out_zero_point;
} sf_prelu_params;

/* table: 256 outputs, for the inputs -128 to 127. */
typedef struct sf_table_params {
    const int8_t *table;
    uint32_t count;
} sf_table_params;

/* Element types at a model's edges. */
enum { SF_INT8 = 0, SF_UINT8 = 1, SF_INT16 = 2 };

/* type: of the integers. scale: positive; real = scale * (value - zero_point). */
typedef struct sf_quantize_params {
    uint32_t count;
    float scale;
    int32_t zero_point;
    uint8_t type;
} sf_quantize_params;

typedef struct sf_convert_params {
    uint32_t count;
    int32_t multiplier;
    int32_t in_zero_point, out_zero_point;
    int8_t shift;
    uint8_t in_type, out_type;
} sf_convert_params;

/* line: of one input. */
typedef struct sf_requantize_params {
    uint32_t count;
    sf_line line;
    int32_t multiplier;
    int8_t shift;
    int8_t in_zero_point, out_zero_point;
    int8_t activation_min, activation_max;
} sf_requantize_params;

/* The input seen as [outer][first][middle][second][inner]; first and second are reduced. */
typedef struct sf_reduction {
    int32_t outer, first, middle, second, inner;
} sf_reduction;

/* first * second is at most 2^22; the division by it is part of the multiplier. */
typedef struct sf_mean_params {
    sf_reduction shape;
    int32_t multiplier;
    int8_t shift;
    int8_t in_zero_point, out_zero_point;
} sf_mean_params;

/* Output pixel i lies at the input's (i * step + offset) / 1024. */
typedef struct sf_resize_bilinear_params {
    uint16_t in_height, in_width, out_height, out_width, channels;
    int32_t step_y, offset_y, step_x, offset_x;
} sf_resize_bilinear_params;

/* rows, columns: which of the input's each of the output's takes. */
typedef struct sf_resize_nearest_params {
    const uint16_t *rows;
    const uint16_t *columns;
    uint16_t in_width, out_height, out_width, channels;
} sf_resize_nearest_params;

/* feature_kernel: [units][rank][features]; time_kernel: [units][rank][memory], oldest first; bias:
 * [units]. feature: from a dot product to the state's scale; out: from the state's to the output.
 */
typedef struct sf_svdf_params {
    const int8_t *feature_kernel;
    const int16_t *time_kernel;
    const int32_t *bias;
    uint16_t features, memory, rank, units;
    int32_t multiplier_feature, multiplier_out;
    int8_t shift_feature, shift_out;
    int8_t in_zero_point, out_zero_point;
    int8_t activation_min, activation_max;
} sf_svdf_params;

/* Gates in the order input, forget, cell, output. input_kernel: [4][units][features];
 * recurrent_kernel: [4][units][units]; bias: [4][units]. multiplier, shift: [9], of the gates'
 * input sums, of their recurrent sums, and of the output. The cell has cell_bits, 9 to 15,
 * fractional bits and is bounded by cell_clip where that is not 0. state_zero_point is the hidden
 * state's, out_zero_point what is added to the output. */
typedef struct sf_lstm_params {
    const int8_t *input_kernel;
    const int8_t *recurrent_kernel;
    const int32_t *bias;
    const int32_t *multiplier;
    const int8_t *shift;
    uint16_t steps, features, units;
    int16_t cell_clip;
    int8_t cell_bits;
    int8_t in_zero_point, state_zero_point, out_zero_point;
} sf_lstm_params;

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

/* past_bytes: of the rows that are kept from call to call; in_bytes: of the new ones. */
typedef struct sf_time_window_params {
    uint32_t in_bytes, past_bytes;
} sf_time_window_params;

/* A window of blocks, of which a call brings new_blocks; a block is [values][channels]. A sum of a
 * block's values, less zero_point each, fits int16: values is at most 128. The division by
 * blocks * values is part of the multiplier. */
typedef struct sf_time_mean_params {
    uint16_t blocks, new_blocks, values, channels;
    int32_t multiplier;
    int8_t shift;
    int8_t in_zero_point, out_zero_point;
    int8_t activation_min, activation_max;
} sf_time_mean_params;

/* out_bytes of value, then the input inside. */
typedef struct sf_pad_params {
    sf_copy_params copy;
    uint32_t out_bytes;
    int8_t value;
} sf_pad_params;

/* in: [in_height][in_width][in_channels]; out: [out_height][out_width][out_channels].
 * scratch: 4-byte aligned, sf_conv2d_dsp_scratch_bytes() long; the scalar kernel ignores it.
 * out may follow in. */
void sf_conv2d_s8(const sf_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch);
void sf_conv2d_s8_dsp(const sf_conv2d_params *p, const int8_t *in, int8_t *out, void *scratch);
uint32_t sf_conv2d_dsp_scratch_bytes(const sf_conv2d_params *p);

/* sf_conv2d_s8 in little code; scratch: sf_conv2d_compact_dsp_scratch_bytes() long. */
void sf_conv2d_compact_s8_dsp(const sf_conv2d_params *p, const int8_t *in, int8_t *out,
                              void *scratch);
uint32_t sf_conv2d_compact_dsp_scratch_bytes(const sf_conv2d_params *p);

/* As the convolution; scratch: 4-byte aligned, sf_conv2d_pairs_dsp_scratch_bytes() long. */
void sf_conv2d_pairs_s8(const sf_conv2d_pairs_params *p, const int8_t *in, int8_t *out,
                        void *scratch);
void sf_conv2d_pairs_s8_dsp(const sf_conv2d_pairs_params *p, const int8_t *in, int8_t *out,
                            void *scratch);
uint32_t sf_conv2d_pairs_dsp_scratch_bytes(const sf_conv2d_pairs_params *p);

/* As the convolution; scratch: 4-byte aligned, sf_conv2d_3x3_dsp_scratch_bytes() long. Two rows of
 * outputs are written once all windows of both have been read. */
void sf_conv2d_3x3_s8(const sf_conv2d_3x3_params *p, const int8_t *in, int8_t *out, void *scratch);
void sf_conv2d_3x3_s8_dsp(const sf_conv2d_3x3_params *p, const int8_t *in, int8_t *out,
                          void *scratch);
uint32_t sf_conv2d_3x3_dsp_scratch_bytes(const sf_conv2d_3x3_params *p);

/* As the convolution, but out must not overlap in; scratch: 4-byte aligned,
 * sf_grouped_conv2d_dsp_scratch_bytes() long. */
void sf_grouped_conv2d_s8(const sf_grouped_conv2d_params *p, const int8_t *in, int8_t *out,
                          void *scratch);
void sf_grouped_conv2d_s8_dsp(const sf_grouped_conv2d_params *p, const int8_t *in, int8_t *out,
                              void *scratch);
uint32_t sf_grouped_conv2d_dsp_scratch_bytes(const sf_grouped_conv2d_params *p);

/* Input pixel (y, x) adds its share to the outputs (y * stride_height + i - pad_top, x *
 * stride_width + j - pad_left) of every tap (i, j). Dilation is 1; the bias has no zero_point
 * folded in, since outputs differ in how many taps reach them. out may follow in, where a window
 * is the inputs that reach a pixel. */
void sf_transpose_conv2d_s8(const sf_conv2d_params *p, const int8_t *in, int8_t *out);

/* As the convolution, but where depth_multiplier is 1 out may be in, whatever the sizes: the
 * outputs lie one after the other from there on. scratch: 4-byte aligned,
 * sf_depthwise_scratch_bytes() or sf_depthwise_dsp_scratch_bytes() long. */
void sf_depthwise_s8(const sf_depthwise_params *p, const int8_t *in, int8_t *out, void *scratch);
void sf_depthwise_s8_dsp(const sf_depthwise_params *p, const int8_t *in, int8_t *out,
                         void *scratch);
uint32_t sf_depthwise_scratch_bytes(const sf_depthwise_params *p);
uint32_t sf_depthwise_dsp_scratch_bytes(const sf_depthwise_params *p);

/* As the depthwise convolution, in place too; scratch: 4-byte aligned,
 * sf_depthwise_3x3_scratch_bytes() long. The same source serves cores without DSP instructions. */
void sf_depthwise_3x3_s8(const sf_depthwise_3x3_params *p, const int8_t *in, int8_t *out,
                         void *scratch);
uint32_t sf_depthwise_3x3_scratch_bytes(const sf_depthwise_3x3_params *p);

/* in: [rows][inputs]; out: [rows][outputs]. */
void sf_dense_s8(const sf_dense_params *p, const int8_t *in, int8_t *out);
void sf_dense_s8_dsp(const sf_dense_params *p, const int8_t *in, int8_t *out);
void sf_dense_pairs_s8(const sf_dense_pairs_params *p, const int8_t *in, int8_t *out);
void sf_dense_pairs_s8_dsp(const sf_dense_pairs_params *p, const int8_t *in, int8_t *out);

/* in: [rows][inputs]; out: [rows][outputs]. Fully connected, rounded once; scratch: 4-byte aligned,
 * inputs bytes rounded up to whole words where they are none, else not used. */
void sf_sparse_dense_s8(const sf_sparse_params *p, const int8_t *in, int8_t *out, void *scratch);
void sf_sparse_dense_s8_dsp(const sf_sparse_params *p, const int8_t *in, int8_t *out,
                            void *scratch);

/* The same as a convolution, rounded twice; scratch: 4-byte aligned, twice the inputs rounded up to
 * whole words. Two pixels are copied there before their outputs are written. */
void sf_sparse_conv2d_s8(const sf_sparse_params *p, const int8_t *in, int8_t *out, void *scratch);
void sf_sparse_conv2d_s8_dsp(const sf_sparse_params *p, const int8_t *in, int8_t *out,
                             void *scratch);

/* Padding takes no part in the largest value, nor in the average, which is rounded half away from
 * zero. Every window holds at least one input pixel. out may follow in. The _dsp kernels need at
 * least 4 channels. */
void sf_max_pool_s8(const sf_pool_params *p, const int8_t *in, int8_t *out);
void sf_max_pool_s8_dsp(const sf_pool_params *p, const int8_t *in, int8_t *out);
void sf_average_pool_s8(const sf_pool_params *p, const int8_t *in, int8_t *out);
void sf_average_pool_s8_dsp(const sf_pool_params *p, const int8_t *in, int8_t *out);

/* out may be a or b, or lie before it. The _dsp kernel needs a line, or an out shift in [-22, -1].
 */
void sf_add_s8(const sf_add_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void sf_add_s8_dsp(const sf_add_params *p, const int8_t *a, const int8_t *b, int8_t *out);

/* out may be an input that is not repeated, or lie before it; sub: a - b. */
void sf_broadcast_add_s8(const sf_broadcast_add_params *p, const int8_t *a, const int8_t *b,
                         int8_t *out);
void sf_sub_s8(const sf_broadcast_add_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void sf_mul_s8(const sf_mul_params *p, const int8_t *a, const int8_t *b, int8_t *out);
void sf_prelu_s8(const sf_prelu_params *p, const int8_t *in, const int8_t *slope, int8_t *out);
void sf_maximum_s8(const sf_broadcast *p, const int8_t *a, const int8_t *b, int8_t *out);
void sf_maximum_s8_dsp(const sf_broadcast *p, const int8_t *a, const int8_t *b, int8_t *out);
void sf_minimum_s8(const sf_broadcast *p, const int8_t *a, const int8_t *b, int8_t *out);
void sf_minimum_s8_dsp(const sf_broadcast *p, const int8_t *a, const int8_t *b, int8_t *out);

/* out may be in, or lie before it. */
void sf_table_s8(const sf_table_params *p, const int8_t *in, int8_t *out);

/* The reals are float, the integers of p's type. Quantize divides in float, as IEEE 754 rounds, by
 * integer instructions: no compiler flag and no FPU changes a bit; not a number gives zero_point.
 */
void sf_quantize(const sf_quantize_params *p, const void *in, void *out);
void sf_dequantize(const sf_quantize_params *p, const void *in, void *out);
void sf_convert(const sf_convert_params *p, const void *in, void *out);

/* out may be in, or lie before it. */
void sf_requantize_s8(const sf_requantize_params *p, const int8_t *in, int8_t *out);

/* out: [outer][middle][inner]. The _dsp kernels need an inner of at least 4. */
void sf_mean_s8(const sf_mean_params *p, const int8_t *in, int8_t *out);
void sf_mean_s8_dsp(const sf_mean_params *p, const int8_t *in, int8_t *out);
void sf_reduce_max_s8(const sf_reduction *p, const int8_t *in, int8_t *out);
void sf_reduce_max_s8_dsp(const sf_reduction *p, const int8_t *in, int8_t *out);

/* in: [in_height][in_width][channels]; out: [out_height][out_width][channels]. */
void sf_resize_bilinear_s8(const sf_resize_bilinear_params *p, const int8_t *in, int8_t *out);
void sf_resize_nearest_s8(const sf_resize_nearest_params *p, const int8_t *in, int8_t *out);

/* in: [features]; out: [units]; state: int16 [units][rank][memory], kept from run to run. */
void sf_svdf_s8(const sf_svdf_params *p, const int8_t *in, int8_t *out, void *state);

/* in: [steps][features]; out: [steps][units]; hidden: int8 [units] and cell: int16 [units], kept
 * from run to run. */
void sf_lstm_s8(const sf_lstm_params *p, const int8_t *in, int8_t *out, int8_t *hidden, void *cell);

/* in, out: [rows][depth]; out has scale 1/256 and zero_point -128, and may be in, or lie before it.
 */
void sf_softmax_s8(const sf_softmax_params *p, const int8_t *in, int8_t *out);

/* Elements of any type. No byte of out is written twice; in and out must not overlap. */
void sf_copy(const sf_copy_params *p, const void *in, void *out);
void sf_fill(void *out, int8_t value, uint32_t bytes);

/* out: the past rows, then the new ones; past: afterwards the last rows of out. Elements of any
 * type. in may lie in out's place, past_bytes or more behind its begin. */
void sf_time_window(const sf_time_window_params *p, const void *in, void *out, void *past);

/* in: [new_blocks][values][channels]; out: [channels], of the last blocks; sums: int16
 * [blocks][channels], kept from call to call, the oldest first. channels is at least 4. The average
 * is rounded half away from zero and has no multiplier. */
void sf_time_mean_s8(const sf_time_mean_params *p, const int8_t *in, int8_t *out, void *sums);
void sf_time_average_s8(const sf_time_mean_params *p, const int8_t *in, int8_t *out, void *sums);

/* As sf_copy, with value in the rest of out. */
void sf_pad_s8(const sf_pad_params *p, const int8_t *in, int8_t *out);

#ifdef __cplusplus
}
#endif

#endif
