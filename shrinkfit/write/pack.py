# SPDX-License-Identifier: Apache-2.0
"""An operator in, the constants that its C kernel wants out: arrays in its order, struct fields by name.

A row of weights is padded with zeros to whole words, since the DSP kernels load four at a time. The
input's zero_point is folded into the bias, so that the inner loops multiply plain bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.multipliers import dense_multipliers
from shrinkfit.graph.softmax import softmax_parameters
from shrinkfit.price.kernel import Choice
from shrinkfit.price.kernels import kernel_for
from shrinkfit.price.plain import has_plain_sums, short_scales
from shrinkfit.price.strips import strips
from shrinkfit.write import pack_3x3, pack_arithmetic, pack_dense, pack_layout, pack_pairs, pack_sparse, pack_time
from shrinkfit.write.packed import Fields, Packed, Tensors
from shrinkfit.write.stages import fold_zero_point, window_fields


def pack(op: ir.Op, graph: ir.Graph, choice: Choice | bool) -> Packed:
    """The constants of an operator that is one call; arguments as those of pack_calls."""
    (packed,) = pack_calls(op, graph, choice)
    return packed


def pack_calls(op: ir.Op, graph: ir.Graph, choice: Choice | bool) -> tuple[Packed, ...]:
    """The constants of each of an operator's calls.

    Args:
        op: an operator for which price.kernels.kernel_for has a kernel.
        graph: gives the tensors.
        choice: of kernels, as kernel_for takes it: some want an order of their own.
    """
    if op.kind in pack_layout.KINDS:
        return pack_layout.pack_copies(op, graph)
    if op.kind in pack_arithmetic.PACKERS:
        return (pack_arithmetic.PACKERS[op.kind](op, graph, graph.op_inputs(op), graph.op_outputs(op)[0]),)
    if op.kind in pack_time.PACKERS:
        return (pack_time.PACKERS[op.kind](op, graph, graph.op_inputs(op), graph.op_outputs(op)[0]),)
    packer = _PACKERS_BY_PARAMS.get(kernel_for(op, graph, choice).params) or _PACKERS[op.kind]
    return (packer(op, graph.op_inputs(op), graph.op_outputs(op)[0]),)


def pack_rows(kernel: np.ndarray) -> np.ndarray:
    """int8 [outputs, ...] -> [outputs, row], zeros behind each row up to a multiple of 4."""
    rows = kernel.reshape(kernel.shape[0], -1)
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4)))


def _is_plain(op: ir.Weighted, shifts: np.ndarray) -> bool:
    full_range = (op.activation_min, op.activation_max) == (ir.INT8_MIN, ir.INT8_MAX)
    return full_range and has_plain_sums(op, shifts)


def _stage(op: ir.Weighted, source: ir.Tensor, target: ir.Tensor) -> tuple[dict[str, np.ndarray], Fields]:
    """Arrays and fields of sf_output_stage."""
    if isinstance(op, ir.Dense):
        multipliers, shifts = dense_multipliers(op, source, target)
    else:
        multipliers, shifts = short_scales(op, source, target)
    # Outputs of a transposed convolution differ in how many taps reach them.
    is_folded = not isinstance(op, ir.TransposeConv2D)
    arrays = {
        "bias": fold_zero_point(op, source.zero_point) if is_folded else op.bias,
        "multiplier": multipliers.astype(np.int32),
        "shift": shifts.astype(np.int8),
    }
    fields: Fields = {name: name for name in arrays}
    fields |= {"in_zero_point": source.zero_point, "out_zero_point": target.zero_point}
    return arrays, fields | _activation(op) | {"plain": int(_is_plain(op, shifts))}


def _windowed(
    params: str, kernel: np.ndarray, op: ir.Windowed | ir.TransposeConv2D, source: ir.Tensor, target: ir.Tensor
) -> Packed:
    arrays, stage = _stage(op, source, target)
    dilation = op.dilation if isinstance(op, ir.Windowed) else (1, 1)
    window = window_fields(op.window, op.stride, dilation, op.padding, source, target)
    return Packed(params, {"kernel": kernel} | arrays, {"kernel": "kernel", "stage": stage, "window": window})


def _conv2d(op: ir.Conv2D, sources: Tensors, target: ir.Tensor) -> Packed:
    groups = op.groups(sources[0].shape)
    if groups == 1:
        return _windowed("sf_conv2d_params", pack_rows(op.kernel), op, sources[0], target)
    packed = _windowed("sf_grouped_conv2d_params", pack_rows(op.kernel), op, sources[0], target)
    sizes = {"group_inputs": op.kernel.shape[3], "group_outputs": op.channels // groups}
    return Packed(packed.params, packed.arrays, {**packed.fields, **sizes})


def _transpose_conv2d(op: ir.TransposeConv2D, sources: Tensors, target: ir.Tensor) -> Packed:
    return _windowed("sf_conv2d_params", pack_rows(op.kernel), op, sources[0], target)


def _depthwise(op: ir.DepthwiseConv2D, sources: Tensors, target: ir.Tensor) -> Packed:
    planes = np.ascontiguousarray(np.moveaxis(op.kernel, 2, 0)).reshape(op.channels, -1)
    packed = _windowed("sf_depthwise_params", planes, op, sources[0], target)
    return Packed(packed.params, packed.arrays, {**packed.fields, "depth_multiplier": op.depth_multiplier})


def _depthwise_3x3(op: ir.DepthwiseConv2D, sources: Tensors, target: ir.Tensor) -> Packed:
    """Records of five words; the weights in pairs of neighbours, as sf_strips.h unpacks them."""
    packed, plan = _depthwise(op, sources, target), strips(op, sources[0].shape, target.shape)
    stage, weights = packed.arrays, packed.arrays["kernel"][:, [0, 1, 1, 2, 3, 4, 4, 5, 6, 7, 8, 8]].copy()
    weights[:, 11] = -stage["shift"] - 1
    words = [2 * stage["bias"], stage["multiplier"], *weights.view("<i4").T]
    fields: Fields = {"records": "records", "window": packed.fields["window"]}
    fields |= {"depth_multiplier": op.depth_multiplier}
    fields |= {"strip_outputs": plan.outputs, "strips": plan.count}
    fields |= {"buffers": plan.buffers, "band_rows": plan.band_rows}
    fields |= {"in_zero_point": sources[0].zero_point, "out_zero_point": target.zero_point}
    return Packed("sf_depthwise_3x3_params", {"records": np.stack(words, axis=1).astype(np.int32)}, fields)


def _dense(op: ir.Dense, sources: Tensors, target: ir.Tensor) -> Packed:
    arrays, stage = _stage(op, sources[0], target)
    sizes = {"rows": prod(target.shape[:-1]), "inputs": op.kernel.shape[1], "outputs": op.channels}
    fields = {"kernel": "kernel", "stage": stage} | sizes
    return Packed("sf_dense_params", {"kernel": pack_rows(op.kernel)} | arrays, fields)


def _activation(op: ir.Activated) -> dict[str, int]:
    return {"activation_min": op.activation_min, "activation_max": op.activation_max}


def _pool2d(op: ir.Pool2D, sources: Tensors, target: ir.Tensor) -> Packed:
    window = window_fields(op.window, op.stride, (1, 1), op.padding, sources[0], target)
    return Packed("sf_pool_params", {}, {"window": window, **_activation(op)})


def _softmax(op: ir.Softmax, sources: Tensors, target: ir.Tensor) -> Packed:
    multiplier, shift, diff_min = softmax_parameters(sources[0].scale, op.beta)
    fields = {"rows": prod(target.shape[:-1]), "depth": target.shape[-1]}
    # Differences of int8 never go below -255, and the kernel shifts what is not below diff_min.
    fields |= {"multiplier": multiplier, "shift": shift, "diff_min": max(diff_min, -256)}
    return Packed("sf_softmax_params", {}, fields)


_PACKERS: dict[str, Callable[..., Packed]] = {
    "conv2d": _conv2d,
    "transpose_conv2d": _transpose_conv2d,
    "depthwise_conv2d": _depthwise,
    "dense": _dense,
    "pool2d": _pool2d,
    "softmax": _softmax,
}
# Parameter struct -> packer, where an operator has a kernel with a layout of its own.
_PACKERS_BY_PARAMS: dict[str, Callable[..., Packed]] = {
    "sf_conv2d_pairs_params": pack_pairs.pack_conv2d,
    "sf_conv2d_3x3_params": pack_3x3.pack_conv2d,
    "sf_dense_pairs_params": pack_dense.pack_dense_pairs,
    "sf_sparse_params": pack_sparse.pack_sparse,
    "sf_depthwise_3x3_params": _depthwise_3x3,
}
