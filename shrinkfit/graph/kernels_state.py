# SPDX-License-Identifier: Apache-2.0
"""Operators with state, in NumPy, one step at a time.

State is a dictionary of arrays by variable name, [lanes, *shape of the variable]: streams that know nothing of each
other run side by side. The cells (SVDF, LSTM) take one lane.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.base import OpOfKind
from shrinkfit.graph.fixedpoint import requantize, rounding_shift_right, split_scale
from shrinkfit.graph.gemmlowp import WORD16
from shrinkfit.graph.kernels_arithmetic import divide_half_away
from shrinkfit.graph.kernels_weighted import Arrays, clamp, exact_dot
from shrinkfit.graph.multipliers import LSTM_GATE_BITS, lstm_multipliers, mean_multiplier, svdf_scales

INT16_MIN, INT16_MAX = -(2**15), 2**15 - 1

State: TypeAlias = dict[str, np.ndarray]


def _saturate16(x: np.ndarray) -> np.ndarray:
    return np.clip(x, INT16_MIN, INT16_MAX)


def _read_variable(op: ir.ReadVariable, graph: ir.Graph, values: Arrays, state: State) -> np.ndarray:
    return state[op.variable].copy()


def _assign_variable(op: ir.AssignVariable, graph: ir.Graph, values: Arrays, state: State) -> list[np.ndarray]:
    state[op.variable] = values[0].copy()
    return []


def _svdf(op: ir.Svdf, graph: ir.Graph, values: Arrays, state: State) -> np.ndarray:
    (source,), (target,) = graph.op_inputs(op), graph.op_outputs(op)
    scales = svdf_scales(op, source, graph.variables[op.state].tensor, target)
    feature, out = (split_scale(scale) for scale in scales)
    sums = exact_dot(values[0].reshape(-1).astype(np.int16) - source.zero_point, op.feature_kernel.T)
    memory = np.roll(state[op.state].reshape(-1, op.memory), -1, axis=1)
    memory[:, -1] = _saturate16(requantize(sums, *feature, "double"))
    state[op.state] = memory.reshape(1, 1, -1)
    filtered = (op.time_kernel.astype(np.int64) * memory).sum(axis=1)
    total = filtered.reshape(-1, op.rank).sum(axis=1) + op.bias
    return clamp(requantize(total, *out, "double"), op, target.zero_point).reshape(1, *target.shape)


def _lstm(op: ir.UnidirectionalLstm, graph: ir.Graph, values: Arrays, state: State) -> np.ndarray:
    (source,), (target,) = graph.op_inputs(op), graph.op_outputs(op)
    hidden_tensor, cell_tensor = (graph.variables[name].tensor for name in op.variables)
    steps = _LstmSteps(op, source, hidden_tensor, cell_tensor)
    hidden, cell = (state[name][0, 0].astype(np.int64) for name in (op.hidden, op.cell))
    outputs = []
    for x in values[0][0, 0].astype(np.int64):
        hidden, cell = steps.step(x, hidden, cell)
        outputs.append(hidden)
    state[op.hidden], state[op.cell] = hidden.astype(np.int8)[None, None], cell.astype(np.int16)[None, None]
    return np.array(outputs, np.int8).reshape(1, *target.shape)


class _LstmSteps:
    """One LSTM with its multipliers."""

    def __init__(self, op: ir.UnidirectionalLstm, source: ir.Tensor, hidden: ir.Tensor, cell: ir.Tensor) -> None:
        self.op, self.source, self.hidden = op, source, hidden
        self.numbers = lstm_multipliers(op, source, hidden, cell)

    def _gate(self, gate: int, x: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        """A gate before its activation, int16 with LSTM_GATE_BITS fractional bits."""
        op = self.op
        sums = exact_dot(op.input_kernels[gate], x - self.source.zero_point) + op.biases[gate]
        result = _saturate16(requantize(sums, *self.numbers.input[gate], "double"))
        sums = exact_dot(op.recurrent_kernels[gate], hidden - self.hidden.zero_point)
        return _saturate16(requantize(sums, *self.numbers.recurrent[gate], "double") + result)

    def step(self, x: np.ndarray, hidden: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        numbers, integer_bits = self.numbers, 15 - LSTM_GATE_BITS
        raw = [self._gate(gate, x, hidden) for gate in range(len(ir.GATES))]
        inputs, forget, output = (WORD16.logistic(raw[gate], integer_bits) for gate in (0, 1, 3))
        update = WORD16.tanh(raw[2], integer_bits)
        kept = rounding_shift_right(forget * cell, 15)
        cell = _saturate16(kept + rounding_shift_right(inputs * update, 30 - numbers.cell_bits))
        if numbers.cell_clip:
            cell = np.clip(cell, -numbers.cell_clip, numbers.cell_clip)
        squashed = WORD16.tanh(cell, 15 - numbers.cell_bits)
        product = requantize(output * squashed, *numbers.hidden, "double") + self.op.hidden_zero_point
        return np.clip(product, ir.INT8_MIN, ir.INT8_MAX), cell


def _time_window(op: ir.TimeWindow, graph: ir.Graph, values: Arrays, state: State) -> np.ndarray:
    axis = op.axis + 1
    rows = np.concatenate([state[op.past], values[0]], axis=axis)
    state[op.past] = np.take(rows, range(rows.shape[axis] - op.rows, rows.shape[axis]), axis=axis)
    return rows


def _time_mean(op: ir.TimeMean, graph: ir.Graph, values: Arrays, state: State) -> np.ndarray:
    (source,), (target,), lanes = graph.op_inputs(op), graph.op_outputs(op), len(values[0])
    blocks, inner = source.shape[op.axis] // op.block, op.inner(source.shape)
    new = (values[0].astype(np.int64) - source.zero_point).reshape(lanes, blocks, -1, inner).sum(axis=2)
    sums = np.concatenate([state[op.sums][:, 0], new], axis=1)[:, blocks:]
    state[op.sums] = sums.astype(np.int16)[:, None]
    count = op.length * op.columns(source.shape)
    total = sums.sum(axis=1)
    if op.average:
        result = clamp(divide_half_away(total + count * source.zero_point, count), op, 0)
    else:
        result = requantize(total, *mean_multiplier(source.scale, target.scale, count), "double")
        result = clamp(result, op, target.zero_point)
    return result.reshape(lanes, *target.shape)


CELLS = ("svdf", "lstm")
KERNELS: dict[str, Callable[[OpOfKind, ir.Graph, Arrays, State], np.ndarray | list[np.ndarray]]] = {
    "time_window": _time_window,
    "time_mean": _time_mean,
    "read_variable": _read_variable,
    "assign_variable": _assign_variable,
    "svdf": _svdf,
    "lstm": _lstm,
}
