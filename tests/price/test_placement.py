# SPDX-License-Identifier: Apache-2.0
"""The search for a plan, against all plans there are."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shrinkfit.price.placement import Problem, place


@st.composite
def problems(draw):
    """Four buffers of one to three bytes over four moments; one overlap at each moment in which one follows."""
    count = 4
    sizes = tuple(draw(st.integers(1, 3)) for _ in range(count))
    spans = tuple(tuple(sorted(draw(st.tuples(st.integers(0, 3), st.integers(0, 3))))) for _ in range(count))
    gaps, in_place = [], []
    for b in range(count):
        sources = [a for a in range(count) if a != b and spans[a][1] == spans[b][0] and spans[a][0] < spans[b][0]]
        if sources and spans[b][0] == spans[b][1] or len(sources) == 1:
            a = draw(st.sampled_from(sources))
            kind = draw(st.sampled_from(["none", "behind", "in place"]))
            gaps += [(a, b, draw(st.integers(0, sizes[b])))] if kind == "behind" else []
            in_place += [(a, b)] if kind == "in place" and a not in {x for x, _ in in_place} else []
    return Problem(sizes, spans, tuple(gaps), tuple(in_place))


def holds(problem: Problem, offsets):
    """Whether no two share a byte that may not; elementwise for arrays."""
    allowed = True
    close, same = {(a, b): gap for a, b, gap in problem.gaps}, set(problem.in_place)
    for i, j in combinations(range(len(problem.sizes)), 2):
        (first, last), (other_first, other_last) = problem.spans[i], problem.spans[j]
        if last < other_first or other_last < first:
            continue
        apart = (offsets[i] - offsets[j] >= close.get((i, j), problem.sizes[j])) | (
            offsets[j] - offsets[i] >= close.get((j, i), problem.sizes[i])
        )
        together = (offsets[i] == offsets[j]) & (((i, j) in same) | ((j, i) in same))
        allowed = allowed & (apart | together)
    return allowed


@settings(max_examples=150, deadline=None)
@given(problems())
def test_no_plan_is_smaller(problem):
    total = sum(problem.sizes)
    grid = np.array(list(product(range(total), repeat=len(problem.sizes)))).T
    peaks = np.max(grid + np.array(problem.sizes)[:, None], axis=0)
    smallest = int(peaks[holds(problem, grid)].min())
    offsets = place(problem)
    assert holds(problem, np.array(offsets))
    assert max(o + n for o, n in zip(offsets, problem.sizes, strict=True)) == smallest >= problem.bound


@pytest.mark.parametrize("count", [2, 9, 30])
def test_a_chain_that_writes_over_itself_needs_a_step_a_layer(count):
    gaps = tuple((i, i + 1, 1) for i in range(count - 1))
    spans = tuple((i, i + 1) for i in range(count))
    offsets = place(Problem((8,) * count, spans, gaps))
    assert max(offsets) + 8 <= max(9, min(8 + count - 1, 16))


def test_nothing_takes_nothing():
    assert place(Problem((), ())) == ()
