# SPDX-License-Identifier: Apache-2.0
"""What one inference may cost."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass, fields
from typing import Any

from shrinkfit.errors import BudgetError


def positive(value: Any, what: str, unit: str, *, whole: bool) -> int | float:
    """The value as a plain int or float.

    Raises:
        BudgetError: it is no number, not finite, not above zero, or not whole where that is asked for.
    """
    kind = f"a positive whole number of {unit}" if whole else f"a positive number of {unit}"
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value <= 0 or (whole and value != int(value)):
        raise BudgetError(f"{what} is {value!r}, expected {kind}")
    return int(value) if whole else float(value)


@dataclass(frozen=True)
class Budget:
    """Limits for one inference; None means that there is no limit.

    Args:
        ram_bytes: arena, static data and stack.
        flash_bytes: code, constant tables and weights.
        flops: floating point operations of the model as trained, 2 x MACs.

    Raises:
        BudgetError: a limit is not positive.
    """

    ram_bytes: int | None = None
    flash_bytes: int | None = None
    flops: int | None = None

    def __post_init__(self) -> None:
        for name, unit in (("ram_bytes", "bytes"), ("flash_bytes", "bytes"), ("flops", "FLOPs per inference")):
            value = getattr(self, name)
            if value is not None:
                # Bytes are whole; a FLOP limit such as 2e6 / 3 is rounded down.
                value = positive(value, f"budget {name}", unit, whole=name != "flops")
                object.__setattr__(self, name, max(1, int(value)))

    def limits(self) -> dict[str, int]:
        """The limits that are set, by name."""
        pairs = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in pairs if value is not None}
