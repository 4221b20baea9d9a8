# SPDX-License-Identifier: Apache-2.0
"""A graph in, the same graph with one Pad folded into the windows behind it out; None where there is none to fold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from shrinkfit.graph import ir
from shrinkfit.graph.base import OpOfKind
from shrinkfit.graph.edit import Rewrite, fill_value, readers, rebuilt, same_numbers
from shrinkfit.graph.intervals import intervals, window_meets_input


def fold_pad(graph: ir.Graph) -> tuple[ir.Graph, Rewrite] | None:
    """Fold the first Pad whose every reader can pad by itself.

    Convolutions fill their padding with the input's zero_point, which is what Pad writes. Max pooling
    leaves padding out, so nothing that it would have seen may be below zero_point. Average pooling does not
    count padding, which a Pad in front of it would have made it do: never folded.
    """
    users = readers(graph)
    known = None
    for pad in graph.ops:
        if not isinstance(pad, ir.Pad) or pad.outputs[0] in graph.outputs or not users[pad.outputs[0]]:
            continue
        source, target = graph.tensors[pad.inputs[0]], graph.tensors[pad.outputs[0]]
        if pad.padding is None or not same_numbers(source, target) or fill_value(pad, target) != source.zero_point:
            continue
        known = intervals(graph) if known is None else known
        lowest = int(known[source.name][0].min())
        changed = {user.name: _with_padding(graph, user, pad, lowest) for user in users[pad.outputs[0]]}
        if all(changed.values()):
            names = ", ".join(f"{user.kind} '{user.name}'" for user in users[pad.outputs[0]])
            why = "it pads with the zero_point, as a Pad does; where it is a pool no value is below that"
            record = Rewrite("fold_pad", pad.name, f"padding moved into {names}", why)
            return rebuilt(graph, {**changed, pad.name: None}, (pad.outputs[0],)), record
    return None


def _with_padding(graph: ir.Graph, user: ir.Op, pad: ir.Pad, lowest: int) -> ir.Op | None:
    """The operator reading what the Pad reads, with both paddings; None where that is not exact or not writable."""
    if not isinstance(user, ir.Conv2D | ir.DepthwiseConv2D | ir.Pool2D | ir.Pad):
        return None
    a, b = user.padding, pad.padding
    if a is None or b is None:
        return None
    source, target = graph.tensors[pad.inputs[0]], graph.tensors[user.outputs[0]]
    both = ir.Padding(a.top + b.top, a.bottom + b.bottom, a.left + b.left, a.right + b.right)
    if not _FOLDS[user.kind](user, both, source, target, lowest):
        return None
    if isinstance(user, ir.Pad):
        # It says the same per axis, in a field that would win.
        return replace(user, inputs=pad.inputs, padding=both, paddings=())
    return replace(user, inputs=pad.inputs, padding=both)


def _convolution(user: ir.Windowed, both: ir.Padding, source: ir.Tensor, target: ir.Tensor, lowest: int) -> bool:
    return window_meets_input(both, user.window, user.dilation)


def _pool(user: ir.Pool2D, both: ir.Padding, source: ir.Tensor, target: ir.Tensor, lowest: int) -> bool:
    """.tflite has no other padding for pools than SAME and none."""
    if user.mode != "max" or user.padding != ir.Padding() or not window_meets_input(both, user.window):
        return False
    padded_like_tflite = both in (ir.Padding(), ir.same_padding(source.shape[1:3], user.window, user.stride))
    return padded_like_tflite and source.zero_point <= max(lowest, user.activation_min)


def _pad(user: ir.Pad, both: ir.Padding, source: ir.Tensor, target: ir.Tensor, lowest: int) -> bool:
    return fill_value(user, target) == source.zero_point


_FOLDS: dict[str, Callable[[OpOfKind, ir.Padding, ir.Tensor, ir.Tensor, int], bool]] = {
    "conv2d": _convolution,
    "depthwise_conv2d": _convolution,
    "pool2d": _pool,
    "pad": _pad,
}
