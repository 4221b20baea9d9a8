# SPDX-License-Identifier: Apache-2.0
"""A mean over a whole window in, the operator that keeps sums of a few rows out, where that is less to keep."""

from __future__ import annotations

from math import gcd, prod
from typing import TypeGuard

from shrinkfit.graph import ir
from shrinkfit.graph.operators_time import MAX_BLOCK_VALUES
from shrinkfit.graph.time_rows import Step, Timelines

# The kernel takes so many channels at a time.
LANES = 4


def mean_of_sums(graph: ir.Graph, found: Timelines, step: Step) -> ir.TimeMean | None:
    """The operator for a step that computes the mean of a whole window; None for others, and where rows are less.

    Args:
        graph: as it came.
        found: what is known of time in it.
        step: one of found's.
    """
    op = step.op
    if not step.whole or not _is_mean(op, graph):
        return None
    time, shape = found.rows(op.inputs[0]), graph.tensors[op.inputs[0]].shape
    average = isinstance(op, ir.Pool2D)
    axes = (1, 2) if isinstance(op, ir.Pool2D) else tuple(sorted(op.axes))
    neighbours = axes == tuple(range(axes[0], axes[-1] + 1))
    if not neighbours or prod(shape[: time.axis]) != 1 or time.fill is not None:
        return None
    n, inner = found.new_rows(time), prod(shape[axes[-1] + 1 :])
    columns = prod(shape[a] for a in axes if a != time.axis)
    block = _block(gcd(time.length, n), columns)
    kept_bytes, rows_bytes = 2 * (time.length // max(block, 1)) * inner, (time.length - n) * columns * inner
    if n >= time.length or inner < LANES or block == 0 or kept_bytes >= rows_bytes:
        return None
    taken = {*graph.tensors, *(other.name for other in graph.ops)}
    names = (f"{op.name}/sums", *(f"{op.name}/sums_{i}" for i in range(2, 1000)))
    clamp = {name: getattr(op, name) for name in ("activation_min", "activation_max")} if average else {}
    return ir.TimeMean(
        name=op.name,
        inputs=op.inputs,
        outputs=op.outputs,
        axis=time.axis,
        axes=axes,
        keep_dims=isinstance(op, ir.Pool2D) or op.keep_dims,
        length=time.length,
        block=block,
        average=average,
        sums=next(name for name in names if name not in taken),
        **clamp,
    )


def _is_mean(op: ir.Op, graph: ir.Graph) -> TypeGuard[ir.Mean | ir.Pool2D]:
    if isinstance(op, ir.Mean):
        return True
    if not isinstance(op, ir.Pool2D) or op.mode != "average" or op.padding != ir.Padding():
        return False
    return op.window == graph.tensors[op.inputs[0]].shape[1:3]


def _block(common: int, columns: int) -> int:
    """The most rows, of divisors of `common`, whose sum fits; 0 where one row does not."""
    return max((b for b in range(1, common + 1) if common % b == 0 and b * columns <= MAX_BLOCK_VALUES), default=0)
