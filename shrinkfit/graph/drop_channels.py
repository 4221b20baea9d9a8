# SPDX-License-Identifier: Apache-2.0
"""A graph in, the same graph without the channels that cannot matter out.

A channel goes if its value is the same for every input (its share of the sums behind it moves into their
biases) or if every kernel behind it is zero there. Which channels go together is found by starting from all and
taking back, operator by operator, what one of them cannot do without, until nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeGuard

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.base import OpOfKind
from shrinkfit.graph.dense_steps import same_steps
from shrinkfit.graph.edit import Rewrite, weight_bytes
from shrinkfit.graph.intervals import intervals, tap_patterns

Channels = dict[str, np.ndarray]


@dataclass(frozen=True)
class _Reading:
    """What a convolution or dense layer makes of its input's channels: arrays [output, input].

    indifferent: the output does not change if the input channel goes and the bias takes up its share.
    shares: that share, int64.
    """

    indifferent: np.ndarray
    shares: np.ndarray


def drop_channels(graph: ir.Graph) -> tuple[ir.Graph, tuple[Rewrite, ...]]:
    """Drop all channels that cannot matter.

    Returns:
        the graph (itself, if there is nothing to drop) and one record per weighted operator that got smaller.
    """
    known = intervals(graph)
    readings = {op.name: _reading(op, graph, known) for op in graph.ops if _is_mixing(op, graph)}
    barred: set[str] = set()
    while True:
        dropped = _droppable(graph, readings, barred)
        if not any(gone.any() for gone in dropped.values()):
            return graph, ()
        smaller = _without(graph, dropped, readings)
        differing = {
            old.name
            for old, new in zip(graph.ops, smaller.ops, strict=True)
            if isinstance(old, ir.Dense) and isinstance(new, ir.Dense) and not _same_dense(smaller, old, new, dropped)
        }
        if not differing:
            return smaller, _records(graph, smaller, dropped, known)
        barred |= differing


def _is_mixing(op: ir.Op, graph: ir.Graph) -> TypeGuard[ir.Weighted]:
    """Does every output channel read every input channel? Those of a grouped convolution do not, and all stay."""
    if isinstance(op, ir.Conv2D):
        return op.groups(graph.tensors[op.inputs[0]].shape) == 1
    return isinstance(op, ir.TransposeConv2D | ir.Dense)


def _reading(op: ir.Weighted, graph: ir.Graph, known: Channels) -> _Reading:
    source = graph.tensors[op.inputs[0]]
    kernel = op.kernel.reshape(op.channels, -1, source.shape[-1]).astype(np.int64)
    seen = tap_patterns(op, source)
    low, high = known[source.name]
    # One pattern at a time: kernels are large and patterns few.
    first = np.einsum("t,otc->oc", seen[0].astype(np.int64), kernel)
    uniform = np.ones(first.shape, bool)
    for pattern in seen[1:]:
        uniform &= np.einsum("t,otc->oc", pattern.astype(np.int64), kernel) == first
    unread = ~kernel[:, seen.any(axis=0)].any(axis=1)
    constant = low == high
    return _Reading(
        indifferent=unread | (constant & ((low == source.zero_point) | uniform)),
        shares=np.where(constant, (low - source.zero_point) * first, 0),
    )


def _droppable(graph: ir.Graph, readings: dict[str, _Reading], barred: set[str]) -> Channels:
    """Tensor name -> bool [channels]: the largest choice with which every operator can live."""
    dropped = {name: np.ones(tensor.shape[-1], bool) for name, tensor in graph.tensors.items()}
    for name in (*graph.inputs, *graph.outputs, *graph.constants):
        dropped[name][:] = False
    while True:
        before = -1
        while before != (before := sum(int(gone.sum()) for gone in dropped.values())):
            for op in reversed(graph.ops):
                _take_back(op, graph, readings, barred, dropped)
        empty = [gone for gone in dropped.values() if gone.all()]
        if not empty:
            return dropped
        for gone in empty:  # A tensor has at least one channel.
            gone[0] = False


def _take_back(op: ir.Op, graph: ir.Graph, readings: dict[str, _Reading], barred: set[str], dropped: Channels) -> None:
    """Keep what this operator needs: in place, only ever from dropped to kept."""
    if op.name in readings:
        kept = ~dropped[op.outputs[0]]
        dropped[op.inputs[0]] &= readings[op.name].indifferent[kept].all(axis=0) & (op.name not in barred)
        return
    groups = _GROUPS[op.kind](op, graph) if op.kind in _GROUPS else None
    if groups is None:
        for name in (*op.inputs, *op.outputs):
            dropped[name][:] = False
        return
    going = np.ones(1 + max(int(group.max()) for group in groups.values()), bool)
    for name, group in groups.items():
        np.logical_and.at(going, group, dropped[name])
    for name, group in groups.items():
        dropped[name] &= going[group]


def _alike(op: ir.Op, graph: ir.Graph) -> dict[str, np.ndarray] | None:
    """Output channel c depends on channel c of each input."""
    names = (*op.inputs, *op.outputs)
    counts = {graph.tensors[name].shape[-1] for name in names}
    return {name: np.arange(*counts) for name in names} if len(counts) == 1 else None


def _depthwise_groups(op: ir.DepthwiseConv2D, graph: ir.Graph) -> dict[str, np.ndarray]:
    outputs = np.arange(op.channels) // op.depth_multiplier
    if op.channels == op.depth_multiplier:
        return {op.outputs[0]: np.arange(op.channels), op.inputs[0]: np.array([op.channels])}
    return {op.inputs[0]: np.arange(op.channels // op.depth_multiplier), op.outputs[0]: outputs}


def _mean_groups(op: ir.Mean, graph: ir.Graph) -> dict[str, np.ndarray] | None:
    return None if len(graph.tensors[op.inputs[0]].shape) - 1 in op.axes else _alike(op, graph)


def _reshape_groups(op: ir.Reshape, graph: ir.Graph) -> dict[str, np.ndarray] | None:
    """Rows that are joined or cut keep their channels in order, over and over."""
    before, after = (graph.tensors[name].shape[-1] for name in (*op.inputs, *op.outputs))
    if max(before, after) % min(before, after):
        return None
    count = min(before, after)
    return {op.inputs[0]: np.arange(before) % count, op.outputs[0]: np.arange(after) % count}


# For each kind, the group of every channel: a group goes from all tensors together or stays in all.
# Kinds that are neither here nor mix all channels keep all that they read and write.
_GROUPS: dict[str, Callable[[OpOfKind, ir.Graph], Channels | None]] = {
    "depthwise_conv2d": _depthwise_groups,
    "pool2d": _alike,
    "pad": _alike,
    "add": _alike,
    "maximum": _alike,
    "minimum": _alike,
    "requantize": _alike,
    "mean": _mean_groups,
    "reshape": _reshape_groups,
}


def _without(graph: ir.Graph, dropped: Channels, readings: dict[str, _Reading]) -> ir.Graph:
    ops = [_shrunk(op, dropped, readings) for op in graph.ops]
    tensors = {
        name: replace(tensor, shape=(*tensor.shape[:-1], int(np.count_nonzero(~dropped[name]))))
        for name, tensor in graph.tensors.items()
    }
    return replace(graph, tensors=tensors, ops=tuple(ops))


def _shrunk(op: ir.Op, dropped: Channels, readings: dict[str, _Reading]) -> ir.Op:
    if isinstance(op, ir.Weighted) and op.name in readings:
        return _shrink_mixing(op, dropped, readings)
    return _SHRINK[op.kind](op, dropped) if op.kind in _SHRINK else op


def _shrink_mixing(op: ir.Weighted, dropped: Channels, readings: dict[str, _Reading]) -> ir.Weighted:
    gone, kept = dropped[op.inputs[0]], ~dropped[op.outputs[0]]
    # Still inside int32: |share| is at most 255 times what the kernel loses, see check_accumulator.
    bias = op.bias + readings[op.name].shares[:, gone].sum(axis=1)
    kernel = np.ascontiguousarray(op.kernel[kept][..., ~gone])
    return replace(op, kernel=kernel, bias=bias[kept].astype(np.int32), kernel_scales=op.kernel_scales[kept])


def _shrink_depthwise(op: ir.DepthwiseConv2D, dropped: Channels) -> ir.DepthwiseConv2D:
    kept = ~dropped[op.outputs[0]]
    inputs = np.count_nonzero(~dropped[op.inputs[0]])
    return replace(
        op,
        kernel=np.ascontiguousarray(op.kernel[:, :, kept]),
        bias=op.bias[kept],
        kernel_scales=op.kernel_scales[kept],
        depth_multiplier=int(np.count_nonzero(kept)) // int(inputs),
    )


def _shrink_reshape(op: ir.Reshape, dropped: Channels) -> ir.Reshape:
    return replace(op, shape=(*op.shape[:-1], int(np.count_nonzero(~dropped[op.outputs[0]]))))


_SHRINK: dict[str, Callable[[OpOfKind, Channels], ir.Op]] = {
    "depthwise_conv2d": _shrink_depthwise,
    "reshape": _shrink_reshape,
}


def _same_dense(smaller: ir.Graph, old: ir.Dense, new: ir.Dense, dropped: Channels) -> bool:
    kept = ~dropped[old.outputs[0]]
    if kept.all() and old.kernel.shape == new.kernel.shape:
        return True
    return same_steps(old, new, kept, smaller.tensors[new.inputs[0]], smaller.tensors[new.outputs[0]])


def _records(graph: ir.Graph, smaller: ir.Graph, dropped: Channels, known: Channels) -> tuple[Rewrite, ...]:
    records = []
    for old, new in zip(graph.ops, smaller.ops, strict=True):
        if not (isinstance(old, ir.Weighted) and isinstance(new, ir.Weighted)) or old.kernel.shape == new.kernel.shape:
            continue
        shapes = [(g.tensors[op.inputs[0]].shape[-1], op.channels) for g, op in ((graph, old), (smaller, new))]
        change = "input channels {} -> {}, output channels {} -> {}".format(*np.ravel(shapes, "F"))
        record = Rewrite("drop_channels", old.name, change, _reason(old, dropped, known))
        saved = graph.op_macs(old) - smaller.op_macs(new), weight_bytes(old) - weight_bytes(new)
        sizes = [sum(t.size_bytes for t in g.op_outputs(old)) for g in (graph, smaller)]
        records.append(replace(record, macs=saved[0], weight_bytes=saved[1], tensor_bytes=sizes[0] - sizes[1]))
    return tuple(records)


def _reason(op: ir.Weighted, dropped: Channels, known: Channels) -> str:
    parts = []
    for what, name in (("inputs", op.inputs[0]), ("outputs", op.outputs[0])):
        constant = known[name][0] == known[name][1]
        always, unread = (int(np.count_nonzero(dropped[name] & which)) for which in (constant, ~constant))
        parts += [f"{always} {what} are constant"] * bool(always) + [f"{unread} {what} are unread"] * bool(unread)
    return ", ".join(parts)
