# SPDX-License-Identifier: Apache-2.0
"""Arithmetic, functions of one value, reductions, conversions, resizes, state, and moved bytes: how often their C
passes each place, from shapes alone. As cycles_weighted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import product
from math import prod

from shrinkfit.graph import ir
from shrinkfit.graph.base import OpOfKind
from shrinkfit.graph.linear import line_of
from shrinkfit.price.cycles_windows import Counts, Window
from shrinkfit.price.kernels_arithmetic import broadcast_view, reduction_view
from shrinkfit.price.kernels_layout import Copy, copies

# From this many bytes on sf_copy calls memcpy, as LONG_RUN in sf_layout.c.
LONG_RUN = 64
# Of one channel's values in a half of a word, as SF_HALF_SUMS in sf_tile.h.
HALF_SUMS = 255


def _shapes(op: ir.Op, graph: ir.Graph) -> tuple[tuple[int, ...], ...]:
    return tuple(graph.tensors[name].shape for name in op.inputs)


def values(op: ir.Op, graph: ir.Graph) -> Counts:
    """One loop over all values of the output."""
    return {"call": 1, "values": prod(graph.tensors[op.outputs[0]].shape)}


def words(op: ir.Op, graph: ir.Graph) -> Counts:
    """One loop over all values of the output, four at a time."""
    count = prod(graph.tensors[op.outputs[0]].shape)
    return {"call": 1, "words": count // 4, "tails": count % 4}


def on_line(op: ir.Op, graph: ir.Graph) -> bool:
    """Whether an addition or a change of scale takes the short way, as nearly all additions do."""
    return line_of(op, tuple(graph.op_inputs(op)), graph.op_outputs(op)[0]) is not None


def words_or_rounded(op: ir.Op, graph: ir.Graph) -> Counts:
    """sf_add_s8_dsp, sf_requantize_s8: by words where there is a line."""
    if on_line(op, graph):
        return words(op, graph)
    return {"call": 1, "rounded_call": 1, "rounded": prod(graph.tensors[op.outputs[0]].shape)}


def broadcast(op: ir.Op, graph: ir.Graph) -> Counts:
    """sf_for_rows, and a loop along each row."""
    axes = broadcast_view(op, _shapes(op, graph))
    outer, middle, inner, row = (axes[name]["count"] for name in ("outer", "middle", "inner", "row"))
    rows = outer * middle * inner
    return {"call": 1, "turns": outer * (1 + middle), "rows": rows, "values": rows * row}


def broadcast_words(op: ir.Op, graph: ir.Graph) -> Counts:
    """sf_maximum_s8_dsp, sf_minimum_s8_dsp: along each row four values at a time, of one input or of both."""
    counts, row = broadcast(op, graph), broadcast_view(op, _shapes(op, graph))["row"]
    rows, of_both = counts["rows"], bool(row["step_a"] and row["step_b"])
    words = rows * (row["count"] // 4)
    made = {"words": words * of_both, "repeated_words": words * (not of_both), "tails": rows * (row["count"] % 4)}
    return {"call": 1, "turns": counts["turns"], "rows": rows} | made


def broadcast_sum(op: ir.Op, graph: ir.Graph) -> Counts:
    """sf_broadcast_add_s8, sf_sub_s8: rows on a line, or rounded as the reference rounds."""
    counts = broadcast(op, graph)
    if on_line(op, graph):
        return counts
    return {"call": 1, "turns": counts["turns"], "rounded_rows": counts["rows"], "rounded": counts["values"]}


def _tiles(tiles: Counter[tuple[int, int]], width: int, words: int, sums: bool) -> Counts:
    """sf_tile.h: (rows, columns) -> how often, of planes so wide; words: per tile; sums: at most HALF_SUMS at once."""
    total: Counter[str] = Counter()
    for (rows, columns), times in tiles.items():
        rows, columns = (1, rows * columns) if columns == width else (rows, columns)
        parts = [(rows, columns)]
        if sums and rows * columns > HALF_SUMS:
            whole, rest = divmod(columns, HALF_SUMS)
            parts = [(1, HALF_SUMS)] * rows * whole + [(1, rest)] * rows * (rest > 0)
        for high, wide in parts:
            made = {"tiles": 1, "tile_rows": high, "pairs": high * (wide // 2), "singles": high * (wide % 2)}
            total.update({name: times * words * count for name, count in made.items()})
    return dict(total)


def pool_by_words(op: ir.Pool2D, graph: ir.Graph) -> Counts:
    """sf_max_pool_s8_dsp, sf_average_pool_s8_dsp."""
    w = Window(op, graph)
    words = -(-w.channels // 4)
    tiles = Counter(product(w.inside(0), w.inside(1)))
    counts = {"call": 1, "rows": w.out[0], "pixels": w.pixels, "words": w.pixels * words}
    return counts | _tiles(tiles, w.size[1], words, op.mode == "average")


def reduction_by_words(op: ir.Reduction, graph: ir.Graph) -> Counts:
    """sf_mean_s8_dsp, sf_reduce_max_s8_dsp."""
    v = reduction_view(op, *_shapes(op, graph))
    lines, words = v["outer"] * v["middle"], -(-v["inner"] // 4)
    width = v["second"] * v["middle"]
    counts = {"call": 1, "outer": v["outer"], "lines": lines, "words": lines * words}
    return counts | _tiles(Counter({(v["first"], v["second"]): lines}), width, words, op.kind == "mean")


def reduction(op: ir.Reduction, graph: ir.Graph) -> Counts:
    """sf_mean_s8, sf_reduce_max_s8."""
    v = reduction_view(op, *_shapes(op, graph))
    lines = v["outer"] * v["middle"]
    outputs = lines * v["inner"]
    return {
        "call": 1,
        "outer": v["outer"],
        "lines": lines,
        "outputs": outputs,
        "output_rows": outputs * v["first"],
        "taps": outputs * v["first"] * v["second"],
    }


def resize(op: ir.Resize, graph: ir.Graph) -> Counts:
    """sf_resize_bilinear_s8."""
    _, height, width, channels = graph.tensors[op.outputs[0]].shape
    return {"call": 1, "rows": height, "pixels": height * width, "values": height * width * channels}


def resize_nearest(op: ir.Resize, graph: ir.Graph) -> Counts:
    """sf_resize_nearest_s8."""
    _, height, width, channels = graph.tensors[op.outputs[0]].shape
    pixels = height * width
    moved = {
        "word_loops": pixels * (channels >= 4),
        "words": pixels * (channels // 4),
        "halves": pixels * (channels // 2 % 2),
    }
    return {"call": 1, "rows": height, "pixels": pixels} | moved | {"bytes": pixels * (channels % 2)}


def svdf(op: ir.Svdf, graph: ir.Graph) -> Counts:
    """sf_svdf_s8."""
    filters, features = op.feature_kernel.shape
    return {
        "call": 1,
        "units": op.bias.size,
        "filters": filters,
        "macs": filters * features,
        "memory": filters * op.memory,
    }


def lstm(op: ir.UnidirectionalLstm, graph: ir.Graph) -> Counts:
    """sf_lstm_s8. How long an exponential takes depends on its argument: the fit takes usual ones."""
    _, steps, features = graph.tensors[op.inputs[0]].shape
    return {"call": 1, "steps": steps, "units": steps * op.units} | {
        "macs": 4 * steps * op.units * (features + op.units)
    }


def _copied(copy: Copy) -> Counts:
    rows = prod(count for count, _, _ in copy.axes[:-1])
    runs, run = rows * (copy.axes[-1][0] if copy.axes else 1), copy.run
    is_single, is_long = run == 1, run >= LONG_RUN
    is_short = not is_single and not is_long
    return {
        "rows": rows,
        "single_bytes": runs * is_single,
        "short_runs": runs * is_short,
        "short_words": runs * (run // 4) * is_short,
        "short_halves": runs * (run // 2 % 2) * is_short,
        "short_bytes": runs * (run % 2) * is_short,
        "long_runs": runs * is_long,
        "long_words": runs * (run // 4) * is_long,
        "long_tails": runs * (run % 4) * is_long,
    }


def copy(op: ir.Op, graph: ir.Graph) -> Counts:
    """sf_copy, one call per piece."""
    made = copies(op, graph)
    pieces = [_copied(one) for one in made]
    return {"call": len(made)} | {name: sum(piece[name] for piece in pieces) for name in pieces[0]}


def pad(op: ir.Pad, graph: ir.Graph) -> Counts:
    """sf_pad_s8: a fill, then a copy."""
    size = graph.tensors[op.outputs[0]].size_bytes
    return copy(op, graph) | {"filled_words": size // 4, "filled_tails": size % 4}


COUNTS: dict[str, Callable[[OpOfKind, ir.Graph], Counts]] = {
    "sf_add_s8": values,
    "sf_add_s8_dsp": words_or_rounded,
    "sf_broadcast_add_s8": broadcast_sum,
    "sf_sub_s8": broadcast_sum,
    "sf_mul_s8": broadcast,
    "sf_prelu_s8": broadcast,
    "sf_maximum_s8": broadcast,
    "sf_maximum_s8_dsp": broadcast_words,
    "sf_minimum_s8": broadcast,
    "sf_minimum_s8_dsp": broadcast_words,
    "sf_table_s8": words,
    "sf_requantize_s8": words_or_rounded,
    "sf_quantize": values,
    "sf_dequantize": values,
    "sf_convert": values,
    "sf_max_pool_s8_dsp": pool_by_words,
    "sf_average_pool_s8_dsp": pool_by_words,
    "sf_mean_s8": reduction,
    "sf_mean_s8_dsp": reduction_by_words,
    "sf_reduce_max_s8": reduction,
    "sf_reduce_max_s8_dsp": reduction_by_words,
    "sf_resize_bilinear_s8": resize,
    "sf_resize_nearest_s8": resize_nearest,
    "sf_svdf_s8": svdf,
    "sf_lstm_s8": lstm,
    "sf_copy": copy,
    "sf_pad_s8": pad,
}
