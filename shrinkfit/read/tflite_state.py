# SPDX-License-Identifier: Apache-2.0
"""The .tflite operators with state: variables and their initializer, SVDF, LSTM."""

from __future__ import annotations

from math import frexp, prod

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from shrinkfit.graph import ir
from shrinkfit.read.tflite import OperatorReader
from shrinkfit.read.tflite_file import FileTensor, Table

_ACTIVATIONS = {v: k for k, v in vars(schema.ActivationFunctionType).items() if isinstance(v, int)}
# Where UNIDIRECTIONAL_SEQUENCE_LSTM has what; the four gates in the order of ir.GATES.
LSTM_INPUT_KERNELS, LSTM_RECURRENT_KERNELS, LSTM_BIASES = (1, 2, 3, 4), (5, 6, 7, 8), (12, 13, 14, 15)
LSTM_HIDDEN, LSTM_CELL = 18, 19
# Those of the cell's scale.
LSTM_CELL_EXPONENTS = range(-15, -8)
LSTM_EXTRAS = {
    "peephole connections": (9, 10, 11),
    "a projection": (16, 17),
    "layer normalization": (20, 21, 22, 23),
}


def _variable_name(options: Table | None) -> str:
    parts = (options.container, options.sharedName) if options is not None else (None, None)
    container, name = ((p or b"").decode("utf-8", errors="replace") for p in parts)
    return f"{container}/{name}" if container else name or "variable"


def _call_once(at: OperatorReader) -> None:
    """Run the initializer: handles, and constants assigned to them; that is all an initializer may do."""
    index = at.option("initSubgraphIndex")
    subgraphs = at.subgraph.model.subgraphs
    if not 1 <= index < len(subgraphs):
        raise at.refuse(f"calls subgraph {index} of {len(subgraphs)}; the file is damaged, convert it again")
    handles: dict[int, str] = {}
    for operator in subgraphs[index].operators:
        inner = OperatorReader(at.subgraph, operator)
        if operator.code == "VAR_HANDLE":
            handles[_only(inner, operator.outputs)] = _variable_name(operator.options)
        elif operator.code == "ASSIGN_VARIABLE" and len(operator.inputs) == 2 and operator.inputs[0] in handles:
            value = subgraphs[index].tensors[operator.inputs[1]]
            _initialize(inner, handles[operator.inputs[0]], value)
        else:
            raise at.refuse(
                f"calls subgraph {index}, whose {operator.place} is more than a constant assigned to a variable; "
                "initialize variables with constants"
            )


def _only(at: OperatorReader, indices: tuple[int, ...]) -> int:
    if len(indices) != 1:
        raise at.refuse(f"has {len(indices)} outputs, expected 1; the file is damaged, convert it again")
    return indices[0]


def _initialize(at: OperatorReader, name: str, value: FileTensor) -> None:
    where = f"{at.place}: variable '{name}'"
    if not value.is_constant or value.type != "INT8":
        what = value.type if value.is_constant else "no constant"
        raise at.refuse(f"starts variable '{name}' with {what}; shrinkfit keeps int8 constants, convert to full int8")
    tensor = ir.Tensor(name, value.shape or (1,), *at.subgraph.quantized(value, where))
    at.subgraph.add_variable(tensor, at.subgraph.take(value).reshape(tensor.shape))


def _var_handle(at: OperatorReader) -> None:
    at.subgraph.handles[_only(at, at.operator.outputs)] = _variable_name(at.options)


def _variable(at: OperatorReader) -> str:
    handle = at.operator.inputs[0] if at.operator.inputs else -1
    name = at.subgraph.handles.get(handle)
    if name is None or name not in at.subgraph.variables:
        raise at.refuse(f"uses variable '{name}', which no CALL_ONCE before it gives a first value; convert it again")
    return name


def _read_variable(at: OperatorReader) -> None:
    name = _variable(at)
    at.add(ir.ReadVariable, (), at.target(), variable=name)


def _assign_variable(at: OperatorReader) -> None:
    name = _variable(at)
    at.add(ir.AssignVariable, (at.source(1),), variable=name)


def _state(at: OperatorReader, position: int, dtype: str, shape: tuple[int, ...]) -> str:
    """A variable tensor, which starts as real 0; LiteRT starts int8 at its zero_point, other types at 0."""
    tensor = at.file_tensor(position)
    if tensor.type != dtype.upper() or not tensor.is_variable or prod(tensor.shape) != prod(shape):
        raise at.refuse(
            f"keeps its state in {tensor.type} '{tensor.name}' {list(tensor.shape)}, expected a variable "
            f"{dtype} {list(shape)}; convert the model again with full integer quantization"
        )
    made = ir.Tensor(tensor.name, shape, *at.subgraph.quantized(tensor, f"{at.place}: its state"), dtype=dtype)
    start = made.zero_point if dtype == "int8" else 0
    return at.subgraph.add_variable(made, np.full(shape, start, dtype))


def _symmetric(at: OperatorReader, position: int, dtype: str, rank: int) -> tuple[np.ndarray, float]:
    """A kernel with one scale."""
    tensor = at.constant(position, dtype)
    values = at.subgraph.take(tensor)
    scale, zero_point = at.subgraph.quantized(tensor, f"{at.place}: its kernel '{tensor.name}'")
    if zero_point or values.ndim != rank or not values.size:
        raise at.refuse(f"has a kernel '{tensor.name}' of shape {tensor.shape}, zero_point {zero_point}; expected 0")
    return values, scale


def _svdf(at: OperatorReader) -> None:
    source = at.source()
    feature_kernel, feature_scale = _symmetric(at, 1, "INT8", 2)
    time_kernel, time_scale = _symmetric(at, 2, "INT16", 2)
    rank = int(at.option("rank"))
    if rank < 1 or len(feature_kernel) % rank or len(time_kernel) != len(feature_kernel):
        raise at.refuse(f"has rank {rank} for {len(feature_kernel)} filters; the file is damaged, convert it again")
    units = len(feature_kernel) // rank
    bias = at.values(3, "INT32").reshape(units) if at.has_input(3) else np.zeros(units, np.int32)
    state = _state(at, 4, "int16", (1, time_kernel.size))
    target = at.target()
    # LiteRT takes the option and ignores it: int8 SVDF clamps to int8 and to nothing else.
    at.add(
        ir.Svdf,
        (source,),
        target,
        feature_kernel=feature_kernel,
        time_kernel=time_kernel,
        bias=bias,
        feature_scale=feature_scale,
        time_scale=time_scale,
        rank=rank,
        state=state,
    )


def _lstm(at: OperatorReader) -> None:
    source = at.source()
    _check_lstm(at, source)
    kernels = [_symmetric(at, i, "INT8", 2) for i in (*LSTM_INPUT_KERNELS, *LSTM_RECURRENT_KERNELS)]
    biases = [at.values(i, "INT32").ravel() for i in LSTM_BIASES]
    shapes = {k.shape for k, _ in kernels[:4]}, {k.shape for k, _ in kernels[4:]}, {b.shape for b in biases}
    if [len(s) for s in shapes] != [1, 1, 1]:
        raise at.refuse("has gates of different sizes; the file is damaged, convert it again")
    units = len(kernels[0][0])
    hidden_scale, hidden_zero_point = _lstm_hidden(at)
    cell = _state(at, LSTM_CELL, "int16", (1, units))
    fraction, exponent = frexp(at.subgraph.variables[cell].tensor.scale)
    if fraction != 0.5:
        raise at.refuse("has a cell whose scale is no power of two, which LiteRT refuses too; convert it again")
    if exponent - 1 not in LSTM_CELL_EXPONENTS:
        raise at.refuse(
            f"has a cell of scale 2**{exponent - 1}, for which LiteRT's reference kernel computes no tanh; expected "
            "2**-15 to 2**-9, convert it again"
        )
    scales = np.array([scale for _, scale in kernels], np.float32)
    at.add(
        ir.UnidirectionalLstm,
        (source,),
        at.target(),
        input_kernels=np.stack([k for k, _ in kernels[:4]]),
        recurrent_kernels=np.stack([k for k, _ in kernels[4:]]),
        biases=np.stack(biases),
        input_scales=scales[:4],
        recurrent_scales=scales[4:],
        hidden_scale=hidden_scale,
        hidden_zero_point=hidden_zero_point,
        cell_clip=float(at.option("cellClip", 0.0)),
        hidden=_state(at, LSTM_HIDDEN, "int8", (1, units)),
        cell=cell,
    )


def _check_lstm(at: OperatorReader, source: ir.Tensor) -> None:
    for what, positions in LSTM_EXTRAS.items():
        if any(at.has_input(i) for i in positions):
            raise at.refuse(f"has {what}; shrinkfit reads the plain LSTM, as Keras makes it")
    if not at.has_input(LSTM_INPUT_KERNELS[0]):
        raise at.refuse("couples its input gate to the forget gate; shrinkfit reads the plain LSTM, as Keras makes it")
    if at.option("timeMajor"):
        raise at.refuse("has time as its first axis; convert with time_major=False")
    if _ACTIVATIONS.get(at.option("fusedActivationFunction")) != "TANH":
        raise at.refuse("has an activation other than tanh; use tanh")
    if len(source.shape) != 3:
        raise at.refuse(f"reads shape {source.shape}, expected batch, time and features")


def _lstm_hidden(at: OperatorReader) -> tuple[float, int]:
    """Quantization of the hidden state before a projection: the last of five intermediates."""
    indices = at.operator.intermediates
    if len(indices) != 5 or indices[4] < 0:
        raise at.refuse(f"has {len(indices)} intermediates, expected 5; convert the model again")
    return at.subgraph.quantized(at.subgraph.subgraph.tensors[indices[4]], f"{at.place}: its hidden state")


READERS = {
    "CALL_ONCE": _call_once,
    "VAR_HANDLE": _var_handle,
    "READ_VARIABLE": _read_variable,
    "ASSIGN_VARIABLE": _assign_variable,
    "SVDF": _svdf,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
}
