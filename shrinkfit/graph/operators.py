# SPDX-License-Identifier: Apache-2.0
"""Operators that compute without kernels: pools, reductions, arithmetic, functions of one value, conversions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from shrinkfit.graph.base import (
    INT8_MAX,
    INT8_MIN,
    Activated,
    GraphError,
    Op,
    Padding,
    Tensor,
    frozen_array,
    require,
    require_plane,
    window_output_size,
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Pool2D(Activated):
    """Max or average pooling of the bytes as they are: scales are not looked at, except that the clamp is
    in the output's steps. Padding is left out of the average."""

    kind: ClassVar[str] = "pool2d"
    mode: str
    window: tuple[int, int]
    stride: tuple[int, int]
    padding: Padding = field(default_factory=Padding)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.mode in ("max", "average"), f"pool2d '{self.name}': mode is {self.mode!r}")

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        require_plane(self, shape)
        size = window_output_size(shape[1:3], self.window, self.stride, (1, 1), self.padding)
        require(min(size) >= 1, f"pool2d '{self.name}': window {self.window} is larger than the input {shape}")
        return (shape[0], *size, shape[3])


@dataclass(frozen=True, eq=False, kw_only=True)
class Reduction(Op):
    """Several axes become one value; keep_dims leaves them with length 1."""

    axes: tuple[int, ...]
    keep_dims: bool = False

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        require(all(0 <= a < len(shape) for a in self.axes), f"{self.where}: axes {self.axes} do not fit shape {shape}")
        require(len(set(self.axes)) == len(self.axes), f"{self.where}: axes {self.axes} repeat one")
        kept = tuple(1 if a in self.axes else n for a, n in enumerate(shape) if self.keep_dims or a not in self.axes)
        return kept or (1,)


@dataclass(frozen=True, eq=False, kw_only=True)
class Mean(Reduction):
    """Mean over the axes given (batch is axis 0); requantized to the output's scale. LiteRT MEAN."""

    kind: ClassVar[str] = "mean"


@dataclass(frozen=True, eq=False, kw_only=True)
class ReduceMax(Reduction):
    """Maximum over the axes given, of the bytes as they are. LiteRT REDUCE_MAX."""

    kind: ClassVar[str] = "reduce_max"


class Broadcasting:
    """Two tensors, broadcast against each other as NumPy does; either may be constant."""

    pointwise: ClassVar[bool] = True
    where: str

    def output_shape(self, a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the output for these of the inputs."""
        try:
            return tuple(int(n) for n in np.broadcast_shapes(a, b))
        except ValueError:
            raise GraphError(f"{self.where}: input shapes {a} and {b} do not broadcast") from None


@dataclass(frozen=True, eq=False, kw_only=True)
class Elementwise(Broadcasting, Activated):
    """Arithmetic of two tensors, each with its own scale."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Extremum(Broadcasting, Op):
    """One of two values, of the bytes as they are: scales are not looked at."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Maximum(Extremum):
    """The larger of two values. LiteRT MAXIMUM."""

    kind: ClassVar[str] = "maximum"


@dataclass(frozen=True, eq=False, kw_only=True)
class Minimum(Extremum):
    """The smaller of two values. LiteRT MINIMUM."""

    kind: ClassVar[str] = "minimum"


@dataclass(frozen=True, eq=False, kw_only=True)
class Add(Elementwise):
    """Elementwise sum. LiteRT ADD."""

    kind: ClassVar[str] = "add"


@dataclass(frozen=True, eq=False, kw_only=True)
class Sub(Elementwise):
    """Elementwise difference. LiteRT SUB."""

    kind: ClassVar[str] = "sub"


@dataclass(frozen=True, eq=False, kw_only=True)
class Mul(Elementwise):
    """Elementwise product. LiteRT MUL."""

    kind: ClassVar[str] = "mul"


@dataclass(frozen=True, eq=False, kw_only=True)
class Prelu(Op):
    """Input 0 where it is not negative, else input 0 times input 1 (constant, broadcast to it). LiteRT PRELU."""

    kind: ClassVar[str] = "prelu"
    pointwise: ClassVar[bool] = True

    def output_shape(self, shape: tuple[int, ...], alpha: tuple[int, ...]) -> tuple[int, ...]:
        try:
            fits = np.broadcast_shapes(shape, alpha) == shape
        except ValueError:
            fits = False
        require(fits, f"{self.where}: alpha of shape {alpha} does not broadcast to {shape}")
        return shape


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
        require(
            out.scale == 1 / 256 and out.zero_point == INT8_MIN,
            f"softmax '{self.name}': output scale {out.scale}, zero_point {out.zero_point}; expected 1/256 and -128",
        )


# Those that LiteRT has an int8 kernel for; the others by the same arithmetic, and "lookup", which is any table at all.
# Tables that LiteRT would not make are written to .tflite as a GATHER out of a constant.
LITERT_FUNCTIONS = ("logistic", "tanh", "hard_swish", "leaky_relu", "gelu", "gelu_tanh", "exponential", "abs")
TABLE_FUNCTIONS = (
    *(*LITERT_FUNCTIONS, "lookup"),
    *("hard_sigmoid", "silu", "elu", "celu", "selu", "softplus", "softsign"),
    *("mish", "log_sigmoid", "hard_tanh", "tanh_shrink", "squareplus", "sparse_plus", "sparse_sigmoid"),
    *("hard_shrink", "soft_shrink"),
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Table(Op):
    """A function of one value, for each int8 input: output = table[input + 128].

    Args:
        function: one of TABLE_FUNCTIONS; with alpha what a .tflite file says instead of the table.
        alpha: the function's own number, such as leaky_relu's slope below zero (see `tables.function_table`).
        table: int8 [256], from `tables.function_table` by LiteRT's arithmetic.
    """

    kind: ClassVar[str] = "table"
    pointwise: ClassVar[bool] = True
    function: str
    table: np.ndarray
    alpha: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.function in TABLE_FUNCTIONS, f"{self.where}: no function {self.function!r}")
        object.__setattr__(self, "table", frozen_array(self.table, np.int8, f"{self.where}: table"))
        require(self.table.shape == (256,), f"{self.where}: table has shape {self.table.shape}, expected (256,)")

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape


@dataclass(frozen=True, eq=False, kw_only=True)
class Requantize(Activated):
    """Another scale for the same int8 values, then the clamp: int8 QUANTIZE, or a RELU that nothing could fuse.

    Args:
        division: how input scale / output scale is divided, "double" (QUANTIZE) or "float32" (RELU);
            when empty, "float32" where the clamp is narrower than int8.
    """

    kind: ClassVar[str] = "requantize"
    pointwise: ClassVar[bool] = True
    division: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.division:
            whole = (self.activation_min, self.activation_max) == (INT8_MIN, INT8_MAX)
            object.__setattr__(self, "division", "double" if whole else "float32")
        require(self.division in ("double", "float32"), f"{self.where}: division is {self.division!r}")

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape


@dataclass(frozen=True, eq=False, kw_only=True)
class Conversion(Op):
    """The same values in another element type."""

    pointwise: ClassVar[bool] = True
    sources: ClassVar[tuple[str, ...]] = ()
    targets: ClassVar[tuple[str, ...]] = ()

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape

    def check_types(self, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
        pair = inputs[0].dtype, outputs[0].dtype
        require(
            pair[0] in self.sources and pair[1] in self.targets,
            f"{self.where} turns {pair[0]} into {pair[1]}; it can take {', '.join(self.sources)} and give "
            f"{', '.join(self.targets)}",
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Quantize(Conversion):
    """float32 -> int8, uint8 or int16. LiteRT QUANTIZE."""

    kind: ClassVar[str] = "quantize"
    sources: ClassVar[tuple[str, ...]] = ("float32",)
    targets: ClassVar[tuple[str, ...]] = ("int8", "uint8", "int16")


@dataclass(frozen=True, eq=False, kw_only=True)
class Dequantize(Conversion):
    """int8, uint8 or int16 -> float32. LiteRT DEQUANTIZE."""

    kind: ClassVar[str] = "dequantize"
    sources: ClassVar[tuple[str, ...]] = ("int8", "uint8", "int16")
    targets: ClassVar[tuple[str, ...]] = ("float32",)


@dataclass(frozen=True, eq=False, kw_only=True)
class Convert(Conversion):
    """One quantized type to another, each with its own scale: QUANTIZE between int8, uint8, int16 (and to int32).

    int8 to int8 is Requantize.
    """

    kind: ClassVar[str] = "convert"
    sources: ClassVar[tuple[str, ...]] = ("int8", "uint8", "int16")
    targets: ClassVar[tuple[str, ...]] = ("int8", "uint8", "int16")
