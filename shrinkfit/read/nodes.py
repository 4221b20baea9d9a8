# SPDX-License-Identifier: Apache-2.0
"""One computation of a Keras model, and its variables as arrays with fixed axes.

The vocabulary: input, conv, conv_transpose, depthwise, dense, batch_norm, affine, relu, table, softmax, max_pool,
average_pool, global_average, global_max, reshape, permute, zero_pad, crop, upsample, identity, add, subtract, multiply,
average, maximum, minimum, concat, prelu.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shrinkfit.graph.ir import Padding, same_padding

# What makes a tensor of a kernel and another tensor.
WEIGHTED = ("conv", "conv_transpose", "depthwise", "dense")
CONVOLUTIONS = ("conv", "conv_transpose", "depthwise")


@dataclass(frozen=True, eq=False)
class Node:
    """One computation.

    Args:
        name: unique; the call's name, with "/part" behind it for all but the last part of a layer.
        kind: a word of this module's vocabulary.
        inputs: names of nodes.
        shape: output shape without the batch, as Keras has it.
        layer: the Keras layer that computes it.
        attributes: per kind: stride, dilation, padding ("valid", "same" or Padding), groups, window, max_value,
            epsilon, function and alpha, axis, permutation, size and interpolation, factor and shift, count.
        variables: role -> Keras variable: kernel, bias, gamma, beta, mean, variance, alpha; and kernel_limit, the
            largest magnitude that tfmot quantized the kernel with, where it did.
        call: name of the layer's call that it is part of; a layer that is shared has several.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    layer: Any
    attributes: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    call: str = ""

    @property
    def part(self) -> str:
        """Which part of its layer it is, the same for every call."""
        return self.name[len(self.call) :]


def canonical_weights(node: Node) -> dict[str, np.ndarray]:
    """A node's variables as float64 arrays with fixed axes.

    Returns:
        role -> array: conv and conv_transpose kernel [height, width, input, output], depthwise kernel [height, width,
        channels, multiplier], dense kernel [input, output], kernel_limit [] or [last axis], alpha as it is, its last
        axis [channels] or 1, all else [channels].
    """
    return {role: canonical(node, role, keras_value(v)) for role, v in node.variables.items()}


def keras_value(variable: Any) -> np.ndarray:
    """A variable of either Keras as an array; np.asarray and Keras 3's own conversion both warn under NumPy 2."""
    value = getattr(variable, "value", None)
    # Keras 3's value is a tensor, TensorFlow's a method.
    return variable.numpy() if value is None or callable(value) else value.numpy()


def canonical(node: Node, role: str, value: np.ndarray) -> np.ndarray:
    """A variable's value, float64, with the axes that `canonical_weights` gives its role."""
    value = np.asarray(value, np.float64)
    if role != "kernel" or node.kind not in CONVOLUTIONS:
        return value
    value = value[np.newaxis] if value.ndim == 3 else value
    # Keras has a transposed convolution's output channels before its input channels.
    return value.swapaxes(-1, -2) if node.kind == "conv_transpose" else value


def keras_axes(node: Node, role: str, value: np.ndarray) -> np.ndarray:
    """The inverse of `canonical`: the array as the Keras variable holds it."""
    if role != "kernel" or node.kind not in CONVOLUTIONS:
        return value
    value = value.swapaxes(-1, -2) if node.kind == "conv_transpose" else value
    return value[0] if len(node.variables["kernel"].shape) == 3 else value


def resolve_padding(
    padding: Any,
    size: tuple[int, ...],
    window: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int] = (1, 1),
) -> Padding:
    """Keras's padding word, or explicit Padding, as explicit Padding for this input size."""
    if isinstance(padding, Padding):
        return padding
    return same_padding(size, window, stride, dilation) if padding == "same" else Padding()
