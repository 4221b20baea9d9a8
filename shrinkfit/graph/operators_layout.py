# SPDX-License-Identifier: Apache-2.0
"""Operators that move values to other places: reshape, pad, concat, split, slice, transpose, tile, resize.

They copy bytes and do not look at scales, except for pad's zero and the resizes' rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from shrinkfit.graph.base import INT8_MAX, INT8_MIN, Op, Padding, Passing, Tensor, require, require_plane


@dataclass(frozen=True, eq=False, kw_only=True)
class Reshape(Passing):
    """Another shape for the same bytes; costs nothing in the C."""

    kind: ClassVar[str] = "reshape"
    shape: tuple[int, ...]

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        require(prod(shape) == prod(self.shape), f"reshape '{self.name}': {shape} and {self.shape} differ in elements")
        return tuple(self.shape)


@dataclass(frozen=True, eq=False, kw_only=True)
class Pad(Op):
    """Adds constant values around a tensor.

    Args:
        padding: rows and columns around a plane; None where other axes are padded too.
        paddings: (before, after) per axis; made from padding where empty, and the other way round.
        value: int8 value to fill with; None for the output's zero_point (real 0).
    """

    kind: ClassVar[str] = "pad"
    padding: Padding | None = None
    paddings: tuple[tuple[int, int], ...] = ()
    value: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.paddings) or self.padding is not None, f"{self.where}: neither padding nor paddings")
        paddings = tuple((int(a), int(b)) for a, b in self.paddings)
        if not paddings and (p := self.padding) is not None:
            paddings = ((0, 0), (p.top, p.bottom), (p.left, p.right), (0, 0))
        require(all(min(edge) >= 0 for edge in paddings), f"{self.where}: paddings {paddings} are negative")
        plane = len(paddings) == 4 and paddings[0] == paddings[3] == (0, 0)
        object.__setattr__(self, "paddings", paddings)
        object.__setattr__(self, "padding", Padding(*paddings[1], *paddings[2]) if plane else None)
        require(
            self.value is None or INT8_MIN <= self.value <= INT8_MAX, f"{self.where}: value {self.value} is no int8"
        )

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        require(
            len(shape) == len(self.paddings),
            f"pad '{self.name}': input shape {shape} has not {len(self.paddings)} dimensions",
        )
        return tuple(n + a + b for n, (a, b) in zip(shape, self.paddings, strict=True))


@dataclass(frozen=True, eq=False, kw_only=True)
class Concat(Passing):
    """Joins tensors along an axis; constants may be among them. LiteRT CONCATENATION.

    Args:
        in_place: its inputs are written where they lie in the output, so nothing is copied: each lies there in one
            piece, and an operator makes it for this one reader's sake.
    """

    kind: ClassVar[str] = "concat"
    axis: int
    in_place: bool = False

    def output_shape(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        first, axis = shapes[0], self.axis
        require(0 <= axis < len(first), f"{self.where}: axis {axis} does not fit shape {first}")
        rest = {shape[:axis] + (0,) + shape[axis + 1 :] for shape in shapes}
        require(len(rest) == 1, f"{self.where}: shapes {shapes} differ outside axis {axis}")
        require(not self.in_place or prod(first[:axis]) == 1, f"{self.where}: its inputs lie apart in the output")
        return (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])


@dataclass(frozen=True, eq=False, kw_only=True)
class Split(Passing):
    """Cuts a tensor along an axis into one piece per output. LiteRT SPLIT and SPLIT_V."""

    kind: ClassVar[str] = "split"
    axis: int
    sizes: tuple[int, ...]

    def output_shapes(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
        require(0 <= self.axis < len(shape), f"{self.where}: axis {self.axis} does not fit shape {shape}")
        require(
            min(self.sizes, default=0) >= 1 and sum(self.sizes) == shape[self.axis],
            f"{self.where}: pieces of {self.sizes} do not make up axis {self.axis} of shape {shape}",
        )
        return tuple((*shape[: self.axis], size, *shape[self.axis + 1 :]) for size in self.sizes)

    def check(self, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
        self.check_types(inputs, outputs)
        expected = self.output_shapes(inputs[0].shape)
        got = tuple(t.shape for t in outputs)
        require(got == expected, f"{self.where}: output shapes are {got}, expected {expected}")


@dataclass(frozen=True, eq=False, kw_only=True)
class StridedSlice(Passing):
    """Takes size[i] values from begin[i] in steps of stride[i] (may be negative) on each axis; the rank stays.

    Args:
        in_place: the output is these bytes of the input, which lie in one piece; nothing is copied.
    """

    kind: ClassVar[str] = "strided_slice"
    begin: tuple[int, ...]
    size: tuple[int, ...]
    stride: tuple[int, ...]
    in_place: bool = False

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        ranks = {len(shape), len(self.begin), len(self.size), len(self.stride)}
        require(len(ranks) == 1, f"{self.where}: begin, size and stride do not fit shape {shape}")
        for n, begin, size, stride in zip(shape, self.begin, self.size, self.stride, strict=True):
            last = begin + (size - 1) * stride
            require(
                size >= 1 and stride != 0 and 0 <= begin < n and 0 <= last < n,
                f"{self.where}: {size} values from {begin} in steps of {stride} leave an axis of {n}",
            )
        require(not self.in_place or self._is_one_piece(shape), f"{self.where}: its values lie apart in the input")
        return tuple(self.size)

    def _is_one_piece(self, shape: tuple[int, ...]) -> bool:
        """All of the inner axes, then a run, then one value of each outer axis."""
        cut = max((i for i, n in enumerate(shape) if self.size[i] != n), default=0)
        return (
            self.stride[cut] == 1
            and all(n == 1 for n in self.size[:cut])
            and all(n == 1 or stride == 1 for n, stride in zip(self.size, self.stride, strict=True))
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Transpose(Passing):
    """Output axis i is input axis permutation[i]. LiteRT TRANSPOSE."""

    kind: ClassVar[str] = "transpose"
    permutation: tuple[int, ...]

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        require(
            sorted(self.permutation) == list(range(len(shape))),
            f"{self.where}: {self.permutation} is no permutation of the axes of {shape}",
        )
        return tuple(shape[a] for a in self.permutation)


@dataclass(frozen=True, eq=False, kw_only=True)
class Tile(Passing):
    """Repeats a tensor multiples[i] times along axis i. LiteRT TILE."""

    kind: ClassVar[str] = "tile"
    multiples: tuple[int, ...]

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        require(
            len(self.multiples) == len(shape) and min(self.multiples) >= 1,
            f"{self.where}: multiples {self.multiples} do not fit shape {shape}",
        )
        return tuple(n * m for n, m in zip(shape, self.multiples, strict=True))


@dataclass(frozen=True, eq=False, kw_only=True)
class Resize(Op):
    """Another height and width for a plane; the flags are TensorFlow's."""

    size: tuple[int, int]
    align_corners: bool = False
    half_pixel_centers: bool = False

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        require_plane(self, shape)
        require(min(self.size) >= 1, f"{self.where}: size {self.size} is empty")
        return (shape[0], *self.size, shape[3])


@dataclass(frozen=True, eq=False, kw_only=True)
class ResizeBilinear(Resize):
    """LiteRT RESIZE_BILINEAR."""

    kind: ClassVar[str] = "resize_bilinear"


@dataclass(frozen=True, eq=False, kw_only=True)
class ResizeNearest(Resize):
    """LiteRT RESIZE_NEAREST_NEIGHBOR."""

    kind: ClassVar[str] = "resize_nearest"
