# SPDX-License-Identifier: Apache-2.0
"""A model's weights at the ends of epochs in, their mean out.

Stochastic weight averaging (Izmailov et al. 2018, arXiv:1803.05407): while the learning rate is not yet small, epochs
end all around a place that is better than each of theirs.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class WeightMean:
    """The mean of a model's weights, batch statistics too, over the epochs since it was last begun.

    Attributes:
        epochs: how many.
    """

    def __init__(self) -> None:
        self.epochs = 0
        self._sums: list[np.ndarray] = []

    def begin(self) -> None:
        """Forget all epochs."""
        self.epochs, self._sums = 0, []

    def add(self, model: Any) -> None:
        """Count its weights as they are."""
        weights = model.get_weights()
        if not self._sums:
            self._sums = [np.zeros(w.shape, np.float64) for w in weights]
        for total, weight in zip(self._sums, weights, strict=True):
            total += weight
        self.epochs += 1

    def put(self, model: Any) -> None:
        """Give the model the mean; integers, which count something, stay as they are."""
        if self.epochs:
            pairs = zip(self._sums, model.get_weights(), strict=True)
            model.set_weights([w if w.dtype.kind in "biu" else (s / self.epochs).astype(w.dtype) for s, w in pairs])

    def state(self) -> list[np.ndarray]:
        """All of it; `restore` takes it."""
        return [np.array(self.epochs), *self._sums]

    def restore(self, state: list[np.ndarray]) -> None:
        """Be as the one was whose `state` it is."""
        self.epochs, self._sums = int(state[0]), list(state[1:])
