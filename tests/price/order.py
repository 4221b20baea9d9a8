# SPDX-License-Identifier: Apache-2.0
"""The order in which each kernel reads and writes, byte by byte, as shrinkfit.h declares it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.price.arena import Plan
from shrinkfit.price.calls import is_free, views

# (input positions and the bytes of each that are read, the output's bytes that are written), writes first.
Step = tuple[dict[int, np.ndarray], np.ndarray]
ELEMENTWISE = ("add", "sub", "mul", "prelu", "maximum", "minimum", "table", "requantize", "softmax")


def steps(op: ir.Op, graph: ir.Graph) -> Iterator[Step]:
    """In each step the writes may come before the reads."""
    sources, (target, *others) = graph.op_inputs(op), graph.op_outputs(op)
    windowed = op.kind in ("conv2d", "pool2d") and not others
    if windowed and (op.kind == "pool2d" or op.groups(sources[0].shape) == 1):
        yield from _windows(op, sources[0].shape, target.shape)
    elif op.kind == "depthwise_conv2d" and op.depth_multiplier == 1:
        ins, outs = (np.arange(t.size_bytes).reshape(-1, t.shape[3]) for t in (sources[0], target))
        for c in range(target.shape[3]):
            yield {0: ins[:, c]}, np.zeros(0, int)
            yield {}, outs[:, c]
    elif op.kind == "transpose_conv2d":
        yield from _spread(op, sources[0].shape, target.shape)
    elif op.kind in ELEMENTWISE and sources:
        yield from _values(sources, target)
    else:
        yield {i: np.arange(t.size_bytes) for i, t in enumerate(sources)}, np.arange(target.size_bytes)


def _windows(op, in_shape, out_shape) -> Iterator[Step]:
    pixels = np.arange(np.prod(in_shape)).reshape(in_shape[1:])
    dilation, p = getattr(op, "dilation", (1, 1)), op.padding
    for y, x in np.ndindex(*out_shape[1:3]):
        rows = y * op.stride[0] - p.top + np.arange(op.window[0]) * dilation[0]
        columns = x * op.stride[1] - p.left + np.arange(op.window[1]) * dilation[1]
        rows, columns = rows[(rows >= 0) & (rows < in_shape[1])], columns[(columns >= 0) & (columns < in_shape[2])]
        start = (y * out_shape[2] + x) * out_shape[3]
        yield {0: pixels[np.ix_(rows, columns)].reshape(-1)}, np.arange(start, start + out_shape[3])


def _spread(op, in_shape, out_shape) -> Iterator[Step]:
    pixels = np.arange(np.prod(in_shape)).reshape(in_shape[1:])
    cuts = (op.padding.top, op.padding.left)
    for y, x in np.ndindex(*out_shape[1:3]):
        axes = []
        for at, cut, stride, taps, n in zip((y, x), cuts, op.stride, op.window, in_shape[1:3], strict=True):
            reach = [i for i in range(n) if 0 <= at + cut - i * stride < taps]
            axes.append(np.array(reach, int))
        start = (y * out_shape[2] + x) * out_shape[3]
        yield {0: pixels[np.ix_(*axes)].reshape(-1)}, np.arange(start, start + out_shape[3])


def _values(sources, target) -> Iterator[Step]:
    indices = [np.broadcast_to(np.arange(t.size_bytes).reshape(t.shape), target.shape).reshape(-1) for t in sources]
    for i in range(target.size_bytes):
        yield {k: index[i : i + 1] for k, index in enumerate(indices)}, np.zeros(0, int)
        yield {}, np.arange(i, i + 1)


class Memory:
    """An arena whose bytes know what they hold."""

    def __init__(self, graph: ir.Graph, plan: Plan) -> None:
        self.graph, self.plan, self.where = graph, plan, views(graph)
        self.owner = np.full(plan.arena_bytes, "", object)
        self.index = np.full(plan.arena_bytes, -1)

    def write(self, name: str, at: np.ndarray) -> None:
        if name in self.plan.offsets:
            view, places = self.where[name], self.plan.offsets[name] + at
            self.owner[places], self.index[places] = view.root, view.offset + at

    def holds(self, name: str, at: np.ndarray) -> bool:
        if name not in self.plan.offsets or self.graph.tensors[name].size_bytes == 0:
            return True
        view, places = self.where[name], self.plan.offsets[name] + at
        of_root = np.all(self.owner[places] == view.root)
        return bool(of_root and np.array_equal(self.index[places], view.offset + at))

    def run(self, op: ir.Op, scratch_bytes: int) -> str:
        """What was read after it had been overwritten, or ""."""
        if op.name in self.plan.scratch_offsets:
            start = self.plan.scratch_offsets[op.name]
            self.owner[start : start + scratch_bytes] = "scratch"
        if is_free(op) or not op.outputs:
            return ""
        for name in op.outputs[1:]:
            self.write(name, np.arange(self.graph.tensors[name].size_bytes))
        for reads, written in steps(op, self.graph):
            self.write(op.outputs[0], written)
            for position, at in reads.items():
                if not self.holds(op.inputs[position], at):
                    return f"{op.where} reads '{op.inputs[position]}' where it is overwritten"
        broken = [n for n in op.outputs if not self.holds(n, np.arange(self.graph.tensors[n].size_bytes))]
        return f"{op.where} leaves '{broken[0]}' overwritten" if broken else ""
