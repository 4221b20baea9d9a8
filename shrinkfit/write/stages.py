# SPDX-License-Identifier: Apache-2.0
"""What packers of layers with weights share: the bias with the input's zero_point in it, windows, whole structs."""

from __future__ import annotations

import numpy as np

from shrinkfit.errors import UnsupportedLayerError
from shrinkfit.graph import ir
from shrinkfit.graph.fixedpoint import INT32_MAX, INT32_MIN
from shrinkfit.write.packed import Fields, Packed


def fold_zero_point(op: ir.Weighted, zero_point: int) -> np.ndarray:
    """int32 [channels]: bias - zero_point * sum(kernel).

    Raises:
        UnsupportedLayerError: the folded bias does not fit int32.
    """
    axes = tuple(a for a in range(op.kernel.ndim) if a != op.output_axis)
    folded = op.bias.astype(np.int64) - zero_point * op.kernel.astype(np.int64).sum(axis=axes)
    if folded.min() < INT32_MIN or folded.max() > INT32_MAX:
        raise UnsupportedLayerError(f"{op.kind} '{op.name}': bias - zero_point * sum(kernel) does not fit int32")
    return folded.astype(np.int32)


def window_fields(
    window: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: ir.Padding,
    source: ir.Tensor,
    target: ir.Tensor,
) -> dict[str, int]:
    """Fields of sf_window."""
    names = ("height", "width", "channels")
    return (
        {f"in_{n}": size for n, size in zip(names, source.shape[1:], strict=True)}
        | {f"out_{n}": size for n, size in zip(names, target.shape[1:], strict=True)}
        | {"kernel_height": window[0], "kernel_width": window[1]}
        | {"stride_height": stride[0], "stride_width": stride[1]}
        | {"dilation_height": dilation[0], "dilation_width": dilation[1]}
        | {"pad_top": padding.top, "pad_left": padding.left}
    )


def packed_conv2d(
    params: str, arrays: dict[str, np.ndarray], op: ir.Conv2D, source: ir.Tensor, target: ir.Tensor
) -> Packed:
    """Of a convolution that keeps its requantization in records.

    Args:
        params: the C type of its struct.
        arrays: kernel and records.
    """
    window = window_fields(op.window, op.stride, op.dilation, op.padding, source, target)
    fields: Fields = {name: name for name in arrays}
    fields |= {"window": window, "in_zero_point": source.zero_point, "out_zero_point": target.zero_point}
    return Packed(params, arrays, fields | {"activation_min": op.activation_min, "activation_max": op.activation_max})
