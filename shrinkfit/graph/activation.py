# SPDX-License-Identifier: Apache-2.0
"""Fused activations: a name and the output's quantization in, the clamp in int8 steps out, and back."""

from __future__ import annotations

import numpy as np

from shrinkfit.graph.ir import INT8_MAX, INT8_MIN, Tensor

# Real bounds; None is no bound. In the order in which `activation_name` tries them.
ACTIVATION_BOUNDS: dict[str, tuple[float | None, float | None]] = {
    "NONE": (None, None),
    "RELU": (0.0, None),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}


def quantize_bound(value: float, tensor: Tensor) -> int:
    """A real bound in the tensor's steps, as LiteRT computes it: float32 division, halves away from zero."""
    with np.errstate(over="ignore"):
        ratio = float(np.clip(np.float32(value) / np.float32(tensor.scale), -(2.0**31), 2.0**31))
    return tensor.zero_point + int(np.copysign(np.floor(abs(ratio) + 0.5), ratio))


def activation_range(name: str, output: Tensor) -> tuple[int, int]:
    """The clamp that LiteRT applies for a fused activation (its CalculateActivationRangeQuantized).

    Args:
        name: a key of ACTIVATION_BOUNDS.
        output: the tensor that the operator writes.
    Returns:
        (activation_min, activation_max), ints in [-128, 127].
    """
    low, high = ACTIVATION_BOUNDS[name]
    low = INT8_MIN if low is None else max(INT8_MIN, quantize_bound(low, output))
    high = INT8_MAX if high is None else min(INT8_MAX, quantize_bound(high, output))
    return low, high


def is_computed(name: str, output: Tensor) -> bool:
    """Whether LiteRT's bounds are numbers: from 2**31 steps on its conversion to int32 is undefined."""
    return all(abs(bound or 0.0) / output.scale < 2.0**31 for bound in ACTIVATION_BOUNDS[name])


def activation_name(low: int, high: int, output: Tensor) -> str | None:
    """The fused activation whose clamp for this output is [low, high]; None where there is none."""
    for name in ACTIVATION_BOUNDS:
        if is_computed(name, output) and activation_range(name, output) == (low, high):
            return name
    return None
