# SPDX-License-Identifier: Apache-2.0
"""An int8 .tflite file in, the integer graph out; what it cannot carry exactly is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shrinkfit.errors import ShrinkfitError, UnsupportedLayerError
from shrinkfit.graph import ir

if TYPE_CHECKING:
    from shrinkfit.read.tflite_file import FileOperator, FileSubgraph, FileTensor

_HINTS = {
    "QUANTIZE": "convert with inference_input_type=tf.int8, so that the model takes int8",
    "DEQUANTIZE": "convert with inference_output_type=tf.int8, so that the model gives int8",
}


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
        # The first subgraph is the model; others only run when one of its operators calls them.
        return SubgraphReader(model.subgraphs[0]).graph(name)
    except MALFORMED as error:
        raise ShrinkfitError(f"the .tflite file contradicts itself: {error}; convert it again") from error


def _file_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ShrinkfitError(f"cannot read '{path}': {error.strerror}; pass the path of a .tflite file") from error


class SubgraphReader:
    """Reads one subgraph; collects the integer graph's tensors and operators as it goes."""

    def __init__(self, subgraph: FileSubgraph) -> None:
        self.subgraph = subgraph
        self.tensors: dict[str, ir.Tensor] = {}
        self.ops: list[ir.Op] = []

    def graph(self, name: str) -> ir.Graph:
        from shrinkfit.read.tflite_operators import READERS

        self._refuse_unknown(READERS)
        inputs = [self._input(i) for i in self.subgraph.inputs]
        for operator in self.subgraph.operators:
            READERS[operator.code](OperatorReader(self, operator))
        outputs = [self.subgraph.tensors[i].name for i in self.subgraph.outputs]
        for output in outputs:
            if output not in self.tensors:
                raise UnsupportedLayerError(f"the model's output '{output}' is made by no operator; convert it again")
        return ir.Graph(name, self.tensors, self.ops, inputs, outputs)

    def _refuse_unknown(self, readers) -> None:
        unknown: dict[str, FileOperator] = {}
        for operator in self.subgraph.operators:
            if operator.code not in readers:
                unknown.setdefault(operator.code, operator)
        if not unknown:
            return
        places = ", ".join(operator.place for operator in unknown.values())
        hint = next((_HINTS[code] for code in unknown if code in _HINTS), "replace them by layers that are supported")
        raise UnsupportedLayerError(f"the model needs {places}, which shrinkfit does not read from .tflite; {hint}")

    def _input(self, index: int) -> str:
        tensor = self.subgraph.tensors[index]
        if tensor.open_dimensions:
            raise UnsupportedLayerError(
                f"input '{tensor.name}' {list(tensor.shape)} leaves dimension {tensor.open_dimensions[0]} open; "
                "only the batch may be, so convert with a fixed input shape"
            )
        if tensor.name not in self.tensors:
            self.add_tensor(tensor, f"the model's input '{tensor.name}'")
        return tensor.name

    def add_tensor(self, tensor: FileTensor, where: str) -> ir.Tensor:
        """Take an activation into the graph."""
        if tensor.type != "INT8":
            raise UnsupportedLayerError(f"{where} is {tensor.type}; {self.type_advice(tensor.type)}")
        if tensor.scales.size != 1 or tensor.zero_points.size != 1:
            raise UnsupportedLayerError(
                f"{where} has {tensor.scales.size} scales and {tensor.zero_points.size} zero points, expected one of "
                "each; convert with full integer quantization"
            )
        made = ir.Tensor(tensor.name, tensor.shape, float(tensor.scales[0]), int(tensor.zero_points[0]))
        self.tensors[made.name] = made
        return made

    def type_advice(self, type_name: str) -> str:
        """What to do about a model whose activations are not int8."""
        if type_name == "FLOAT32" and any(t.type == "INT8" and t.is_constant for t in self.subgraph.tensors):
            return (
                "the model is quantized in its weights only (dynamic range) or at its edges: convert with a "
                "representative_dataset, TFLITE_BUILTINS_INT8 and inference_input_type=inference_output_type=tf.int8"
            )
        return {
            "FLOAT32": "this is a float model: convert it with full integer quantization (representative_dataset, "
            "TFLITE_BUILTINS_INT8, inference_input_type=inference_output_type=tf.int8)",
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
        return UnsupportedLayerError(f"{self.place} {problem}")

    def option(self, name: str, default=0):
        """An option of the operator; the schema's default where the file has no options at all."""
        return default if self.options is None else getattr(self.options, name)

    def has_input(self, position: int) -> bool:
        return position < len(self.operator.inputs) and self.operator.inputs[position] >= 0

    def _file_tensor(self, position: int) -> FileTensor:
        if not self.has_input(position):
            raise self.refuse(f"lacks input {position}; the file is damaged, convert it again")
        return self.subgraph.subgraph.tensors[self.operator.inputs[position]]

    def source(self, position: int = 0) -> ir.Tensor:
        """An activation that it reads."""
        tensor = self._file_tensor(position)
        if tensor.type != "INT8":
            raise self.refuse(f"reads {tensor.type} '{tensor.name}'; {self.subgraph.type_advice(tensor.type)}")
        if tensor.name not in self.subgraph.tensors:
            what = "a constant" if tensor.is_constant else "made by no operator before it"
            raise self.refuse(f"reads '{tensor.name}', which is {what}; shrinkfit reads only computed values there")
        return self.subgraph.tensors[tensor.name]

    def target(self) -> ir.Tensor:
        """The activation that it writes."""
        if len(self.operator.outputs) != 1:
            raise self.refuse(f"has {len(self.operator.outputs)} outputs, expected 1; convert the model again")
        tensor = self.subgraph.subgraph.tensors[self.operator.outputs[0]]
        if tensor.name in self.subgraph.tensors:
            raise self.refuse(f"writes '{tensor.name}', which is already made; the file is damaged")
        return self.subgraph.add_tensor(tensor, f"{self.place}: its output '{tensor.name}'")

    def constant(self, position: int, *types: str) -> FileTensor:
        """A constant that it reads, of one of the element types."""
        tensor = self._file_tensor(position)
        if not tensor.is_constant:
            raise self.refuse(f"takes '{tensor.name}' from another operator; shrinkfit needs it constant")
        if tensor.type not in types:
            raise self.refuse(
                f"has {tensor.type} in '{tensor.name}', expected {' or '.join(types)}; "
                "convert the model again with full integer quantization"
            )
        return tensor

    def add(self, kind: type[ir.Op], sources: tuple[ir.Tensor, ...], target: ir.Tensor, **fields) -> None:
        """Append an operator; its name is its kind and the index of the file's operator that it came from."""
        self.subgraph.ops.append(
            kind(
                name=f"{kind.kind}_{self.operator.index}",
                inputs=tuple(t.name for t in sources),
                outputs=(target.name,),
                **fields,
            )
        )

    def add_between(self, tensor: ir.Tensor) -> ir.Tensor:
        """Take in a tensor that the file does not have."""
        name = tensor.name
        while name in self.subgraph.tensors or any(t.name == name for t in self.subgraph.subgraph.tensors):
            name += "_"
        made = ir.Tensor(name, tensor.shape, tensor.scale, tensor.zero_point)
        self.subgraph.tensors[name] = made
        return made
