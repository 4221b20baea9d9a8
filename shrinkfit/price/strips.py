# SPDX-License-Identifier: Apache-2.0
"""A depthwise convolution in, the buffers that its kernels work in out: strips of columns, or whole planes."""

from __future__ import annotations

from dataclasses import dataclass

from shrinkfit.graph import ir
from shrinkfit.price.plain import has_plain_sums, short_scales

# Bands are as high as their buffers fit these bytes; higher ones widen fewer rows twice.
BAND_BYTES = 4096
# Outputs of a plane that are worked on together.
GROUP = 4
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
    """Whether sf_depthwise_3x3 is exact for this operator."""
    if op.window != (3, 3) or op.dilation != (1, 1) or op.stride not in ((1, 1), (2, 2)):
        return False
    full_range = (op.activation_min, op.activation_max) == (ir.INT8_MIN, ir.INT8_MAX)
    return full_range and has_plain_sums(op, short_scales(op, source, target)[1])


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


@dataclass(frozen=True)
class PlaneShape:
    """Twin of plane_shape in sf_depthwise_dsp.c.

    Args:
        across, along: which axis has the rows one after the other, and along which they lie: 0 height, 1 width.
        height: rows.
        stride: int16 from row to row.
        pairs: words in a row of weights.
        group: outputs that are worked on together.
        scratch_bytes: of the plane and the weights.
    """

    across: int
    along: int
    height: int
    stride: int
    pairs: int
    group: int
    scratch_bytes: int

    @classmethod
    def of(cls, op: ir.DepthwiseConv2D, out_shape: tuple[int, ...]) -> PlaneShape:
        """Args: an operator that sf_depthwise_s8_dsp runs, and its output's shape with batch axis."""
        along = 0 if op.window[0] > op.window[1] else 1
        across, out = 1 - along, out_shape[1:3]
        is_dense = op.dilation[along] == 1
        group = GROUP if is_dense and op.stride[along] == 1 else 1
        columns = -(-out[along] // group) * group
        height = (out[across] - 1) * op.stride[across] + (op.window[across] - 1) * op.dilation[across] + 1
        stride = ((columns - 1) * op.stride[along] + (op.window[along] - 1) * op.dilation[along] + 3) & ~1
        pairs = (op.window[along] + 1) // 2 if is_dense else op.window[along]
        scratch_bytes = op.window[across] * pairs * 4 + (height * stride + 2) * 2
        return cls(across, along, height, stride, pairs, group, scratch_bytes)
