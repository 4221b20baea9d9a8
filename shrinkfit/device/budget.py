# SPDX-License-Identifier: Apache-2.0
"""What one inference may cost."""

from __future__ import annotations

import math
import numbers
import re
from dataclasses import dataclass
from typing import Any

from shrinkfit.errors import BudgetError

# What a model costs and a budget can bound, in the order in which tables show it. One limit each is a field of
# Budget, one cost each of price.cost.Cost.
RESOURCES = ("ram_bytes", "flash_bytes", "flops", "latency_ms", "energy_uj")
UNITS = {
    "ram_bytes": "bytes",
    "flash_bytes": "bytes",
    "flops": "FLOPs per inference",
    "latency_ms": "milliseconds",
    "energy_uj": "microjoules",
}
# A limit: a number, or a share of what the device has, as text: "50%".
Limit = float | str


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


def share_of(value: str, what: str) -> float:
    """The share that text such as "50%" names, 0.5.

    Raises:
        BudgetError: no share above 0 % and up to 100 %.
    """
    number = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", value)
    share = float(number[1]) / 100 if number else 0.0
    if not 0 < share <= 1:
        raise BudgetError(f"{what} is {value!r}, expected a number or a share of the device such as '50%'")
    return share


@dataclass(frozen=True)
class Budget:
    """Limits for one inference; None means that there is no limit.

    Args:
        ram_bytes: arena, static data and stack.
        flash_bytes: code, constant tables and weights.
        flops: floating point operations of the model as trained, 2 x MACs.
        latency_ms: milliseconds at the device's clock, by the cycle model (price/cycles.py).
        energy_uj: microjoules that the running core takes in this time.

    Raises:
        BudgetError: a limit is not positive.
    """

    ram_bytes: int | None = None
    flash_bytes: int | None = None
    flops: float | None = None
    latency_ms: float | None = None
    energy_uj: float | None = None

    def __post_init__(self) -> None:
        for name in RESOURCES:
            value = getattr(self, name)
            if value is not None:
                # Bytes are whole; a FLOP limit such as 2e6 / 3 is rounded down.
                value = positive(value, f"budget {name}", UNITS[name], whole=name.endswith("_bytes"))
                value = max(1, int(value)) if name == "flops" else value
                object.__setattr__(self, name, value)

    def limits(self) -> dict[str, float]:
        """The limits that are set, by name."""
        pairs = ((name, getattr(self, name)) for name in RESOURCES)
        return {name: value for name, value in pairs if value is not None}
