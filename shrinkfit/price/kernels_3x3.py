# SPDX-License-Identifier: Apache-2.0
"""A convolution in, whether and at what price the kernel by tiles of 2 x 2 outputs runs it (sf_tiles.h) out.

It takes 16 products where 36 are, for 3.6 times the flash: one of the kernels that trade flash for cycles.
"""

from __future__ import annotations

from dataclasses import dataclass

from shrinkfit.graph import ir
from shrinkfit.price.kernel import GATHER_SLACK_BYTES, Kernel, word
from shrinkfit.price.plain import LARGEST_INPUT, has_plain_sums, magnitudes, short_scales

STRUCT_BYTES = {"sf_conv2d_3x3_params": 40}
SOURCES = (
    "sf_conv2d_3x3.c",
    "sf_conv2d_3x3_dsp.c",
    "sf_tiles_dsp.c",
    "sf_tiles_inputs_dsp.c",
    "sf_tiles.h",
    "sf_widen.h",
)
RUNS, GROUP, RECORD_BYTES, SUM_BYTES = 16, 4, 16, 4
TILES_INPUTS, TILES_OUTPUTS = 4 * 6, 2 * 4
# Four times it fits int32.
LARGEST_SUM = 2**29
# About the cycles of both kernels' loops, from cycles.json. By tiles: two input channels, eight of these, a group of
# output channels, a block's four input channels, a block; by pairs: two taps, a group, four taps, two windows.
STEP, TURN, GROUP_OF_TILES, TRANSFORM, BLOCK = 16, 5, 920, 420, 400
PAIRS_STEP, GROUP_OF_PAIRS, WIDEN, WINDOWS = 15, 110, 20, 200


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
    """Whether sf_conv2d_3x3 takes a convolution: it is exact, and by the rule of `is_faster` worth it."""
    is_3x3 = (op.window, op.stride, op.dilation) == ((3, 3), (1, 1), (1, 1)) and op.groups(source.shape) == 1
    return is_3x3 and fits_tiles(op, source, target) and is_faster(op, target.shape)


def fits_tiles(op: ir.Conv2D, source: ir.Tensor, target: ir.Tensor) -> bool:
    """Whether sums and requantization are exact: see sf_conv2d_3x3_params."""
    is_plain = has_plain_sums(op, short_scales(op, source, target)[1])
    return is_plain and bool(magnitudes(op).max() * LARGEST_INPUT < LARGEST_SUM)


def is_faster(op: ir.Conv2D, out_shape: tuple[int, ...]) -> bool:
    """Whether its loops take fewer cycles than those of the kernel by pairs.

    It does from about eight input channels on; planes of few pixels fill its tiles badly.
    """
    tiles, (_, height, width, _) = Tiles.of(op, out_shape), out_shape
    inputs, words = op.kernel.shape[3], -(-9 * op.kernel.shape[3] // 4)
    group = GROUP_OF_TILES + RUNS * (STEP * tiles.steps + TURN * -(-tiles.steps // 8))
    by_tiles = tiles.rows * tiles.blocks * (BLOCK + tiles.groups * group + -(-inputs // 4) * TRANSFORM)
    pair = WINDOWS + tiles.groups * (GROUP_OF_PAIRS + 2 * PAIRS_STEP * words) + WIDEN * words
    return by_tiles < -(-height * width // 2) * pair


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
        sources=SOURCES,
        takes_scratch=True,
        scratch_bytes=scratch_bytes(op, out_shape),
        data_bytes=weight_bytes + tiles.groups * GROUP * RECORD_BYTES + word(STRUCT_BYTES[params]),
    )
