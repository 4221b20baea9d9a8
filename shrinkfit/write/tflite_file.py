# SPDX-License-Identifier: Apache-2.0
"""Tensors and operators in, the bytes of a .tflite file out; knows the file format and no integer graph."""

from __future__ import annotations

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

FILE_IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3
# The schema demands it of buffers (force_align: 16), which flatbuffers' Python code generator leaves out.
BUFFER_ALIGNMENT = 16
_TYPES = {np.dtype(np.int8): schema.TensorType.INT8, np.dtype(np.int32): schema.TensorType.INT32}


class _AlignedBuffer(schema.BufferT):
    def Pack(self, builder):  # noqa: N802 (the generated class names it)
        if self.data is not None:
            builder.Prep(BUFFER_ALIGNMENT, len(self.data))
        return super().Pack(builder)


def quantization(scales, zero_point: int, axis: int = 0) -> schema.QuantizationParametersT:
    """Affine quantization: one scale, or one per index of the axis with the same zero_point."""
    scales = np.atleast_1d(np.asarray(scales, np.float32))
    zero_points = np.full(scales.shape, zero_point, np.int64)
    return schema.QuantizationParametersT(scale=scales, zeroPoint=zero_points, quantizedDimension=axis)


class FlatWriter:
    """Collects one subgraph. Tensors and operators keep the order in which they are added."""

    def __init__(self) -> None:
        self.tensors: list[schema.TensorT] = []
        # Buffer 0 is empty by convention; activations refer to it.
        self.buffers: list[schema.BufferT] = [schema.BufferT()]
        self.operators: list[schema.OperatorT] = []
        self.codes: dict[tuple[int, int], int] = {}

    def activation(self, name: str, shape, scale: float, zero_point: int) -> int:
        """Add an int8 tensor that an operator or the user fills; returns its index."""
        return self._tensor(name, shape, schema.TensorType.INT8, 0, quantization(scale, zero_point))

    def constant(self, name: str, values: np.ndarray, quantized: schema.QuantizationParametersT | None = None) -> int:
        """Add an int8 or int32 tensor whose values are in the file; returns its index."""
        # frombuffer, since the builder wants a plain array and copies it byte by byte in little-endian order.
        data = np.frombuffer(np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes(), np.uint8)
        self.buffers.append(_AlignedBuffer(data=data))
        return self._tensor(name, values.shape, _TYPES[values.dtype], len(self.buffers) - 1, quantized)

    def _tensor(self, name, shape, kind, buffer, quantized) -> int:
        shape = np.array(shape, np.int32)
        self.tensors.append(
            schema.TensorT(shape=shape, type=kind, buffer=buffer, name=name, quantization=quantized, hasRank=True)
        )
        return len(self.tensors) - 1

    def operator(self, code: str, version: int, inputs, outputs, options=None) -> None:
        """Add an operator by its name in the schema's BuiltinOperator."""
        key = (getattr(schema.BuiltinOperator, code), version)
        operator = schema.OperatorT(opcodeIndex=self.codes.setdefault(key, len(self.codes)))
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType, operator.builtinOptions = getattr(schema.BuiltinOptions, kind), options
        self.operators.append(operator)

    def finish(self, name: str, inputs, outputs) -> bytes:
        """The file's bytes; equal calls before give equal bytes."""
        # Readers older than the int32 field look at deprecatedBuiltinCode, an int8.
        codes = [
            schema.OperatorCodeT(deprecatedBuiltinCode=min(code, 127), builtinCode=code, version=version)
            for code, version in self.codes
        ]
        subgraph = schema.SubGraphT(tensors=self.tensors, operators=self.operators, name=name)
        subgraph.inputs, subgraph.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        model = schema.ModelT(version=SCHEMA_VERSION, operatorCodes=codes, subgraphs=[subgraph], buffers=self.buffers)
        model.description = "shrinkfit"
        builder = flatbuffers.Builder(1 << 12)
        builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
        return bytes(builder.Output())
