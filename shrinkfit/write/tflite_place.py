# SPDX-License-Identifier: Apache-2.0
"""An operator on its way into a .tflite file, with what its writer needs to know of the file and the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from shrinkfit.errors import ExportError
from shrinkfit.graph import ir
from shrinkfit.graph.activation import activation_name, activation_range, is_computed

if TYPE_CHECKING:
    from shrinkfit.write.tflite_file import FlatWriter

# A place never changes its operator, so one for a Conv2D is one for any Weighted too.
AnyOp = TypeVar("AnyOp", bound=ir.Op, covariant=True)


class Place(Generic[AnyOp]):
    """One operator with what its writer needs to know of the file and the graph."""

    def __init__(
        self, file: FlatWriter, graph: ir.Graph, op: AnyOp, index: dict[str, int], handles: dict[str, int]
    ) -> None:
        from ai_edge_litert import schema_py_generated

        self.schema = schema_py_generated
        self.file, self.graph, self.op, self.handles = file, graph, op, handles
        self.sources, self.targets = graph.op_inputs(op), graph.op_outputs(op)
        self.inputs = [index[name] for name in op.inputs]
        self.outputs = [index[name] for name in op.outputs]

    def add(self, code: str, version: int, constants: Sequence[int] = (), options: Any = None) -> None:
        """Add the operator to the file.

        Args:
            code: its name in the schema's BuiltinOperator.
            version: of that operator.
            constants: indices of tensors behind its inputs.
            options: the schema's table for it.
        """
        self.file.operator(code, version, [*self.inputs, *constants], self.outputs, options)

    def activation(self: Place[ir.Activated]) -> str:
        """The fused activation that gives the operator's clamp.

        Raises:
            ExportError: none does.
        """
        op, target, whole = self.op, self.targets[0], (ir.INT8_MIN, ir.INT8_MAX)
        division = op.division if isinstance(op, ir.Requantize) else ""
        name = activation_name(op.activation_min, op.activation_max, target)
        if name == "NONE" and division == "float32":
            # A RELU of its own whose clamp is the whole range still divides the scales as RELU does.
            names = (n for n in ("RELU", "RELU6", "RELU_N1_TO_1") if is_computed(n, target))
            name = next((n for n in names if activation_range(n, target) == whole), None)
        if name is None or (name != "NONE" and division == "double"):
            raise ExportError(
                f"{op.kind} '{op.name}' clamps to [{op.activation_min}, {op.activation_max}], which at scale "
                f"{target.scale:g}, zero_point {target.zero_point} is none of RELU, RELU6, RELU_N1_TO_1; .tflite knows "
                "no other, so use one of these"
            )
        return name

    def activation_code(self: Place[ir.Activated]) -> int:
        """Its number in the schema."""
        return getattr(self.schema.ActivationFunctionType, self.activation())

    def numbers(self, suffix: str, values: ArrayLike) -> int:
        """Add a constant of int32, named after the operator; returns its tensor's index."""
        return self.file.constant(f"{self.op.name}/{suffix}", np.array(values, np.int32))

    def weights(self: Place[ir.Weighted], kernel: np.ndarray, axis: int, scales: np.ndarray) -> tuple[int, int]:
        """Add kernel and bias; returns their tensors' indices."""
        from shrinkfit.write.tflite_file import quantization

        bias_scales = np.float32(self.sources[0].scale) * scales
        return (
            self.file.constant(f"{self.op.name}/kernel", kernel, quantization(scales, 0, axis)),
            self.file.constant(f"{self.op.name}/bias", self.op.bias, quantization(bias_scales, 0)),
        )
