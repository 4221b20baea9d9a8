# SPDX-License-Identifier: Apache-2.0
"""A depthwise convolution in, the strips of columns that sf_depthwise_3x3 works on out."""

from __future__ import annotations

from dataclasses import dataclass

from shrinkfit.graph import ir
from shrinkfit.graph.fixedpoint import split_scales
from shrinkfit.price.plain import has_plain_sums, is_blank

# Bands are as high as their buffers fit these bytes; higher ones widen fewer rows twice.
BAND_BYTES = 4096
# A channel's: bias, multiplier, weights and shift.
RECORD_BYTES = 20
# int16 in a buffer's row: what 6 outputs side by side reach, by the stride.
ROW = {1: 8, 2: 14}


@dataclass(frozen=True)
class Strips:
    """See sf_depthwise_3x3_params.

    Args:
        outputs: columns of the output in a strip.
        count: strips; the first two share outputs where the width is no multiple of `outputs`.
        buffers: 1, or one for each strip.
        band_rows: output rows whose inputs are in the buffers together.
        scratch_bytes: of all buffers.
    """

    outputs: int
    count: int
    buffers: int
    band_rows: int
    scratch_bytes: int


def has_strips(op: ir.DepthwiseConv2D, source: ir.Tensor, target: ir.Tensor) -> bool:
    """Whether sf_depthwise_3x3 is exact for this operator; one without weights, from shapes alone, counts as usual."""
    if op.window != (3, 3) or op.dilation != (1, 1) or op.stride[1] not in ROW:
        return False
    full_range = (op.activation_min, op.activation_max) == (ir.INT8_MIN, ir.INT8_MAX)
    return is_blank(op) or (full_range and has_plain_sums(op, split_scales(op.effective_scales(source, target))[1]))


def strips(op: ir.DepthwiseConv2D, in_shape: tuple[int, ...], out_shape: tuple[int, ...]) -> Strips:
    """The choice for an operator that has_strips; shapes with batch axis."""
    (_, _, in_width, channels), (_, height, width, _) = in_shape, out_shape
    (stride_height, stride), together = op.stride, min(channels, 2)
    # Where 5 columns make no more strips than 6 they cost less.
    outputs = 5 if stride == 1 and -(-width // 5) == -(-width // 6) else 6
    count = -(-width // outputs)
    in_columns = stride == 1 and width == in_width and op.padding.left <= 2
    buffers = 1 if in_columns else count
    row_bytes = 2 * ROW[stride] * buffers * together
    band_rows = height
    if buffers > 1 and width <= (stride_height - op.padding.top) * in_width:
        most = max((BAND_BYTES // row_bytes - 3) // stride_height + 1, 1)
        band_rows = -(-height // -(-height // most))
    narrow_bytes = height * outputs if width < outputs else 0
    scratch_bytes = ((band_rows - 1) * stride_height + 3) * row_bytes + -(-narrow_bytes // 4) * 4
    return Strips(outputs, count, buffers, band_rows, scratch_bytes)
