# SPDX-License-Identifier: Apache-2.0
"""Operators with kernels: convolution, depthwise convolution, dense."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import ClassVar

import numpy as np

from shrinkfit.graph.base import (
    INT32_MAX,
    Activated,
    Padding,
    Tensor,
    frozen_array,
    require,
    require_plane,
    window_output_size,
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Weighted(Activated):
    """An operator with a kernel and bias. Which axis of the kernel is the output channel differs per kind.

    Args:
        kernel: int8 array in [-127, 127].
        bias: int32 [output channels].
        kernel_scales: float32 [output channels], positive.
    """

    output_axis: ClassVar[int] = 0
    kernel: np.ndarray
    bias: np.ndarray
    kernel_scales: np.ndarray

    def __post_init__(self) -> None:
        super().__post_init__()
        where = f"{self.kind} '{self.name}'"
        object.__setattr__(self, "kernel", frozen_array(self.kernel, np.int8, f"{where}: kernel"))
        object.__setattr__(self, "bias", frozen_array(self.bias, np.int32, f"{where}: bias"))
        object.__setattr__(self, "kernel_scales", frozen_array(self.kernel_scales, np.float32, f"{where}: scales"))
        channels = (self.channels,)
        require(self.bias.shape == channels, f"{where}: bias has shape {self.bias.shape}, expected {channels}")
        require(
            self.kernel_scales.shape == channels,
            f"{where}: kernel_scales has shape {self.kernel_scales.shape}, expected {channels}",
        )
        require(
            bool(np.all(np.isfinite(self.kernel_scales)) and np.all(self.kernel_scales > 0)),
            f"{where}: a kernel scale is not positive and finite",
        )

    @property
    def channels(self) -> int:
        return self.kernel.shape[self.output_axis]

    @property
    def weight_count(self) -> int:
        return self.kernel.size + self.bias.size

    def effective_scales(self, input_tensor: Tensor, output_tensor: Tensor) -> np.ndarray:
        """float64 [channels]: input_scale * kernel_scale / output_scale, in the order LiteRT multiplies."""
        return np.float64(input_tensor.scale) * self.kernel_scales.astype(np.float64) / np.float64(output_tensor.scale)

    def check_accumulator(self, where: str) -> None:
        """Any input may come, so the largest possible sum has to stay inside int32."""
        axes = tuple(a for a in range(self.kernel.ndim) if a != self.output_axis % self.kernel.ndim)
        sums = np.abs(self.kernel.astype(np.int64)).sum(axis=axes) * 255 + np.abs(self.bias.astype(np.int64))
        worst = int(sums.max(initial=0))
        require(worst <= INT32_MAX, f"{where}: the accumulator can reach {worst}, which does not fit int32")

    def check(self, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
        super().check(inputs, outputs)
        self.check_accumulator(f"{self.kind} '{self.name}'")


@dataclass(frozen=True, eq=False, kw_only=True)
class Windowed(Weighted):
    """A convolution: stride, dilation as (height, width), and explicit padding."""

    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: Padding = field(default_factory=Padding)

    @property
    def window(self) -> tuple[int, int]:
        raise NotImplementedError

    def _spatial(self, shape: tuple[int, ...]) -> tuple[int, int]:
        require_plane(self, shape)
        size = window_output_size(shape[1:3], self.window, self.stride, self.dilation, self.padding)
        require(
            min(size) >= 1, f"{self.kind} '{self.name}': window {self.window} is larger than the padded input {shape}"
        )
        return size


@dataclass(frozen=True, eq=False, kw_only=True)
class Conv2D(Windowed):
    """Convolution; kernel [output, height, width, input] (OHWI). LiteRT CONV_2D, double rounding."""

    kind: ClassVar[str] = "conv2d"

    @property
    def window(self) -> tuple[int, int]:
        return self.kernel.shape[1:3]

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        height, width = self._spatial(shape)
        require(
            shape[3] == self.kernel.shape[3],
            f"conv2d '{self.name}': input has {shape[3]} channels, the kernel expects {self.kernel.shape[3]}",
        )
        return (shape[0], height, width, self.channels)

    def macs(self, output_shape: tuple[int, ...]) -> int:
        return prod(output_shape[1:3]) * self.kernel.size


@dataclass(frozen=True, eq=False, kw_only=True)
class DepthwiseConv2D(Windowed):
    """Depthwise convolution; kernel [height, width, channels * depth_multiplier]. Double rounding.

    Output channel c * depth_multiplier + m reads input channel c.
    """

    kind: ClassVar[str] = "depthwise_conv2d"
    output_axis: ClassVar[int] = 2
    depth_multiplier: int = 1

    @property
    def window(self) -> tuple[int, int]:
        return self.kernel.shape[:2]

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        height, width = self._spatial(shape)
        require(
            shape[3] * self.depth_multiplier == self.channels,
            f"depthwise_conv2d '{self.name}': {shape[3]} input channels x multiplier {self.depth_multiplier} "
            f"is not the kernel's {self.channels}",
        )
        return (shape[0], height, width, self.channels)

    def macs(self, output_shape: tuple[int, ...]) -> int:
        return prod(output_shape[1:3]) * self.kernel.size


@dataclass(frozen=True, eq=False, kw_only=True)
class Dense(Weighted):
    """Fully connected over the last axis; kernel [output, input]. LiteRT FULLY_CONNECTED, single rounding."""

    kind: ClassVar[str] = "dense"

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        require(
            shape[-1] == self.kernel.shape[1],
            f"dense '{self.name}': input has {shape[-1]} features, the kernel expects {self.kernel.shape[1]}",
        )
        return (*shape[:-1], self.channels)

    def macs(self, output_shape: tuple[int, ...]) -> int:
        return prod(output_shape[:-1]) * self.kernel.size
