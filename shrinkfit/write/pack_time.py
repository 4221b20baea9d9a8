# SPDX-License-Identifier: Apache-2.0
"""The constants of the calls that only streamed graphs have."""

from __future__ import annotations

from collections.abc import Callable

from shrinkfit.graph import ir
from shrinkfit.graph.multipliers import mean_multiplier
from shrinkfit.price.kernels_time import mean_view
from shrinkfit.write.packed import Packed, Tensors


def _window(op: ir.TimeWindow, graph: ir.Graph, sources: Tensors, target: ir.Tensor) -> Packed:
    past = graph.variables[op.past].tensor
    fields = {"in_bytes": sources[0].size_bytes, "past_bytes": past.size_bytes}
    return Packed("sf_time_window_params", {}, fields)


def _mean(op: ir.TimeMean, graph: ir.Graph, sources: Tensors, target: ir.Tensor) -> Packed:
    (source,), view = sources, mean_view(op, graph)
    count = view["blocks"] * view["values"]
    multiplier, shift = (0, 0) if op.average else mean_multiplier(source.scale, target.scale, count)
    fields = view | {"multiplier": multiplier, "shift": shift}
    fields |= {"in_zero_point": source.zero_point, "out_zero_point": target.zero_point}
    fields |= {"activation_min": op.activation_min, "activation_max": op.activation_max}
    return Packed("sf_time_mean_params", {}, fields)


PACKERS: dict[str, Callable[..., Packed]] = {"time_window": _window, "time_mean": _mean}
