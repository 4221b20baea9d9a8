# SPDX-License-Identifier: Apache-2.0
"""Counts go in; how far the truth may be from them comes out."""

from __future__ import annotations

import math
from statistics import NormalDist

CONFIDENCE = 0.95


def poisson_upper(seen: int, confidence: float = CONFIDENCE) -> float:
    """The mean count below which the truth lies with that confidence when `seen` events were counted.

    The exact bound of Garwood (1936): the mean at which `seen` or fewer have the probability 1 - confidence. For none
    seen it is -ln(0.05) = 3.00, the "rule of three".
    """

    def at_most_seen(mean: float) -> float:
        terms = (k * math.log(mean) - math.lgamma(k + 1) - mean for k in range(seen + 1))
        return math.fsum(map(math.exp, terms))

    low, high = 1e-9, 10.0 + 3 * seen
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if at_most_seen(middle) > 1 - confidence else (low, middle)
    return high


def wilson_interval(seen: int, of: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The interval of a share (Wilson 1927): holds for few and for none, too."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, weight = seen / of, z * z / of
    middle = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / of + weight / (4 * of)) / (1 + weight)
    return max(0.0, middle - half), min(1.0, middle + half)
