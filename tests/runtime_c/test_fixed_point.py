# SPDX-License-Identifier: Apache-2.0
"""One rounding rule: the C, the Python and integers without limits agree, at the extremes too."""

import ctypes
import subprocess
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shrinkfit.graph.fixedpoint import requantize
from tests.runtime_c.native import RUNTIME

SHIM = """
#include "sf_dsp.h"
int32_t requantize_double(int32_t x, int32_t m, int32_t s) { return sf_requantize_double(x, m, s); }
int32_t requantize_single(int32_t x, int32_t m, int32_t s) { return sf_requantize_single(x, m, s); }
int32_t scale(int32_t x, int32_t m, int32_t s) {
    const sf_scaler scaler = sf_prepare_scaler(m, s);
    return sf_scale(&scaler, x);
}
int32_t finish(int32_t x, int32_t m, int32_t s, int32_t zero_point, int32_t plain) {
    const int8_t shift = (int8_t)s;
    const sf_output_stage stage = {&x, &m, &shift, 0, (int8_t)zero_point, -128, 127, (uint8_t)plain};
    return sf_finish_double(&stage, sf_load_channel(&stage, 0), x);
}
"""
INT32 = st.integers(-(2**31), 2**31 - 1) | st.sampled_from([-(2**31), -(2**31) + 1, -1, 0, 1, 2**30, 2**31 - 1])
PLAIN = st.integers(-(2**30) + 1, 2**30 - 1) | st.sampled_from([-(2**30) + 1, 2**30 - 1, -1, 0])
MULTIPLIER = st.integers(2**30, 2**31 - 1) | st.sampled_from([0, 2**30, 2**31 - 1])


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    command = ["gcc", "-O2", "-shared", "-fPIC", "-fsanitize=undefined", "-fno-sanitize-recover", f"-I{RUNTIME}"]
    subprocess.run([*command, str(folder / "shim.c"), "-o", str(folder / "shim.so")], check=True)
    return ctypes.CDLL(str(folder / "shim.so"))


def half_up(value):
    return floor(value + Fraction(1, 2))


def half_away(value):
    return half_up(value) if value >= 0 else -half_up(-value)


def wrapped(x):
    return (x + 2**31) % 2**32 - 2**31


def exact_double(x, multiplier, shift):
    product = half_up(Fraction(wrapped(x << max(shift, 0)) * multiplier, 2**31))
    return half_away(Fraction(product, 2 ** max(-shift, 0)))


def exact_single(x, multiplier, shift):
    return min(max(half_up(Fraction(x * multiplier) * Fraction(2) ** (shift - 31)), -(2**31)), 2**31 - 1)


@given(INT32, MULTIPLIER, st.integers(-31, 30))
def test_double_rounding(shim, x, multiplier, shift):
    expected = exact_double(x, multiplier, shift)
    assert shim.requantize_double(x, multiplier, shift) == expected
    assert requantize(np.int64(x), multiplier, shift, "double") == expected


@given(INT32, MULTIPLIER, st.integers(-31, 30))
def test_single_rounding(shim, x, multiplier, shift):
    expected = exact_single(x, multiplier, shift)
    assert shim.requantize_single(x, multiplier, shift) == expected
    assert requantize(np.int64(x), multiplier, shift, "single") == expected


@given(PLAIN, MULTIPLIER, st.integers(-31, 30))
def test_prepared_scaler(shim, x, multiplier, shift):
    assert shim.scale(x, multiplier, shift) == exact_double(x, multiplier, shift)


@given(PLAIN, MULTIPLIER, st.integers(-22, -1), st.integers(-128, 127), st.booleans())
def test_short_requantization(shim, x, multiplier, shift, zero_point, plain):
    expected = min(max(exact_double(x, multiplier, shift) + zero_point, -128), 127)
    assert shim.finish(x, multiplier, shift, zero_point, plain) == expected


@given(INT32, MULTIPLIER, st.integers(-31, 30), st.integers(-128, 127))
def test_long_requantization(shim, x, multiplier, shift, zero_point):
    expected = min(max(exact_double(x, multiplier, shift) + zero_point, -128), 127)
    assert shim.finish(x, multiplier, shift, zero_point, 0) == expected
