# SPDX-License-Identifier: Apache-2.0
"""Operators of streamed graphs: rows of earlier calls in front of new ones, and the mean over a window of rows."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from shrinkfit.graph.base import Activated, Passing, Tensor, require

# So many differences between two int8 fit an int16.
MAX_BLOCK_VALUES = 128


@dataclass(frozen=True, eq=False, kw_only=True)
class TimeWindow(Passing):
    """The last rows of the calls before, then the new ones; the variable keeps as many of the last rows.

    Args:
        axis: along which the rows lie.
        rows: that are kept.
        past: name of a variable of the input's shape but for its rows.
    """

    kind: ClassVar[str] = "time_window"
    axis: int
    rows: int
    past: str

    @property
    def variables(self) -> tuple[str, ...]:
        return (self.past,)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        require(0 <= self.axis < len(shape) and self.rows >= 1, f"{self.where}: {self.rows} rows do not fit {shape}")
        return (*shape[: self.axis], shape[self.axis] + self.rows, *shape[self.axis + 1 :])

    def variable_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """For an input of this shape."""
        return (*shape[: self.axis], self.rows, *shape[self.axis + 1 :])


@dataclass(frozen=True, eq=False, kw_only=True)
class TimeMean(Activated):
    """Mean over the last rows, of which each call brings some: as Mean, or as the average of a Pool2D.

    The variable keeps sums of `block` rows less zero_point each, so that rows from before the stream are real 0.

    Args:
        axis: along which the rows lie; nothing but ones before it.
        axes: that become one, neighbours that begin with `axis`.
        keep_dims: leaves them with length 1.
        length: rows of the window.
        block: rows whose sum is kept as one; divides length and the new rows.
        average: rounded as Pool2D does, in the input's own steps; else requantized as Mean does.
        sums: name of an int16 variable [1, length / block, values behind the axes].
    """

    kind: ClassVar[str] = "time_mean"
    axis: int
    axes: tuple[int, ...]
    keep_dims: bool
    length: int
    block: int
    average: bool
    sums: str

    @property
    def variables(self) -> tuple[str, ...]:
        return (self.sums,)

    def columns(self, shape: tuple[int, ...]) -> int:
        """Values of one row that become one."""
        return prod(shape[a] for a in self.axes if a != self.axis)

    def inner(self, shape: tuple[int, ...]) -> int:
        """Values behind the axes."""
        return prod(shape[max(self.axes) + 1 :])

    def variable_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """For an input of this shape."""
        return (1, self.length // self.block, self.inner(shape))

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        rows = shape[self.axis]
        ones = tuple(a for a in self.axes if a < self.axis)
        together = [*range(min(self.axes), max(self.axes) + 1)] == sorted(self.axes)
        require(
            self.axis in self.axes and together and max(self.axes) < len(shape) and prod(shape[: self.axis]) == 1,
            f"{self.where}: axes {self.axes} of {shape} are no neighbours from axis {self.axis} on, but for {ones}",
        )
        require(
            self.block >= 1 and self.length % self.block == 0 == rows % self.block and rows <= self.length,
            f"{self.where}: blocks of {self.block} rows do not make up {rows} new ones and a window of {self.length}",
        )
        values = self.block * self.columns(shape)
        require(values <= MAX_BLOCK_VALUES, f"{self.where}: a sum of {values} values, expected {MAX_BLOCK_VALUES}")
        kept = tuple(1 if a in self.axes else n for a, n in enumerate(shape) if self.keep_dims or a not in self.axes)
        return kept or (1,)

    def check(self, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
        super().check(inputs, outputs)
        same = inputs[0].quantization == outputs[0].quantization
        require(same or not self.average, f"{self.where}: an average has another scale than its input")
