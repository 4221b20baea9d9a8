# SPDX-License-Identifier: Apache-2.0
"""What every packer gives: the constants of one C call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from shrinkfit.graph import ir

# What stands in one field of a struct: a number, the name of an array, or the fields of a struct inside.
Field: TypeAlias = "int | float | str | Mapping[str, Field]"
Fields: TypeAlias = dict[str, Field]
Tensors: TypeAlias = tuple[ir.Tensor, ...]


@dataclass(frozen=True)
class Packed:
    """The constants of one call.

    Args:
        params: the C type of its struct.
        arrays: name -> array, flat or [rows, row].
        fields: the struct's fields in their order.
    """

    params: str
    arrays: dict[str, np.ndarray]
    fields: Mapping[str, Field]

    def has_arrays_of(self, other: Packed) -> bool:
        """Whether the other call's arrays can take the place of its own."""
        same = self.params == other.params and self.arrays.keys() == other.arrays.keys()
        return same and all(np.array_equal(array, other.arrays[name]) for name, array in self.arrays.items())
