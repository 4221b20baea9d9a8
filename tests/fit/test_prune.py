# SPDX-License-Identifier: Apache-2.0
"""Narrowing: least worth per saved share first, limits met, records true."""

import numpy as np
import pytest

from shrinkfit.fit.channels import Group
from shrinkfit.fit.prune import narrow, over, select

GROUPS = (Group("a", np.arange(0, 16)), Group("b", np.arange(16, 32)))
FULL = (16, 16)


def cost_of(widths):
    """Group b is four times as dear as a; RAM stands at b only."""
    return {"flops": 100 * widths[0] + 400 * widths[1], "ram_bytes": 10 * widths[1], "flash_bytes": 7}


def run(limits, worth=None, **settings):
    worth = np.ones(32) if worth is None else worth
    return narrow(GROUPS, FULL, worth, limits, cost_of, **({"minimum": 2, "multiple": 1} | settings))


def test_limits_hold_and_the_dear_group_goes_first():
    widths, records = run({"flops": 6000, "ram_bytes": 1000})
    assert not over(cost_of(widths), {"flops": 6000})
    assert widths[0] == 16 and widths[1] < 16
    assert [(r.group, r.before, r.after) for r in records] == [("b", 16, widths[1])]


def test_worthless_channels_go_before_dear_ones():
    worth = np.concatenate((np.full(16, 1e-6), np.full(16, 100.0)))
    assert run({"flops": 7500}, worth)[0] == (11, 16)


def test_ram_narrows_only_where_the_peak_is():
    widths, records = run({"ram_bytes": 100})
    assert widths == (16, 10) and records[0].resource == "ram_bytes" and records[0].saved["ram_bytes"] == 60


@pytest.mark.parametrize(("minimum", "multiple", "least"), [(1, 1, 1), (3, 1, 3), (4, 4, 4)])
def test_nothing_gets_narrower_than_the_minimum(minimum, multiple, least):
    assert run({"flops": 1}, minimum=minimum, multiple=multiple)[0] == (least, least)


def test_wide_groups_keep_a_multiple():
    assert all(width % 4 == 0 for width in run({"flops": 4100}, multiple=4)[0])


def test_what_the_last_step_left_over_is_given_back():
    """Worthless a goes first, but one step of b overshoots: a gets back what fits."""
    worth = np.concatenate((np.full(16, 1.0), np.full(16, 100.0)))
    widths, records = run({"flops": 7000}, worth, minimum=8)
    assert widths == (10, 15) and cost_of(widths)["flops"] == 7000
    saved = [(r.group, r.before, r.after, r.saved["flops"]) for r in records]
    assert saved == [("a", 16, 10, 600), ("b", 16, 15, 400)]


def test_select_keeps_the_most_important_of_those_alive():
    alive = np.ones(32, bool)
    alive[15] = False
    worth = np.arange(32.0)
    kept = select(GROUPS, (3, 16), worth, alive)
    assert np.flatnonzero(kept[:16]).tolist() == [12, 13, 14] and kept[16:].all()


def test_a_layer_is_dearer_the_less_of_it_is_left():
    """Group b is worth a little less, but not so little that one step may leave it with hardly any channels."""
    worth = np.concatenate((np.full(16, 1.0), np.full(16, 0.8)))
    even = narrow(GROUPS, FULL, worth, {"flops": 1600}, lambda w: {"flops": 100 * sum(w)}, minimum=1, multiple=1)[0]
    assert sum(even) == 16 and min(even) >= 6
