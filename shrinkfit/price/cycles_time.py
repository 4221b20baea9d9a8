# SPDX-License-Identifier: Apache-2.0
"""How often each place in the loops of sf_time.c is passed."""

from __future__ import annotations

from collections.abc import Callable

from shrinkfit.graph import ir
from shrinkfit.graph.base import OpOfKind
from shrinkfit.price.kernels_time import mean_view

Counts = dict[str, int]


def window(op: ir.TimeWindow, graph: ir.Graph) -> Counts:
    """sf_time_window, whose moves take 16 bytes at a time, then words; the new rows as if they always had to move."""
    past, new = graph.variables[op.past].tensor.size_bytes, graph.tensors[op.inputs[0]].size_bytes
    sizes = (past, past, new)
    return {
        "call": 1,
        "lines": sum(size // 16 for size in sizes),
        "words": sum(size % 16 // 4 for size in sizes),
        "tails": sum(size % 4 > 0 for size in sizes),
    }


def mean(op: ir.TimeMean, graph: ir.Graph) -> Counts:
    """sf_time_mean_s8, sf_time_average_s8."""
    view = mean_view(op, graph)
    tiles = view["new_blocks"] * -(-view["channels"] // 4)
    kept = 2 * (view["blocks"] - view["new_blocks"]) * view["channels"]
    return {
        "call": 1,
        "blocks": view["new_blocks"],
        "tiles": tiles,
        "tile_pairs": tiles * (view["values"] // 2),
        "tile_singles": tiles * (view["values"] % 2),
        "outputs": view["channels"],
        "sums": view["channels"] * view["blocks"],
        "moved_lines": kept // 16,
        "moved_words": kept % 16 // 4,
    }


COUNTS: dict[str, Callable[[OpOfKind, ir.Graph], Counts]] = {
    "sf_time_window": window,
    "sf_time_mean_s8": mean,
    "sf_time_average_s8": mean,
}
