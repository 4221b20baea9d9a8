# SPDX-License-Identifier: Apache-2.0
"""The integer graph: frozen int8 tensors and operators that check themselves when they are made.

Every room after `read/` knows nothing else. The semantics are LiteRT's int8 operators:
real = scale * (q - zero_point), kernels per output channel and symmetric, bias int32 with
scale input_scale * kernel_scale.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import ClassVar

import numpy as np

from shrinkfit.errors import ShrinkfitError

INT8_MIN, INT8_MAX = -128, 127
INT32_MAX = 2**31 - 1


class GraphError(ShrinkfitError):
    """An integer graph that contradicts itself; the message names the operator or tensor."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise GraphError(message)


def _frozen_array(array: np.ndarray, dtype: type, what: str) -> np.ndarray:
    array = np.asarray(array)
    _require(array.dtype == dtype, f"{what}: dtype is {array.dtype}, expected {np.dtype(dtype).name}")
    view = array.view()
    view.setflags(write=False)
    return view


@dataclass(frozen=True)
class Tensor:
    """An int8 activation.

    Args:
        name: unique in its graph.
        shape: ints, batch first and equal to 1; NHWC where it has four dimensions.
        scale: positive float, rounded to float32 as LiteRT stores it.
        zero_point: int in [-128, 127].
    """

    name: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "scale", float(np.float32(self.scale)))
        object.__setattr__(self, "zero_point", int(self.zero_point))
        _require(len(self.shape) >= 1 and min(self.shape) >= 1, f"tensor '{self.name}': shape {self.shape} is empty")
        _require(self.shape[0] == 1, f"tensor '{self.name}': batch is {self.shape[0]}, expected 1")
        _require(
            np.isfinite(self.scale) and self.scale > 0, f"tensor '{self.name}': scale {self.scale} is not positive"
        )
        _require(
            INT8_MIN <= self.zero_point <= INT8_MAX,
            f"tensor '{self.name}': zero_point {self.zero_point} is outside [-128, 127]",
        )

    @property
    def size_bytes(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True)
class Padding:
    """Rows and columns added around the spatial plane; the value added is the input's zero_point."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def __post_init__(self) -> None:
        _require(min(self.top, self.bottom, self.left, self.right) >= 0, f"padding {self} is negative")


def same_padding(size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], dilation=(1, 1)) -> Padding:
    """TensorFlow's SAME padding, odd remainder at the bottom and right (tf.nn documentation, "SAME").

    Args:
        size, kernel, stride, dilation: (height, width).
    """
    edges = []
    for n, k, s, d in zip(size, kernel, stride, dilation, strict=True):
        total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        edges += [total // 2, total - total // 2]
    return Padding(*edges)


def window_output_size(
    size: tuple[int, int], window: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], padding: Padding
) -> tuple[int, int]:
    """(height, width) of what a sliding window leaves."""
    padded = (size[0] + padding.top + padding.bottom, size[1] + padding.left + padding.right)
    return tuple((n - (k - 1) * d - 1) // s + 1 for n, k, s, d in zip(padded, window, stride, dilation, strict=True))


@dataclass(frozen=True, eq=False, kw_only=True)
class Op:
    """What all operators have: a name unique in the graph, and the names of tensors read and written."""

    kind: ClassVar[str] = "op"
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", tuple(self.inputs))
        object.__setattr__(self, "outputs", tuple(self.outputs))

    def output_shape(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        raise GraphError(f"operator kind '{self.kind}' does not say its output shape")

    def check(self, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
        """Raise GraphError where the operator and its tensors do not agree."""
        expected = self.output_shape(*(t.shape for t in inputs))
        got = outputs[0].shape
        _require(got == expected, f"{self.kind} '{self.name}': output shape is {got}, expected {expected}")

    def macs(self, output_shape: tuple[int, ...]) -> int:
        """Multiply-accumulates for one run. FLOPs = 2 x MACs."""
        return 0

    @property
    def weight_count(self) -> int:
        """Kernel elements and biases."""
        return 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Activated(Op):
    """An operator whose output is clamped to [activation_min, activation_max] (in int8 steps)."""

    activation_min: int = INT8_MIN
    activation_max: int = INT8_MAX

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.activation_min, self.activation_max
        _require(
            INT8_MIN <= low <= high <= INT8_MAX,
            f"{self.kind} '{self.name}': activation range [{low}, {high}] is not inside [-128, 127]",
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
        object.__setattr__(self, "kernel", _frozen_array(self.kernel, np.int8, f"{where}: kernel"))
        object.__setattr__(self, "bias", _frozen_array(self.bias, np.int32, f"{where}: bias"))
        object.__setattr__(self, "kernel_scales", _frozen_array(self.kernel_scales, np.float32, f"{where}: scales"))
        channels = (self.channels,)
        _require(self.bias.shape == channels, f"{where}: bias has shape {self.bias.shape}, expected {channels}")
        _require(
            self.kernel_scales.shape == channels,
            f"{where}: kernel_scales has shape {self.kernel_scales.shape}, expected {channels}",
        )
        _require(
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
        _require(worst <= INT32_MAX, f"{where}: the accumulator can reach {worst}, which does not fit int32")

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
        _require(len(shape) == 4, f"{self.kind} '{self.name}': input shape {shape} has not 4 dimensions")
        size = window_output_size(shape[1:3], self.window, self.stride, self.dilation, self.padding)
        _require(
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
        _require(
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
        _require(
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
        _require(
            shape[-1] == self.kernel.shape[1],
            f"dense '{self.name}': input has {shape[-1]} features, the kernel expects {self.kernel.shape[1]}",
        )
        return (*shape[:-1], self.channels)

    def macs(self, output_shape: tuple[int, ...]) -> int:
        return prod(output_shape[:-1]) * self.kernel.size


@dataclass(frozen=True, eq=False, kw_only=True)
class Pool2D(Activated):
    """Max or average pooling; input and output share scale and zero_point; padding is left out of the average."""

    kind: ClassVar[str] = "pool2d"
    mode: str
    window: tuple[int, int]
    stride: tuple[int, int]
    padding: Padding = field(default_factory=Padding)

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(self.mode in ("max", "average"), f"pool2d '{self.name}': mode is {self.mode!r}")

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        _require(len(shape) == 4, f"pool2d '{self.name}': input shape {shape} has not 4 dimensions")
        size = window_output_size(shape[1:3], self.window, self.stride, (1, 1), self.padding)
        _require(min(size) >= 1, f"pool2d '{self.name}': window {self.window} is larger than the input {shape}")
        return (shape[0], *size, shape[3])

    def check(self, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
        super().check(inputs, outputs)
        _check_same_quantization(self, inputs[0], outputs[0])


@dataclass(frozen=True, eq=False, kw_only=True)
class Mean(Op):
    """Mean over the axes given (batch is axis 0); requantized to the output's scale. LiteRT MEAN."""

    kind: ClassVar[str] = "mean"
    axes: tuple[int, ...]
    keep_dims: bool = False

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        _require(
            all(0 < a < len(shape) for a in self.axes), f"mean '{self.name}': axes {self.axes} do not fit shape {shape}"
        )
        if self.keep_dims:
            return tuple(1 if a in self.axes else n for a, n in enumerate(shape))
        return tuple(n for a, n in enumerate(shape) if a not in self.axes)


@dataclass(frozen=True, eq=False, kw_only=True)
class Add(Activated):
    """Elementwise sum of two tensors of equal shape, each with its own scale. LiteRT ADD."""

    kind: ClassVar[str] = "add"

    def output_shape(self, a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
        _require(a == b, f"add '{self.name}': input shapes {a} and {b} differ")
        return a


@dataclass(frozen=True, eq=False, kw_only=True)
class Softmax(Op):
    """Softmax over the last axis; the output has scale 1/256 and zero_point -128. LiteRT SOFTMAX."""

    kind: ClassVar[str] = "softmax"
    beta: float = 1.0

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape

    def check(self, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
        super().check(inputs, outputs)
        out = outputs[0]
        _require(
            out.scale == 1 / 256 and out.zero_point == INT8_MIN,
            f"softmax '{self.name}': output scale {out.scale}, zero_point {out.zero_point}; expected 1/256 and -128",
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Pad(Op):
    """Pads the plane of a 4-D tensor with its zero_point (real 0)."""

    kind: ClassVar[str] = "pad"
    padding: Padding

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        _require(len(shape) == 4, f"pad '{self.name}': input shape {shape} has not 4 dimensions")
        p = self.padding
        return (shape[0], shape[1] + p.top + p.bottom, shape[2] + p.left + p.right, shape[3])

    def check(self, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
        super().check(inputs, outputs)
        _check_same_quantization(self, inputs[0], outputs[0])


@dataclass(frozen=True, eq=False, kw_only=True)
class Reshape(Op):
    """Another shape for the same bytes; costs nothing in the C."""

    kind: ClassVar[str] = "reshape"
    shape: tuple[int, ...]

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        _require(prod(shape) == prod(self.shape), f"reshape '{self.name}': {shape} and {self.shape} differ in elements")
        return tuple(self.shape)

    def check(self, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
        super().check(inputs, outputs)
        _check_same_quantization(self, inputs[0], outputs[0])


@dataclass(frozen=True, eq=False, kw_only=True)
class Requantize(Activated):
    """Another scale for the same values, then the clamp: int8 QUANTIZE, or a RELU that nothing could fuse."""

    kind: ClassVar[str] = "requantize"

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape


def _check_same_quantization(op: Op, a: Tensor, b: Tensor) -> None:
    _require(
        (a.scale, a.zero_point) == (b.scale, b.zero_point),
        f"{op.kind} '{op.name}': input and output differ in scale or zero_point, and {op.kind} cannot requantize",
    )


@dataclass(frozen=True, eq=False)
class Graph:
    """Operators in an order in which they can run, and the tensors between them.

    Args:
        name: what the model is called.
        tensors: name -> Tensor; every tensor is an input or made by exactly one operator.
        ops: operators, each after those whose outputs it reads.
        inputs, outputs: tensor names.
    """

    name: str
    tensors: dict[str, Tensor]
    ops: tuple[Op, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "ops", tuple(self.ops))
        object.__setattr__(self, "inputs", tuple(self.inputs))
        object.__setattr__(self, "outputs", tuple(self.outputs))
        _require(len(self.inputs) >= 1 and len(self.outputs) >= 1, f"graph '{self.name}' has no input or no output")
        names = [op.name for op in self.ops]
        _require(len(set(names)) == len(names), f"graph '{self.name}': two operators share a name: {names}")
        for name, tensor in self.tensors.items():
            _require(name == tensor.name, f"tensor '{tensor.name}' is filed under '{name}'")
        made = set(self.inputs)
        for op in self.ops:
            for name in op.inputs:
                _require(name in made, f"{op.kind} '{op.name}' reads '{name}' before it is made")
            for name in op.outputs:
                _require(name not in made, f"{op.kind} '{op.name}' makes '{name}' a second time")
                _require(name in self.tensors, f"{op.kind} '{op.name}' makes '{name}', which is no tensor of the graph")
                made.add(name)
            op.check(self.op_inputs(op), self.op_outputs(op))
        for name in self.outputs:
            _require(name in made, f"output '{name}' is never made")
        for name in self.tensors:
            _require(name in made, f"tensor '{name}' is never made")

    def op_inputs(self, op: Op) -> tuple[Tensor, ...]:
        return tuple(self.tensors[name] for name in op.inputs)

    def op_outputs(self, op: Op) -> tuple[Tensor, ...]:
        return tuple(self.tensors[name] for name in op.outputs)

    def op_macs(self, op: Op) -> int:
        return op.macs(self.tensors[op.outputs[0]].shape)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one run; FLOPs = 2 x MACs."""
        return sum(self.op_macs(op) for op in self.ops)
