# SPDX-License-Identifier: Apache-2.0
"""Windows that slide over a plane: how often the C's loops that copy and widen them (sf_widen.h) pass each place."""

from __future__ import annotations

from collections import Counter
from itertools import product
from math import prod

from shrinkfit.graph import ir

Counts = dict[str, int]


class Window:
    """Sizes of a window that slides over a plane, and how much of it lies on the plane at each position."""

    def __init__(self, op: ir.Windowed | ir.Pool2D, graph: ir.Graph) -> None:
        (_, *self.size, self.channels) = graph.tensors[op.inputs[0]].shape
        (_, *self.out, self.out_channels) = graph.tensors[op.outputs[0]].shape
        self.kernel, self.stride, self.dilation = op.window, op.stride, getattr(op, "dilation", (1, 1))
        self.before = (op.padding.top, op.padding.left)
        self.pixels, self.taps = prod(self.out), prod(self.kernel)

    def inside(self, axis: int) -> list[int]:
        """For each output position along an axis: how many taps lie on the input."""
        size, kernel, dilation = self.size[axis], self.kernel[axis], self.dilation[axis]
        starts = (i * self.stride[axis] - self.before[axis] for i in range(self.out[axis]))
        return [max(0, min(kernel, (size - 1 - n) // dilation + 1) - max(0, -(n // dilation))) for n in starts]

    def lefts(self) -> list[int]:
        """For each output column: the input column of its first tap."""
        return [i * self.stride[1] - self.before[1] for i in range(self.out[1])]

    @property
    def has_whole_rows(self) -> bool:
        """Whether a row of taps is a run of pixels."""
        return self.kernel[1] == 1 or self.dilation[1] == 1

    @property
    def lies_in_a_row(self) -> bool:
        """As the function of that name in sf_widen.h."""
        return self.has_whole_rows and (
            self.kernel[0] == 1 or (self.kernel[1] == self.size[1] and self.dilation[0] == 1)
        )

    @property
    def widens_directly(self) -> bool:
        """As the function of that name in sf_widen.h."""
        return self.lies_in_a_row or (self.has_whole_rows and self.kernel[1] * self.channels % 4 == 0)


def gathered_taps(w: Window, rows: list[int], columns: list[int]) -> Counts:
    """Windows copied tap by tap, over the output rows and columns given by their taps inside."""
    on = sum(rows) * sum(columns)
    windows, pieces = len(rows) * len(columns), {"copied": on, "filled": len(rows) * len(columns) * w.taps - on}
    counts = {"gathered": windows, "gathered_rows": windows * w.kernel[0]}
    for what, count in pieces.items():
        places = {"": 1, "_words": w.channels // 4, "_tails": int(w.channels % 4 > 0), "_tail_bytes": w.channels % 4}
        counts |= {what + place: count * times for place, times in places.items()}
    return counts


def gathered_rows(w: Window, rows: list[int], columns: list[int]) -> Counts:
    """Windows that reach over an edge, copied row by row; columns: their first taps, as `left` in sf_widen.h."""
    (height, width), channels = w.kernel, w.channels
    counts = {"edge_windows": 0, "edge_rows": 0, "edge_copies": 0, "edge_words": 0}
    for (inside, left), windows in Counter(product(rows, columns)).items():
        before = max(0, min(-left, width))
        there = max(min(width, w.size[1] - left) - before, 0)
        if inside == height and there == width:
            continue
        copies = inside if there else 0
        parts = (before, there, width - before - there)
        words = copies * sum(whole_words(n * channels) for n in parts) + (height - copies) * whole_words(
            width * channels
        )
        made = {"edge_windows": 1, "edge_rows": height, "edge_copies": copies, "edge_words": words}
        counts = {name: counts[name] + windows * made[name] for name in counts}
    return counts


def whole_words(n: int) -> int:
    """Words that so many bytes begin."""
    return -(-n // 4)


def added(*parts: Counts) -> Counts:
    """The sum of counts, place by place."""
    return {name: sum(part.get(name, 0) for part in parts) for name in {n: None for part in parts for n in part}}


def widen(calls: int, size: int) -> Counts:
    """sf_widen.h's widen, of size bytes each time."""
    places = {"": 1, "_sixteens": size // 16, "_fours": size % 16 // 4, "_tails": int(size % 4 > 0)}
    return {f"widened{place}": calls * times for place, times in places.items()} | {
        "widened_tail_bytes": calls * (size % 4)
    }


def windows_at(w: Window, rows: slice, columns: slice) -> Counts:
    """sf_widen_window for the windows of these rows and columns of the output."""
    inside, lefts = w.inside(0)[rows], w.lefts()[columns]
    on = w.inside(1)[columns]
    whole = inside.count(w.kernel[0]) * on.count(w.kernel[1])
    windows, row = len(inside) * len(on), w.kernel[1] * w.channels
    full = whole_words(w.taps * w.channels) * 4
    if not w.has_whole_rows:
        return added(gathered_taps(w, inside, on), widen(windows, full), {"windows": windows})
    edges = added(gathered_rows(w, inside, lefts), widen(windows - whole, full), {"windows": windows})
    if w.widens_directly:
        pieces, size = (1, w.kernel[0] * row) if w.lies_in_a_row else (w.kernel[0], row)
        return added(edges, widen(whole * pieces, size))
    copied = {"rows_windows": whole, "rows": whole * w.kernel[0], "rows_words": whole * w.kernel[0] * whole_words(row)}
    return added(edges, copied, widen(whole, full))


def window_pairs(w: Window) -> Counts:
    """Two windows at a time; an odd last one is done twice."""
    pairs = {"pixel_pairs": -(-w.pixels // 2)}
    if w.kernel == (1, 1) and w.stride == (1, 1) and w.before == (0, 0) and w.out == w.size:
        return pairs | {"line_pairs": pairs["pixel_pairs"]} | widen(2 * pairs["pixel_pairs"], w.channels)
    last = [windows_at(w, slice(-1, None), slice(-1, None))] if w.pixels % 2 else []
    return added(pairs, windows_at(w, slice(None), slice(None)), *last)
