# SPDX-License-Identifier: Apache-2.0
"""Kernels of arithmetic, functions of one value, reductions, conversions, resizes and operators with state."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from math import prod

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.fixedpoint import split_scale
from shrinkfit.graph.kernels_layout import bilinear_positions
from shrinkfit.graph.linear import line_of
from shrinkfit.graph.multipliers import add_scales, lstm_multipliers
from shrinkfit.price.kernel import UINT16_MAX, Kernel, KernelOf, supported, word

# sizeof in shrinkfit.h, on a 32-bit core.
STRUCT_BYTES = {
    "sf_add_params": 36,
    "sf_broadcast_add_params": 84,
    "sf_mul_params": 60,
    "sf_pool_params": 30,
    "sf_prelu_params": 64,
    "sf_broadcast": 48,
    "sf_table_params": 8,
    "sf_quantize_params": 16,
    "sf_convert_params": 20,
    "sf_requantize_params": 28,
    "sf_mean_params": 28,
    "sf_reduction": 20,
    "sf_resize_bilinear_params": 28,
    "sf_resize_nearest_params": 16,
    "sf_svdf_params": 36,
    "sf_lstm_params": 32,
}
# Axes that sf_broadcast has.
BROADCAST_AXES = 4
# Values in a word, and the header that kernels which take several of them share.
LANES, LANES_HEADER = 4, "sf_lanes.h"
# Of the sum in sf_add_s8_dsp.
DSP_ADD_SHIFTS = (-22, -1)
# A sum of that many int8 without their zero_point stays below 2^30.
MEAN_MAX_COUNT = 2**22
# tanh's argument has up to 6 integer bits in LiteRT; the exponential has one more.
LSTM_CELL_BITS = (9, 15)


def broadcast_axes(shapes: tuple[tuple[int, ...], ...]) -> list[tuple[int, int, int]]:
    """The output of a broadcast as few axes, slowest first.

    Args:
        shapes: of the two inputs.
    Returns:
        (count, step of the first input, step of the second); a step is 0 where the input is repeated.
    """
    rank = max(map(len, shapes))
    a, b = ((1,) * (rank - len(shape)) + tuple(shape) for shape in shapes)
    pairs = [pair for pair in zip(a, b, strict=True) if max(pair) > 1]
    axes: list[tuple[int, int, int]] = []
    steps = [1, 1]
    for grows, group in groupby(reversed(pairs), key=lambda pair: (pair[0] > 1, pair[1] > 1)):
        count = prod(max(pair) for pair in group)
        step_a, step_b = (step * grow for step, grow in zip(steps, grows, strict=True))
        axes.insert(0, (count, step_a, step_b))
        steps = [step * count if grow else step for step, grow in zip(steps, grows, strict=True)]
    return axes


def broadcast_view(op: ir.Op, shapes: tuple[tuple[int, ...], ...]) -> dict[str, dict[str, int]]:
    """Fields of sf_broadcast.

    Raises:
        UnsupportedLayerError: the inputs are repeated along more axes than the kernel walks.
    """
    axes = broadcast_axes(shapes)
    supported(
        len(axes) <= BROADCAST_AXES,
        f"{op.where}: shapes {shapes[0]} and {shapes[1]} alternate between repeated and other axes more than "
        "the C runtime takes; transpose one so that repeated axes are neighbours",
    )
    axes = [(1, 0, 0)] * (BROADCAST_AXES - len(axes)) + axes
    names = ("outer", "middle", "inner", "row")
    return {
        name: dict(zip(("count", "step_a", "step_b"), axis, strict=True))
        for name, axis in zip(names, axes, strict=True)
    }


def reduction_view(op: ir.Reduction, shape: tuple[int, ...]) -> dict[str, int]:
    """Fields of sf_reduction: the input as (outer, first, middle, second, inner); first and second are reduced.

    Raises:
        UnsupportedLayerError: the axes are in three places, or too many values become one.
    """
    axes = [(n, a in op.axes) for a, n in enumerate(shape) if n > 1]
    runs = [(reduced, prod(n for n, _ in group)) for reduced, group in groupby(axes, key=lambda axis: axis[1])]
    places = [n for reduced, n in runs if reduced]
    supported(
        len(places) <= 2, f"{op.where}: axes {op.axes} of {shape} lie in {len(places)} places; expected one or two"
    )
    view = [1] if runs and runs[0][0] else []
    view += [n for _, n in runs]
    # One place is the second, so that what lies behind it is the inner one, of which the kernel takes four at a time.
    view = view[:1] + [1, 1] * (len(places) < 2) + view[1:]
    view += [1] * (5 - len(view))
    count = view[1] * view[3]
    supported(
        count <= MEAN_MAX_COUNT,
        f"{op.where} makes one value of {count}; the C runtime takes up to {MEAN_MAX_COUNT}",
    )
    return dict(zip(("outer", "first", "middle", "second", "inner"), view, strict=True))


def adds_in_one_row(op: ir.Op, graph: ir.Graph) -> bool:
    """Whether two inputs of an addition have the output's shape, for which there is a smaller kernel."""
    return op.kind == "add" and len({t.shape for t in (*graph.op_inputs(op), *graph.op_outputs(op))}) == 1


def adds_by_words(op: ir.Add | ir.Sub, graph: ir.Graph) -> bool:
    """Whether the kernel for cores with DSP instructions takes an addition of equal shapes: nearly every one."""
    *sources, target = (*graph.op_inputs(op), *graph.op_outputs(op))
    low, high = DSP_ADD_SHIFTS
    _, shift = split_scale(add_scales(sources[0].scale, sources[1].scale, target.scale)[2])
    return low <= shift <= high or line_of(op, tuple(sources), target) is not None


def _kernel(
    function: str, params: str, source: str, array_bytes: Iterable[int] = (), shared: tuple[str, ...] = ()
) -> Kernel:
    data = sum(map(word, array_bytes)) + word(STRUCT_BYTES[params])
    return Kernel(function, function, params, (source, *shared), False, 0, data)


def dsp_kernel(name: str, params: str, file: str, *shared: str) -> Kernel:
    """A kernel without arrays that is there twice: FILE.c and FILE_dsp.c, which includes the shared headers."""
    symbol, sources = f"{name}_s8_dsp", (f"{file}.c", f"{file}_dsp.c", LANES_HEADER, *shared)
    return Kernel(name, symbol, params, sources, False, 0, word(STRUCT_BYTES[params]))


def _shapes(op: ir.Op, graph: ir.Graph) -> tuple[tuple[int, ...], ...]:
    return tuple(tensor.shape for tensor in graph.op_inputs(op))


def _add(op: ir.Add | ir.Sub, graph: ir.Graph, dsp: bool) -> Kernel:
    if adds_in_one_row(op, graph):
        if dsp and adds_by_words(op, graph):
            return dsp_kernel("sf_add", "sf_add_params", "sf_add")
        return _kernel("sf_add_s8", "sf_add_params", "sf_add.c", shared=(LANES_HEADER,))
    broadcast_view(op, _shapes(op, graph))
    function = "sf_sub_s8" if op.kind == "sub" else "sf_broadcast_add_s8"
    return _kernel(function, "sf_broadcast_add_params", "sf_add.c", shared=(LANES_HEADER,))


def _mul(op: ir.Mul, graph: ir.Graph, dsp: bool) -> Kernel:
    broadcast_view(op, _shapes(op, graph))
    return _kernel("sf_mul_s8", "sf_mul_params", "sf_mul.c", shared=(LANES_HEADER,))


def _prelu(op: ir.Prelu, graph: ir.Graph, dsp: bool) -> Kernel:
    broadcast_view(op, _shapes(op, graph))
    return _kernel("sf_prelu_s8", "sf_prelu_params", "sf_prelu.c", shared=(LANES_HEADER,))


def _extremum(op: ir.Extremum, graph: ir.Graph, dsp: bool) -> Kernel:
    broadcast_view(op, _shapes(op, graph))
    if dsp:
        return dsp_kernel(f"sf_{op.kind}", "sf_broadcast", "sf_extremum")
    return _kernel(f"sf_{op.kind}_s8", "sf_broadcast", "sf_extremum.c")


def _table(op: ir.Table, graph: ir.Graph, dsp: bool) -> Kernel:
    return _kernel("sf_table_s8", "sf_table_params", "sf_table.c", (op.table.nbytes,))


def _requantize(op: ir.Requantize, graph: ir.Graph, dsp: bool) -> Kernel:
    return _kernel("sf_requantize_s8", "sf_requantize_params", "sf_requantize.c", shared=(LANES_HEADER,))


def _mean(op: ir.Mean, graph: ir.Graph, dsp: bool) -> Kernel:
    if reduction_view(op, *_shapes(op, graph))["inner"] >= LANES and dsp:
        return dsp_kernel("sf_mean", "sf_mean_params", "sf_reduce", "sf_tile.h")
    return _kernel("sf_mean_s8", "sf_mean_params", "sf_reduce.c")


def _reduce_max(op: ir.ReduceMax, graph: ir.Graph, dsp: bool) -> Kernel:
    if reduction_view(op, *_shapes(op, graph))["inner"] >= LANES and dsp:
        return dsp_kernel("sf_reduce_max", "sf_reduction", "sf_reduce", "sf_tile.h")
    return _kernel("sf_reduce_max_s8", "sf_reduction", "sf_reduce.c")


def _check_plane(op: ir.Resize, graph: ir.Graph) -> None:
    worst = max(n for shape in (*_shapes(op, graph), op.size) for n in shape)
    supported(worst <= UINT16_MAX, f"{op.where} has a size of {worst}; the C runtime takes up to {UINT16_MAX}")


def _resize_bilinear(op: ir.ResizeBilinear, graph: ir.Graph, dsp: bool) -> Kernel:
    _check_plane(op, graph)
    for source, target in zip(_shapes(op, graph)[0][1:3], op.size, strict=True):
        lower, _, _ = bilinear_positions(source, target, op.align_corners, op.half_pixel_centers)
        supported(
            int(np.max(lower)) < source,
            f"{op.where}: {source} to {target} rounds so much in LiteRT's arithmetic that it reads outside the input",
        )
    return _kernel("sf_resize_bilinear_s8", "sf_resize_bilinear_params", "sf_resize.c")


def _resize_nearest(op: ir.ResizeNearest, graph: ir.Graph, dsp: bool) -> Kernel:
    _check_plane(op, graph)
    return _kernel("sf_resize_nearest_s8", "sf_resize_nearest_params", "sf_resize.c", (2 * n for n in op.size))


def _conversion(function: str, params: str) -> KernelOf:
    return lambda op, graph, dsp: _kernel(function, params, "sf_convert.c")


def _svdf(op: ir.Svdf, graph: ir.Graph, dsp: bool) -> Kernel:
    worst = max(*op.feature_kernel.shape, *op.time_kernel.shape)
    supported(worst <= UINT16_MAX, f"{op.where} has a size of {worst}; the C runtime takes up to {UINT16_MAX}")
    arrays = (op.feature_kernel, op.time_kernel, op.bias)
    return _kernel("sf_svdf_s8", "sf_svdf_params", "sf_svdf.c", (a.nbytes for a in arrays))


def _lstm(op: ir.UnidirectionalLstm, graph: ir.Graph, dsp: bool) -> Kernel:
    shape = graph.op_inputs(op)[0].shape
    worst = max(*shape, op.units)
    supported(worst <= UINT16_MAX, f"{op.where} has a size of {worst}; the C runtime takes up to {UINT16_MAX}")
    hidden, cell = (graph.variables[name].tensor for name in op.variables)
    bits, (low, high) = lstm_multipliers(op, graph.op_inputs(op)[0], hidden, cell).cell_bits, LSTM_CELL_BITS
    supported(
        low <= bits <= high,
        f"{op.where}: its cell has {bits} fractional bits; the C runtime takes {low} to {high}",
    )
    arrays = [a.nbytes for a in (op.input_kernels, op.recurrent_kernels, op.biases)]
    return _kernel("sf_lstm_s8", "sf_lstm_params", "sf_lstm.c", [*arrays, 4 * 9, 9])


KERNELS: dict[str, KernelOf] = {
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
    "quantize": _conversion("sf_quantize", "sf_quantize_params"),
    "dequantize": _conversion("sf_dequantize", "sf_quantize_params"),
    "convert": _conversion("sf_convert", "sf_convert_params"),
    "svdf": _svdf,
    "lstm": _lstm,
}
