# SPDX-License-Identifier: Apache-2.0
"""An integer graph in, a cheaper one with the same outputs for every input out, and a record of each rewrite.

Each rewrite is exact under the simulator's arithmetic, which is the C's. Operators of kinds that a rewrite does not
know are left as they are, and so are the channels that reach them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from shrinkfit.graph import ir
from shrinkfit.graph.drop_channels import drop_channels
from shrinkfit.graph.drop_noops import drop_noop, drop_unused, fuse_requantize, merge_reshapes
from shrinkfit.graph.edit import Rewrite, weight_bytes
from shrinkfit.graph.fold_pads import fold_pad
from shrinkfit.graph.merge_constants import fold_constant, merge_constants

__all__ = ["Rewrite", "optimize"]

# Each takes a graph and returns it with one rewrite done, or None. In the order in which they are tried.
_STEPS: tuple[Callable, ...] = (
    fold_constant,
    merge_constants,
    drop_unused,
    merge_reshapes,
    drop_noop,
    fuse_requantize,
    fold_pad,
)


def optimize(graph: ir.Graph) -> tuple[ir.Graph, tuple[Rewrite, ...]]:
    """Rewrite a graph until nothing is left to save.

    Args:
        graph: stays as it is.
    Returns:
        the graph, whose inputs and outputs have the same names, shapes and scales (it is `graph` itself if there
        was nothing to do), and the records in the order of the rewrites.
    """
    records: list[Rewrite] = []
    while True:
        graph, done = _simplified(graph)
        graph, channels = drop_channels(graph)
        records += [*done, *channels]
        if not (done or channels):
            return graph, tuple(records)


def _simplified(graph: ir.Graph) -> tuple[ir.Graph, list[Rewrite]]:
    records = []
    for step in _STEPS:
        while (found := step(graph)) is not None:
            after, record = found
            records.append(_with_savings(record, graph, after))
            graph = after
    return graph, records


def _with_savings(record: Rewrite, before: ir.Graph, after: ir.Graph) -> Rewrite:
    saved = [a - b for a, b in zip(_totals(before), _totals(after), strict=True)]
    return replace(record, macs=saved[0], weight_bytes=saved[1], tensor_bytes=saved[2])


def _totals(graph: ir.Graph) -> tuple[int, int, int]:
    weights = sum(weight_bytes(op) for op in graph.ops)
    return graph.macs, weights, sum(tensor.size_bytes for tensor in graph.tensors.values())
