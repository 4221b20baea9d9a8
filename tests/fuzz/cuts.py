# SPDX-License-Identifier: Apache-2.0
"""A graph in, the same with some of its layers in stripes of rows out: what ram="smallest" may make of it."""

from __future__ import annotations

from itertools import product

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.rows import Cut, are_local, can_cut, loads
from shrinkfit.graph.stripes import striped

# Operators in a region, at most.
LONGEST = 6


def cuts(graph: ir.Graph) -> list[Cut]:
    """All cuts of up to LONGEST operators."""
    found = []
    for first in range(len(graph.ops)):
        for last in range(first, min(first + LONGEST, len(graph.ops))):
            if not are_local(graph, first, last):
                break
            if can_cut(graph, first, last):
                height = graph.op_outputs(graph.ops[last])[0].shape[1]
                ways = ((False, False), (True, False), (True, True))
                made = (Cut(first, last, rows, *way) for rows, way in product(range(1, height), ways))
                found += [cut for cut in made if loads(graph, cut)]
    return found


def drawn_cut(graph: ir.Graph, seed: int) -> ir.Graph | None:
    """The graph cut at random, long regions rather than short ones; None where nothing can be cut."""
    found, rng = sorted(cuts(graph), key=lambda cut: cut.first - cut.last), np.random.default_rng(seed)
    if not found:
        return None
    return striped(graph, found[int(len(found) * rng.uniform() ** 2)])
