# SPDX-License-Identifier: Apache-2.0
"""3 x 3 convolutions by tiles: how often their C passes each place, from shapes alone; see cycles_weighted."""

from __future__ import annotations

from collections.abc import Callable

from shrinkfit.graph import ir
from shrinkfit.graph.base import OpOfKind
from shrinkfit.price.cycles_windows import Counts, Window, gathered_rows
from shrinkfit.price.kernels_3x3 import RUNS, Tiles


def _gathered(op: ir.Conv2D, graph: ir.Graph, tiles: Tiles) -> Counts:
    """The 4 x 6 inputs of two tiles that are copied: they reach over an edge, or channels are no whole words."""
    w = Window(op, graph)
    w.kernel, w.stride, w.out = (4, 6), (2, 4), [tiles.rows, tiles.blocks]
    rows, columns = w.inside(0), w.inside(1)
    counts = gathered_rows(w, rows, w.lefts())
    if w.channels % 4:
        whole = rows.count(4) * columns.count(6)
        more = {"edge_windows": 1, "edge_rows": 4, "edge_copies": 4, "edge_words": 4 * -(-6 * w.channels // 4)}
        counts = {name: counts[name] + whole * more[name] for name in counts}
    return counts


def conv2d_3x3_dsp(op: ir.Conv2D, graph: ir.Graph) -> Counts:
    """sf_conv2d_3x3_s8_dsp: two tiles by four output channels at a time, sixteen runs over the input channels."""
    target = graph.tensors[op.outputs[0]]
    tiles, (_, height, width, channels) = Tiles.of(op, target.shape), target.shape
    blocks = tiles.rows * tiles.blocks
    groups, words = blocks * tiles.groups, -(-op.kernel.shape[3] // 4)
    is_clamped = (op.activation_min, op.activation_max) != (ir.INT8_MIN, ir.INT8_MAX)
    rests = height * width * int(channels % 4 > 0)
    return _gathered(op, graph, tiles) | {
        "call": 1,
        "tile_rows": tiles.rows,
        "blocks": blocks,
        "transformed_words": blocks * words,
        "groups": groups,
        "signed_groups": groups * int(target.zero_point != ir.INT8_MIN),
        "turns": groups * RUNS * -(-tiles.steps // 8),
        "steps": groups * RUNS * tiles.steps,
        "put_words": height * width * (channels // 4),
        "put_rests": rests,
        "put_rest_bytes": rests * (channels % 4),
        "clamped_bytes": height * width * channels * is_clamped,
    }


COUNTS: dict[str, Callable[[OpOfKind, ir.Graph], Counts]] = {"sf_conv2d_3x3_s8_dsp": conv2d_3x3_dsp}
