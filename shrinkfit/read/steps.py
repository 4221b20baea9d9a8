# SPDX-License-Identifier: Apache-2.0
"""Float kernels, slopes and ranges in, int8 steps and their scales out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from shrinkfit.errors import ShrinkfitError

# A bias of this many steps still leaves room in int32 for the products.
MAX_BIAS_STEPS = 2**28


def activation_quantization(low: float, high: float) -> tuple[float, int]:
    """(scale, zero_point) of int8 for the real range [low, high], widened to hold 0.

    The zero_point is nudged to a step as tf.quantization.fake_quant_with_min_max_vars does.
    """
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ShrinkfitError(f"an activation's range is [{low}, {high}]; training has diverged")
    if high - low < 1e-6:
        high = low + 1e-6
    scale = float(np.float32((high - low) / 255))
    return scale, int(np.clip(np.floor(-128 - low / scale + 0.5), -128, 127))


def quantize_slopes(alpha: np.ndarray) -> tuple[np.ndarray, float]:
    """PReLU's slopes as int8 steps in [-127, 127] with one scale for all, and that scale."""
    scale = float(np.float32((np.abs(alpha).max() or 1.0) / 127))
    return np.clip(np.rint(alpha / scale), -127, 127).astype(np.int8), scale


def batch_norm_line(own: Mapping[str, np.ndarray], epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    """Batch normalization at inference as factor * x + shift, float64 [channels] each."""
    factor = own.get("gamma", 1.0) / np.sqrt(own["variance"] + epsilon)
    return factor, own.get("beta", 0.0) - own["mean"] * factor


def quantize_kernel(
    kernel: np.ndarray, bias: np.ndarray, input_scale: float, axis: int, limit: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Round a float kernel to int8 steps in [-127, 127], symmetric per output channel.

    Args:
        kernel, bias, axis: float; the axis is the output channel's.
        input_scale: of the tensor that the kernel is applied to.
        limit: float [channels], the magnitude that becomes step 127; the kernel's largest when None.
    Returns:
        steps: int8, the kernel's shape.
        scales: float32 [channels]. Where a kernel is so small that its bias would leave int32, the
            scale is widened until the bias fits: the kernel's own share is negligible there.
    """
    others = tuple(a for a in range(kernel.ndim) if a != axis)
    largest = np.abs(kernel).max(axis=others) if limit is None else limit
    smallest = np.maximum(np.abs(bias) / (np.float64(input_scale) * MAX_BIAS_STEPS), 1e-12)
    scales = np.maximum(largest / 127, smallest).astype(np.float32)
    shape = [1] * kernel.ndim
    shape[axis] = -1
    steps = np.clip(np.rint(kernel / scales.astype(np.float64).reshape(shape)), -127, 127)
    return steps.astype(np.int8), scales
