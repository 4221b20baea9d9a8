# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions: how often their C passes each place, from shapes alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import prod

from shrinkfit.graph import ir
from shrinkfit.graph.base import OpOfKind
from shrinkfit.price.cycles_windows import Counts, Window
from shrinkfit.price.strips import ROW, PlaneShape, Strips, strips


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


def _strip_widened(w: Window, plan: Strips, k: int, row: int) -> Counter[str]:
    """What widen_strip calls for the k-th strip, and how often."""
    starts = [0] + [w.out[1] - (plan.count - j) * plan.outputs for j in range(1, plan.count)]
    width, x, at = w.size[1], starts[k] * w.stride[1] - w.before[1], 0
    made: Counter[str] = Counter()
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


COUNTS: dict[str, Callable[[OpOfKind, ir.Graph], Counts]] = {
    "sf_depthwise_3x3_s8": depthwise_3x3,
    "sf_depthwise_s8_dsp": depthwise_dsp,
    "sf_depthwise_s8": depthwise,
}
