# SPDX-License-Identifier: Apache-2.0
"""Tensors, variables, padding and what all operators have in common; `ir` gathers them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from shrinkfit.errors import ShrinkfitError

INT8_MIN, INT8_MAX = -128, 127
INT32_MAX = 2**31 - 1

# An operator of the kind under which a table files a function: the key says which, and types cannot.
OpOfKind: TypeAlias = Any


class GraphError(ShrinkfitError):
    """An integer graph that contradicts itself; the message names the operator or tensor."""


def require(condition: bool, message: str) -> None:
    """Raise GraphError with the message where the condition does not hold."""
    if not condition:
        raise GraphError(message)


def frozen_array(array: np.ndarray, dtype: DTypeLike, what: str) -> np.ndarray:
    """A read-only view of an array.

    Args:
        array: of any shape.
        dtype: that it must have.
        what: what the message calls it.
    Raises:
        GraphError: it has another dtype.
    """
    array = np.asarray(array)
    require(array.dtype == dtype, f"{what}: dtype is {array.dtype}, expected {np.dtype(dtype).name}")
    view = array.view()
    view.setflags(write=False)
    return view


# Element types of tensors, with the range that their zero_point may have.
DTYPE_RANGES = {
    "int8": (INT8_MIN, INT8_MAX),
    "uint8": (0, 255),
    "int16": (-(2**15), 2**15 - 1),
    "int32": (0, 0),
    "float32": (0, 0),
}


@dataclass(frozen=True)
class Tensor:
    """An activation, or a constant that operators read (then the graph has its values).

    Args:
        name: unique in its graph.
        shape: ints; batch first and equal to 1 at the graph's edges; NHWC for operators on planes.
        scale: positive float, rounded to float32 as LiteRT stores it; 1 for int32 and float32.
        zero_point: int in the range of dtype; 0 for int32 and float32.
        dtype: int8 everywhere, except for uint8, int16, int32 and float32 at the graph's edges.
    """

    name: str
    shape: tuple[int, ...]
    scale: float = 1.0
    zero_point: int = 0
    dtype: str = "int8"

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "scale", float(np.float32(self.scale)))
        object.__setattr__(self, "zero_point", int(self.zero_point))
        where = f"tensor '{self.name}'"
        require(self.dtype in DTYPE_RANGES, f"{where}: dtype {self.dtype!r} is none of {', '.join(DTYPE_RANGES)}")
        require(len(self.shape) >= 1 and min(self.shape) >= 1, f"{where}: shape {self.shape} is empty")
        require(self.size_bytes <= INT32_MAX, f"{where}: shape {self.shape} has more bytes than any device")
        require(np.isfinite(self.scale) and self.scale > 0, f"{where}: scale {self.scale} is not positive")
        low, high = DTYPE_RANGES[self.dtype]
        require(low <= self.zero_point <= high, f"{where}: zero_point {self.zero_point} is outside [{low}, {high}]")

    @property
    def size_bytes(self) -> int:
        """Of all its elements."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def quantization(self) -> tuple[float, int]:
        """(scale, zero_point)."""
        return self.scale, self.zero_point


@dataclass(frozen=True, eq=False)
class Variable:
    """Memory that lives from run to run; a reset puts the initial values back.

    Args:
        tensor: name, shape and type. No operator reads it by name: they have fields that name it.
        initial: array of the tensor's shape and dtype.
    """

    tensor: Tensor
    initial: np.ndarray

    def __post_init__(self) -> None:
        where = f"variable '{self.tensor.name}'"
        object.__setattr__(self, "initial", frozen_array(self.initial, np.dtype(self.tensor.dtype), where))
        require(
            self.initial.shape == self.tensor.shape,
            f"{where}: initial values have shape {self.initial.shape}, expected {self.tensor.shape}",
        )


@dataclass(frozen=True)
class Padding:
    """Rows and columns added around the spatial plane; the value added is the input's zero_point."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def __post_init__(self) -> None:
        require(min(self.top, self.bottom, self.left, self.right) >= 0, f"padding {self} is negative")


def same_padding(
    size: tuple[int, ...], kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> Padding:
    """TensorFlow's SAME padding, odd remainder at the bottom and right (tf.nn documentation, "SAME").

    Args:
        size, kernel, stride, dilation: (height, width).
    """
    edges = []
    for n, k, s, d in zip(size, kernel, stride, dilation, strict=True):
        total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        edges += [total // 2, total - total // 2]
    return Padding(*edges)


def transpose_padding(
    size: tuple[int, ...], kernel: tuple[int, int], stride: tuple[int, int], output_size: tuple[int, ...], same: bool
) -> Padding:
    """What a transposed convolution cuts from its full output: the SAME or VALID padding of the convolution whose
    gradient it is, which reads the output (TensorFlow's conv2d_transpose, LiteRT's TRANSPOSE_CONV).

    Args:
        size, kernel, stride, output_size: (height, width); size is the input's.
        same: SAME if true, else VALID.
    """
    read = same_padding(output_size, kernel, stride) if same else Padding()
    edges = []
    for n, k, s, o, first in zip(size, kernel, stride, output_size, (read.top, read.left), strict=True):
        edges += [first, max((n - 1) * s + k - first - o, 0)]
    return Padding(*edges)


def window_output_size(
    size: tuple[int, ...], window: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], padding: Padding
) -> tuple[int, int]:
    """(height, width) of what a sliding window leaves."""
    padded = (size[0] + padding.top + padding.bottom, size[1] + padding.left + padding.right)
    height, width = (
        (n - (k - 1) * d - 1) // s + 1 for n, k, s, d in zip(padded, window, stride, dilation, strict=True)
    )
    return height, width


@dataclass(frozen=True, eq=False, kw_only=True)
class Op:
    """What all operators have: a name unique in the graph, and the names of tensors read and written."""

    kind: ClassVar[str] = "op"
    # Whether an output value depends on the input values of its own place alone (inputs may be broadcast), and an int8
    # kernel writes it after it has read those up to it. Streaming, stripes and the planner go by this.
    pointwise: ClassVar[bool] = False
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", tuple(self.inputs))
        object.__setattr__(self, "outputs", tuple(self.outputs))

    def output_shape(self, *shapes: Any, **named: Any) -> tuple[int, ...]:
        """Of its one output, from the shapes of its inputs: each kind takes as many as it reads.

        Raises:
            GraphError: it cannot read such inputs.
        """
        raise GraphError(f"operator kind '{self.kind}' does not say its output shape")

    @property
    def where(self) -> str:
        """Kind and name, as messages begin."""
        return f"{self.kind} '{self.name}'"

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the graph's variables that it reads or writes."""
        return ()

    def check(self, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
        """Raise GraphError where the operator and its tensors do not agree."""
        require(len(outputs) == 1, f"{self.where} has {len(outputs)} outputs, expected 1")
        self.check_types(inputs, outputs)
        expected = self.output_shape(*(t.shape for t in inputs))
        got = outputs[0].shape
        require(got == expected, f"{self.where}: output shape is {got}, expected {expected}")

    def check_types(self, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
        """Most operators know int8 only."""
        for tensor in (*inputs, *outputs):
            require(
                tensor.dtype == "int8", f"{self.where}: '{tensor.name}' is {tensor.dtype}, and {self.kind} is for int8"
            )

    def macs(self, output_shape: tuple[int, ...], input_shape: tuple[int, ...]) -> int:
        """Multiply-accumulates for one run, from the shapes of the first output and input. FLOPs = 2 x MACs."""
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
        require(
            INT8_MIN <= low <= high <= INT8_MAX,
            f"{self.kind} '{self.name}': activation range [{low}, {high}] is not inside [-128, 127]",
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Passing(Op):
    """An operator that moves bytes and never looks at scales; it takes every element type."""

    def check_types(self, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
        types = {tensor.dtype for tensor in (*inputs, *outputs)}
        require(len(types) == 1, f"{self.where}: types {sorted(types)} differ, and {self.kind} only moves bytes")


def require_plane(op: Op, shape: tuple[int, ...]) -> None:
    """Operators on planes read NHWC with a batch of 1."""
    require(len(shape) == 4, f"{op.where}: input shape {shape} has not 4 dimensions")
    require(shape[0] == 1, f"{op.where}: batch is {shape[0]}, expected 1")
