# SPDX-License-Identifier: Apache-2.0
"""Constants of arithmetic, tables, reductions, conversions, resizes and operators with state, for their C kernels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.fixedpoint import split_scale
from shrinkfit.graph.kernels_layout import RESIZE_BITS, bilinear_positions, nearest_positions
from shrinkfit.graph.linear import Line, line_of
from shrinkfit.graph.multipliers import (
    add_scales,
    lstm_multipliers,
    mean_multiplier,
    mul_scale,
    prelu_scales,
    requantize_multiplier,
    svdf_scales,
)
from shrinkfit.price.kernels_arithmetic import adds_in_one_row, broadcast_view, reduction_view
from shrinkfit.write.packed import Fields, Packed, Tensors

ELEMENT_TYPES = {"int8": 0, "uint8": 1, "int16": 2}


def _activation(op: ir.Activated) -> dict[str, int]:
    return {"activation_min": op.activation_min, "activation_max": op.activation_max}


def _shape(op: ir.Op, sources: Tensors) -> dict[str, dict[str, int]]:
    return broadcast_view(op, tuple(tensor.shape for tensor in sources))


def _split(scales: dict[str, float]) -> dict[str, int]:
    """Fields multiplier_NAME of all, then shift_NAME of all."""
    pairs = {name: split_scale(scale) for name, scale in scales.items()}
    multipliers = {f"multiplier_{name}": multiplier for name, (multiplier, _) in pairs.items()}
    return multipliers | {f"shift_{name}": shift for name, (_, shift) in pairs.items()}


def _zero_points(source: ir.Tensor, target: ir.Tensor) -> dict[str, int]:
    return {"in_zero_point": source.zero_point, "out_zero_point": target.zero_point}


def _two_zero_points(sources: Tensors, target: ir.Tensor) -> dict[str, int]:
    return {"zero_point_a": sources[0].zero_point, "zero_point_b": sources[1].zero_point} | {
        "out_zero_point": target.zero_point
    }


def _line(op: ir.Op, sources: Tensors, target: ir.Tensor) -> Fields:
    """Fields of sf_line; zeros where there is none."""
    line = line_of(op, tuple(sources), target) or Line((0, 0), 0)
    factors = (*line.factors, 0)[:2]
    return {"line": {"factor_a": factors[0], "factor_b": factors[1], "offset": line.offset}}


def _add(op: ir.Add | ir.Sub, graph: ir.Graph, sources: Tensors, target: ir.Tensor) -> Packed:
    scales = add_scales(sources[0].scale, sources[1].scale, target.scale)
    fields = _line(op, sources, target) | _split(dict(zip(("a", "b", "out"), scales, strict=True)))
    fields |= _two_zero_points(sources, target) | _activation(op)
    if adds_in_one_row(op, graph):
        return Packed("sf_add_params", {}, {"count": target.size_bytes, **fields})
    shape = _shape(op, sources)
    row: Fields = {"count": shape["row"]["count"], **fields}
    return Packed("sf_broadcast_add_params", {}, {"shape": shape, "sum": row})


def _mul(op: ir.Mul, graph: ir.Graph, sources: Tensors, target: ir.Tensor) -> Packed:
    multiplier, shift = split_scale(mul_scale(sources[0].scale, sources[1].scale, target.scale))
    fields: Fields = {"shape": _shape(op, sources), "multiplier": multiplier, "shift": shift}
    return Packed("sf_mul_params", {}, fields | _two_zero_points(sources, target) | _activation(op))


def _prelu(op: ir.Prelu, graph: ir.Graph, sources: Tensors, target: ir.Tensor) -> Packed:
    scales = prelu_scales(sources[0].scale, sources[1].scale, target.scale)
    fields: Fields = {"shape": _shape(op, sources)}
    fields |= _split(dict(zip(("above", "below"), scales, strict=True)))
    return Packed("sf_prelu_params", {}, fields | _two_zero_points(sources, target))


def _extremum(op: ir.Extremum, graph: ir.Graph, sources: Tensors, target: ir.Tensor) -> Packed:
    return Packed("sf_broadcast", {}, {**_shape(op, sources)})


def _table(op: ir.Table, graph: ir.Graph, sources: Tensors, target: ir.Tensor) -> Packed:
    return Packed("sf_table_params", {"table": op.table}, {"table": "table", "count": target.size_bytes})


def _requantize(op: ir.Requantize, graph: ir.Graph, sources: Tensors, target: ir.Tensor) -> Packed:
    multiplier, shift = requantize_multiplier(op, sources[0], target)
    fields: Fields = {"count": target.size_bytes, **_line(op, sources, target)}
    fields |= {"multiplier": multiplier, "shift": shift}
    return Packed("sf_requantize_params", {}, fields | _zero_points(sources[0], target) | _activation(op))


def _mean(op: ir.Mean, graph: ir.Graph, sources: Tensors, target: ir.Tensor) -> Packed:
    shape = reduction_view(op, sources[0].shape)
    multiplier, shift = mean_multiplier(sources[0].scale, target.scale, shape["first"] * shape["second"])
    fields: Fields = {"shape": shape, "multiplier": multiplier, "shift": shift}
    return Packed("sf_mean_params", {}, fields | _zero_points(sources[0], target))


def _reduce_max(op: ir.ReduceMax, graph: ir.Graph, sources: Tensors, target: ir.Tensor) -> Packed:
    return Packed("sf_reduction", {}, reduction_view(op, sources[0].shape))


def _positions(op: ir.ResizeBilinear, source: int, target: int) -> tuple[int, int]:
    """(step, offset): output i lies at i * step + offset, with RESIZE_BITS fractional bits."""
    lower, _, weight = bilinear_positions(source, target, op.align_corners, op.half_pixel_centers)
    position = (lower << RESIZE_BITS) + weight
    return (int(position[1] - position[0]) if target > 1 else 0), int(position[0])


def _resize_bilinear(op: ir.ResizeBilinear, graph: ir.Graph, sources: Tensors, target: ir.Tensor) -> Packed:
    _, height, width, channels = sources[0].shape
    fields = {"in_height": height, "in_width": width, "out_height": op.size[0], "out_width": op.size[1]}
    fields |= {"channels": channels}
    fields |= dict(zip(("step_y", "offset_y"), _positions(op, height, op.size[0]), strict=True))
    fields |= dict(zip(("step_x", "offset_x"), _positions(op, width, op.size[1]), strict=True))
    return Packed("sf_resize_bilinear_params", {}, fields)


def _resize_nearest(op: ir.ResizeNearest, graph: ir.Graph, sources: Tensors, target: ir.Tensor) -> Packed:
    _, height, width, channels = sources[0].shape
    flags = (op.align_corners, op.half_pixel_centers)
    arrays = {
        name: nearest_positions(n, m, *flags).astype(np.uint16)
        for name, n, m in zip(("rows", "columns"), (height, width), op.size, strict=True)
    }
    fields: Fields = {"rows": "rows", "columns": "columns", "in_width": width}
    fields |= {"out_height": op.size[0], "out_width": op.size[1], "channels": channels}
    return Packed("sf_resize_nearest_params", arrays, fields)


def _quantize(op: ir.Quantize | ir.Dequantize, graph: ir.Graph, sources: Tensors, target: ir.Tensor) -> Packed:
    integers = target if op.kind == "quantize" else sources[0]
    fields = {"count": int(np.prod(target.shape)), "scale": float(integers.scale)}
    fields |= {"zero_point": integers.zero_point, "type": ELEMENT_TYPES[integers.dtype]}
    return Packed("sf_quantize_params", {}, fields)


def _convert(op: ir.Convert, graph: ir.Graph, sources: Tensors, target: ir.Tensor) -> Packed:
    multiplier, shift = split_scale(sources[0].scale / target.scale)
    fields = {"count": int(np.prod(target.shape)), "multiplier": multiplier} | _zero_points(sources[0], target)
    fields |= {"shift": shift, "in_type": ELEMENT_TYPES[sources[0].dtype], "out_type": ELEMENT_TYPES[target.dtype]}
    return Packed("sf_convert_params", {}, fields)


def _svdf(op: ir.Svdf, graph: ir.Graph, sources: Tensors, target: ir.Tensor) -> Packed:
    arrays = {"feature_kernel": op.feature_kernel, "time_kernel": op.time_kernel, "bias": op.bias}
    arrays = {name: array.reshape(-1) for name, array in arrays.items()}
    scales = svdf_scales(op, sources[0], graph.variables[op.state].tensor, target)
    fields = {name: name for name in arrays} | {"features": op.feature_kernel.shape[1], "memory": op.memory}
    fields |= {"rank": op.rank, "units": op.bias.size} | _split(dict(zip(("feature", "out"), scales, strict=True)))
    return Packed("sf_svdf_params", arrays, fields | _zero_points(sources[0], target) | _activation(op))


def _lstm(op: ir.UnidirectionalLstm, graph: ir.Graph, sources: Tensors, target: ir.Tensor) -> Packed:
    hidden, cell = (graph.variables[name].tensor for name in op.variables)
    numbers = lstm_multipliers(op, sources[0], hidden, cell)
    multipliers, shifts = zip(*numbers.input, *numbers.recurrent, numbers.hidden, strict=True)
    arrays = {
        "input_kernel": op.input_kernels.reshape(-1),
        "recurrent_kernel": op.recurrent_kernels.reshape(-1),
        "bias": op.biases.reshape(-1),
        "multiplier": np.array(multipliers, np.int32),
        "shift": np.array(shifts, np.int8),
    }
    _, steps, features = sources[0].shape
    fields = {name: name for name in arrays} | {"steps": steps, "features": features, "units": op.units}
    fields |= {"cell_clip": numbers.cell_clip, "cell_bits": numbers.cell_bits}
    fields |= {"in_zero_point": sources[0].zero_point, "state_zero_point": hidden.zero_point}
    return Packed("sf_lstm_params", arrays, fields | {"out_zero_point": op.hidden_zero_point})


PACKERS: dict[str, Callable[..., Packed]] = {
    "add": _add,
    "sub": _add,
    "mul": _mul,
    "prelu": _prelu,
    "maximum": _extremum,
    "minimum": _extremum,
    "table": _table,
    "requantize": _requantize,
    "mean": _mean,
    "reduce_max": _reduce_max,
    "resize_bilinear": _resize_bilinear,
    "resize_nearest": _resize_nearest,
    "quantize": _quantize,
    "dequantize": _quantize,
    "convert": _convert,
    "svdf": _svdf,
    "lstm": _lstm,
}
