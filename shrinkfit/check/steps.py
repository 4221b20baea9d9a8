# SPDX-License-Identifier: Apache-2.0
"""A graph and arrays by input in, rows of bytes as the C's programs exchange them out; and where two differ.

A row holds all inputs of one run one after the other, or all its outputs, in the graph's order. A graph with
state sees the rows as consecutive runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from shrinkfit.errors import CheckError, CheckUsageError
from shrinkfit.graph.inputs import graph_inputs, rows_of
from shrinkfit.graph.ir import Graph, Tensor


def given_inputs(graph: Graph, given: Any) -> dict[str, np.ndarray]:
    """`graph_inputs` of what a user asks to check with.

    Raises:
        CheckUsageError: it does not fit the model; nothing has failed, nothing ran.
    """
    try:
        return graph_inputs(graph, given)
    except CheckError as error:
        raise CheckUsageError(str(error)) from error


def input_rows(graph: Graph, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """int8 [n, bytes of all inputs]."""
    return rows_of(inputs[name] for name in graph.inputs)


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
