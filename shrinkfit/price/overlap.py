# SPDX-License-Identifier: Apache-2.0
"""An operator in, how far its output may lie over each input that nothing reads later out.

Pure functions of shapes: the scalar and the DSP kernel both keep what is said here (their contracts are in
shrinkfit.h), so one plan serves both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.base import OpOfKind
from shrinkfit.graph.memo import by_tensors


@dataclass(frozen=True)
class Overlap:
    """Where an output may lie over an input.

    Args:
        distance: in bytes; allowed where input offset - output offset is at least this. None: nowhere over it.
        in_place: allowed where both offsets are equal, and only there.
        reason: what the kernel does.
    """

    distance: int | None
    in_place: bool
    reason: str

    @property
    def allowed(self) -> bool:
        """Whether the output may lie over the input anywhere."""
        return self.in_place or self.distance is not None


NONE = Overlap(None, False, "the kernel reads inputs after it has written outputs in another order")
_IN_PLACE = Overlap(None, True, "a channel's plane is copied to scratch before that channel is written")
_ELEMENTWISE = Overlap(0, False, "each value is written after the values up to it have been read")


@by_tensors
def overlap(op: ir.Op, graph: ir.Graph, position: int) -> Overlap:
    """What an operator's kernel allows between its output and one of its inputs.

    Args:
        op: an operator of the graph.
        graph: gives the tensors.
        position: which of op.inputs.
    """
    rule = _elementwise if op.pointwise else _RULES.get(op.kind)
    return NONE if rule is None or len(op.outputs) != 1 else rule(op, graph, position)


def combined(found: list[Overlap]) -> Overlap:
    """For a tensor that an operator reads at several positions: all of them have to hold."""
    first, *others = found
    for other in others:
        if not (first.allowed and other.allowed) or first.in_place != other.in_place:
            return NONE
        first = max(first, other, key=lambda o: o.distance or 0)
    return first


@lru_cache(maxsize=512)
def _first_needed(
    size: tuple[int, int],
    out: tuple[int, int],
    window: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    before: tuple[int, int],
) -> np.ndarray:
    """int64 [n]: for each output pixel the first input pixel that the window there or a later one reads; without those
    at the end from which on no window meets the input."""
    lines = []
    for n, count, taps, step, apart, pad in zip(size, out, window, stride, dilation, before, strict=True):
        starts = np.arange(count) * step - pad
        # The first tap that does not lie before the input.
        firsts = np.where(starts < 0, starts + -(starts // apart) * apart, starts)
        lines.append(np.where((firsts < n) & (firsts <= starts + (taps - 1) * apart), firsts, -1))
    rows, columns = lines
    inside = (rows[:, None] >= 0) & (columns[None] >= 0)
    return _from_here_on(np.where(inside, rows[:, None] * size[1] + columns[None], prod(size)).reshape(-1), prod(size))


@lru_cache(maxsize=512)
def _first_reaching(
    size: tuple[int, int],
    out: tuple[int, int],
    window: tuple[int, int],
    stride: tuple[int, int],
    before: tuple[int, int],
) -> np.ndarray:
    """As `_first_needed`, for a transposed convolution's outputs."""
    lines = []
    for n, count, taps, step, cut in zip(size, out, window, stride, before, strict=True):
        # Input i reaches the full output's places i * step to i * step + taps - 1.
        firsts = np.maximum(-(-(np.arange(count) + cut - taps + 1) // step), 0)
        lasts = np.minimum((np.arange(count) + cut) // step, n - 1)
        lines.append(np.where(firsts <= lasts, firsts, -1))
    rows, columns = lines
    inside = (rows[:, None] >= 0) & (columns[None] >= 0)
    return _from_here_on(np.where(inside, rows[:, None] * size[1] + columns[None], prod(size)).reshape(-1), prod(size))


def _from_here_on(pixels: np.ndarray, none: int) -> np.ndarray:
    least = np.minimum.accumulate(pixels[::-1])[::-1]
    return least[least < none]


def _pixel_by_pixel(needed: np.ndarray, in_channels: int, out_channels: int) -> Overlap:
    """The kernel goes through the output's pixels in order and writes each after the windows before it were read."""
    ends = np.arange(1, needed.size + 1) * out_channels
    distance = int(np.max(ends - needed * in_channels, initial=0))
    return Overlap(distance, False, "a pixel is written after the windows of all pixels before it have been read")


def _windowed(op: ir.Conv2D | ir.Pool2D, graph: ir.Graph, position: int) -> Overlap:
    (_, *size, channels) = graph.tensors[op.inputs[0]].shape
    (_, *out, out_channels) = graph.tensors[op.outputs[0]].shape
    dilation = getattr(op, "dilation", (1, 1))
    before = (op.padding.top, op.padding.left)
    needed = _first_needed(tuple(size), tuple(out), op.window, op.stride, dilation, before)
    return _pixel_by_pixel(needed, channels, out_channels)


def _conv2d(op: ir.Conv2D, graph: ir.Graph, position: int) -> Overlap:
    """The grouped DSP kernel goes through all pixels for each group."""
    return _windowed(op, graph, position) if op.groups(graph.tensors[op.inputs[0]].shape) == 1 else NONE


def _transpose_conv2d(op: ir.TransposeConv2D, graph: ir.Graph, position: int) -> Overlap:
    (_, *size, channels) = graph.tensors[op.inputs[0]].shape
    before = (op.padding.top, op.padding.left)
    needed = _first_reaching(tuple(size), op.output_size, op.window, op.stride, before)
    return _pixel_by_pixel(needed, channels, op.channels)


def _depthwise(op: ir.DepthwiseConv2D, graph: ir.Graph, position: int) -> Overlap:
    return _IN_PLACE if op.depth_multiplier == 1 else NONE


def _elementwise(op: ir.Op, graph: ir.Graph, position: int) -> Overlap:
    """An input that is repeated is read again behind what was written over it; conversions promise nothing."""
    source, (output,) = graph.op_inputs(op)[position], graph.op_outputs(op)
    is_int8 = source.dtype == output.dtype == "int8"
    return _ELEMENTWISE if is_int8 and prod(source.shape) == prod(output.shape) else NONE


def _time_window(op: ir.TimeWindow, graph: ir.Graph, position: int) -> Overlap:
    """The new rows move to their place first, forward."""
    past_bytes = graph.variables[op.past].tensor.size_bytes
    return Overlap(past_bytes, False, "the input moves to its place behind the rows kept before these are written")


_RULES: dict[str, Callable[[OpOfKind, ir.Graph, int], Overlap]] = {
    "conv2d": _conv2d,
    "transpose_conv2d": _transpose_conv2d,
    "depthwise_conv2d": _depthwise,
    "pool2d": _windowed,
    "time_window": _time_window,
    "softmax": _elementwise,
}
