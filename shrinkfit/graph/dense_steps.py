# SPDX-License-Identifier: Apache-2.0
"""A dense layer before and after a rewrite in; whether its integer requantization still gives the same outputs out.

`dense_multipliers` looks for multipliers that fit the sums that a channel can reach. A smaller kernel or a narrower
clamp reaches fewer, and another multiplier may be found.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.intervals import accumulator_ends, anything
from shrinkfit.graph.multipliers import dense_multipliers


def same_steps(old: ir.Dense, new: ir.Dense, kept: np.ndarray, source: ir.Tensor, target: ir.Tensor) -> bool:
    """Do both layers turn equal sums into equal outputs, within what the new one reaches?

    Args:
        old, new: the layer before and after; `new` has the channels `kept` of `old`.
        kept: bool [old's channels].
        source: the tensor that the new layer reads (the old one's has the same scale and zero_point).
        target: the tensor that it writes.
    """
    old_source = replace(source, shape=(1, old.kernel.shape[1]))
    before = np.stack(dense_multipliers(old, old_source, target))[:, kept]
    after = np.stack(dense_multipliers(new, source, target))
    ends = accumulator_ends(new, source, anything(source))
    outputs = range(new.activation_min + 1 - target.zero_point, new.activation_max + 1 - target.zero_point)
    return all(
        _first_sums(before[:, c], outputs, ends[:, c]) == _first_sums(after[:, c], outputs, ends[:, c])
        for c in np.flatnonzero((before != after).any(axis=0))
    )


def _first_sums(pair: np.ndarray, outputs: range, ends: np.ndarray) -> list[int]:
    """The least sum in [low, high + 1] that single rounding turns into at least each output; Python integers.

    Args:
        pair: multiplier and shift, int64 [2].
        outputs: in steps, without the zero_point.
        ends: low and high, int64 [2].
    """
    multiplier, shift = pair.tolist()
    low, high = ends.tolist()
    total = 31 - shift
    half = 1 << (total - 1)
    if multiplier == 0:
        return [low if output <= 0 else high + 1 for output in outputs]
    return [min(max(-((half - (output << total)) // multiplier), low), high + 1) for output in outputs]
