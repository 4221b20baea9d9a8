# SPDX-License-Identifier: Apache-2.0
"""A streamed graph in, the same with operators that LiteRT has out: rows read, joined, cut and assigned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.base import OpOfKind


def explicit(graph: ir.Graph, which: Callable[[ir.Op], bool] = lambda op: True) -> ir.Graph:
    """Write out what the operators of `operators_time` do.

    Args:
        graph: a streamed graph; any other comes back as it is.
        which: of these operators; all of them where it is left out.
    """
    chosen = [op for op in graph.ops if op.kind in _WRITTEN and which(op)]
    if not chosen:
        return graph
    made = _Written(graph)
    for op in graph.ops:
        if op in chosen:
            _WRITTEN[op.kind](made, op)
        else:
            made.ops.append(op)
    return replace(graph, tensors=made.tensors, ops=tuple(made.ops), variables=made.variables)


class _Written:
    """Collects tensors, operators and variables."""

    def __init__(self, graph: ir.Graph) -> None:
        self.graph = graph
        self.ops: list[ir.Op] = []
        self.tensors, self.variables = dict(graph.tensors), dict(graph.variables)

    def window(self, op: ir.TimeWindow) -> None:
        source, target = self.tensors[op.inputs[0]], self.tensors[op.outputs[0]]
        past = self.variables[op.past].tensor
        before, last = (replace(past, name=f"{op.name}/{what}") for what in ("before", "last"))
        self.tensors |= {before.name: before, last.name: last}
        begin = tuple(source.shape[a] if a == op.axis else 0 for a in range(len(past.shape)))
        self.ops += [
            ir.ReadVariable(name=before.name, inputs=(), outputs=(before.name,), variable=past.name),
            ir.Concat(name=op.name, inputs=(before.name, source.name), outputs=(target.name,), axis=op.axis),
            ir.StridedSlice(
                name=last.name,
                inputs=(target.name,),
                outputs=(last.name,),
                begin=begin,
                size=past.shape,
                stride=(1,) * len(begin),
            ),
            ir.AssignVariable(name=f"{op.name}/keep", inputs=(last.name,), outputs=(), variable=past.name),
        ]

    def mean(self, op: ir.TimeMean) -> None:
        """Of all rows, which have to be kept one by one."""
        source = self.tensors[op.inputs[0]]
        new, rows = source.shape[op.axis], source
        del self.variables[op.sums]
        if op.length > new:
            past = replace(source, name=f"{op.name}/past", shape=_with_rows(source, op.axis, op.length - new))
            rows = replace(source, name=f"{op.name}/window", shape=_with_rows(source, op.axis, op.length))
            self.variables[past.name] = ir.Variable(past, np.full(past.shape, source.zero_point, np.int8))
            self.tensors[rows.name] = rows
            self.window(
                ir.TimeWindow(
                    name=rows.name,
                    inputs=op.inputs,
                    outputs=(rows.name,),
                    axis=op.axis,
                    rows=op.length - new,
                    past=past.name,
                )
            )
        if not op.average:
            self.ops.append(
                ir.Mean(name=op.name, inputs=(rows.name,), outputs=op.outputs, axes=op.axes, keep_dims=op.keep_dims)
            )
            return
        size = rows.shape[1], rows.shape[2]
        self.ops.append(
            ir.Pool2D(
                name=op.name,
                inputs=(rows.name,),
                outputs=op.outputs,
                mode="average",
                window=size,
                stride=size,
                activation_min=op.activation_min,
                activation_max=op.activation_max,
            )
        )


def _with_rows(tensor: ir.Tensor, axis: int, count: int) -> tuple[int, ...]:
    return (*tensor.shape[:axis], count, *tensor.shape[axis + 1 :])


_WRITTEN: dict[str, Callable[[_Written, OpOfKind], None]] = {"time_window": _Written.window, "time_mean": _Written.mean}
