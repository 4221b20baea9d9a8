# SPDX-License-Identifier: Apache-2.0
"""Epoch in, that epoch's limits and phase out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from shrinkfit.errors import BudgetError
from shrinkfit.fit.forward import FLOAT, FROZEN, QUANTIZED
from shrinkfit.fit.prune import Costs, Limits
from shrinkfit.fit.tfmot import polynomial_decay


@dataclass(frozen=True)
class Schedule:
    """When limits tighten and arithmetic changes.

    Args:
        epochs: of the whole training.
        prune_epochs: (begin, end) as shares of the epochs.
        quantize_from, freeze_from: shares of the epochs; quantize_from None leaves all epochs float.
    """

    epochs: int
    prune_epochs: tuple[float, float]
    quantize_from: float | None
    freeze_from: float

    @property
    def prune_end(self) -> int:
        """The first epoch in which the whole budget holds."""
        end = int(self.prune_epochs[1] * self.epochs)
        # Of two epochs the first is to tell which channels matter.
        return max(end, 1) if self.epochs > 1 and self.prune_epochs[1] > 0 else end

    @property
    def settled(self) -> int:
        """The first epoch whose results can be compared with all later ones: the budget holds, in int8 arithmetic."""
        quantized = 0 if self.quantize_from is None else int(self.quantize_from * self.epochs)
        return max(self.prune_end, quantized)

    @property
    def prune_begin(self) -> int:
        """The epoch from which the limits tighten."""
        return int(self.prune_epochs[0] * self.epochs)

    @property
    def last_change(self) -> int:
        """The epoch from which the arithmetic stays as it is: what is to settle by then ends here."""
        return min(int(self.freeze_from * self.epochs), self.epochs - 1)

    def limits_at(self, epoch: int, first: Costs, final: Limits) -> Limits:
        """This epoch's limits: tfmot's sparsity schedule, read as the share of each cost that has to be gone.

        Args:
            epoch: counted from 0.
            first: the costs before anything was pruned.
            final: the budget.
        """
        begin, end = self.prune_begin, self.prune_end
        limits = {}
        for resource, limit in final.items():
            share = polynomial_decay(max(0.0, 1 - limit / first[resource]), begin, end, epoch)
            reached = epoch >= end or first[resource] <= limit
            limits[resource] = float(limit) if reached else max(first[resource] * (1 - share), limit)
        return limits

    def phase_at(self, epoch: int) -> str:
        """The phase of an epoch, one of forward.py's."""
        if self.quantize_from is None or epoch < int(self.quantize_from * self.epochs):
            return FLOAT
        return QUANTIZED if epoch < int(self.freeze_from * self.epochs) else FROZEN


def at_least_one(value: int, what: str) -> int:
    """The value of a setting that counts something.

    Raises:
        BudgetError: it is no whole number of at least 1; `what` names it.
    """
    if not _is_number(value) or value < 1 or value % 1:
        raise BudgetError(f"{what} is {value!r}, expected a whole number of at least 1")
    return int(value)


def share(value: float, what: str) -> float:
    """The value of a setting that is a share of the epochs.

    Raises:
        BudgetError: it is not between 0 and 1; `what` names it.
    """
    if not _is_number(value) or not 0 <= value <= 1:
        raise BudgetError(f"{what} is {value!r}, expected a share of the epochs between 0 and 1")
    return float(value)


def window(value: tuple[float, float], what: str) -> tuple[float, float]:
    """The value of a setting that is a stretch of the epochs, (begin, end) as shares.

    Raises:
        BudgetError: it is no pair, one of them is no share, or it ends before it begins; `what` names it.
    """
    if not isinstance(value, (Sequence, np.ndarray)) or isinstance(value, str) or len(value) != 2:
        raise BudgetError(f"{what} is {value!r}, expected (begin, end) as shares of the epochs, such as (0.1, 0.35)")
    begin, end = (share(v, what) for v in value)
    if begin > end:
        raise BudgetError(f"{what} is {value!r}, expected (begin, end) with begin <= end")
    return begin, end


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
