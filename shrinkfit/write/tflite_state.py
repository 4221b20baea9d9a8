# SPDX-License-Identifier: Apache-2.0
"""Variables and operators with state, as .tflite operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.write.tflite_place import Place

if TYPE_CHECKING:
    from shrinkfit.write.tflite_file import FlatWriter, SubgraphWriter

ABSENT = -1


def declare_variables(file: FlatWriter, graph: ir.Graph) -> dict[str, int]:
    """Handles of the variables that read and assign use, by name, with the subgraph that gives them first values."""
    names = [op.variable for op in graph.ops if isinstance(op, ir.ReadVariable | ir.AssignVariable)]
    names = list(dict.fromkeys(names))
    if not names:
        return {}
    from ai_edge_litert import schema_py_generated as schema

    from shrinkfit.write.tflite_file import quantization

    initializer = file.subgraph("initialize")
    file.operator("CALL_ONCE", 1, (), (), schema.CallOnceOptionsT(initSubgraphIndex=1))
    handles = {}
    for name in names:
        variable = graph.variables[name]
        value = initializer.constant(name, variable.initial, quantization(*variable.tensor.quantization))
        handles[name] = _handle(file, name)
        handle = _handle(initializer, name)
        initializer.operator("ASSIGN_VARIABLE", 1, [handle, value], (), schema.AssignVariableOptionsT())
    return handles


def _handle(subgraph: SubgraphWriter, name: str) -> int:
    from ai_edge_litert import schema_py_generated as schema

    handle = subgraph.handle(f"{name}/handle")
    options = schema.VarHandleOptionsT(container="", sharedName=name)
    subgraph.operator("VAR_HANDLE", 1, (), [handle], options)
    return handle


def _read_variable(place: Place[ir.ReadVariable]) -> None:
    place.inputs = [place.handles[place.op.variable]]
    place.add("READ_VARIABLE", 1, (), place.schema.ReadVariableOptionsT())


def _assign_variable(place: Place[ir.AssignVariable]) -> None:
    place.inputs = [place.handles[place.op.variable], *place.inputs]
    place.add("ASSIGN_VARIABLE", 1, (), place.schema.AssignVariableOptionsT())


def _state(place: Place[ir.Op], name: str) -> int:
    tensor = place.graph.variables[name].tensor
    return place.file.variable(name, tensor.shape, *tensor.quantization, tensor.dtype)


def _constant(place: Place[ir.Op], name: str, values: np.ndarray, scale: float | np.floating) -> int:
    from shrinkfit.write.tflite_file import quantization

    return place.file.constant(f"{place.op.name}/{name}", np.ascontiguousarray(values), quantization(scale, 0))


def _svdf(place: Place[ir.Svdf]) -> None:
    op = place.op
    state_scale = place.graph.variables[op.state].tensor.scale
    constants = [
        _constant(place, "feature_kernel", op.feature_kernel, op.feature_scale),
        _constant(place, "time_kernel", op.time_kernel, op.time_scale),
        _constant(place, "bias", op.bias, np.float32(state_scale) * np.float32(op.time_scale)),
        _state(place, op.state),
    ]
    place.add("SVDF", 3, constants, place.schema.SVDFOptionsT(rank=op.rank, fusedActivationFunction=RELU))


# int8 SVDF takes no other, and clamps to int8 all the same.
RELU = 1


def _lstm(place: Place[ir.UnidirectionalLstm]) -> None:
    op, gates = place.op, range(len(ir.GATES))
    source = np.float32(place.sources[0].scale)
    kernels = [_constant(place, f"input_kernel_{ir.GATES[i]}", op.input_kernels[i], op.input_scales[i]) for i in gates]
    kernels += [
        _constant(place, f"recurrent_kernel_{ir.GATES[i]}", op.recurrent_kernels[i], op.recurrent_scales[i])
        for i in gates
    ]
    biases = [_constant(place, f"bias_{ir.GATES[i]}", op.biases[i], source * op.input_scales[i]) for i in gates]
    states = [_state(place, op.hidden), _state(place, op.cell)]
    inputs = [*kernels, *(ABSENT,) * 3, *biases, *(ABSENT,) * 2, *states, *(ABSENT,) * 4]
    # Four float placeholders for layer normalization's scales, then the hidden state's quantization.
    between = [place.file.activation(f"{op.name}/between_{i}", (0,), 1.0, 0, "float32") for i in gates]
    between.append(place.file.activation(f"{op.name}/hidden", (0,), op.hidden_scale, op.hidden_zero_point))
    options = place.schema.UnidirectionalSequenceLSTMOptionsT(fusedActivationFunction=TANH, cellClip=op.cell_clip)
    code = "UNIDIRECTIONAL_SEQUENCE_LSTM"
    place.file.operator(code, 1, [*place.inputs, *inputs], place.outputs, options, between)


TANH = 4

WRITERS: dict[str, Callable[[Place[Any]], None]] = {
    "read_variable": _read_variable,
    "assign_variable": _assign_variable,
    "svdf": _svdf,
    "lstm": _lstm,
}
