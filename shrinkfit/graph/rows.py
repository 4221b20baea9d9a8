# SPDX-License-Identifier: Apache-2.0
"""Neighbouring operators of a graph in, out: which rows each of them reads and makes when they run stripe by stripe.

A stripe makes a few rows of the last one's output. Where windows of two stripes meet they need the same rows of what
lies between: these are computed again, or kept from stripe to stripe.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from shrinkfit.graph import ir

# Rows begin at whole words, as kernels load them; else they are copied.
WORD = 4
WINDOWED = ("conv2d", "depthwise_conv2d", "pool2d", "pad")

Rows = tuple[int, int]


@dataclass(frozen=True)
class Cut:
    """How operators are cut.

    Args:
        first, last: their places in the graph's order, both included. Only what the last one makes is read behind it.
        rows: of the last one's output that a stripe makes; the last stripe may make fewer.
        keep: whether rows that two stripes need are kept, or else computed again.
        early: whether these are put aside before the last operator reads them, whose output may then lie over them.
    """

    first: int
    last: int
    rows: int
    keep: bool
    early: bool = False


@dataclass(frozen=True)
class Load:
    """What one stripe does.

    Args:
        needed: tensor inside -> the rows of it that are there.
        new: those of them that are computed; None for none.
        read: tensor from outside -> the rows that are read.
    """

    needed: dict[str, Rows]
    new: dict[str, Rows | None]
    read: dict[str, Rows]


class NoStripe(Exception):
    """A stripe would need rows that are padding alone, or begin inside a word."""


def are_local(graph: ir.Graph, first: int, last: int) -> bool:
    """Whether rows of each of these operators' outputs depend on neighbouring rows of its inputs alone."""
    return all(_is_local(op, graph) for op in graph.ops[first : last + 1])


def can_cut(graph: ir.Graph, first: int, last: int) -> bool:
    """Whether `striped` takes these operators."""
    ops = graph.ops[first : last + 1]
    if not are_local(graph, first, last):
        return False
    made = {name for op in ops for name in op.outputs}
    # What all rows of an output meet is there before the first of them.
    if any(_is_two_sided(op) and n in made and not _has_rows(n, op, graph) for op in ops for n in op.inputs):
        return False
    read = {name for op in graph.ops[last + 1 :] for name in op.inputs} | set(graph.outputs)
    inside = {name for op in ops for name in op.inputs}
    return made & read == set(ops[-1].outputs) and made - inside == set(ops[-1].outputs)


def loads(graph: ir.Graph, cut: Cut) -> list[Load]:
    """What each stripe does, worked out from rows alone; empty where `striped` gives None."""
    region = graph.ops[cut.first : cut.last + 1]
    (target,) = graph.op_outputs(region[-1])
    height, found = target.shape[1], list[Load]()
    done: dict[str, int] = {}
    if cut.rows >= height or cut.rows * row_bytes(target) % WORD:
        return []
    try:
        for at in range(0, height, cut.rows):
            found.append(load_of(graph, region, (at, min(at + cut.rows, height)), done))
            done = {name: rows[1] for name, rows in found[-1].needed.items()} if cut.keep else {}
    except NoStripe:
        return []
    return found


def load_of(graph: ir.Graph, region: tuple[ir.Op, ...], rows: Rows, done: dict[str, int]) -> Load:
    """done: tensor -> how many of its first rows the stripes before have made and left."""
    made = {op.outputs[0] for op in region}
    load = Load({region[-1].outputs[0]: rows}, {}, {})
    for op in reversed(region):
        (name,) = op.outputs
        if name not in load.needed:
            continue
        first, end = load.needed[name]
        start = max(first, done.get(name, first))
        load.new[name] = (start, end) if start < end else None
        if start == end:
            continue
        for source in op.inputs:
            if source in made or not is_whole(source, op, graph):
                low, high = rows_read(graph, op, source, (start, end))
                rows_of = load.needed if source in made else load.read
                old = rows_of.get(source, (low, high))
                rows_of[source] = min(low, old[0]), max(high, old[1])
    return load


def is_whole(name: str, op: ir.Op, graph: ir.Graph) -> bool:
    """Whether an operator reads all of an input for each row of its output."""
    return _is_two_sided(op) and not _has_rows(name, op, graph)


def rows_read(graph: ir.Graph, op: ir.Op, source: str, rows: Rows) -> Rows:
    """The rows of one of its inputs that an operator needs for rows of its output."""
    low, high = reach(op, rows)
    low, high = max(low, 0), min(high, graph.tensors[source].shape[1])
    if low >= high:
        raise NoStripe
    return low, high


def reach(op: ir.Op, rows: Rows) -> Rows:
    """The same before padding is cut off."""
    if isinstance(op, ir.Pad) and op.padding is not None:
        return rows[0] - op.padding.top, rows[1] - op.padding.top
    if not isinstance(op, ir.Conv2D | ir.DepthwiseConv2D | ir.Pool2D):
        return rows
    step, top, apart = op.stride[0], op.padding.top, getattr(op, "dilation", (1, 1))[0]
    return rows[0] * step - top, (rows[1] - 1) * step - top + (op.window[0] - 1) * apart + 1


def row_bytes(tensor: ir.Tensor) -> int:
    """Of one row of a plane."""
    return tensor.size_bytes // tensor.shape[1]


def _is_local(op: ir.Op, graph: ir.Graph) -> bool:
    """Whether rows of its output depend on neighbouring rows of its inputs alone."""
    shapes = [tensor.shape for tensor in (*graph.op_inputs(op), *graph.op_outputs(op))]
    if len(op.outputs) != 1 or len(shapes[-1]) != 4 or shapes[-1][0] != 1:
        return False
    if isinstance(op, ir.Concat):
        return op.axis > 1 and not op.in_place and not set(op.inputs) & set(graph.constants)
    if _is_two_sided(op):
        return all(_has_rows(n, op, graph) or _is_repeated(graph.tensors[n].shape) for n in op.inputs)
    if isinstance(op, ir.Pad):
        return op.padding is not None
    by_rows = op.pointwise or op.kind in (*WINDOWED, "softmax")
    return by_rows and len(shapes[0]) == 4 and op.inputs[0] not in graph.constants


def _is_two_sided(op: ir.Op) -> bool:
    return op.pointwise and len(op.inputs) == 2


def _has_rows(name: str, op: ir.Op, graph: ir.Graph) -> bool:
    shape, rows = graph.tensors[name].shape, graph.op_outputs(op)[0].shape[1]
    return name not in graph.constants and len(shape) == 4 and shape[:2] == (1, rows)


def _is_repeated(shape: tuple[int, ...]) -> bool:
    """Whether every row of an output meets all of it."""
    return prod(shape[:-2]) == 1
