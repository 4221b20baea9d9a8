# SPDX-License-Identifier: Apache-2.0
"""What every packer gives: the constants of one C call."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Packed:
    """The constants of one call.

    Args:
        params: the C type of its struct.
        arrays: name -> array, flat or [rows, row].
        fields: the struct's fields in their order: int, float, the name of an array, or a dict for a struct inside.
    """

    params: str
    arrays: dict[str, np.ndarray]
    fields: dict[str, int | float | str | dict]

    def has_arrays_of(self, other: Packed) -> bool:
        """Whether the other call's arrays can take the place of its own."""
        same = self.params == other.params and self.arrays.keys() == other.arrays.keys()
        return same and all(np.array_equal(array, other.arrays[name]) for name, array in self.arrays.items())
