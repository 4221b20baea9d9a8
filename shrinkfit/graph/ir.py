# SPDX-License-Identifier: Apache-2.0
"""The integer graph: frozen int8 tensors and operators that check themselves when they are made.

Every room after `read/` knows nothing else. The semantics are LiteRT's int8 operators:
real = scale * (q - zero_point), kernels per output channel and symmetric, bias int32 with
scale input_scale * kernel_scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from shrinkfit.graph.base import (
    INT8_MAX,
    INT8_MIN,
    INT32_MAX,
    Activated,
    GraphError,
    Op,
    Padding,
    Passing,
    Tensor,
    Variable,
    frozen_array,
    require,
    same_padding,
    transpose_padding,
    window_output_size,
)
from shrinkfit.graph.memo import by_tensors
from shrinkfit.graph.operators import (
    LITERT_FUNCTIONS,
    TABLE_FUNCTIONS,
    Add,
    Conversion,
    Convert,
    Dequantize,
    Elementwise,
    Extremum,
    Maximum,
    Mean,
    Minimum,
    Mul,
    Pool2D,
    Prelu,
    Quantize,
    ReduceMax,
    Reduction,
    Requantize,
    Softmax,
    Sub,
    Table,
)
from shrinkfit.graph.operators_layout import (
    Concat,
    Pad,
    Reshape,
    Resize,
    ResizeBilinear,
    ResizeNearest,
    Split,
    StridedSlice,
    Tile,
    Transpose,
)
from shrinkfit.graph.operators_state import GATES, AssignVariable, ReadVariable, Svdf, UnidirectionalLstm
from shrinkfit.graph.operators_time import TimeMean, TimeWindow
from shrinkfit.graph.operators_weighted import Conv2D, Dense, DepthwiseConv2D, TransposeConv2D, Weighted, Windowed

# fmt: off
__all__ = [
    "GATES", "INT32_MAX", "INT8_MAX", "INT8_MIN", "LITERT_FUNCTIONS", "TABLE_FUNCTIONS",
    "Activated", "Add", "AssignVariable", "Concat", "Conv2D", "Conversion", "Convert", "Dense", "DepthwiseConv2D",
    "Dequantize", "Elementwise", "Extremum", "Graph", "GraphError", "Maximum", "Mean", "Minimum", "Mul",
    "Op", "Pad", "Padding", "Passing", "Pool2D",
    "Prelu", "Quantize", "ReadVariable", "ReduceMax", "Reduction", "Requantize", "Reshape", "Resize", "ResizeBilinear",
    "ResizeNearest", "Softmax", "Split", "StridedSlice", "Sub", "Svdf", "Table", "Tensor", "Tile", "TimeMean",
    "TimeWindow", "Transpose", "TransposeConv2D", "UnidirectionalLstm", "Variable", "Weighted", "Windowed",
    "require", "same_padding", "transpose_padding", "window_output_size",
]
# fmt: on


@by_tensors
def _check(op: Op, graph: Graph) -> None:
    op.check(graph.op_inputs(op), graph.op_outputs(op))


@dataclass(frozen=True, eq=False)
class Graph:
    """Operators in an order in which they can run, and the tensors between them.

    Args:
        name: what the model is called.
        tensors: name -> Tensor; every tensor is an input, a constant, or made by exactly one operator.
        ops: operators, each after those whose outputs it reads.
        inputs, outputs: tensor names.
        constants: name -> array of the tensor's shape and dtype.
        variables: name -> Variable, memory that lives from run to run.
    """

    name: str
    tensors: dict[str, Tensor]
    ops: tuple[Op, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, np.ndarray] = field(default_factory=dict)
    variables: Mapping[str, Variable] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("ops", "inputs", "outputs"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        self._check_names()
        object.__setattr__(self, "constants", self._checked_constants())
        object.__setattr__(self, "variables", dict(self.variables))
        self._check_order()
        for name in (*self.inputs, *self.outputs):
            shape = self.tensors[name].shape
            require(shape[0] == 1, f"tensor '{name}': batch is {shape[0]}, expected 1")

    def _check_names(self) -> None:
        require(len(self.inputs) >= 1 and len(self.outputs) >= 1, f"graph '{self.name}' has no input or no output")
        names = [op.name for op in self.ops]
        require(len(set(names)) == len(names), f"graph '{self.name}': two operators share a name: {names}")
        for name, tensor in self.tensors.items():
            require(name == tensor.name, f"tensor '{tensor.name}' is filed under '{name}'")
        for name, variable in self.variables.items():
            require(name == variable.tensor.name, f"variable '{variable.tensor.name}' is filed under '{name}'")
        for name in self.inputs:
            require(name in self.tensors, f"input '{name}' is no tensor of the graph")

    def _checked_constants(self) -> dict[str, np.ndarray]:
        made = {}
        for name, values in self.constants.items():
            require(name in self.tensors and name not in self.inputs, f"constant '{name}' is no tensor of the graph")
            tensor = self.tensors[name]
            made[name] = frozen_array(values, np.dtype(tensor.dtype), f"constant '{name}'")
            require(
                made[name].shape == tensor.shape,
                f"constant '{name}' has shape {made[name].shape}, expected {tensor.shape}",
            )
        return made

    def _check_order(self) -> None:
        made = {*self.inputs, *self.constants}
        for op in self.ops:
            for name in op.inputs:
                require(name in made, f"{op.kind} '{op.name}' reads '{name}' before it is made")
            for name in op.outputs:
                require(name not in made, f"{op.kind} '{op.name}' makes '{name}' a second time")
                require(name in self.tensors, f"{op.kind} '{op.name}' makes '{name}', which is no tensor of the graph")
                made.add(name)
            _check(op, self)
            self._check_variables(op)
        for name in self.outputs:
            require(name in made, f"output '{name}' is never made")
        for name in self.tensors:
            require(name in made, f"tensor '{name}' is never made")

    def _check_variables(self, op: Op) -> None:
        for name in op.variables:
            require(name in self.variables, f"{op.where} names variable '{name}', which the graph does not have")
        if op.variables:
            got = [(t.shape, t.dtype) for t in (self.variables[name].tensor for name in op.variables)]
            expected = self._expected_variables(op)
            require(got == expected, f"{op.where}: its variables are {got}, expected {expected}")

    def _expected_variables(self, op: Op) -> list[tuple[tuple[int, ...], str]]:
        """Shape and dtype of each."""
        if isinstance(op, Svdf):
            return [((1, op.time_kernel.size), "int16")]
        if isinstance(op, UnidirectionalLstm):
            return [((1, op.units), "int8"), ((1, op.units), "int16")]
        if isinstance(op, TimeWindow):
            return [(op.variable_shape(t.shape), t.dtype) for t in self.op_inputs(op)]
        if isinstance(op, TimeMean):
            return [(op.variable_shape(t.shape), "int16") for t in self.op_inputs(op)]
        return [(t.shape, t.dtype) for t in (*self.op_inputs(op), *self.op_outputs(op))]

    def op_inputs(self, op: Op) -> tuple[Tensor, ...]:
        """The tensors that an operator reads."""
        return tuple(self.tensors[name] for name in op.inputs)

    def op_outputs(self, op: Op) -> tuple[Tensor, ...]:
        """The tensors that an operator makes."""
        return tuple(self.tensors[name] for name in op.outputs)

    def op_macs(self, op: Op) -> int:
        """Multiply-accumulates of one operator in one run."""
        if not (op.inputs and op.outputs):
            return 0
        return op.macs(self.tensors[op.outputs[0]].shape, self.tensors[op.inputs[0]].shape)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one run; FLOPs = 2 x MACs."""
        return sum(self.op_macs(op) for op in self.ops)
