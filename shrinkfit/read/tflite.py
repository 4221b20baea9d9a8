# SPDX-License-Identifier: Apache-2.0
"""An int8 .tflite file in, the integer graph out; what it cannot carry exactly is refused by name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shrinkfit.errors import ShrinkfitError, UnsupportedLayerError
from shrinkfit.graph import ir

if TYPE_CHECKING:
    from shrinkfit.read.tflite_file import FileModel, FileOperator, FileSubgraph, FileTensor

ACTIVATION_TYPES = ("INT8", "UINT8", "INT16", "FLOAT32")
# How many bytes of constants operators may take beyond the file's size, when they share some.
SHARED_BYTES = 1 << 20


def read_tflite(source: str | Path | bytes, name: str | None = None) -> ir.Graph:
    """Read an int8 .tflite model.

    Args:
        source: path of the file, or its bytes.
        name: what to call the graph; the file's stem when None, "model" for bytes.
    Returns:
        The integer graph; tensors keep the file's names, operators are called
        kind_index, the index being the file's.
    Raises:
        UnsupportedLayerError: an operator, element type or form that shrinkfit does not carry; the
            message names the operator and its index.
        ShrinkfitError: no such file, no .tflite file, or a damaged one.
    """
    # Here, so that `import shrinkfit` does not pay for the schema.
    from shrinkfit.read.tflite_file import MALFORMED, parse_tflite

    data = source if isinstance(source, bytes) else _file_bytes(Path(source))
    model = parse_tflite(data)
    if name is None:
        name = "model" if isinstance(source, bytes) else Path(source).stem
    try:
        return SubgraphReader(model).graph(name)
    except MALFORMED as error:
        raise ShrinkfitError(f"the .tflite file contradicts itself: {error}; convert it again") from error


def _file_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ShrinkfitError(f"cannot read '{path}': {error.strerror}; pass the path of a .tflite file") from error


class SubgraphReader:
    """Reads the first subgraph, which is the model; others only run when one of its operators calls them."""

    def __init__(self, model: FileModel) -> None:
        self.model = model
        self.subgraph: FileSubgraph = model.subgraphs[0]
        self.tensors: dict[str, ir.Tensor] = {}
        self.ops: list[ir.Op] = []
        self.constants: dict[str, np.ndarray] = {}
        self.variables: dict[str, ir.Variable] = {}
        # By index in the file: integers known while reading, such as shapes; and handles of variables.
        self.known: dict[int, np.ndarray] = {}
        self.handles: dict[int, str] = {}
        # int32 tensors that hold an int8 one's values and a number more, on their way to a GATHER.
        self.positions: dict[int, tuple[ir.Tensor, int]] = {}
        self.constant_bytes_left = model.size_bytes + SHARED_BYTES

    def graph(self, name: str) -> ir.Graph:
        """The integer graph of the model.

        Raises:
            UnsupportedLayerError: it holds what shrinkfit does not carry; names it.
        """
        from shrinkfit.read.tflite_operators import READERS

        self._refuse_unknown(READERS)
        inputs = [self._input(i) for i in self.subgraph.inputs]
        for operator in self.subgraph.operators:
            READERS[operator.code](OperatorReader(self, operator))
        outputs = [self.subgraph.tensors[i].name for i in self.subgraph.outputs]
        for output in outputs:
            if output not in self.tensors:
                raise UnsupportedLayerError(f"the model's output '{output}' is made by no operator; convert it again")
        return ir.Graph(
            name, self.tensors, tuple(self.ops), tuple(inputs), tuple(outputs), self.constants, self.variables
        )

    def _refuse_unknown(self, readers: Iterable[str]) -> None:
        unknown: dict[str, FileOperator] = {}
        for operator in self.subgraph.operators:
            if operator.code not in readers:
                unknown.setdefault(operator.code, operator)
        if not unknown:
            return
        places = ", ".join(operator.place for operator in unknown.values())
        raise UnsupportedLayerError(
            f"the model needs {places}, which shrinkfit does not read from .tflite; replace them by layers that are "
            "supported"
        )

    def _input(self, index: int) -> str:
        tensor = self.subgraph.tensors[index]
        if tensor.open_dimensions:
            raise UnsupportedLayerError(
                f"input '{tensor.name}' {list(tensor.shape)} leaves dimension {tensor.open_dimensions[0]} open; "
                "only the batch may be, so convert with a fixed input shape"
            )
        if tensor.name not in self.tensors:
            self.add_tensor(tensor, f"the model's input '{tensor.name}'", ACTIVATION_TYPES)
        return tensor.name

    def quantized(self, tensor: FileTensor, where: str) -> tuple[float, int]:
        """Scale and zero_point of a tensor that has one of each."""
        if tensor.type == "FLOAT32":
            return 1.0, 0
        if tensor.scales.size != 1 or tensor.zero_points.size != 1:
            raise UnsupportedLayerError(
                f"{where} has {tensor.scales.size} scales and {tensor.zero_points.size} zero points, expected one of "
                "each; convert with full integer quantization"
            )
        return float(tensor.scales[0]), int(tensor.zero_points[0])

    def add_tensor(self, tensor: FileTensor, where: str, types: tuple[str, ...] = ("INT8",)) -> ir.Tensor:
        """Take an activation into the graph."""
        if tensor.type not in types:
            raise UnsupportedLayerError(f"{where} is {tensor.type}; {self.type_advice(tensor.type)}")
        quantized = self.quantized(tensor, where)
        made = ir.Tensor(tensor.name, tensor.shape or (1,), *quantized, dtype=tensor.type.lower())
        self.tensors[made.name] = made
        return made

    def add_constant(self, tensor: FileTensor, where: str) -> ir.Tensor:
        """Take an int8 constant into the graph, once."""
        if tensor.name not in self.tensors:
            made = self.add_tensor(tensor, where)
            self.constants[made.name] = self.take(tensor).reshape(made.shape)
        return self.tensors[tensor.name]

    def take(self, tensor: FileTensor) -> np.ndarray:
        """A constant's values, counted: a small file may not make a large graph by naming one buffer often."""
        self.constant_bytes_left -= 0 if tensor.data is None else tensor.data.size
        if self.constant_bytes_left < 0:
            raise ShrinkfitError(
                f"the .tflite file's operators take more constants than its {self.model.size_bytes} bytes hold; "
                "the file is damaged, convert it again"
            )
        return tensor.values()

    def add_variable(self, tensor: ir.Tensor, initial: np.ndarray) -> str:
        """Take in memory that lives from run to run; returns its name."""
        if tensor.name in self.variables:
            raise ShrinkfitError(f"variable '{tensor.name}' is made twice; the file is damaged, convert it again")
        self.variables[tensor.name] = ir.Variable(tensor, initial)
        return tensor.name

    def type_advice(self, type_name: str) -> str:
        """What to do about a model whose activations are not int8."""
        if type_name == "FLOAT32" and any(t.type == "INT8" and t.is_constant for t in self.subgraph.tensors):
            return (
                "the model is quantized in its weights only (dynamic range) or leaves layers in float: convert with a "
                "representative_dataset and TFLITE_BUILTINS_INT8"
            )
        return {
            "FLOAT32": "this is a float model: convert it with full integer quantization (representative_dataset, "
            "TFLITE_BUILTINS_INT8)",
            "UINT8": "uint8 is the old quantization scheme: convert the original model again to int8",
            "INT16": "16-bit activations are not supported: convert with int8 activations",
        }.get(type_name, "only int8 activations are supported: convert with full integer quantization")


class OperatorReader:
    """One operator of the file, with the questions that its reader asks."""

    def __init__(self, subgraph: SubgraphReader, operator: FileOperator) -> None:
        self.subgraph, self.operator = subgraph, operator
        self.options = operator.options
        self.place = operator.place

    def refuse(self, problem: str) -> UnsupportedLayerError:
        """The error to raise: the operator's place, and what it does."""
        return UnsupportedLayerError(f"{self.place} {problem}")

    def option(self, name: str, default: Any = 0) -> Any:
        """An option of the operator; the schema's default where the file has no options at all."""
        if self.options is None:
            return default
        if not hasattr(self.options, name):
            raise self.refuse("has another operator's options; the file is damaged, convert it again")
        return getattr(self.options, name)

    def has_input(self, position: int) -> bool:
        """Whether it reads a tensor at a position."""
        return position < len(self.operator.inputs) and self.operator.inputs[position] >= 0

    def file_tensor(self, position: int) -> FileTensor:
        """The tensor that it reads at a position, as the file has it.

        Raises:
            UnsupportedLayerError: it reads none there.
        """
        if not self.has_input(position):
            raise self.refuse(f"lacks input {position}; the file is damaged, convert it again")
        return self.subgraph.subgraph.tensors[self.operator.inputs[position]]

    def source(self, position: int = 0, types: tuple[str, ...] = ("INT8",)) -> ir.Tensor:
        """An activation that it reads."""
        tensor = self.file_tensor(position)
        if tensor.type not in types:
            raise self.refuse(f"reads {tensor.type} '{tensor.name}'; {self.subgraph.type_advice(tensor.type)}")
        if tensor.name not in self.subgraph.tensors or tensor.name in self.subgraph.constants:
            what = "a constant" if tensor.is_constant else "made by no operator before it"
            raise self.refuse(f"reads '{tensor.name}', which is {what}; shrinkfit reads only computed values there")
        return self.subgraph.tensors[tensor.name]

    def operand(self, position: int) -> ir.Tensor:
        """An activation or an int8 constant."""
        tensor = self.file_tensor(position)
        if tensor.is_constant and tensor.type == "INT8":
            return self.subgraph.add_constant(tensor, f"{self.place}: its constant '{tensor.name}'")
        return self.source(position)

    def target(self, types: tuple[str, ...] = ("INT8",), position: int | None = None) -> ir.Tensor:
        """The activation that it writes; one of several where a position is given."""
        if position is None and len(self.operator.outputs) != 1:
            raise self.refuse(f"has {len(self.operator.outputs)} outputs, expected 1; convert the model again")
        tensor = self.subgraph.subgraph.tensors[self.operator.outputs[position or 0]]
        if tensor.name in self.subgraph.tensors:
            raise self.refuse(f"writes '{tensor.name}', which is already made; the file is damaged")
        return self.subgraph.add_tensor(tensor, f"{self.place}: its output '{tensor.name}'", types)

    def constant(self, position: int, *types: str) -> FileTensor:
        """A constant that it reads, of one of the element types."""
        tensor = self.file_tensor(position)
        if not tensor.is_constant:
            raise self.refuse(f"takes '{tensor.name}' from another operator; shrinkfit needs it constant")
        if tensor.type not in types:
            raise self.refuse(
                f"has {tensor.type} in '{tensor.name}', expected {' or '.join(types)}; "
                "convert the model again with full integer quantization"
            )
        return tensor

    def values(self, position: int, *types: str) -> np.ndarray:
        """The elements of a constant that it reads."""
        return self.subgraph.take(self.constant(position, *types))

    def known_numbers(self, position: int) -> np.ndarray | None:
        """int64 array of an integer input whose values are known while reading, else None."""
        tensor = self.file_tensor(position)
        known = self.subgraph.known.get(tensor.index)
        if known is not None:
            return known
        if tensor.is_constant and tensor.type in ("INT32", "INT64") and not tensor.scales.size:
            return self.subgraph.take(tensor).astype(np.int64)
        return None

    def numbers(self, position: int) -> np.ndarray:
        """The same, for an input that must be known: a shape, axes, paddings."""
        known = self.known_numbers(position)
        return self.values(position, "INT32", "INT64").astype(np.int64) if known is None else known

    def axis(self, value: int, rank: int) -> int:
        """An axis of the file, which may count from the end."""
        if not -rank <= value < rank:
            raise self.refuse(f"names axis {value} of {rank}; the file is damaged, convert it again")
        return int(value) % rank

    def add(self, kind: type[ir.Op], sources: tuple[ir.Tensor, ...], *targets: ir.Tensor, **fields: Any) -> None:
        """Append an operator; its name is its kind and the index of the file's operator that it came from."""
        self.subgraph.ops.append(
            kind(
                name=f"{kind.kind}_{self.operator.index}",
                inputs=tuple(t.name for t in sources),
                outputs=tuple(t.name for t in targets),
                **fields,
            )
        )

    def add_between(self, name: str, shape: tuple[int, ...], like: ir.Tensor) -> ir.Tensor:
        """Take in a tensor that the file does not have, with another's quantization."""
        while name in self.subgraph.tensors or any(t.name == name for t in self.subgraph.subgraph.tensors):
            name += "_"
        made = ir.Tensor(name, shape, like.scale, like.zero_point, like.dtype)
        self.subgraph.tensors[name] = made
        return made
