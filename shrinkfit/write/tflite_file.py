# SPDX-License-Identifier: Apache-2.0
"""Tensors and operators in, the bytes of a .tflite file out; knows the file format and no integer graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import ArrayLike

FILE_IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3
# The schema demands it of buffers (force_align: 16), which flatbuffers' Python code generator leaves out.
BUFFER_ALIGNMENT = 16
_TYPES = {
    np.dtype(name): getattr(schema.TensorType, name.upper()) for name in ("int8", "uint8", "int16", "int32", "float32")
}


class _AlignedBuffer(schema.BufferT):
    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802 (the generated class names it)
        if self.data is not None:
            builder.Prep(BUFFER_ALIGNMENT, len(self.data))
        return super().Pack(builder)


def quantization(scales: ArrayLike, zero_point: int, axis: int = 0) -> schema.QuantizationParametersT:
    """Affine quantization: one scale, or one per index of the axis with the same zero_point."""
    scales = np.atleast_1d(np.asarray(scales, np.float32))
    zero_points = np.full(scales.shape, zero_point, np.int64)
    return schema.QuantizationParametersT(scale=scales, zeroPoint=zero_points, quantizedDimension=axis)


class SubgraphWriter:
    """Collects one subgraph. Tensors and operators keep the order in which they are added."""

    def __init__(self, file: FlatWriter) -> None:
        self.file = file
        self.tensors: list[schema.TensorT] = []
        self.operators: list[schema.OperatorT] = []

    def activation(self, name: str, shape: Sequence[int], scale: float, zero_point: int, dtype: str = "int8") -> int:
        """Add a tensor that an operator or the user fills; returns its index."""
        quantized = None if dtype == "float32" else quantization(scale, zero_point)
        return self._tensor(name, shape, _TYPES[np.dtype(dtype)], 0, quantized)

    def variable(self, name: str, shape: Sequence[int], scale: float, zero_point: int, dtype: str) -> int:
        """Add a tensor that keeps its values from run to run, for SVDF and LSTM; returns its index."""
        index = self.activation(name, shape, scale, zero_point, dtype)
        self.tensors[index].isVariable = True
        return index

    def integers(self, name: str, shape: Sequence[int]) -> int:
        """Add a tensor of int32 that an operator fills; returns its index."""
        return self._tensor(name, shape, schema.TensorType.INT32, 0, None)

    def handle(self, name: str) -> int:
        """Add a handle of a variable, for VAR_HANDLE; returns its index."""
        return self._tensor(name, (), schema.TensorType.RESOURCE, 0, None)

    def constant(self, name: str, values: np.ndarray, quantized: schema.QuantizationParametersT | None = None) -> int:
        """Add a tensor whose values are in the file; returns its index."""
        return self._tensor(name, values.shape, _TYPES[values.dtype], self.file.buffer(values), quantized)

    def _tensor(
        self,
        name: str,
        shape: Sequence[int],
        kind: int,
        buffer: int,
        quantized: schema.QuantizationParametersT | None,
    ) -> int:
        tensor = schema.TensorT(type=kind, buffer=buffer, name=name, quantization=quantized, hasRank=True)
        tensor.shape = np.array(shape, np.int32)
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def operator(
        self,
        code: str,
        version: int,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: Any = None,
        intermediates: Sequence[int] | None = None,
    ) -> None:
        """Add an operator.

        Args:
            code: its name in the schema's BuiltinOperator.
            version: of that operator.
            inputs, outputs, intermediates: indices of tensors.
            options: the schema's table for it.
        """
        operator = schema.OperatorT(opcodeIndex=self.file.code(code, version))
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        if intermediates is not None:
            operator.intermediates = np.array(intermediates, np.int32)
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType, operator.builtinOptions = getattr(schema.BuiltinOptions, kind), options
        self.operators.append(operator)

    def table(self, name: str, inputs: Sequence[int], outputs: Sequence[int]) -> schema.SubGraphT:
        """The subgraph as the schema's table; inputs and outputs are indices of tensors."""
        made = schema.SubGraphT(tensors=self.tensors, operators=self.operators, name=name)
        made.inputs, made.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        return made


class FlatWriter(SubgraphWriter):
    """A file with its main subgraph, and others that it calls."""

    def __init__(self) -> None:
        super().__init__(self)
        # Buffer 0 is empty by convention; activations refer to it.
        self.buffers: list[schema.BufferT] = [schema.BufferT()]
        self.codes: dict[tuple[int, int], int] = {}
        self.others: list[tuple[str, SubgraphWriter]] = []

    def subgraph(self, name: str) -> SubgraphWriter:
        """Another subgraph without inputs and outputs; the first one has index 1."""
        self.others.append((name, SubgraphWriter(self)))
        return self.others[-1][1]

    def buffer(self, values: np.ndarray) -> int:
        """Add a buffer with these values; returns its index."""
        # frombuffer, since the builder wants a plain array and copies it byte by byte in little-endian order.
        data = np.frombuffer(np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes(), np.uint8)
        self.buffers.append(_AlignedBuffer(data=data))
        return len(self.buffers) - 1

    def code(self, name: str, version: int) -> int:
        """The index of an operator's code, which is added where it is new."""
        key = (getattr(schema.BuiltinOperator, name), version)
        return self.codes.setdefault(key, len(self.codes))

    def finish(self, name: str, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The file's bytes; equal calls before give equal bytes. Arguments as those of table."""
        # Readers older than the int32 field look at deprecatedBuiltinCode, an int8.
        codes = [
            schema.OperatorCodeT(deprecatedBuiltinCode=min(code, 127), builtinCode=code, version=version)
            for code, version in self.codes
        ]
        subgraphs = [self.table(name, inputs, outputs), *(other.table(title, (), ()) for title, other in self.others)]
        model = schema.ModelT(version=SCHEMA_VERSION, operatorCodes=codes, subgraphs=subgraphs, buffers=self.buffers)
        model.description = "shrinkfit"
        builder = flatbuffers.Builder(1 << 12)
        builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
        return bytes(builder.Output())
