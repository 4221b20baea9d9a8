# SPDX-License-Identifier: Apache-2.0
"""A graph and arrays by input in, rows of bytes as the C's programs exchange them out; and what they should be.

A row holds all inputs of one run one after the other, or all its outputs, in the graph's order. A graph with
state sees the rows as consecutive runs.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from shrinkfit.graph.ir import Graph, Tensor
from shrinkfit.graph.simulate import Session, trace


def rows_of(arrays: Iterable[np.ndarray]) -> np.ndarray:
    """Arrays [n, ...] of any types -> int8 [n, all their bytes]."""
    parts = [np.ascontiguousarray(a).reshape(len(a), -1).view(np.int8) for a in arrays]
    return np.concatenate(parts, axis=1)


def input_rows(graph: Graph, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """int8 [n, bytes of all inputs]."""
    return rows_of(inputs[name] for name in graph.inputs)


def simulated(graph: Graph, inputs: dict[str, np.ndarray], keep: Iterable[str]) -> dict[str, np.ndarray]:
    """What the simulator gives.

    Args:
        graph: with or without state.
        inputs: name -> [n, ...].
        keep: names of tensors and of variables; a variable's values are those after each run.
    Returns:
        name -> [n, ...].
    """
    names = list(keep)
    tensors = [name for name in names if name in graph.tensors]
    if not graph.variables:
        return trace(graph, inputs, keep=tensors)
    session, found = Session(graph), {name: [] for name in names}
    for i in range(len(inputs[graph.inputs[0]])):
        step = session.step({name: values[i] for name, values in inputs.items()}, keep=tensors)
        for name in names:
            found[name].append(step[name] if name in step else session.state[name].copy())
    return {name: np.array(values) for name, values in found.items()}


def difference(tensor: Tensor, got: np.ndarray, expected: np.ndarray) -> str:
    """Where the first of two unequal byte rows differ: an element, its value and the one expected; empty if nowhere.

    Args:
        tensor: gives the type.
        got, expected: int8 [bytes], one run's values.
    """
    dtype = np.dtype(tensor.dtype)
    places = np.flatnonzero(got != expected)
    if len(places) == 0:
        return ""
    element = int(places[0]) // dtype.itemsize
    shape = tensor.shape[1:] if tensor.shape[0] == 1 else tensor.shape
    index = [int(i) for i in np.unravel_index(element, shape)] if shape else []
    values = (np.ascontiguousarray(row).view(dtype)[element] for row in (got, expected))
    return "'{}' at {}: {}, expected {}".format(tensor.name, index, *values)


def split_rows(rows: np.ndarray, tensors: Iterable[Tensor]) -> list[np.ndarray]:
    """int8 [n, all bytes] -> one array [n, *shape without batch] per tensor."""
    arrays = []
    for tensor in tensors:
        part, rows = rows[:, : tensor.size_bytes], rows[:, tensor.size_bytes :]
        arrays.append(np.ascontiguousarray(part).view(tensor.dtype).reshape(len(part), *tensor.shape[1:]))
    return arrays
