# SPDX-License-Identifier: Apache-2.0
"""An integer graph that looks at a window of frames in, one that is run on a few new frames at a time out.

Only what is new is computed. What an operator needs of earlier rows is kept in variables, so that every output is the
one that the model itself would give: `timeline` says which rows, and what the outputs equal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.stream_difference import measured
from shrinkfit.graph.stream_explicit import explicit
from shrinkfit.graph.stream_means import mean_of_sums
from shrinkfit.graph.stream_report import StreamReport, report_of
from shrinkfit.graph.time_rows import Need, Rows, Step, Timelines
from shrinkfit.graph.timeline import flat_inputs, timelines


@dataclass(frozen=True)
class Streaming:
    """A graph for one call, with its state, and what it computes.

    Args:
        graph: its inputs have frames_per_call frames; timed outputs have the new rows.
        report: what its outputs equal, what it keeps, which layers pad.
    """

    graph: ir.Graph
    report: StreamReport


def to_streaming(graph: ir.Graph, frames_per_call: int | None = None, examples: Any = None) -> Streaming:
    """Turn a graph into one that takes new frames and keeps what it needs of those before.

    Args:
        graph: int8, without state; axis 1 of its inputs is time.
        frames_per_call: new frames a call; None for the fewest that the strides in time allow, which is their product.
        examples: float [n, *input shape], on which the difference is measured where outputs are not equal.
    Returns:
        the graph and its report. A model without padding along time gives what it gives for the last whole window. One
        that pads before the window alone (causal) gives what it gives for everything since the reset. What pads behind
        the window (SAME) is computed with the frames that really came; the report says so.
    Raises:
        UnsupportedLayerError: a layer mixes frames in a way that cannot be computed call by call; names it.
        ShrinkfitError: there is no time axis, or frames_per_call does not fit the strides.
    """
    graph = flat_inputs(graph)
    found = timelines(graph, frames_per_call)
    made = _Made(graph, found)
    for step in found.steps:
        made.add(step)
    streamed = ir.Graph(
        graph.name, made.tensors, tuple(made.ops), graph.inputs, graph.outputs, graph.constants, made.variables
    )
    # Rows that do not lie one behind the other are joined by copies.
    streamed = explicit(streamed, lambda op: isinstance(op, ir.TimeWindow) and _lie_apart(streamed, op))
    report = report_of(graph, streamed, found, frozenset(made.means))
    if not report.exact and examples is not None and len(graph.inputs) == len(graph.outputs) == 1:
        report = replace(report, difference=measured(graph, streamed, report, examples))
    return Streaming(streamed, report)


def _lie_apart(graph: ir.Graph, op: ir.TimeWindow) -> bool:
    return prod(graph.tensors[op.inputs[0]].shape[: op.axis]) != 1


class _Made:
    """Collects the tensors, operators and variables of a call."""

    def __init__(self, graph: ir.Graph, found: Timelines) -> None:
        self.graph, self.found = graph, found
        self.tensors = {name: self._of_a_call(name) for name in (*graph.inputs, *graph.constants)}
        self.ops: list[ir.Op] = []
        self.variables: dict[str, ir.Variable] = {}
        self.windows: dict[tuple[str, int], str] = {}
        made = (mean_of_sums(graph, found, step) for step in found.steps)
        self.means = {mean.name: mean for mean in made if mean is not None}
        self.deepest = self._deepest()

    def _of_a_call(self, name: str) -> ir.Tensor:
        tensor, time = self.graph.tensors[name], self.found.of.get(name)
        return self._with_rows(tensor, time, self.found.new_rows(time)) if isinstance(time, Rows) else tensor

    @staticmethod
    def _with_rows(tensor: ir.Tensor, time: Rows, count: int, name: str = "") -> ir.Tensor:
        shape = (*tensor.shape[: time.axis], count, *tensor.shape[time.axis + 1 :])
        return replace(tensor, name=name or tensor.name, shape=shape)

    def _deepest(self) -> dict[tuple[str, int], int]:
        """(tensor, what rows before the stream hold) -> past rows of the operator that needs the most of them."""
        found: dict[tuple[str, int], int] = {}
        for step in self.found.steps:
            if step.op.name in self.means:
                continue
            for name, need in zip(step.op.inputs, step.needs, strict=True):
                if need is not None and need.past > 0:
                    key = self._key(name, need)
                    found[key] = max(found.get(key, 0), need.past)
        return found

    def _key(self, name: str, need: Need) -> tuple[str, int]:
        return name, self.graph.tensors[name].zero_point if need.initial is None else need.initial

    def add(self, step: Step) -> None:
        mean = self.means.get(step.op.name)
        if mean is not None:
            tensor = ir.Tensor(mean.sums, mean.variable_shape(self.tensors[mean.inputs[0]].shape), dtype="int16")
            self.variables[mean.sums] = ir.Variable(tensor, np.zeros(tensor.shape, np.int16))
            self._emit(mean, self.graph.tensors[mean.outputs[0]])
            return
        inputs = tuple(
            name if need is None else self._rows(step.op, name, need)
            for name, need in zip(step.op.inputs, step.needs, strict=True)
        )
        op = replace(step.op, inputs=inputs)
        shapes = [self.tensors[name].shape for name in inputs]
        made = op.output_shapes(*shapes) if isinstance(op, ir.Split) else (op.output_shape(*shapes),)
        for name, shape in zip(op.outputs, made, strict=True):
            self.tensors[name] = replace(self.graph.tensors[name], shape=shape)
        self.ops.append(op)

    def _rows(self, op: ir.Op, name: str, need: Need) -> str:
        """The tensor with the rows that an operator needs."""
        source, have = name, (0, self.found.new_rows(self.found.rows(name)))
        if need.past > 0:
            key = self._key(name, need)
            source = self.windows.get(key) or self._window(key)
            have = (self.deepest[key], self.deepest[key] + have[1])
        if have == (need.past, need.count):
            return source
        time, tensor = self.found.rows(name), self.tensors[source]
        made = self._with_rows(tensor, time, need.count, self._free(f"{op.name}/rows"))
        begin = tuple(have[0] - need.past if axis == time.axis else 0 for axis in range(len(tensor.shape)))
        cut = ir.StridedSlice(
            name=made.name,
            inputs=(source,),
            outputs=(made.name,),
            begin=begin,
            size=made.shape,
            stride=(1,) * len(begin),
        )
        return self._emit(cut, made)

    def _window(self, key: tuple[str, int]) -> str:
        """The rows that a call makes behind those that came before, which a variable keeps."""
        (name, initial), past = key, self.deepest[key]
        time, tensor = self.found.rows(name), self.tensors[name]
        kept = self._with_rows(tensor, time, past, self._free(f"{name}/past"))
        made = self._with_rows(tensor, time, past + tensor.shape[time.axis], self._free(f"{name}/window"))
        self.variables[kept.name] = ir.Variable(kept, np.full(kept.shape, initial, np.dtype(kept.dtype)))
        self.windows[key] = self._emit(
            ir.TimeWindow(
                name=made.name, inputs=(name,), outputs=(made.name,), axis=time.axis, rows=past, past=kept.name
            ),
            made,
        )
        return made.name

    def _emit(self, op: ir.Op, tensor: ir.Tensor) -> str:
        self.tensors[tensor.name] = tensor
        self.ops.append(op)
        return tensor.name

    def _free(self, name: str) -> str:
        taken = {*self.graph.tensors, *self.tensors, *self.variables, *(op.name for op in self.graph.ops)}
        return next(n for n in (name, *(f"{name}_{i}" for i in range(2, 1000))) if n not in taken)
