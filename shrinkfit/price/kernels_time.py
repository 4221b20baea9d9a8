# SPDX-License-Identifier: Apache-2.0
"""Kernels of streamed graphs: rows of earlier calls in front of new ones, means over a window of rows."""

from __future__ import annotations

from math import prod

from shrinkfit.graph import ir
from shrinkfit.price.kernel import UINT16_MAX, Kernel, KernelOf, supported, word

# sizeof in shrinkfit.h, on a 32-bit core.
STRUCT_BYTES = {"sf_time_window_params": 8, "sf_time_mean_params": 20}
SOURCES = ("sf_time.c", "sf_tile.h", "sf_lanes.h")
LANES = 4


def _window(op: ir.TimeWindow, graph: ir.Graph, dsp: bool) -> Kernel:
    shape = graph.tensors[op.inputs[0]].shape
    supported(
        prod(shape[: op.axis]) == 1,
        f"{op.where} joins rows of {shape} along axis {op.axis}; the C runtime takes rows that lie in a row",
    )
    name, params = "sf_time_window", "sf_time_window_params"
    return Kernel(name, name, params, SOURCES, False, 0, word(STRUCT_BYTES[params]))


def _mean(op: ir.TimeMean, graph: ir.Graph, dsp: bool) -> Kernel:
    view = mean_view(op, graph)
    supported(
        view["channels"] >= LANES and max(view.values()) <= UINT16_MAX,
        f"{op.where} has sizes of {view}; the C runtime takes {LANES} channels or more, and all up to {UINT16_MAX}",
    )
    name, params = "sf_time_average_s8" if op.average else "sf_time_mean_s8", "sf_time_mean_params"
    return Kernel(name, name, params, SOURCES, False, 0, word(STRUCT_BYTES[params]))


def mean_view(op: ir.TimeMean, graph: ir.Graph) -> dict[str, int]:
    """Sizes in sf_time_mean_params."""
    shape = graph.tensors[op.inputs[0]].shape
    return {
        "blocks": op.length // op.block,
        "new_blocks": shape[op.axis] // op.block,
        "values": op.block * op.columns(shape),
        "channels": op.inner(shape),
    }


KERNELS: dict[str, KernelOf] = {"time_window": _window, "time_mean": _mean}
