# SPDX-License-Identifier: Apache-2.0
"""Functions of one int8 value as tables of 256, by LiteRT's arithmetic for each (docs/rounding.md)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from shrinkfit.errors import ShrinkfitError
from shrinkfit.graph.base import INT8_MAX, INT8_MIN, Tensor
from shrinkfit.graph.fixedpoint import requantize, rounding_shift_right, split_scale
from shrinkfit.graph.gemmlowp import WORD16

HARD_SWISH_BITS = 7


def function_table(function: str, source: Tensor, target: Tensor, alpha: float = 0.0) -> np.ndarray:
    """The outputs for the inputs -128 .. 127.

    Args:
        function: one of ir.TABLE_FUNCTIONS.
        source, target: the tensors read and written, for their scales and zero points.
        alpha: the function's own number: leaky_relu's slope below zero, elu's and celu's alpha, squareplus's b, the
            threshold of hard_shrink and soft_shrink.
    Returns:
        int8 [256].
    Raises:
        ShrinkfitError: the scales are such that LiteRT has no answer either, or their quotient leaves float32.
    """
    values = np.arange(INT8_MIN, INT8_MAX + 1) - source.zero_point
    # Scales at the ends of float32 overflow to infinity, which split_scale refuses.
    with np.errstate(over="ignore", invalid="ignore"):
        if function == "leaky_relu":
            steps = _leaky_relu(values, source.scale, target.scale, alpha)
        elif function == "abs":
            steps = _abs(values, source.scale, target.scale)
        elif function == "hard_swish":
            steps = _hard_swish(values, source.scale, target.scale)
        else:
            steps = _by_float(_real_function(function, alpha), values, source.scale, target.scale)
    return np.clip(steps + target.zero_point, INT8_MIN, INT8_MAX).astype(np.int8)


def _real_function(function: str, alpha: float) -> Callable[[float], float]:
    if function not in _FLOATS_WITH_ALPHA:
        return _FLOATS[function]
    own = _FLOATS_WITH_ALPHA[function]
    return lambda x: own(x, alpha)


def _logistic(x: float) -> float:
    """float32 at every step, as C++ computes 1 / (1 + exp(-x)); exp itself rounded correctly."""
    return float(np.float32(1) / (np.float32(1) + np.float32(_exp(-x))))


def _exp(x: float) -> float:
    """exp, as far as a double reaches."""
    return math.exp(min(x, 700.0))


def _elu(x: float, alpha: float) -> float:
    return x if x > 0 else alpha * math.expm1(x)


def _selu(x: float) -> float:
    """Klambauer et al., Self-Normalizing Neural Networks, 2017, with Keras's digits."""
    return 1.0507009873554805 * _elu(x, 1.6732632423543772)


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _gelu(x: float) -> float:
    """float32 at every step, as LiteRT computes x / 2 * erfc(-x / sqrt(2)); erfc itself rounded correctly."""
    wide = np.float32(x)
    return float(np.float32(0.5) * wide * np.float32(math.erfc(wide * np.float32(-math.sqrt(0.5)))))


def _gelu_tanh(x: float) -> float:
    """The same by tanh: Hendrycks and Gimpel, Gaussian Error Linear Units, 2016."""
    wide = np.float32(x)
    inner = np.float32(math.sqrt(2 / math.pi)) * (wide + np.float32(0.044715) * wide * wide * wide)
    return float(np.float32(0.5) * wide * (np.float32(1) + np.float32(math.tanh(inner))))


def _sparse_plus(x: float) -> float:
    return max(x, 0.0) if abs(x) >= 1 else (x + 1) ** 2 / 4


# LiteRT's own first, the others by the real function in double precision.
_FLOATS: dict[str, Callable[[float], float]] = {
    "logistic": _logistic,
    "tanh": math.tanh,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "exponential": _exp,
    "hard_sigmoid": lambda x: min(max(x + 3, 0.0), 6.0) / 6,
    "silu": lambda x: x / (1 + _exp(-x)),
    "selu": _selu,
    "softplus": _softplus,
    "softsign": lambda x: x / (1 + abs(x)),
    "mish": lambda x: x * math.tanh(_softplus(x)),
    "log_sigmoid": lambda x: -_softplus(-x),
    "hard_tanh": lambda x: min(max(x, -1.0), 1.0),
    "tanh_shrink": lambda x: x - math.tanh(x),
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": lambda x: min(max(x + 1, 0.0), 2.0) / 2,
}
# The same for functions that have a number of their own.
_FLOATS_WITH_ALPHA: dict[str, Callable[[float, float], float]] = {
    "elu": _elu,
    "celu": lambda x, alpha: max(x, 0.0) + min(alpha * math.expm1(min(x, 0.0) / alpha), 0.0),
    "squareplus": lambda x, b: (x + math.sqrt(x * x + b)) / 2,
    "hard_shrink": lambda x, threshold: x if abs(x) > threshold else 0.0,
    "soft_shrink": lambda x, threshold: math.copysign(max(abs(x) - threshold, 0.0), x),
}


def _by_float(
    function: Callable[[float], float], values: np.ndarray, source_scale: float, target_scale: float
) -> np.ndarray:
    """round(float32(function(x)) * float32(1 / scale)), halves away from zero."""
    reals = np.float32(source_scale) * values.astype(np.float32)
    results = np.array([function(float(x)) for x in reals], np.float32)
    scaled = (results * (np.float32(1) / np.float32(target_scale))).astype(np.float64)
    scaled = np.clip(np.nan_to_num(scaled), -(2.0**31), 2.0**31)
    return np.copysign(np.floor(np.abs(scaled) + 0.5), scaled).astype(np.int64)


def leaky_relu_multipliers(source_scale: float, target_scale: float, alpha: float) -> tuple[tuple[int, int], ...]:
    """((multiplier, shift) of values from zero on, (multiplier, shift) below); the slope may be negative."""
    source, target = np.float32(source_scale), np.float32(target_scale)
    return split_scale(float(source / target)), _split_signed(float(source * np.float32(alpha) / target))


def _split_signed(scale: float) -> tuple[int, int]:
    """split_scale for any sign: LiteRT adds a half and truncates, so a negative multiplier ends nearer to zero."""
    if scale == 0:
        return 0, 0
    if scale > 0:
        return split_scale(scale)
    fraction, shift = math.frexp(scale)
    multiplier = int(fraction * 2**31 + 0.5)
    if shift < -31:
        return 0, 0
    if shift > 30:
        raise ShrinkfitError(f"leaky_relu needs a factor of {scale:g}, which LiteRT cannot express; rescale the model")
    return multiplier, shift


def _leaky_relu(values: np.ndarray, source_scale: float, target_scale: float, alpha: float) -> np.ndarray:
    above, below = leaky_relu_multipliers(source_scale, target_scale, alpha)
    return np.where(values >= 0, requantize(values, *above, "double"), requantize(values, *below, "double"))


def abs_scale(source_scale: float, target_scale: float) -> float:
    """What LiteRT's ABS multiplies by."""
    return float(np.float32(source_scale) / np.float32(target_scale))


def _abs(values: np.ndarray, source_scale: float, target_scale: float) -> np.ndarray:
    return requantize(np.abs(values), *split_scale(abs_scale(source_scale, target_scale)), "double")


def _short_multiplier(scale: float) -> tuple[int, int]:
    """A multiplier of 15 bits, and its shift."""
    multiplier, shift = split_scale(scale)
    return min((multiplier + (1 << 15)) >> 16, WORD16.max), shift


def _hard_swish(values: np.ndarray, source_scale: float, target_scale: float) -> np.ndarray:
    """x * relu6(x + 3) / 6 in 16 bits."""
    fine_scale = np.float32(1 / 128) * np.float32(source_scale)
    out_multiplier, out_shift = _short_multiplier(float(fine_scale / np.float32(target_scale)))
    multiplier, shift = _short_multiplier(float(fine_scale / (np.float32(3) / np.float32(32768))))
    if out_shift > 0:
        raise ShrinkfitError(
            f"hard_swish has input scale {source_scale:g} and output scale {target_scale:g}, more than 128 times "
            "finer, which LiteRT refuses too; convert the model again with a wider calibration"
        )
    fine = ((values << HARD_SWISH_BITS) + 2**15) % 2**16 - 2**15
    gate = WORD16.saturate(fine << (shift - 1)) if shift > 0 else fine
    gate = WORD16.multiply(gate, multiplier)
    gate = WORD16.saturate(gate << 1) if shift > 0 else rounding_shift_right(gate, -shift)
    gate = (gate + (1 << 15)) >> 1
    product = gate * WORD16.multiply(fine, out_multiplier)
    return rounding_shift_right(np.sign(product) * (np.abs(product) >> 15), -out_shift)
