# SPDX-License-Identifier: Apache-2.0
"""A graph in, the same graph with a constant less or an operator computed beforehand out; None where there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.edit import Rewrite, renamed, run_alone, same_numbers

Step = tuple[ir.Graph, Rewrite] | None


def fold_constant(graph: ir.Graph) -> Step:
    """Compute the first operator that reads nothing but constants."""
    for op in graph.ops:
        reads_constants = bool(op.inputs) and all(name in graph.constants for name in op.inputs)
        around = (*graph.op_inputs(op), *graph.op_outputs(op))
        if not reads_constants or op.variables or len(op.outputs) != 1 or any(t.shape[0] != 1 for t in around):
            continue
        name, values = op.outputs[0], [graph.constants[n] for n in op.inputs]
        result = run_alone(op, graph.op_inputs(op), graph.tensors[name], values)
        gone = _unread(graph, op)
        kept = {n: v for n, v in graph.constants.items() if n not in gone} | {name: result}
        tensors = {n: t for n, t in graph.tensors.items() if n not in gone}
        ops = tuple(other for other in graph.ops if other is not op)
        record = Rewrite("fold_constant", op.name, f"{op.kind} computed beforehand", "it reads nothing but constants")
        return replace(graph, tensors=tensors, ops=ops, constants=kept), record
    return None


def _unread(graph: ir.Graph, op: ir.Op) -> set[str]:
    """The operator's inputs that nobody reads without it."""
    still = {name for other in graph.ops if other is not op for name in other.inputs} | set(graph.outputs)
    return set(op.inputs) - still


def merge_constants(graph: ir.Graph) -> Step:
    """Let the readers of a constant read the first equal one."""
    names = list(graph.constants)
    for index, gone in enumerate(names):
        keep = next((name for name in names[:index] if _equal(graph, name, gone)), None)
        if keep is None or gone in graph.outputs:
            continue
        changed = {op.name: renamed(op, gone, keep) for op in graph.ops if gone in op.inputs}
        kept = {name: values for name, values in graph.constants.items() if name != gone}
        tensors = {name: tensor for name, tensor in graph.tensors.items() if name != gone}
        ops = tuple(changed.get(op.name, op) for op in graph.ops)
        record = Rewrite("merge_constants", gone, f"'{keep}' is read instead of it", "both hold the same values")
        return replace(graph, tensors=tensors, ops=ops, constants=kept), record
    return None


def _equal(graph: ir.Graph, a: str, b: str) -> bool:
    one, other = graph.tensors[a], graph.tensors[b]
    same = one.shape == other.shape and same_numbers(one, other)
    return same and np.array_equal(graph.constants[a], graph.constants[b])
