# SPDX-License-Identifier: Apache-2.0
"""Layers that run on the kernels in little code (sf_fours.h): how often these pass each place, from shapes."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from shrinkfit.graph import ir
from shrinkfit.graph.base import OpOfKind
from shrinkfit.price.cycles_windows import Counts, Window, gathered_taps


def _rows(vectors: int, inputs: int, outputs: int) -> Counts:
    """Four outputs at a time of so many input vectors."""
    blocks = vectors * -(-outputs // 4)
    tails = {"block_tails": blocks * int(inputs % 4 > 0), "block_tail_bytes": blocks * (inputs % 4)}
    return {"call": 1, "vectors": vectors, "blocks": blocks, "block_words": blocks * (inputs // 4)} | tails


def conv2d_compact(op: ir.Conv2D, graph: ir.Graph) -> Counts:
    """sf_conv2d_compact_s8_dsp: every window is copied."""
    w = Window(op, graph)
    gathered = gathered_taps(w, w.inside(0), w.inside(1))
    return gathered | _rows(w.pixels, w.taps * w.channels, w.out_channels) | {"out_rows": w.out[0]}


def dense_fours(op: ir.Dense, graph: ir.Graph) -> Counts:
    """sf_dense_s8_dsp."""
    return _rows(prod(graph.tensors[op.inputs[0]].shape[:-1]), op.kernel.shape[1], op.channels)


COUNTS: dict[str, Callable[[OpOfKind, ir.Graph], Counts]] = {
    "sf_conv2d_compact_s8_dsp": conv2d_compact,
    "sf_dense_s8_dsp": dense_fours,
}
