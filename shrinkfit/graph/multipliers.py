# SPDX-License-Identifier: Apache-2.0
"""Operators and the scales of their tensors in, the multipliers and shifts out that simulator and C kernels share.

How LiteRT's reference kernels round was found by experiment; docs/rounding.md has the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import frexp

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.fixedpoint import requantize, split_scale, split_scales

# How far from the nearest multiplier to look for one that agrees with floating point on every sum.
MULTIPLIER_REACH = 32
ADD_LEFT_SHIFT = 20
# The gates of an LSTM before their activation are Q3.12.
LSTM_GATE_BITS = 12


def add_scales(a: float, b: float, out: float) -> tuple[float, float, float]:
    """The three real multipliers of ADD and SUB: first input, second input, output (after a left shift by 20)."""
    twice_max = 2.0 * max(a, b)
    return a / twice_max, b / twice_max, twice_max / ((1 << ADD_LEFT_SHIFT) * out)


def mul_scale(a: float, b: float, out: float) -> float:
    """The real multiplier of MUL: float32 at every step."""
    return float(np.float32(a) * np.float32(b) / np.float32(out))


def prelu_scales(source: float, alpha: float, out: float) -> tuple[float, float]:
    """The real multipliers of PRELU from zero on and below it: float32 at every step."""
    return float(np.float32(source) / np.float32(out)), mul_scale(source, alpha, out)


def svdf_scales(op: ir.Svdf, source: ir.Tensor, state: ir.Tensor, target: ir.Tensor) -> tuple[float, float]:
    """The real multipliers of SVDF, sum to state and state to output: float32 at every step."""
    return mul_scale(source.scale, op.feature_scale, state.scale), mul_scale(state.scale, op.time_scale, target.scale)


@dataclass(frozen=True)
class LstmNumbers:
    """What the LSTM kernel computes with.

    Args:
        input, recurrent: (multiplier, shift) per gate, to Q3.12.
        hidden: (multiplier, shift) from Q0.30 to the hidden state's steps.
        cell_bits: fractional bits of the cell.
        cell_clip: bound of the cell in its steps, 0 for none.
    """

    input: tuple[tuple[int, int], ...]
    recurrent: tuple[tuple[int, int], ...]
    hidden: tuple[int, int]
    cell_bits: int
    cell_clip: int


def lstm_multipliers(op: ir.UnidirectionalLstm, source: ir.Tensor, hidden: ir.Tensor, cell: ir.Tensor) -> LstmNumbers:
    """The LSTM's multipliers; cell has a scale of 2**-n."""

    def gates(scales: np.ndarray, scale: float) -> tuple[tuple[int, int], ...]:
        effective = (scales * np.float32(scale) / np.float32(2.0**-LSTM_GATE_BITS)).astype(np.float32)
        return tuple(split_scale(float(s)) for s in effective)

    clip = min(op.cell_clip / cell.scale, 2.0**15 - 1)
    return LstmNumbers(
        input=gates(op.input_scales, source.scale),
        recurrent=gates(op.recurrent_scales, hidden.scale),
        hidden=split_scale(float(np.float32(2.0**-15) / np.float32(op.hidden_scale) * np.float32(2.0**-15))),
        cell_bits=1 - frexp(cell.scale)[1],
        cell_clip=int(clip),
    )


def mean_multiplier(source_scale: float, target_scale: float, count: int) -> tuple[int, int]:
    """(multiplier, shift) of MEAN over count elements: the division is folded into the multiplier and truncated."""
    multiplier, shift = split_scale(source_scale / target_scale)
    bits = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << bits) // count, shift - bits


def requantize_multiplier(op: ir.Requantize, source: ir.Tensor, target: ir.Tensor) -> tuple[int, int]:
    """(multiplier, shift) of QUANTIZE, which divides the scales as doubles, or RELU, as float32."""
    if op.division == "double":
        return split_scale(source.scale / target.scale)
    return split_scale(float(np.float32(source.scale) / np.float32(target.scale)))


@lru_cache(maxsize=64)
def dense_multipliers(op: ir.Dense, source: ir.Tensor, target: ir.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """(multipliers, shifts), int64 [channels], with which single rounding gives FULLY_CONNECTED's outputs.

    LiteRT's reference computes round(double(sum) * scale), halves away from zero. Single rounding with
    the nearest multiplier differs at ties (negative ones go up) and at sums next to them. The output
    only depends on the sums at which it steps, at most 255 a channel: the multiplier taken here is the
    nearest one that steps at the same sums within what the channel can reach. Where there is none (a
    scale near 2**-24 and sums of that size) the nearest multiplier stays.
    """
    scales = op.effective_scales(source, target)
    sums = _reachable_sums(op, source.zero_point)
    outputs = np.arange(op.activation_min + 1, op.activation_max + 1) - target.zero_point
    steps = _first_sums(scales[:, None], outputs)
    multipliers, shifts = split_scales(scales)
    found = multipliers.copy()
    open_channels = np.arange(op.channels)
    for offset in sorted(range(-MULTIPLIER_REACH, MULTIPLIER_REACH + 1), key=lambda n: (abs(n), -n)):
        trial = np.clip(multipliers[open_channels] + offset, 0, 2**31 - 1)
        fits = _steps_fit(steps[open_channels], sums[:, open_channels], outputs, trial, shifts[open_channels])
        found[open_channels[fits]] = trial[fits]
        open_channels = open_channels[~fits]
        if not open_channels.size:
            break
    return found, shifts


def _reachable_sums(op: ir.Dense, zero_point: int) -> np.ndarray:
    """The least and the greatest sum of each channel over all int8 inputs, int64 [2, channels]."""
    kernel = op.kernel.astype(np.int64)
    ends = kernel * (ir.INT8_MIN - zero_point), kernel * (ir.INT8_MAX - zero_point)
    return op.bias + np.stack([np.minimum(*ends).sum(axis=1), np.maximum(*ends).sum(axis=1)])


def round_double(acc: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """round(double(acc) * scale), halves away from zero: float64 arrays of integers."""
    product = np.asarray(acc, np.float64) * scale
    return np.copysign(np.floor(np.abs(product) + 0.5), product)


def _first_sums(scales: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """The smallest sum for which round_double gives at least each output, int64."""
    start = np.floor(np.clip((outputs - 0.5) / scales, -(2.0**40), 2.0**40)).astype(np.int64) - 1
    return start + sum((round_double(start + n, scales) < outputs).astype(np.int64) for n in range(4))


def _steps_fit(
    steps: np.ndarray, sums: np.ndarray, outputs: np.ndarray, multipliers: np.ndarray, shifts: np.ndarray
) -> np.ndarray:
    """For each channel: does single rounding step at exactly these sums, as far as sums reach?"""
    low, high = sums[:, :, None]
    at = requantize(np.clip(steps, low, high), multipliers[:, None], shifts[:, None], "single")
    before = requantize(np.clip(steps - 1, low, high), multipliers[:, None], shifts[:, None], "single")
    # Rounding is monotonic, so agreement at both sides of each step is agreement everywhere.
    return np.all(((steps > high) | (at >= outputs)) & ((steps <= low) | (before < outputs)), axis=1)
