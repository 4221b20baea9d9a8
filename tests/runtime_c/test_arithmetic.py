# SPDX-License-Identifier: Apache-2.0
"""C kernels of arithmetic, tables, reductions, resizes and conversions against the simulator, bit for bit."""

import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shrinkfit.errors import UnsupportedLayerError
from shrinkfit.graph import simulate
from shrinkfit.price import kernels
from shrinkfit.write.pack import pack
from tests.runtime_c import graphs_arithmetic as g
from tests.runtime_c import native
from tests.runtime_c.cases_arithmetic import ARITHMETIC, CASES, RANGES, RESIZES
from tests.runtime_c.runner import Runner


def simulated(graph, inputs):
    with np.errstate(invalid="ignore"):
        return simulate.Session(graph).step(inputs)[graph.outputs[0]]


def assert_same(lib, graph, inputs):
    expected = simulated(graph, inputs)
    for dsp in (False, True):
        got = Runner(lib, graph, dsp).step(inputs)
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got.view(_bits(got)), expected.view(_bits(expected)), err_msg=f"dsp={dsp}")


def _bits(values):
    """Floats are compared as what they are made of: -0 is not 0."""
    return np.uint32 if values.dtype == np.float32 else values.dtype


@pytest.mark.parametrize("case", ARITHMETIC, ids=str)
def test_kernel_equals_simulator(lib, case):
    rng = np.random.default_rng(1)
    graph = case.make(rng)
    for fill in (None, None, -128, 127):
        types = {graph.tensors[name].dtype for name in graph.inputs}
        assert_same(lib, graph, g.inputs_for(graph, rng, fill if types == {"int8"} else None))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_data_bytes_are_those_packed(case):
    graph = case.make(np.random.default_rng(0))
    packed = pack(graph.ops[0], graph, False)
    sizes = [array.nbytes for array in packed.arrays.values()] + [kernels.STRUCT_BYTES[packed.params]]
    assert kernels.kernel_for(graph.ops[0], graph, True).data_bytes == sum(-(-size // 4) * 4 for size in sizes)


@pytest.mark.parametrize("in_place", ["x", "y"])
@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul", "Maximum", "Minimum"])
def test_an_input_that_is_not_repeated_may_be_the_output(lib, kind, in_place):
    shapes = ((1, 4, 3), (1, 1, 3)) if in_place == "x" else ((1, 1, 3), (1, 4, 3))
    graph = (g.extremum if "imum" in kind else g.binary)(None, kind, *shapes)
    inputs = g.inputs_for(graph, np.random.default_rng(3))
    for dsp in (False, True):
        np.testing.assert_array_equal(Runner(lib, graph, dsp).step(inputs, in_place), simulated(graph, inputs))


@given(st.data())
def test_random_broadcasts_and_scales(lib, data):
    sizes = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    a, b = ((1, *(data.draw(st.sampled_from([1, n])) for n in sizes)) for _ in range(2))
    exponents = data.draw(st.tuples(*[st.integers(-14, 10)] * 3))
    scales = tuple(2.0**e * data.draw(st.floats(1, 2)) for e in exponents)
    zps = data.draw(st.tuples(*[st.integers(-128, 127)] * 3))
    kind = data.draw(st.sampled_from(["Add", "Sub", "Mul"]))
    # LiteRT ends the process where one input's steps are so much coarser than the output's.
    if kind != "Mul" and max(scales[:2]) >= 2**18 * scales[2]:
        return
    graph = g.binary(None, kind, a, b, scales, zps)
    assert_same(lib, graph, g.inputs_for(graph, np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))))


@pytest.mark.parametrize("kind", ["ResizeBilinear", "ResizeNearest"])
@given(st.data())
def test_random_resizes(lib, kind, data):
    size, target = (data.draw(st.tuples(*[st.integers(1, n)] * 2)) for n in (40, 60))
    flags = data.draw(st.sampled_from([{}, dict(align_corners=True), dict(half_pixel_centers=True)]))
    graph = g.resize(None, kind, size, target, 2, **flags)
    assert_same(lib, graph, g.inputs_for(graph, np.random.default_rng(0)))


def test_a_resize_that_leaves_the_input_is_refused():
    graph = g.resize(None, "ResizeBilinear", (1, 2), (1500, 2))
    with pytest.raises(UnsupportedLayerError, match="reads outside"):
        kernels.kernel_for(graph.ops[0], graph, False)
    assert not [case for case in RESIZES if case.arguments[1:] == ((1, 2), (1500, 2))]


def test_more_alternations_than_the_kernel_walks_are_refused():
    graph = g.binary(None, "Mul", (1, 2, 1, 2, 1, 2), (1, 1, 2, 1, 2, 1))
    with pytest.raises(UnsupportedLayerError, match="alternate"):
        kernels.kernel_for(graph.ops[0], graph, False)


SPECIAL = np.array([0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00001, 0x80000000, 0, 1, 0x80000001, 0x7FFFFF, 0x7F7FFFFF])
SCALES = [0.1, 1 / 3, 0.5, 1.0, 3e-39, 1e-45, 1.1754944e-38, 3.4e38, 7e-6, 12345.678]


@pytest.mark.parametrize("dtype", RANGES)
@pytest.mark.parametrize("scale", SCALES)
def test_quantize_at_halves_and_at_numbers_that_are_none(lib, scale, dtype):
    """Next to every half step, all exponents, infinities, not a number, subnormal numbers."""
    rng = np.random.default_rng(4)
    with np.errstate(over="ignore"):
        halves = ((np.arange(-300, 300) + 0.5) * np.float64(np.float32(scale))).astype(np.float32)
    near = [np.nextafter(halves, np.float32(d)) for d in (-np.inf, np.inf)]
    anything = rng.integers(0, 2**32, 20000).astype(np.uint32).view(np.float32)
    in_range = (rng.uniform(-40000, 40000, 20000) * min(scale, 1e33)).astype(np.float32)
    values = np.concatenate([halves, *near, anything, in_range, SPECIAL.astype(np.uint32).view(np.float32)])
    for zero_point in (*RANGES[dtype], 7):
        graph = g.conversion(None, "Quantize", ("float32", dtype), (1.0, scale), (0, zero_point), (1, values.size))
        assert_same(lib, graph, {"x": values})


@settings(max_examples=300)
@given(st.floats(width=32, allow_nan=False), st.floats(width=32, min_value=0, exclude_min=True, allow_infinity=False))
def test_quantize_any_float_by_any_scale(lib, value, scale):
    graph = g.conversion(None, "Quantize", ("float32", "int16"), (1.0, scale), (0, 0), (1, 1))
    assert_same(lib, graph, {"x": np.array([value], np.float32)})


@pytest.mark.parametrize("flags", [["-O0"], ["-O3", "-ffast-math"], ["-Ofast", "-march=native"]], ids=" ".join)
def test_no_compiler_flag_changes_a_float(tmp_path, flags):
    path, made = tmp_path / "lib.so", tmp_path / "sf_convert.o"
    source = str(native.RUNTIME / "sf_convert.c")
    subprocess.run(["gcc", "-std=c99", *flags, "-fPIC", "-c", source, "-o", str(made)], check=True)
    # Linked with -ffast-math it would switch subnormal numbers off for this process and all tests behind this one.
    subprocess.run(["gcc", "-shared", str(made), "-o", str(path)], check=True)
    fast = native.ctypes.CDLL(str(path))
    values = np.random.default_rng(5).integers(0, 2**32, 30000).astype(np.uint32).view(np.float32)
    graph = g.conversion(None, "Quantize", ("float32", "int8"), (1.0, 0.1), (0, -3), (1, values.size))
    assert_same(fast, graph, {"x": values})
    graph = g.conversion(None, "Dequantize", ("int8", "float32"), (0.1, 1.0), (-3, 0))
    assert_same(fast, graph, g.inputs_for(graph, np.random.default_rng(0)))
