# SPDX-License-Identifier: Apache-2.0
"""Arithmetic, functions of one value, reductions, conversions, resizes, state, and moved bytes: how often their C
passes each place, from shapes alone. As cycles_weighted."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from shrinkfit.graph import ir
from shrinkfit.price.cycles_weighted import Counts
from shrinkfit.price.kernels_arithmetic import broadcast_view, reduction_view
from shrinkfit.price.kernels_layout import Copy, copies

# From this many bytes on sf_copy calls memcpy, as LONG_RUN in sf_layout.c.
LONG_RUN = 8


def _shapes(op: ir.Op, graph: ir.Graph) -> tuple[tuple[int, ...], ...]:
    return tuple(graph.tensors[name].shape for name in op.inputs)


def values(op: ir.Op, graph: ir.Graph) -> Counts:
    """One loop over all values of the output."""
    return {"call": 1, "values": prod(graph.tensors[op.outputs[0]].shape)}


def broadcast(op: ir.Op, graph: ir.Graph) -> Counts:
    """sf_for_rows, and a loop along each row."""
    axes = broadcast_view(op, _shapes(op, graph))
    outer, middle, inner, row = (axes[name]["count"] for name in ("outer", "middle", "inner", "row"))
    rows = outer * middle * inner
    return {"call": 1, "turns": outer * (1 + middle), "rows": rows, "values": rows * row}


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
    """Both resizes."""
    _, height, width, channels = graph.tensors[op.outputs[0]].shape
    return {"call": 1, "rows": height, "pixels": height * width, "values": height * width * channels}


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
    runs, turns = 1, 0
    for count, _, _ in copy.axes:
        turns += runs  # every pass along an axis ends once
        runs *= count
    is_long = copy.run >= LONG_RUN
    return {
        "runs": runs,
        "turns": turns,
        "run_bytes": 0 if is_long else runs * copy.run,
        "long_runs": runs if is_long else 0,
        "long_words": runs * (copy.run // 4) if is_long else 0,
        "long_tails": runs * (copy.run % 4) if is_long else 0,
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


COUNTS: dict[str, Callable[[ir.Op, ir.Graph], Counts]] = {
    "sf_add_s8": values,
    "sf_broadcast_add_s8": broadcast,
    "sf_sub_s8": broadcast,
    "sf_mul_s8": broadcast,
    "sf_prelu_s8": broadcast,
    "sf_table_s8": values,
    "sf_requantize_s8": values,
    "sf_quantize": values,
    "sf_dequantize": values,
    "sf_convert": values,
    "sf_mean_s8": reduction,
    "sf_reduce_max_s8": reduction,
    "sf_resize_bilinear_s8": resize,
    "sf_resize_nearest_s8": resize,
    "sf_svdf_s8": svdf,
    "sf_lstm_s8": lstm,
    "sf_copy": copy,
    "sf_pad_s8": pad,
}
