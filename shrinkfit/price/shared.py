# SPDX-License-Identifier: Apache-2.0
"""A graph in, which of its operators use one another's constants out: stripes of one layer have one array in flash."""

from __future__ import annotations

from typing import Any

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.price.kernel import Choice, word
from shrinkfit.price.kernels import STRUCT_BYTES, kernel_for


def shared_with(graph: ir.Graph, choice: Choice | bool) -> dict[str, str]:
    """Operator -> the first one whose packed arrays are its own too; without those that have arrays of their own.

    They are the same arrays in the graph, not only equal ones: layers that are made from shapes alone all look alike.
    """
    first: dict[Any, str] = {}
    found = {op.name: first.setdefault(_key(op, graph, choice), op.name) for op in graph.ops if _arrays(op)}
    return {name: other for name, other in found.items() if name != other}


def data_bytes(graph: ir.Graph, choice: Choice | bool) -> dict[str, int]:
    """Operator -> flash for its constants; what several share counts for the first of them."""
    shared = shared_with(graph, choice)
    kernels = {op.name: kernel_for(op, graph, choice) for op in graph.ops}
    return {n: word(STRUCT_BYTES[k.params]) if n in shared else k.data_bytes for n, k in kernels.items()}


def _arrays(op: ir.Op) -> tuple[np.ndarray, ...]:
    if isinstance(op, ir.Weighted):
        return op.kernel, op.bias, op.kernel_scales
    return (op.table,) if isinstance(op, ir.Table) else ()


def _key(op: ir.Op, graph: ir.Graph, choice: Choice | bool) -> tuple:
    """All that the arrays of its call are made of."""
    arrays = tuple((array.ctypes.data, array.shape, array.strides) for array in _arrays(op))
    scales = tuple(tensor.quantization for tensor in (*graph.op_inputs(op), *graph.op_outputs(op)))
    activation = getattr(op, "activation_min", 0), getattr(op, "activation_max", 0)
    return op.kind, kernel_for(op, graph, choice).params, arrays, scales, activation
