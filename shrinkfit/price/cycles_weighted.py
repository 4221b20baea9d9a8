# SPDX-License-Identifier: Apache-2.0
"""Operators with kernels, and pools: how often their C passes each place, from shapes alone.

Each function here is the twin of one C kernel's loops and gives one count per place that costs cycles; a constant
1 stands for the call. benchmarks/cycle_costs.py fits the cycles of each. Weights and activations are taken as
`plain` (sf_output_stage): a graph made from shapes alone has no ranges yet that could say otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import product
from math import prod

from shrinkfit.graph import ir
from shrinkfit.price.kernels_sparse import kernel_rows, pairs_of_blocks
from shrinkfit.price.strips import ROW, PlaneShape, Strips, strips

Counts = dict[str, int]
# Exponentials of a row that are computed once, as KEPT in sf_softmax.c.
SOFTMAX_KEPT = 16


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
        words = copies * sum(_words(n * channels) for n in parts) + (height - copies) * _words(width * channels)
        made = {"edge_windows": 1, "edge_rows": height, "edge_copies": copies, "edge_words": words}
        counts = {name: counts[name] + windows * made[name] for name in counts}
    return counts


def _words(n: int) -> int:
    return -(-n // 4)


def _add(*parts: Counts) -> Counts:
    return {name: sum(part.get(name, 0) for part in parts) for name in {n: None for part in parts for n in part}}


def _widen(calls: int, size: int) -> Counts:
    """sf_widen.h's widen, of size bytes each time."""
    places = {"": 1, "_sixteens": size // 16, "_fours": size % 16 // 4, "_tails": int(size % 4 > 0)}
    return {f"widened{place}": calls * times for place, times in places.items()} | {
        "widened_tail_bytes": calls * (size % 4)
    }


def _windows(w: Window, rows: slice, columns: slice) -> Counts:
    """sf_widen_window for the windows of these rows and columns of the output."""
    inside, lefts = w.inside(0)[rows], w.lefts()[columns]
    on = w.inside(1)[columns]
    whole = inside.count(w.kernel[0]) * on.count(w.kernel[1])
    windows, row = len(inside) * len(on), w.kernel[1] * w.channels
    full = _words(w.taps * w.channels) * 4
    if not w.has_whole_rows:
        return _add(gathered_taps(w, inside, on), _widen(windows, full), {"windows": windows})
    edges = _add(gathered_rows(w, inside, lefts), _widen(windows - whole, full), {"windows": windows})
    if w.widens_directly:
        pieces, size = (1, w.kernel[0] * row) if w.lies_in_a_row else (w.kernel[0], row)
        return _add(edges, _widen(whole * pieces, size))
    copied = {"rows_windows": whole, "rows": whole * w.kernel[0], "rows_words": whole * w.kernel[0] * _words(row)}
    return _add(edges, copied, _widen(whole, full))


def _window_pairs(w: Window) -> Counts:
    """Two windows at a time; an odd last one is done twice."""
    pairs = {"pixel_pairs": -(-w.pixels // 2)}
    if w.kernel == (1, 1) and w.stride == (1, 1) and w.before == (0, 0) and w.out == w.size:
        return pairs | {"line_pairs": pairs["pixel_pairs"]} | _widen(2 * pairs["pixel_pairs"], w.channels)
    last = [_windows(w, slice(-1, None), slice(-1, None))] if w.pixels % 2 else []
    return _add(pairs, _windows(w, slice(None), slice(None)), *last)


def _blocks(w: Window) -> Counts:
    """Two pixels by two channels at a time; an odd last pixel or channel is done twice."""
    words, blocks = _words(w.taps * w.channels), -(-w.pixels // 2) * -(-w.out_channels // 2)
    return {"blocks": blocks, "block_word_pairs": blocks * (words // 2), "block_odd_words": blocks * (words % 2)}


def conv2d_dsp(op: ir.Conv2D, graph: ir.Graph) -> Counts:
    """sf_conv2d_s8_dsp."""
    w = Window(op, graph)
    return {"call": 1} | _window_pairs(w) | _blocks(w)


def conv2d_pairs_dsp(op: ir.Conv2D, graph: ir.Graph) -> Counts:
    """sf_conv2d_pairs_s8_dsp: two pixels by four channels at a time, in turns of sixteen pairs of taps."""
    w, target = Window(op, graph), graph.tensors[op.outputs[0]]
    steps, pairs = -(-w.taps * w.channels // 4) * 2, -(-w.pixels // 2)
    rest = w.out_channels % 4
    fours, twos = pairs * (w.out_channels // 4 + int(rest == 3)), pairs * int(rest in (1, 2))
    is_signed = target.zero_point != ir.INT8_MIN
    is_clamped = (op.activation_min, op.activation_max) != (ir.INT8_MIN, ir.INT8_MAX)
    return _window_pairs(w) | {
        "call": 1,
        "calls_of_four": pairs * (int(w.out_channels >= 4) + int(rest == 3)),
        "fours": fours,
        "four_turns": fours * -(-steps // 16),
        "four_steps": fours * steps,
        "signed_fours": fours * is_signed,
        "twos": twos,
        "two_turns": twos * -(-steps // 8),
        "two_steps": twos * steps,
        "signed_twos": twos * is_signed,
        "rests": pairs * int(rest > 0),
        "rest_bytes": 2 * pairs * rest,
        "clamped_pixels": 2 * pairs * is_clamped,
        "clamped_bytes": 2 * pairs * w.out_channels * is_clamped,
    }


def grouped_conv2d_dsp(op: ir.Conv2D, graph: ir.Graph) -> Counts:
    """sf_grouped_conv2d_s8_dsp: group after group."""
    w = Window(op, graph)
    groups, w.channels = w.channels // op.kernel.shape[3], op.kernel.shape[3]
    w.out_channels //= groups
    rows, columns = w.inside(0), w.inside(1)
    last = [gathered_taps(w, rows[-1:], columns[-1:])] if w.pixels % 2 else []
    row, pairs = w.taps * w.channels, -(-w.pixels // 2)
    gathered = _add(gathered_taps(w, rows, columns), *last, _widen(2 * pairs, row), {"pixel_pairs": pairs})
    counts = _add(gathered, _blocks(w))
    return {"call": 1, "groups": groups} | {name: groups * count for name, count in counts.items()}


def conv2d(op: ir.Conv2D, graph: ir.Graph) -> Counts:
    """sf_conv2d_s8, sf_grouped_conv2d_s8: one output at a time."""
    w = Window(op, graph)
    channels = op.kernel.shape[3]
    on, outputs = sum(w.inside(0)) * sum(w.inside(1)) * w.out_channels, w.pixels * w.out_channels
    return {
        "call": 1,
        "rows": w.out[0],
        "pixels": w.pixels,
        "outputs": outputs,
        "kernel_rows": outputs * w.kernel[0],
        "taps": on,
        "padding_taps": outputs * w.taps - on,
        "macs": on * channels,
        "padding_macs": (outputs * w.taps - on) * channels,
    }


def transpose_conv2d(op: ir.TransposeConv2D, graph: ir.Graph) -> Counts:
    """sf_transpose_conv2d_s8: every output gathers the inputs that reach it."""
    (_, *size, channels) = graph.tensors[op.inputs[0]].shape
    axes = zip(op.output_size, (op.padding.top, op.padding.left), op.stride, op.window, size, strict=True)
    rows, columns = (sum(_reaching(n + cut, *axis) for n in range(out)) for out, cut, *axis in axes)
    height, width = op.output_size
    return {
        "call": 1,
        "rows": height,
        "pixels": height * width,
        "outputs": height * width * op.channels,
        "kernel_rows": rows * width * op.channels,
        "taps": rows * columns * op.channels,
        "macs": rows * columns * op.channels * channels,
    }


def _reaching(at: int, stride: int, kernel: int, size: int) -> int:
    """How many taps bring an input to the place `at` of the full output, as find_taps in sf_transpose_conv2d.c."""
    first = at % stride + max(0, at // stride - size + 1) * stride
    return max(0, -(-(min(at + 1, kernel) - first) // stride))


def depthwise_dsp(op: ir.DepthwiseConv2D, graph: ir.Graph) -> Counts:
    """sf_depthwise_s8_dsp: one channel's plane at a time, rows along the kernel's longer axis."""
    w = Window(op, graph)
    s = PlaneShape.of(op, graph.tensors[op.outputs[0]].shape)
    rows = min(w.size[s.across], s.height - w.before[s.across])
    columns = min(w.size[s.along], s.stride - w.before[s.along])
    planes, kernel_rows, out_rows = w.out_channels, w.kernel[s.across], w.out_channels * w.out[s.across]
    turns = out_rows * -(-w.out[s.along] // s.group)
    kind = "single" if s.group == 1 else "group"
    return {
        "call": 1,
        "plane": s.height * s.stride,
        "channels": w.channels,
        "plane_rows": w.channels * rows,
        "plane_values": w.channels * rows * columns,
        "planes": planes,
        "kernel_rows": planes * kernel_rows,
        "kernel_words": planes * kernel_rows * s.pairs,
        "rows": out_rows,
        "outputs": out_rows * w.out[s.along],
        f"{kind}s": turns,
        f"{kind}_rows": turns * kernel_rows,
        f"{kind}_words": turns * kernel_rows * s.pairs,
    }


def depthwise_3x3(op: ir.DepthwiseConv2D, graph: ir.Graph) -> Counts:
    """sf_depthwise_3x3_s8: band by band, for every two channels strip by strip."""
    (source,), (target,) = graph.op_inputs(op), graph.op_outputs(op)
    w, plan = Window(op, graph), strips(op, source.shape, target.shape)
    stride, row, pairs = op.stride[0], ROW[op.stride[1]], -(-w.channels // 2)
    runs, has_bands = w.out_channels * plan.count, plan.band_rows < w.out[0]
    place = "rows_stride_2" if stride == 2 else f"rows_{plan.outputs}"
    counts = Counter(call=1, filled=plan.buffers * ((plan.band_rows - 1) * stride + 3) * row)
    for y in range(0, w.out[0], plan.band_rows):
        band = min(plan.band_rows, w.out[0] - y)
        first, rows = y * stride - w.before[0], (band - 1) * stride + 3
        inside = max(0, min(rows, w.size[0] - first) - max(0, -first))
        counts += Counter({"bands": 1, "pairs": pairs, "strips": pairs * plan.count, "runs": runs, place: runs * band})
        counts += Counter(signed_rows=runs * band if target.zero_point > ir.INT8_MIN else 0)
        counts += Counter(filled=pairs * plan.count * (rows - inside) * row if has_bands else 0)
        for k in range(plan.count):
            for what, calls in _strip_widened(w, plan, k, row).items():
                counts += Counter({what: pairs * calls, f"{what}_rows": pairs * calls * inside})
        if w.out[1] < plan.outputs:
            counts += Counter(narrow_rows=runs * band, narrow_outputs=runs * band * w.out[1])
    return dict(counts)


def _strip_widened(w: Window, plan: Strips, k: int, row: int) -> Counter:
    """What widen_strip calls for the k-th strip, and how often."""
    starts = [0] + [w.out[1] - (plan.count - j) * plan.outputs for j in range(1, plan.count)]
    width, x, at, made = w.size[1], starts[k] * w.stride[1] - w.before[1], 0, Counter()
    end, is_pair = min(width - x, row) if plan.count == 1 else row, w.channels > 1
    if k and plan.buffers == 1:
        at = row - (starts[k] - starts[k - 1])
        made["kept" if at == 2 else "kept_words"] = 1 if at == 2 else -(-at // 2)
    elif plan.count == 1 and width == 6:
        at = w.before[1]
    elif x == -1 and width >= 5 and is_pair:
        made["edges"], at = 1, 6
    while at < end:
        if is_pair and x + at >= 0 and at + 6 <= end and x + at + 6 <= width:
            what, step = "sixes", 6
        else:
            what, step = ("singles", 1) if at % 2 or not is_pair else ("columns", 2)
        made[what] += 1
        at += step
    return made


def depthwise(op: ir.DepthwiseConv2D, graph: ir.Graph) -> Counts:
    """sf_depthwise_s8: one output at a time."""
    w = Window(op, graph)
    on, outputs = sum(w.inside(0)) * sum(w.inside(1)) * w.out_channels, w.pixels * w.out_channels
    return {
        "call": 1,
        "copied": w.channels * prod(w.size),
        "channels": w.out_channels,
        "rows": w.out_channels * w.out[0],
        "outputs": outputs,
        "kernel_rows": outputs * w.kernel[0],
        "taps": on,
        "padding_taps": outputs * w.taps - on,
    }


def dense_dsp(op: ir.Dense, graph: ir.Graph) -> Counts:
    """sf_dense_s8_dsp: four outputs at a time."""
    rows, (outputs, inputs) = prod(graph.tensors[op.inputs[0]].shape[:-1]), op.kernel.shape
    groups, tail = rows * -(-outputs // 4), inputs % 4
    return {
        "call": 1,
        "rows": rows,
        "groups": groups,
        "words": groups * (inputs // 4),
        "tails": groups * int(tail > 0),
        "tail_bytes": groups * tail,
    }


def dense_pairs_dsp(op: ir.Dense, graph: ir.Graph) -> Counts:
    """sf_dense_pairs_s8_dsp: eight outputs at a time, what is left two by two."""
    rows, (outputs, inputs) = prod(graph.tensors[op.inputs[0]].shape[:-1]), op.kernel.shape
    eights, pairs = rows * (outputs // 8), rows * -(-(outputs % 8) // 2)
    rest = -(-(inputs % 8) // 4) if inputs >= 4 else 1
    return {
        "call": 1,
        "rows": rows,
        "short_rows": rows * int(inputs < 4),
        "rows_of_eights": rows * int(outputs >= 8),
        "eights": eights,
        "eight_pairs_of_eight": eights * (inputs // 16),
        "eight_odd_eight": eights * (inputs // 8 % 2),
        "eight_fours": eights * rest,
        "pairs": pairs,
        "pair_eights": pairs * (inputs // 8),
        "pair_fours": pairs * rest,
        "clamped": rows * outputs * int((op.activation_min, op.activation_max) != (ir.INT8_MIN, ir.INT8_MAX)),
    }


def sparse_dsp(op: ir.Dense | ir.Conv2D, graph: ir.Graph) -> Counts:
    """sf_sparse_dense_s8_dsp, a row at a time; sf_sparse_conv2d_s8_dsp, two pixels, which it copies first."""
    (_, *shape, inputs), per_row = graph.tensors[op.inputs[0]].shape, pairs_of_blocks(kernel_rows(op))
    rows, is_dense = prod(shape), isinstance(op, ir.Dense)
    turns = rows if is_dense else -(-rows // 2)
    copied = rows if not is_dense or inputs % 4 else 0
    return {
        "call": 1,
        "turns": turns,
        "copied_rows": copied,
        "copied_words": copied * (inputs // 4),
        "copied_tails": copied * int(inputs % 4 > 0),
        "outputs": turns * op.channels,
        "pairs": turns * int((per_row % 2).sum()),
        "fours": turns * int((per_row // 2).sum()),
        "clamped": rows * op.channels * int((op.activation_min, op.activation_max) != (ir.INT8_MIN, ir.INT8_MAX)),
    }


def dense(op: ir.Dense, graph: ir.Graph) -> Counts:
    """sf_dense_s8: one output at a time."""
    rows, (outputs, inputs) = prod(graph.tensors[op.inputs[0]].shape[:-1]), op.kernel.shape
    return {"call": 1, "rows": rows, "outputs": rows * outputs, "macs": rows * outputs * inputs}


def pool(op: ir.Pool2D, graph: ir.Graph) -> Counts:
    """sf_max_pool_s8, sf_average_pool_s8: the taps on the input, output after output."""
    w = Window(op, graph)
    rows, columns, channels = sum(w.inside(0)), sum(w.inside(1)), w.channels
    return {
        "call": 1,
        "rows": w.out[0],
        "pixels": w.pixels,
        "outputs": w.pixels * channels,
        "window_rows": rows * w.out[1] * channels,
        "taps": rows * columns * channels,
    }


def softmax(op: ir.Softmax, graph: ir.Graph) -> Counts:
    """sf_softmax_s8. How long an exponential takes depends on its argument: the fit takes usual ones."""
    *rows, depth = graph.tensors[op.inputs[0]].shape
    counts = {"call": 1, "rows": prod(rows), "values": prod(rows) * depth}
    return counts | {"computed_twice": prod(rows) * max(0, depth - SOFTMAX_KEPT)}


COUNTS: dict[str, Callable[[ir.Op, ir.Graph], Counts]] = {
    "sf_conv2d_s8_dsp": conv2d_dsp,
    "sf_conv2d_pairs_s8_dsp": conv2d_pairs_dsp,
    "sf_conv2d_s8": conv2d,
    "sf_grouped_conv2d_s8_dsp": grouped_conv2d_dsp,
    "sf_grouped_conv2d_s8": conv2d,
    "sf_transpose_conv2d_s8": transpose_conv2d,
    "sf_depthwise_s8_dsp": depthwise_dsp,
    "sf_depthwise_3x3_s8": depthwise_3x3,
    "sf_depthwise_s8": depthwise,
    "sf_dense_s8_dsp": dense_dsp,
    "sf_dense_pairs_s8_dsp": dense_pairs_dsp,
    "sf_sparse_dense_s8_dsp": sparse_dsp,
    "sf_sparse_conv2d_s8_dsp": sparse_dsp,
    "sf_dense_s8": dense,
    "sf_max_pool_s8": pool,
    "sf_average_pool_s8": pool,
    "sf_softmax_s8": softmax,
}
