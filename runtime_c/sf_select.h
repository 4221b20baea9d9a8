/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that chooses between the scalar kernels and those for cores with DSP instructions.
 * -DSF_USE_DSP=0 or 1 overrides the choice; 1 on a core without them runs portable twins. */
#ifndef SF_SELECT_H
#define SF_SELECT_H

#ifndef SF_USE_DSP
#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
#define SF_USE_DSP 1
#else
#define SF_USE_DSP 0
#endif
#endif

#define sf_depthwise_3x3 sf_depthwise_3x3_s8

#if SF_USE_DSP
#define sf_conv2d sf_conv2d_s8_dsp
#define sf_conv2d_compact sf_conv2d_compact_s8_dsp
#define sf_conv2d_pairs sf_conv2d_pairs_s8_dsp
#define sf_conv2d_3x3 sf_conv2d_3x3_s8_dsp
#define sf_grouped_conv2d sf_grouped_conv2d_s8_dsp
#define sf_depthwise sf_depthwise_s8_dsp
#define sf_dense sf_dense_s8_dsp
#define sf_add sf_add_s8_dsp
#define sf_maximum sf_maximum_s8_dsp
#define sf_minimum sf_minimum_s8_dsp
#define sf_reduce_max sf_reduce_max_s8_dsp
#define sf_mean sf_mean_s8_dsp
#define sf_average_pool sf_average_pool_s8_dsp
#define sf_max_pool sf_max_pool_s8_dsp
#define sf_dense_pairs sf_dense_pairs_s8_dsp
#define sf_sparse_dense sf_sparse_dense_s8_dsp
#define sf_sparse_conv2d sf_sparse_conv2d_s8_dsp
#define sf_power_spectrum sf_power_spectrum_s16_dsp
#define sf_differences sf_differences_s16_dsp
#else
#define sf_conv2d sf_conv2d_s8
#define sf_conv2d_compact sf_conv2d_s8
#define sf_conv2d_pairs sf_conv2d_pairs_s8
#define sf_conv2d_3x3 sf_conv2d_3x3_s8
#define sf_grouped_conv2d sf_grouped_conv2d_s8
#define sf_depthwise sf_depthwise_s8
#define sf_dense sf_dense_s8
#define sf_add sf_add_s8
#define sf_maximum sf_maximum_s8
#define sf_minimum sf_minimum_s8
#define sf_reduce_max sf_reduce_max_s8
#define sf_mean sf_mean_s8
#define sf_average_pool sf_average_pool_s8
#define sf_max_pool sf_max_pool_s8
#define sf_dense_pairs sf_dense_pairs_s8
#define sf_sparse_dense sf_sparse_dense_s8
#define sf_sparse_conv2d sf_sparse_conv2d_s8
#define sf_power_spectrum sf_power_spectrum_s16
#define sf_differences sf_differences_s16
#endif

#endif
