# SPDX-License-Identifier: Apache-2.0
"""Arithmetic on shapes in a .tflite file: all of it is known while reading, so no operator of the graph comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import ArrayLike

from shrinkfit.read import tflite_lookup
from shrinkfit.read.tflite import OperatorReader

# A shape has few elements; more would be a file that wants memory.
MAX_ELEMENTS = 64
INTEGERS = ("INT32", "INT64")


def keep(at: OperatorReader, values: ArrayLike) -> None:
    """Remember what the operator's output holds."""
    made = np.asarray(values, np.int64)
    if len(at.operator.outputs) != 1 or made.size > MAX_ELEMENTS:
        raise at.refuse(f"computes {made.size} integers; shrinkfit folds only shapes, so use a fixed shape")
    at.subgraph.known[at.operator.outputs[0]] = made


def all_known(at: OperatorReader, positions: Sequence[int]) -> list[np.ndarray] | None:
    """The values of the inputs where they are integers known while reading, else None."""
    if any(at.file_tensor(i).type not in INTEGERS for i in positions):
        return None
    found = [values for i in positions if (values := at.known_numbers(i)) is not None]
    return found if len(found) == len(positions) else None


def _needed(at: OperatorReader, positions: Sequence[int]) -> list[np.ndarray]:
    found = all_known(at, positions)
    if found is None:
        names = ", ".join(f"'{at.file_tensor(i).name}'" for i in positions)
        raise at.refuse(f"reads {names}; shrinkfit only folds it over shapes that are known, so use a fixed shape")
    return found


def _shape(at: OperatorReader) -> None:
    tensor = at.file_tensor(0)
    made = at.subgraph.tensors.get(tensor.name)
    keep(at, tensor.shape if made is None else made.shape)


def _pack(at: OperatorReader) -> None:
    parts = _needed(at, range(len(at.operator.inputs)))
    if sum(part.size for part in parts) > MAX_ELEMENTS:
        raise at.refuse("packs more than a shape; shrinkfit only folds shapes, so use a fixed shape")
    keep(at, np.stack(parts, axis=int(at.option("axis"))))


def fold_concat(at: OperatorReader) -> bool:
    """Join known integers; False where it is a concatenation of activations."""
    parts = all_known(at, range(len(at.operator.inputs)))
    if parts is None or sum(part.size for part in parts) > MAX_ELEMENTS:
        return False
    keep(at, np.concatenate(parts, axis=int(at.option("axis"))))
    return True


def fold_arithmetic(at: OperatorReader) -> bool:
    """Multiply known integers; False where it is a product of activations."""
    found = all_known(at, (0, 1))
    if found is None or prod(part.size for part in found) > MAX_ELEMENTS:
        return False
    keep(at, found[0] * found[1])
    return True


def _cast(at: OperatorReader) -> None:
    if not tflite_lookup.widened(at):
        keep(at, _needed(at, (0,))[0])


def _reduce_prod(at: OperatorReader) -> None:
    values, axes = _needed(at, (0, 1))
    reduced = tuple(at.axis(int(a), max(values.ndim, 1)) for a in axes.ravel())
    keep(at, values.prod(axis=reduced, keepdims=bool(at.option("keepDims"))))


def _gather(at: OperatorReader) -> None:
    if tflite_lookup.looked_up(at):
        return
    values, indices = _needed(at, (0, 1))
    if indices.size > MAX_ELEMENTS:
        raise at.refuse("gathers more than a shape; shrinkfit only folds shapes, so use a fixed shape")
    keep(at, np.take(values, indices, axis=int(at.option("axis"))))


READERS = {"SHAPE": _shape, "PACK": _pack, "CAST": _cast, "REDUCE_PROD": _reduce_prod, "GATHER": _gather}
