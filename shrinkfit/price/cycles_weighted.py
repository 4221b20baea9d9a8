# SPDX-License-Identifier: Apache-2.0
"""Operators with kernels, and pools: how often their C passes each place, from shapes alone.

Each function here is the twin of one C kernel's loops and gives one count per place that costs cycles; a constant
1 stands for the call. benchmarks/cycle_costs.py fits the cycles of each. Weights and activations are taken as
`plain` (sf_output_stage): a graph made from shapes alone has no ranges yet that could say otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from shrinkfit.graph import ir
from shrinkfit.graph.base import OpOfKind
from shrinkfit.price.cycles_windows import Counts, Window, added, gathered_taps, whole_words, widen, window_pairs
from shrinkfit.price.kernels_dense import is_uniform
from shrinkfit.price.kernels_sparse import kernel_rows, pairs_of_blocks

# Exponentials of a row that are computed once, as KEPT in sf_softmax.c.
SOFTMAX_KEPT = 16


def _blocks(w: Window) -> Counts:
    """Two pixels by two channels at a time; an odd last pixel or channel is done twice."""
    words, blocks = whole_words(w.taps * w.channels), -(-w.pixels // 2) * -(-w.out_channels // 2)
    return {"blocks": blocks, "block_word_pairs": blocks * (words // 2), "block_odd_words": blocks * (words % 2)}


def conv2d_dsp(op: ir.Conv2D, graph: ir.Graph) -> Counts:
    """sf_conv2d_s8_dsp."""
    w = Window(op, graph)
    return {"call": 1} | window_pairs(w) | _blocks(w)


def conv2d_pairs_dsp(op: ir.Conv2D, graph: ir.Graph) -> Counts:
    """sf_conv2d_pairs_s8_dsp: two pixels by four channels at a time, in turns of sixteen pairs of taps."""
    w, target = Window(op, graph), graph.tensors[op.outputs[0]]
    steps, pairs = -(-w.taps * w.channels // 4) * 2, -(-w.pixels // 2)
    rest = w.out_channels % 4
    fours, twos = pairs * (w.out_channels // 4 + int(rest == 3)), pairs * int(rest in (1, 2))
    is_signed = target.zero_point != ir.INT8_MIN
    is_clamped = (op.activation_min, op.activation_max) != (ir.INT8_MIN, ir.INT8_MAX)
    return window_pairs(w) | {
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
    gathered = added(gathered_taps(w, rows, columns), *last, widen(2 * pairs, row), {"pixel_pairs": pairs})
    counts = added(gathered, _blocks(w))
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


def dense_pairs_dsp(op: ir.Dense, graph: ir.Graph) -> Counts:
    """sf_dense_pairs_s8_dsp: eight outputs at a time, what is left two by two."""
    rows, (outputs, inputs) = prod(graph.tensors[op.inputs[0]].shape[:-1]), op.kernel.shape
    eights, pairs = rows * (outputs // 8), rows * -(-(outputs % 8) // 2)
    rest = -(-(inputs % 8) // 4) if inputs >= 4 else 1
    uniform = is_uniform(op, graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]])
    return {
        "call": 1,
        "rows": rows,
        "short_rows": rows * int(inputs < 4),
        "rows_of_eights": rows * int(outputs >= 8),
        "eights": eights * int(not uniform),
        "uniform_eights": eights * int(uniform),
        "eight_pairs_of_eight": eights * (inputs // 16),
        "eight_odd_eight": eights * (inputs // 8 % 2),
        "eight_fours": eights * rest,
        "pairs": pairs,
        "whole_pairs": rows * (outputs % 8 // 2),
        "pair_eights": pairs * (inputs // 8),
        "pairs_of_fours": pairs * int(rest > 0),
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


COUNTS: dict[str, Callable[[OpOfKind, ir.Graph], Counts]] = {
    "sf_conv2d_s8_dsp": conv2d_dsp,
    "sf_conv2d_pairs_s8_dsp": conv2d_pairs_dsp,
    "sf_conv2d_s8": conv2d,
    "sf_grouped_conv2d_s8_dsp": grouped_conv2d_dsp,
    "sf_grouped_conv2d_s8": conv2d,
    "sf_transpose_conv2d_s8": transpose_conv2d,
    "sf_dense_pairs_s8_dsp": dense_pairs_dsp,
    "sf_sparse_dense_s8_dsp": sparse_dsp,
    "sf_sparse_conv2d_s8_dsp": sparse_dsp,
    "sf_dense_s8": dense,
    "sf_max_pool_s8": pool,
    "sf_average_pool_s8": pool,
    "sf_softmax_s8": softmax,
}
