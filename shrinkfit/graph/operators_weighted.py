# SPDX-License-Identifier: Apache-2.0
"""Operators with kernels: convolutions of all kinds, dense."""

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
        """Of the output."""
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
        """(height, width) of the kernel."""
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
    """Convolution; kernel [output, height, width, input] (OHWI). LiteRT CONV_2D, double rounding.

    Where the kernel has fewer input channels than the tensor, the convolution is grouped: with G = their quotient
    output channel o reads the input channels of group o // (outputs / G).
    """

    kind: ClassVar[str] = "conv2d"

    @property
    def window(self) -> tuple[int, int]:
        return self.kernel.shape[1:3]

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        height, width = self._spatial(shape)
        self.groups(shape)
        return (shape[0], height, width, self.channels)

    def groups(self, shape: tuple[int, ...]) -> int:
        """How many groups its channels fall into, for an input of this shape.

        Raises:
            GraphError: input or output channels cannot be divided into such groups.
        """
        read = self.kernel.shape[3]
        require(
            read >= 1 and shape[3] % read == 0,
            f"conv2d '{self.name}': input has {shape[3]} channels, the kernel expects {read} or, for a grouped "
            "convolution, a multiple of that",
        )
        groups = shape[3] // read
        require(
            self.channels % groups == 0,
            f"conv2d '{self.name}': {self.channels} output channels cannot be divided into {groups} groups "
            f"({shape[3]} input channels, of which each output reads {read})",
        )
        return groups

    def macs(self, output_shape: tuple[int, ...], input_shape: tuple[int, ...]) -> int:
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

    def macs(self, output_shape: tuple[int, ...], input_shape: tuple[int, ...]) -> int:
        return prod(output_shape[1:3]) * self.kernel.size


@dataclass(frozen=True, eq=False, kw_only=True)
class TransposeConv2D(Weighted):
    """Transposed convolution; kernel [output, height, width, input] (OHWI). LiteRT TRANSPOSE_CONV, double rounding.

    Input pixel (y, x) adds its share to the outputs (y * stride + i - padding.top, x * stride + j - padding.left) of
    every tap (i, j).

    Args:
        stride: (height, width).
        padding: what is cut at each edge of the full output, whose size is (input - 1) * stride + kernel.
        output_size: (height, width); where it reaches beyond what the full output leaves, the last rows and columns
            have the bias alone, and padding.bottom or padding.right is 0.
    """

    kind: ClassVar[str] = "transpose_conv2d"
    stride: tuple[int, int] = (1, 1)
    padding: Padding = field(default_factory=Padding)
    output_size: tuple[int, int]

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.kernel.ndim == 4, f"{self.where}: kernel has shape {self.kernel.shape}, expected OHWI")
        for name in ("stride", "output_size"):
            object.__setattr__(self, name, tuple(int(n) for n in getattr(self, name)))
            require(min(getattr(self, name)) >= 1, f"{self.where}: {name} is {getattr(self, name)}, expected 1 or more")

    @property
    def window(self) -> tuple[int, int]:
        """(height, width) of the kernel."""
        return self.kernel.shape[1:3]

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        require_plane(self, shape)
        require(
            shape[3] == self.kernel.shape[3],
            f"{self.where}: input has {shape[3]} channels, the kernel expects {self.kernel.shape[3]}",
        )
        p = self.padding
        edges = (p.top, p.bottom), (p.left, p.right)
        for axis, n, k, s, out, (first, last) in zip(
            ("height", "width"), shape[1:3], self.window, self.stride, self.output_size, edges, strict=True
        ):
            full = (n - 1) * s + k
            expected = max(full - first - out, 0)
            require(
                first < full and last == expected,
                f"{self.where}: of a full {axis} of {full}, {first} cut before and {last} behind do not leave "
                f"{out}; expected {expected} behind",
            )
        return (shape[0], *self.output_size, self.channels)

    def macs(self, output_shape: tuple[int, ...], input_shape: tuple[int, ...]) -> int:
        return prod(input_shape[1:3]) * self.kernel.size


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

    def macs(self, output_shape: tuple[int, ...], input_shape: tuple[int, ...]) -> int:
        return prod(output_shape[:-1]) * self.kernel.size
