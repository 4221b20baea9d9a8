# SPDX-License-Identifier: Apache-2.0
"""The bytes of a .tflite file in, frozen records of its tensors and operators out; judges no operator."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from shrinkfit.errors import ShrinkfitError

FILE_IDENTIFIER = b"TFL3"
# What flatbuffers and NumPy raise when an offset or length points outside the file.
MALFORMED = (struct.error, IndexError, KeyError, ValueError, TypeError, AttributeError, OverflowError)
MAX_NAME_BYTES = 4096
# An accessor of the schema, which is generated and has no types.
Table: TypeAlias = Any


def _names(enum: type) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}


_OPERATOR_NAMES = _names(schema.BuiltinOperator)
_TYPE_NAMES = _names(schema.TensorType)
DTYPES = {
    "INT8": np.int8,
    "UINT8": np.uint8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FLOAT32": np.float32,
}


@dataclass(frozen=True, eq=False)
class FileTensor:
    """A tensor as the file has it.

    Args:
        name: unique among the subgraph's tensors; made so where the file repeats one.
        shape: ints; a batch that the file leaves open is 1.
        type: the schema's name for its element, such as "INT8".
        scales, zero_points: float32 [n], int64 [n]; empty where the tensor is not quantized.
        axis: which dimension the scales run along when n > 1.
        data: uint8, little-endian bytes of a constant; None for an activation.
        is_variable: its values live from run to run.
        open_dimensions: dimensions other than the batch that the file leaves open.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    type: str
    scales: np.ndarray
    zero_points: np.ndarray
    axis: int
    data: np.ndarray | None
    open_dimensions: tuple[int, ...] = ()
    is_variable: bool = False

    @property
    def is_constant(self) -> bool:
        return self.data is not None

    def values(self) -> np.ndarray:
        """The constant's elements in its own type and shape."""
        if self.data is None or self.type not in DTYPES:
            raise ShrinkfitError(f"tensor '{self.name}' ({self.type}) holds no numbers that can be read")
        dtype = np.dtype(DTYPES[self.type])
        if min(self.shape, default=1) < 0 or prod(self.shape) * dtype.itemsize != self.data.size:
            raise ShrinkfitError(
                f"tensor '{self.name}' has shape {list(self.shape)} of {self.type}, but its buffer has "
                f"{self.data.size} bytes; the file is damaged"
            )
        # A view of the file where the machine is little-endian: shared buffers must not multiply.
        raw = np.ascontiguousarray(self.data).view(dtype.newbyteorder("<"))
        return raw.astype(dtype, copy=False).reshape(self.shape)


@dataclass(frozen=True, eq=False)
class FileOperator:
    """An operator as the file has it; inputs and intermediates are tensor indices, -1 for one left out."""

    index: int
    code: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any
    intermediates: tuple[int, ...] = ()

    @property
    def place(self) -> str:
        return f"operator {self.index} ({self.code})"


@dataclass(frozen=True, eq=False)
class FileSubgraph:
    tensors: tuple[FileTensor, ...]
    operators: tuple[FileOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class FileModel:
    subgraphs: tuple[FileSubgraph, ...]
    size_bytes: int


def parse_tflite(data: bytes) -> FileModel:
    """Take a .tflite file apart.

    Raises:
        ShrinkfitError: the bytes are no .tflite file, or it is damaged.
    """
    if len(data) < 8 or data[4:8] != FILE_IDENTIFIER:
        raise ShrinkfitError(
            f"this is no .tflite file: {len(data)} bytes that lack the mark 'TFL3' at byte 4; "
            "pass a file that the TensorFlow Lite converter wrote"
        )
    try:
        return _Parser(data).model()
    except MALFORMED as error:
        raise ShrinkfitError(f"the .tflite file is damaged: {error}; download or convert it again") from error


class _Parser:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.root = schema.Model.GetRootAs(data, 0)
        # Every table needs 4 bytes in some vector; a file whose vectors share them could ask for far more.
        self.tables_left = len(data) // 4

    def model(self) -> FileModel:
        count = self._count(self.root.SubgraphsLength())
        if count == 0:
            raise ShrinkfitError("the .tflite file has no subgraph, so there is nothing to run")
        self._count(self.root.BuffersLength())
        codes = [self._code(i) for i in range(self._count(self.root.OperatorCodesLength()))]
        subgraphs = tuple(self._subgraph(self.root.Subgraphs(i), codes) for i in range(count))
        return FileModel(subgraphs, len(self.data))

    def _count(self, length: int) -> int:
        self.tables_left -= length
        if self.tables_left < 0:
            raise ValueError("it claims more tables than its size allows")
        return length

    def _code(self, index: int) -> str:
        entry = self.root.OperatorCodes(index)
        # Converters fill the old int8 field, the newer int32 one, or both.
        code = max(entry.BuiltinCode(), entry.DeprecatedBuiltinCode())
        if code == schema.BuiltinOperator.CUSTOM:
            return f"CUSTOM {_text(entry.CustomCode())!r}"
        return _OPERATOR_NAMES.get(code, f"BUILTIN {code}")

    def _subgraph(self, subgraph: Table, codes: list[str]) -> FileSubgraph:
        taken: set[str] = set()
        tensors = tuple(
            self._tensor(subgraph.Tensors(i), i, taken) for i in range(self._count(subgraph.TensorsLength()))
        )
        operators = tuple(
            self._operator(subgraph.Operators(i), i, codes, len(tensors))
            for i in range(self._count(subgraph.OperatorsLength()))
        )
        inputs = _indices(subgraph.InputsAsNumpy(), 0, len(tensors), "the subgraph's inputs")
        outputs = _indices(subgraph.OutputsAsNumpy(), 0, len(tensors), "the subgraph's outputs")
        return FileSubgraph(tensors, operators, inputs, outputs)

    def _tensor(self, tensor: Table, index: int, taken: set[str]) -> FileTensor:
        shape = [int(n) for n in _array(tensor.ShapeAsNumpy(), np.int32)]
        signature = _array(tensor.ShapeSignatureAsNumpy(), np.int32)
        if shape and shape[0] < 0:
            shape[0] = 1
        scales, zero_points, axis = _quantization(tensor.Quantization())
        return FileTensor(
            index=index,
            name=_unique(_text(tensor.Name()) or f"tensor_{index}", index, taken),
            shape=tuple(shape),
            type=_TYPE_NAMES.get(tensor.Type(), f"TYPE {tensor.Type()}"),
            scales=scales,
            zero_points=zero_points,
            axis=axis,
            data=self._buffer(tensor.Buffer()),
            open_dimensions=tuple(i for i, n in enumerate(signature) if n < 0 and i > 0),
            is_variable=bool(tensor.IsVariable()),
        )

    def _buffer(self, index: int) -> np.ndarray | None:
        if not 0 <= index < self.root.BuffersLength():
            raise ValueError(f"a tensor refers to buffer {index} of {self.root.BuffersLength()}")
        buffer = self.root.Buffers(index)
        if buffer.Offset() > 1:
            # Files above 2 GB keep their buffers behind the flatbuffer.
            start, end = buffer.Offset(), buffer.Offset() + buffer.Size()
            if end > len(self.data):
                raise ValueError(f"buffer {index} ends at byte {end} of {len(self.data)}")
            return np.frombuffer(self.data, np.uint8)[start:end]
        if buffer.DataIsNone() or buffer.DataLength() == 0:
            return None
        return buffer.DataAsNumpy()

    def _operator(self, operator: Table, index: int, codes: list[str], tensor_count: int) -> FileOperator:
        code = codes[operator.OpcodeIndex()]
        place = f"operator {index} ({code})"
        options = schema.BuiltinOptionsCreator(operator.BuiltinOptionsType(), operator.BuiltinOptions())
        return FileOperator(
            index=index,
            code=code,
            inputs=_indices(operator.InputsAsNumpy(), -1, tensor_count, f"the inputs of {place}"),
            outputs=_indices(operator.OutputsAsNumpy(), 0, tensor_count, f"the outputs of {place}"),
            options=options,
            intermediates=_indices(operator.IntermediatesAsNumpy(), -1, tensor_count, f"what {place} keeps between"),
        )


def _array(values: np.ndarray | int, dtype: type) -> np.ndarray:
    """The accessors answer 0 where the vector is absent."""
    return np.zeros(0, dtype) if isinstance(values, int) else values.astype(dtype)


def _indices(values: np.ndarray | int, low: int, high: int, what: str) -> tuple[int, ...]:
    indices = tuple(int(i) for i in _array(values, np.int32))
    for i in indices:
        if not low <= i < high:
            raise ValueError(f"{what} name tensor {i}, and there are {high}")
    return indices


def _quantization(parameters: Table | None) -> tuple[np.ndarray, np.ndarray, int]:
    if parameters is None:
        return np.zeros(0, np.float32), np.zeros(0, np.int64), 0
    scales = _array(parameters.ScaleAsNumpy(), np.float32)
    return scales, _array(parameters.ZeroPointAsNumpy(), np.int64), parameters.QuantizedDimension()


def _text(raw: bytes | None) -> str:
    return (raw or b"")[:MAX_NAME_BYTES].decode("utf-8", errors="replace")


def _unique(name: str, index: int, taken: set[str]) -> str:
    while name in taken:
        name = f"{name}_{index}"
    taken.add(name)
    return name
