# SPDX-License-Identifier: Apache-2.0
"""Exponential, reciprocal, logistic and tanh in fixed point, in words of 16 or 32 bits.

Numbers are written Qm.n: m integer bits, n fractional bits, a sign bit besides. The exponential is
a Taylor polynomial around -1/8 on (-1/4, 0] times constants for the binary digits above it; the
reciprocal is three Newton steps. Source of the method: the gemmlowp fixed-point library's
documentation, which LiteRT's SOFTMAX and LSTM refer to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shrinkfit.graph.fixedpoint import Integers, rounding_shift_right

EXP_MINUS_EIGHTH = 1895147668  # exp(-1/8) in Q0.31
ONE_THIRD = 715827883  # 1/3 in Q0.31
# exp(-2**k) in Q0.31 for k = -2 .. 4, each for one binary digit of the argument.
EXP_OF_DIGITS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
NEWTON_48_17 = 1515870810  # 48/17 in Q2.29
NEWTON_MINUS_32_17 = -1010580540  # -32/17 in Q2.29


@dataclass(frozen=True)
class Word:
    """Arithmetic in words of so many bits; arrays are int64 that hold such words.

    Args:
        bits: 16 or 32.
    """

    bits: int

    @property
    def max(self) -> int:
        return 2 ** (self.bits - 1) - 1

    def constant(self, value: int) -> int:
        """A constant given in 32 bits, rounded to the word."""
        return int(rounding_shift_right(np.int64(value), 32 - self.bits))

    def saturate(self, x: Integers) -> np.ndarray:
        return np.clip(x, -self.max - 1, self.max)

    def multiply(self, a: Integers, b: Integers) -> np.ndarray:
        """round(a * b / 2**(bits - 1)), halves up, saturated."""
        product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
        return np.minimum((product + (1 << (self.bits - 2))) >> (self.bits - 1), self.max)

    def _exp_near_zero(self, a: np.ndarray) -> np.ndarray:
        """exp(a) for a in [-1/4, 0), all of it in Q0."""
        x = a + (1 << (self.bits - 4))
        x2 = self.multiply(x, x)
        x3 = self.multiply(x2, x)
        x4 = self.multiply(x2, x2)
        tail = rounding_shift_right(x4, 2) + x3
        tail = rounding_shift_right(self.multiply(tail, self.constant(ONE_THIRD)) + x2, 1)
        start = self.constant(EXP_MINUS_EIGHTH)
        return self.saturate(start + self.multiply(np.int64(start), x + tail))

    def exp_of_negative(self, a: np.ndarray, integer_bits: int) -> np.ndarray:
        """exp(a) for a <= 0 with integer_bits before the point: to Q0; 0 below -32."""
        fraction_bits = self.bits - 1 - integer_bits
        quarter = 1 << (fraction_bits - 2)
        near = (a & (quarter - 1)) - quarter
        result = self._exp_near_zero(self.saturate(near << integer_bits))
        rest = near - a
        for digit, constant in zip(range(-2, integer_bits), EXP_OF_DIGITS, strict=False):
            scaled = self.multiply(result, self.constant(constant))
            result = np.where(rest & (1 << (fraction_bits + digit)), scaled, result)
        if integer_bits > 5:
            # The digits end at 16; what they cannot express is 0 in any word.
            result = np.where(a < -(32 << fraction_bits), 0, result)
        return np.where(a == 0, self.max, result)

    def newton(self, fraction: np.ndarray) -> np.ndarray:
        """2 / (1 + fraction) for fraction in [0, 1), Q0, to Q2."""
        half = (fraction + self.max + 1) >> 1
        x = self.constant(NEWTON_48_17) + self.multiply(half, self.constant(NEWTON_MINUS_32_17))
        for _ in range(3):
            rest = (1 << (self.bits - 3)) - self.multiply(half, x)
            x = x + self.saturate(self.multiply(x, rest) << 2)
        return x

    def reciprocal_of_one_plus(self, fraction: np.ndarray) -> np.ndarray:
        """1 / (1 + fraction) for fraction in [0, 1): Q0 to Q0."""
        return self.saturate(self.newton(fraction) << 1)

    def logistic(self, a: np.ndarray, integer_bits: int) -> np.ndarray:
        """1 / (1 + exp(-a)) with integer_bits before the point: to Q0."""
        positive = self.reciprocal_of_one_plus(self.exp_of_negative(-np.abs(a), integer_bits))
        result = np.where(a > 0, positive, self.max - positive)
        return np.where(a == 0, 1 << (self.bits - 2), result)

    def tanh(self, a: np.ndarray, integer_bits: int) -> np.ndarray:
        """tanh(a) with integer_bits before the point: to Q0."""
        # Twice the argument is the same word with one more integer bit.
        exp = self.exp_of_negative(-np.abs(a), integer_bits + 1)
        one = 1 << (self.bits - 3)
        positive = self.saturate((self.newton(exp) - one) << 2)
        return np.where(a == 0, 0, np.where(a > 0, positive, -positive))


WORD16, WORD32 = Word(16), Word(32)
