# SPDX-License-Identifier: Apache-2.0
"""Runs an integer graph in NumPy: inputs in, the same bits out that the C writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from math import prod

import numpy as np

from shrinkfit.errors import ShrinkfitError
from shrinkfit.graph import ir, kernels_arithmetic, kernels_layout, kernels_state, kernels_weighted
from shrinkfit.graph.kernels_arithmetic import dequantize, quantize
from shrinkfit.graph.multipliers import add_scales

__all__ = [
    "Session",
    "add_scales",
    "dequantize",
    "quantize",
    "rewrite",
    "run",
    "run_stream",
    "trace",
    "trace_runs",
]

# Values of the largest tensor that are computed at once: they stay in the processor's cache, and their gathered patches
# within its memory. Results do not depend on it.
AT_ONCE = 1 << 19
LANES = 128  # stretches of a stream, side by side

# kernel(op, sources, targets, values) -> result; values and results are [n, *tensor.shape].
_KERNELS = {**kernels_weighted.KERNELS, **kernels_arithmetic.KERNELS, **kernels_layout.KERNELS}
# kernel(op, graph, values, state) -> result, one step; changes state.
_STATE_KERNELS = kernels_state.KERNELS


def run(graph: ir.Graph, inputs: np.ndarray) -> np.ndarray:
    """Run a graph without state, with one input and one output.

    Args:
        graph: the integer graph.
        inputs: [n, *input shape without its batch] of the input's dtype.
    Returns:
        [n, *output shape without its batch] of the output's dtype.
    Raises:
        ShrinkfitError: it is no Graph, dtype or shape do not fit, or it has several inputs or outputs, or state.
    """
    _require_graph(graph)
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise ShrinkfitError(
            f"graph '{graph.name}' has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs; "
            "run() takes one each, use trace()"
        )
    return trace(graph, {graph.inputs[0]: inputs}, keep=graph.outputs)[graph.outputs[0]]


def trace(
    graph: ir.Graph, inputs: dict[str, np.ndarray] | np.ndarray, keep: Iterable[str] | None = None
) -> dict[str, np.ndarray]:
    """Run a graph without state and return tensors by name.

    Args:
        graph: the integer graph.
        inputs: name -> [n, ...], or the array alone for a graph with one input.
        keep: names of the tensors to return; all but the constants when None.
    Returns:
        name -> [n, *shape without a batch of 1]; a tensor whose first axis is longer keeps it.
    Raises:
        ShrinkfitError: dtype or shape do not fit, or the graph has state.
    """
    arrays = _entering(graph, inputs)
    count = len(next(iter(arrays.values())))
    if not count:  # kernels need an input to tell shapes
        one = {name: np.zeros((1, *x.shape[2:]), x.dtype) for name, x in arrays.items()}
        return {name: values[:0] for name, values in trace(graph, one, keep).items()}
    wanted = tuple(name for name in graph.tensors if name not in graph.constants) if keep is None else tuple(keep)
    size = max(1, AT_ONCE // max(prod(tensor.shape) for tensor in graph.tensors.values()))
    parts = [
        _run_chunk(graph, {name: x[start : start + size] for name, x in arrays.items()}, wanted, {})
        for start in range(0, count, size)
    ]
    return {name: _without_batch(np.concatenate([part[name] for part in parts])) for name in wanted}


def rewrite(
    graph: ir.Graph, inputs: dict[str, np.ndarray] | np.ndarray, change: Callable[[ir.Op, list[np.ndarray]], ir.Op]
) -> ir.Graph:
    """Run a graph without state, operator by operator, each of which may be exchanged before it runs.

    Args:
        graph, inputs: as `trace` takes them; all n inputs at once.
        change: takes an operator and the values [n, *shape] of what it reads, as the operators before it made them
            after their exchange, and gives the one that takes its place, of the same tensors.
    Raises:
        ShrinkfitError: dtype or shape do not fit, or the graph has state.
    """
    made: list[ir.Op] = []

    def changed(op: ir.Op, values: list[np.ndarray]) -> ir.Op:
        made.append(change(op, values))
        return made[-1]

    _run_chunk(graph, _entering(graph, inputs), (), {}, changed)
    return replace(graph, ops=tuple(made))


def trace_runs(graph: ir.Graph, inputs: dict[str, np.ndarray], keep: Iterable[str]) -> dict[str, np.ndarray]:
    """Run a graph, with or without state, on n inputs; where it has state they are consecutive runs from a reset on.

    Args:
        graph: the integer graph.
        inputs: name -> [n, ...].
        keep: names of tensors and of variables; a variable's values are those after each run.
    Returns:
        name -> [n, ...].
    Raises:
        ShrinkfitError: dtype or shape do not fit.
    """
    names = list(keep)
    tensors = [name for name in names if name in graph.tensors]
    if not graph.variables:
        return trace(graph, inputs, keep=tensors)
    session = Session(graph)
    found: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for i in range(len(inputs[graph.inputs[0]])):
        step = session.step({name: values[i] for name, values in inputs.items()}, keep=tensors)
        for name in names:
            found[name].append(step[name] if name in step else session.state[name].copy())
    return {name: np.array(values) for name, values in found.items()}


class Session:
    """A graph with its state between runs.

    Args:
        graph: the integer graph; it may have no state at all.
    """

    def __init__(self, graph: ir.Graph) -> None:
        _require_graph(graph)
        self.graph = graph
        self._state: kernels_state.State = {}
        self.reset()

    def reset(self) -> None:
        """Put every variable back to its initial values."""
        self._state = _initial(self.graph, 1)

    @property
    def state(self) -> dict[str, np.ndarray]:
        """Name -> values of each variable."""
        return {name: values[0] for name, values in self._state.items()}

    def step(
        self, inputs: dict[str, np.ndarray] | np.ndarray, keep: Iterable[str] | None = None
    ) -> dict[str, np.ndarray]:
        """One run.

        Args:
            inputs: name -> array of the input's shape without its batch, or the array alone for one input.
            keep: names of the tensors to return; the graph's outputs when None.
        Returns:
            name -> array of the tensor's shape without a batch of 1.
        """
        if not isinstance(inputs, dict):
            inputs = {self.graph.inputs[0]: inputs}
        arrays = _checked_inputs(self.graph, {name: np.asarray(x)[None] for name, x in inputs.items()})
        wanted = self.graph.outputs if keep is None else tuple(keep)
        result = _run_chunk(self.graph, arrays, wanted, self._state)
        return {name: _without_batch(values)[0] for name, values in result.items()}

    def run(self, inputs: np.ndarray) -> np.ndarray:
        """Consecutive steps of a graph with one input and one output: [n, ...] -> [n, ...]."""
        return np.array([self.step(x)[self.graph.outputs[0]] for x in inputs])


def run_stream(graph: ir.Graph, inputs: np.ndarray, memory: int) -> np.ndarray:
    """What `Session.run` gives, many times faster where the graph forgets.

    The runs are cut into stretches that run side by side, each begun `memory` runs early with initial variables. Where
    that leads to the very variables that the stretch before ends with, the rest is the same too; otherwise, and for
    cells (SVDF, LSTM), all is run one by one.

    Args:
        graph: with one input and one output.
        inputs: [n, ...], of consecutive runs from a reset on.
        memory: after so many runs what was before does not count, or so one thinks.
    Returns:
        [n, ...].
    Raises:
        ShrinkfitError: dtype or shape do not fit.
    """
    length = -(-max(len(inputs) - memory, 1) // LANES)
    lanes = -(-(len(inputs) - memory) // length)
    if lanes < 2 or any(op.kind in kernels_state.CELLS for op in graph.ops):
        return Session(graph).run(inputs)
    (name,), (output,) = graph.inputs, graph.outputs
    values = _checked_input(graph, name, inputs)
    at = np.minimum(np.arange(lanes)[:, None] * length + np.arange(memory + length), len(values) - 1)
    state, begun, made = _initial(graph, lanes), {}, []
    for step, now in enumerate(at.T):
        if step == memory:
            begun = dict(state)
        made.append(_run_chunk(graph, {name: values[now][:, None]}, (output,), state)[output])
    if any(not np.array_equal(begun[variable][1:], state[variable][:-1]) for variable in state):
        return Session(graph).run(inputs)
    steps = np.swapaxes(np.array(made), 0, 1)  # [lanes, runs, ...]
    first, rest = steps[0, :memory], steps[:, memory:].reshape(-1, *steps.shape[2:])
    return _without_batch(np.concatenate([first, rest])[: len(values)])


def _initial(graph: ir.Graph, lanes: int) -> kernels_state.State:
    return {name: np.repeat(variable.initial[None], lanes, axis=0) for name, variable in graph.variables.items()}


def _without_batch(values: np.ndarray) -> np.ndarray:
    return values[:, 0] if values.shape[1] == 1 else values


def _require_graph(graph: ir.Graph) -> None:
    if not isinstance(graph, ir.Graph):
        raise ShrinkfitError(
            f"the simulator got a {type(graph).__name__}, expected an integer graph (shrinkfit's Graph): "
            "read_keras(model, calibration) and read_tflite(path) make one, and a FitDevice has it as .graph"
        )


def _entering(graph: ir.Graph, inputs: dict[str, np.ndarray] | np.ndarray) -> dict[str, np.ndarray]:
    """The inputs of a graph without state."""
    _require_graph(graph)
    if graph.variables:
        raise ShrinkfitError(f"graph '{graph.name}' keeps state from run to run; use simulate.Session, step by step")
    return _checked_inputs(graph, inputs)


def _checked_inputs(graph: ir.Graph, inputs: dict[str, np.ndarray] | np.ndarray) -> dict[str, np.ndarray]:
    if not isinstance(inputs, dict):
        inputs = {graph.inputs[0]: inputs}
    return {name: _checked_input(graph, name, inputs.get(name))[:, None] for name in graph.inputs}


def _checked_input(graph: ir.Graph, name: str, values: np.ndarray | None) -> np.ndarray:
    tensor = graph.tensors[name]
    shape = tensor.shape[1:]
    expected = f"{tensor.dtype} [{', '.join(str(n) for n in ('n', *shape))}]"
    if values is None:
        raise ShrinkfitError(f"graph '{graph.name}': no values for input '{name}', expected {expected}")
    values = np.asarray(values)
    if values.dtype != tensor.dtype or values.shape[1:] != shape or values.ndim != len(shape) + 1:
        raise ShrinkfitError(
            f"input '{name}' is {values.dtype} {list(values.shape)}, expected {expected}; "
            "quantize() makes it from floats"
        )
    return values


def _run_chunk(
    graph: ir.Graph,
    inputs: dict[str, np.ndarray],
    wanted: tuple[str, ...],
    state: kernels_state.State,
    change: Callable[[ir.Op, list[np.ndarray]], ir.Op] | None = None,
) -> dict[str, np.ndarray]:
    count = len(next(iter(inputs.values())))
    tensors = {name: values[None] for name, values in graph.constants.items()} | inputs
    last_reader = {name: op for op in graph.ops for name in op.inputs}
    for op in graph.ops:
        values = [tensors[name] for name in op.inputs]
        now = op if change is None else change(op, values)
        if now.kind in _STATE_KERNELS:
            results = _STATE_KERNELS[now.kind](now, graph, values, state)
        else:
            results = _KERNELS[now.kind](now, graph.op_inputs(now), graph.op_outputs(now), values)
        results = results if isinstance(results, list) else [results]
        tensors.update(zip(op.outputs, results, strict=True))
        for name in op.inputs:
            if last_reader[name] is op and name not in wanted:
                tensors.pop(name, None)
    # What only depends on constants was computed once.
    return {name: np.broadcast_to(tensors[name], (count, *tensors[name].shape[1:])) for name in wanted}
