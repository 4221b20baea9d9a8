# SPDX-License-Identifier: Apache-2.0
"""Operators that keep state from run to run in the graph's variables: read and assign, SVDF, LSTM."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from shrinkfit.graph.base import Activated, Op, Passing, Tensor, frozen_array, require

GATES = ("input", "forget", "cell", "output")


@dataclass(frozen=True, eq=False, kw_only=True)
class ReadVariable(Passing):
    """No inputs; the output is a copy of what the variable holds at this point of the run."""

    kind: ClassVar[str] = "read_variable"
    variable: str

    @property
    def variables(self) -> tuple[str, ...]:
        return (self.variable,)

    def check(self, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
        require(not inputs and len(outputs) == 1, f"{self.where}: expected no input and one output")


@dataclass(frozen=True, eq=False, kw_only=True)
class AssignVariable(Passing):
    """One input, no outputs: the variable takes the input's bytes."""

    kind: ClassVar[str] = "assign_variable"
    variable: str

    @property
    def variables(self) -> tuple[str, ...]:
        return (self.variable,)

    def check(self, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
        require(len(inputs) == 1 and not outputs, f"{self.where}: expected one input and no output")


@dataclass(frozen=True, eq=False, kw_only=True)
class Svdf(Activated):
    """Singular value decomposition filter: a dense layer, a memory of its last results, a filter over time.

    Args:
        feature_kernel: int8 [filters, features].
        time_kernel: int16 [filters, memory].
        bias: int32 [units], units * rank = filters.
        feature_scale, time_scale: positive float32 numbers, one for each kernel.
        rank: filters per unit.
        state: name of an int16 variable [1, filters * memory], oldest first for each filter; its scale is
            the accumulator's.
    """

    kind: ClassVar[str] = "svdf"
    feature_kernel: np.ndarray
    time_kernel: np.ndarray
    bias: np.ndarray
    feature_scale: float
    time_scale: float
    rank: int
    state: str

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, dtype in (("feature_kernel", np.int8), ("time_kernel", np.int16), ("bias", np.int32)):
            object.__setattr__(self, name, frozen_array(getattr(self, name), dtype, f"{self.where}: {name}"))
        for name in ("feature_scale", "time_scale"):
            object.__setattr__(self, name, float(np.float32(getattr(self, name))))
            require(0 < getattr(self, name) < np.inf, f"{self.where}: {name} is not positive and finite")
        filters = self.feature_kernel.shape[0]
        require(self.time_kernel.ndim == 2 and self.time_kernel.shape[0] == filters, f"{self.where}: kernels differ")
        require(
            self.rank >= 1 and self.bias.shape == (filters // self.rank,) and filters % self.rank == 0,
            f"{self.where}: bias of shape {self.bias.shape} does not fit {filters} filters of rank {self.rank}",
        )

    @property
    def variables(self) -> tuple[str, ...]:
        return (self.state,)

    @property
    def memory(self) -> int:
        """Steps that each filter looks back."""
        return self.time_kernel.shape[1]

    @property
    def weight_count(self) -> int:
        return self.feature_kernel.size + self.time_kernel.size + self.bias.size

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        require(
            shape == (1, self.feature_kernel.shape[1]),
            f"{self.where}: input shape {shape}, expected (1, {self.feature_kernel.shape[1]})",
        )
        return (1, self.bias.size)

    def macs(self, output_shape: tuple[int, ...], input_shape: tuple[int, ...]) -> int:
        return self.feature_kernel.size + self.time_kernel.size


@dataclass(frozen=True, eq=False, kw_only=True)
class UnidirectionalLstm(Op):
    """LSTM over axis 1 of [1, time, features]; int8 values, int16 cell, gates in Q0.15. No peepholes, no projection,
    no layer normalization. LiteRT UNIDIRECTIONAL_SEQUENCE_LSTM.

    Args:
        input_kernels: int8 [4, units, features] in the order of GATES.
        recurrent_kernels: int8 [4, units, units].
        biases: int32 [4, units].
        input_scales, recurrent_scales: float32 [4], one per gate.
        hidden_scale, hidden_zero_point: of the product of output gate and tanh(cell).
        cell_clip: bound of the cell in real units, 0 for none.
        hidden: name of an int8 variable [1, units]; cell: of an int16 variable [1, units] with a scale
            that is a power of two.
    """

    kind: ClassVar[str] = "lstm"
    input_kernels: np.ndarray
    recurrent_kernels: np.ndarray
    biases: np.ndarray
    input_scales: np.ndarray
    recurrent_scales: np.ndarray
    hidden_scale: float
    hidden_zero_point: int
    cell_clip: float
    hidden: str
    cell: str

    def __post_init__(self) -> None:
        super().__post_init__()
        types = {"input_kernels": np.int8, "recurrent_kernels": np.int8, "biases": np.int32}
        for name, dtype in (types | {"input_scales": np.float32, "recurrent_scales": np.float32}).items():
            object.__setattr__(self, name, frozen_array(getattr(self, name), dtype, f"{self.where}: {name}"))
        object.__setattr__(self, "hidden_scale", float(np.float32(self.hidden_scale)))
        object.__setattr__(self, "cell_clip", float(np.float32(self.cell_clip)))
        require(self.cell_clip >= 0, f"{self.where}: cell_clip is {self.cell_clip}, expected a bound, or 0 for none")
        require(
            self.input_kernels.ndim == 3 and self.input_kernels.shape[0] == len(GATES),
            f"{self.where}: input_kernels have shape {self.input_kernels.shape}, expected (4, units, features)",
        )
        units = self.units
        shapes = {"recurrent_kernels": (4, units, units), "biases": (4, units)}
        for name, shape in (shapes | {"input_scales": (4,), "recurrent_scales": (4,)}).items():
            got = getattr(self, name).shape
            require(got == shape, f"{self.where}: {name} has shape {got}, expected {shape}")
        scales = np.concatenate([self.input_scales, self.recurrent_scales, [self.hidden_scale]])
        require(bool(np.all((scales > 0) & np.isfinite(scales))), f"{self.where}: a scale is not positive and finite")

    @property
    def units(self) -> int:
        """Values of the hidden state."""
        return self.input_kernels.shape[1]

    @property
    def variables(self) -> tuple[str, ...]:
        return (self.hidden, self.cell)

    @property
    def weight_count(self) -> int:
        return self.input_kernels.size + self.recurrent_kernels.size + self.biases.size

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        require(
            len(shape) == 3 and shape[0] == 1 and shape[2] == self.input_kernels.shape[2],
            f"{self.where}: input shape {shape}, expected (1, time, {self.input_kernels.shape[2]})",
        )
        return (1, shape[1], self.units)

    def macs(self, output_shape: tuple[int, ...], input_shape: tuple[int, ...]) -> int:
        return output_shape[1] * prod((4, self.units, self.units + self.input_kernels.shape[2]))
