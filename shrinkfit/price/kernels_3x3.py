# SPDX-License-Identifier: Apache-2.0
"""A convolution in, whether and at what price the kernel by tiles of 2 x 2 outputs runs it (sf_tiles.h) out.

It takes 16 products where 36 are, for 3.6 times the flash: one of the kernels that trade flash for cycles.
"""

from __future__ import annotations

from dataclasses import dataclass

from shrinkfit.graph import ir
from shrinkfit.price.kernel import Kernel, word
from shrinkfit.price.plain import LARGEST_INPUT, fits_pairs, magnitudes

STRUCT_BYTES = {"sf_conv2d_3x3_params": 40}
RUNS, GROUP, RECORD_BYTES, SUM_BYTES, GATHER_SLACK_BYTES = 16, 4, 16, 4, 4
TILES_INPUTS, TILES_OUTPUTS = 4 * 6, 2 * 4
# Four times the sum.
LARGEST_SUM = 2**29
# Cycles of both kernels' inner loops, for four channels of two tiles or of two pixels: a step is two input channels.
STEP, RUN, PUT_TOGETHER, TRANSFORM = 16, 24, 560, 400
PAIRS_STEP, PAIRS_CALL, PAIRS_WIDEN = 15, 70, 6


@dataclass(frozen=True)
class Tiles:
    """Sizes of the work: channels rounded up as the weights are, blocks of two tiles."""

    inputs: int
    groups: int
    rows: int
    blocks: int

    @classmethod
    def of(cls, op: ir.Conv2D, out_shape: tuple[int, ...]) -> Tiles:
        """From the shapes of an operator and of its output."""
        _, height, width, channels = out_shape
        return cls(-(-op.kernel.shape[3] // 8) * 8, -(-channels // GROUP), -(-height // 2), -(-width // 4))

    @property
    def steps(self) -> int:
        """Of each run."""
        return self.inputs // 2


def has_tiles(op: ir.Conv2D, source: ir.Tensor, target: ir.Tensor) -> bool:
    """Whether sf_conv2d_3x3 is exact for a convolution, and by the rule of `is_faster` worth it."""
    is_3x3 = (op.window, op.stride, op.dilation) == ((3, 3), (1, 1), (1, 1)) and op.groups(source.shape) == 1
    return (
        is_3x3
        and fits_pairs(op, source, target)
        and bool(magnitudes(op).max() * LARGEST_INPUT < LARGEST_SUM)
        and is_faster(op, target.shape)
    )


def is_faster(op: ir.Conv2D, out_shape: tuple[int, ...]) -> bool:
    """Whether the cycles of its inner loops are fewer than those of the kernel by pairs; both go by shapes alone."""
    tiles, (_, height, width, _) = Tiles.of(op, out_shape), out_shape
    words = -(-op.kernel.shape[3] // 4)
    group = RUNS * (STEP * tiles.steps + RUN) + PUT_TOGETHER
    by_tiles = tiles.rows * tiles.blocks * (tiles.groups * group + words * TRANSFORM)
    row = -(-9 * op.kernel.shape[3] // 4)
    by_pairs = -(-height * width // 2) * (tiles.groups * (2 * PAIRS_STEP * row + PAIRS_CALL) + 2 * PAIRS_WIDEN * row)
    return by_tiles < by_pairs


def scratch_bytes(op: ir.Conv2D, out_shape: tuple[int, ...]) -> int:
    """Twin of sf_conv2d_3x3_dsp_scratch_bytes."""
    tiles = Tiles.of(op, out_shape)
    data, sums = RUNS * tiles.steps * 8, RUNS * 2 * GROUP * SUM_BYTES
    rows = TILES_OUTPUTS * tiles.blocks * tiles.groups * GROUP
    return data + sums + rows + TILES_INPUTS * op.kernel.shape[3] + GATHER_SLACK_BYTES


def kernel(op: ir.Conv2D, out_shape: tuple[int, ...]) -> Kernel:
    """What sf_conv2d_3x3 takes."""
    tiles, params = Tiles.of(op, out_shape), "sf_conv2d_3x3_params"
    weight_bytes = tiles.groups * RUNS * tiles.steps * GROUP * 4
    return Kernel(
        function="sf_conv2d_3x3",
        symbol="sf_conv2d_3x3_s8_dsp",
        params=params,
        sources=("sf_conv2d_3x3.c", "sf_conv2d_3x3_dsp.c", "sf_tiles_dsp.c", "sf_tiles.h", "sf_widen.h"),
        takes_scratch=True,
        scratch_bytes=scratch_bytes(op, out_shape),
        data_bytes=weight_bytes + tiles.groups * GROUP * RECORD_BYTES + word(STRUCT_BYTES[params]),
    )
