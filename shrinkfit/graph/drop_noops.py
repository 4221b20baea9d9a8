# SPDX-License-Identifier: Apache-2.0
"""A graph in, the same graph without one operator that changes nothing out; None where there is none.

What elementwise operators do is proven by their tables of all 256 values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.activation import activation_name
from shrinkfit.graph.base import OpOfKind
from shrinkfit.graph.dense_steps import same_steps
from shrinkfit.graph.edit import Rewrite, bypassed, producers, readers, rebuilt, same_numbers, value_table
from shrinkfit.graph.intervals import intervals

Step = tuple[ir.Graph, Rewrite] | None
Intervals = dict[str, np.ndarray]


def drop_unused(graph: ir.Graph) -> Step:
    """Drop the last operator whose outputs nobody reads; one that keeps state stays."""
    users = readers(graph)
    for op in reversed(graph.ops):
        if not op.variables and not any(users[name] or name in graph.outputs for name in op.outputs):
            record = Rewrite("drop_unused", op.name, f"{op.kind} dropped", "nobody reads what it makes")
            return rebuilt(graph, {op.name: None}, op.outputs), record
    return None


def drop_noop(graph: ir.Graph) -> Step:
    """Drop the first operator that copies its input."""
    known = intervals(graph) if any(op.kind in ("requantize", "pool2d") for op in graph.ops) else {}
    for op in graph.ops:
        if op.kind not in _NOOPS or not same_numbers(graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]):
            continue
        reason = _NOOPS[op.kind](graph, op, known)
        shorter = bypassed(graph, op) if reason else None
        if reason and shorter is not None:
            return shorter, Rewrite("drop_noop", op.name, f"{op.kind} dropped", reason)
    return None


def _reshape_noop(graph: ir.Graph, op: ir.Reshape, known: Intervals) -> str | None:
    same = graph.tensors[op.inputs[0]].shape == graph.tensors[op.outputs[0]].shape
    return "its input has that shape already" if same else None


def _pad_noop(graph: ir.Graph, op: ir.Pad, known: Intervals) -> str | None:
    same = graph.tensors[op.inputs[0]].shape == graph.tensors[op.outputs[0]].shape
    return "it pads by nothing" if same else None


def _pool_noop(graph: ir.Graph, op: ir.Pool2D, known: Intervals) -> str | None:
    alone = (op.window, op.stride, op.padding) == ((1, 1), (1, 1), ir.Padding())
    low, high = known[op.inputs[0]].min(), known[op.inputs[0]].max()
    return "a window of one element" if alone and op.activation_min <= low and high <= op.activation_max else None


def _requantize_noop(graph: ir.Graph, op: ir.Requantize, known: Intervals) -> str | None:
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    low, high = int(known[source.name].min()), int(known[source.name].max())
    table = value_table(op, source, target)[low - ir.INT8_MIN : high + 1 - ir.INT8_MIN]
    return "it keeps every value that can reach it" if np.array_equal(table, np.arange(low, high + 1)) else None


# Each says why an operator changes nothing, or None where it may.
_NOOPS: dict[str, Callable[[ir.Graph, OpOfKind, Intervals], str | None]] = {
    "reshape": _reshape_noop,
    "pad": _pad_noop,
    "pool2d": _pool_noop,
    "requantize": _requantize_noop,
}


def merge_reshapes(graph: ir.Graph) -> Step:
    """Let the first reshape of a reshape read what the earlier one reads."""
    makers = producers(graph)
    for op in graph.ops:
        before = makers.get(op.inputs[0]) if op.kind == "reshape" else None
        if before is not None and before.kind == "reshape":
            record = Rewrite("merge_reshapes", op.name, f"reads past reshape '{before.name}'", "the bytes are the same")
            return rebuilt(graph, {op.name: replace(op, inputs=before.inputs)}), record
    return None


def fuse_requantize(graph: ir.Graph) -> Step:
    """Fuse the first Requantize that only clamps into the clamp of its producer, or with a Requantize before it."""
    makers, users = producers(graph), readers(graph)
    for op in graph.ops:
        if not isinstance(op, ir.Requantize) or op.inputs[0] in graph.outputs:
            continue
        middle = op.inputs[0]
        before = makers.get(middle)
        if before is None or before.variables or users[middle] != (op,):
            continue
        fused = _fused(graph, before, op)
        if fused is not None:
            why = "all 256 values that can lie between them come out the same"
            record = Rewrite("fuse_requantize", op.name, f"fused into {before.kind} '{before.name}'", why)
            return rebuilt(graph, {before.name: fused, op.name: None}, (middle,)), record
    return None


def _fused(graph: ir.Graph, before: ir.Op, op: ir.Requantize) -> ir.Op | None:
    if not isinstance(before, ir.Activated):
        return None
    middle, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    if isinstance(before, ir.Requantize):
        return _merged_requantize(graph.tensors[before.inputs[0]], before, middle, op, target)
    if not same_numbers(middle, target) or not _only_clamps(op, middle, target):
        return None
    low, high = np.clip((before.activation_min, before.activation_max), op.activation_min, op.activation_max).tolist()
    # .tflite knows few activations; a clamp that is none of them stays an operator, so that the twin can be written.
    if activation_name(low, high, target) is None:
        return None
    fused = replace(before, outputs=op.outputs, activation_min=low, activation_max=high)
    if isinstance(before, ir.Dense) and isinstance(fused, ir.Dense):
        source, every = graph.tensors[before.inputs[0]], np.ones(before.channels, bool)
        return fused if same_steps(before, fused, every, source, target) else None
    return fused


def _only_clamps(op: ir.Requantize, source: ir.Tensor, target: ir.Tensor) -> bool:
    every = np.arange(ir.INT8_MIN, ir.INT8_MAX + 1)
    return np.array_equal(value_table(op, source, target), np.clip(every, op.activation_min, op.activation_max))


def _merged_requantize(
    source: ir.Tensor, before: ir.Requantize, middle: ir.Tensor, op: ir.Requantize, target: ir.Tensor
) -> ir.Requantize | None:
    """One Requantize with the two operators' table, among the clamps that .tflite can write."""
    table = value_table(op, middle, target)[value_table(before, source, middle).astype(np.int64) - ir.INT8_MIN]
    ranges = [(ir.INT8_MIN, ir.INT8_MAX), (op.activation_min, op.activation_max), (int(table.min()), int(table.max()))]
    for low, high in dict.fromkeys(ranges):
        # The two may differ in how they divide the scales.
        for like in (before, op):
            wired = replace(like, inputs=before.inputs, outputs=op.outputs, activation_min=low, activation_max=high)
            if activation_name(low, high, target) and np.array_equal(value_table(wired, source, target), table):
                return wired
    return None
