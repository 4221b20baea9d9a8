# SPDX-License-Identifier: Apache-2.0
"""Requantization against exact rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shrinkfit.graph.fixedpoint import requantize, split_scale

INT32 = st.integers(-(2**31), 2**31 - 1)
MULTIPLIER = st.integers(2**30, 2**31 - 1)


def round_half_up(x: Fraction) -> int:
    return (2 * x.numerator + x.denominator) // (2 * x.denominator)


def round_half_away(x: Fraction) -> int:
    return round_half_up(x) if x >= 0 else -round_half_up(-x)


@given(st.floats(2**-31, 2**29))
def test_split_scale_is_within_half_a_step_of_the_scale(scale):
    multiplier, shift = split_scale(scale)
    assert 2**30 <= multiplier < 2**31
    assert abs(Fraction(multiplier) * Fraction(2) ** (shift - 31) - Fraction(scale)) <= Fraction(2) ** (shift - 32)


@pytest.mark.parametrize("scale", [-1.0, float("nan"), float("inf")])
def test_split_scale_refuses(scale):
    with pytest.raises(ValueError, match="expected a finite number from 0 on"):
        split_scale(scale)


@given(INT32, MULTIPLIER, st.integers(-31, 0))
def test_double_rounding_is_two_exact_roundings(acc, multiplier, shift):
    first = round_half_up(Fraction(acc * multiplier, 2**31))
    expected = round_half_away(Fraction(first, 2**-shift))
    assert int(requantize(np.int64(acc), multiplier, shift, "double")) == expected


@given(INT32, MULTIPLIER, st.integers(-31, 10))
def test_single_rounding_is_one_exact_rounding_saturated(acc, multiplier, shift):
    expected = round_half_up(Fraction(acc * multiplier) * Fraction(2) ** (shift - 31))
    assert int(requantize(np.int64(acc), multiplier, shift, "single")) == min(max(expected, -(2**31)), 2**31 - 1)


@given(st.integers(-(2**20), 2**20), MULTIPLIER, st.integers(1, 10))
def test_double_rounding_shifts_left_before_it_multiplies(acc, multiplier, shift):
    expected = round_half_up(Fraction((acc << shift) * multiplier, 2**31))
    assert int(requantize(np.int64(acc), multiplier, shift, "double")) == expected


def test_unknown_rounding_is_refused():
    with pytest.raises(ValueError, match="expected 'double' or 'single'"):
        requantize(np.int64(1), 2**30, 0, "floor")


def test_split_scale_of_a_product_that_underflowed_is_zero_as_litert_has_it():
    assert split_scale(0.0) == (0, 0)
