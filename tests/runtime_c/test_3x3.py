# SPDX-License-Identifier: Apache-2.0
"""The 3 x 3 convolution by tiles: exact at all borders, chosen where it is exact and faster."""

import shutil
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shrinkfit import check
from shrinkfit.device import Device
from shrinkfit.graph import ir
from shrinkfit.price import cycles, kernels, kernels_3x3
from shrinkfit.price.kernel import Choice
from shrinkfit.price.overlap import overlap
from shrinkfit.write.export import write_folder
from shrinkfit.write.pack import pack
from shrinkfit.write.pack_3x3 import tile_rows
from tests.runtime_c import graphs, native
from tests.runtime_c.test_kernels import inputs_for, simulated

needs_arm = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
SPEED = Choice(True, speed=True)
SIZES = [(1, 1), (2, 2), (3, 3), (4, 4), (5, 7), (6, 9), (1, 8), (8, 1), (2, 13)]
PADDINGS = [(1, 1, 1, 1), (0, 0, 0, 0), (2, 0, 0, 2), (1, 2, 2, 1)]
# Those in which a window fits.
PLANES = [(n, p) for n, p in product(SIZES, PADDINGS) if min(n[0] + p[0] + p[1], n[1] + p[2] + p[3]) >= 3]


@pytest.fixture
def by_tiles(monkeypatch):
    """Small layers too."""
    monkeypatch.setattr(kernels_3x3, "is_faster", lambda op, out_shape: True)


def layer(rng, size, channels, out, padding, zero_point=5, act=graphs.FULL):
    graph = graphs.conv(rng, size, channels, (3, 3), out, padding=padding, act=act)
    return replace(graph, tensors=graph.tensors | {"y": replace(graph.tensors["y"], zero_point=zero_point)})


def assert_same(lib, graph, rng):
    assert kernels.kernel_for(graph.ops[0], graph, SPEED).function == "sf_conv2d_3x3"
    for fill in (None, 127, -128):
        inputs = inputs_for(graph, rng, fill)
        expected = simulated(graph, inputs)
        for reference in (False, True):
            got = native.run(lib, graph, inputs, SPEED, reference=reference)
            np.testing.assert_array_equal(got, expected, err_msg=f"reference={reference}")


@pytest.mark.parametrize(("size", "padding"), PLANES)
@pytest.mark.parametrize(("channels", "out", "zero_point"), [(8, 4, -128), (12, 6, 5), (17, 1, 0), (3, 5, -128)])
def test_every_border(lib, by_tiles, size, padding, channels, out, zero_point):
    rng = np.random.default_rng(0)
    act = (-100, 90) if channels == 12 else graphs.FULL
    assert_same(lib, layer(rng, size, channels, out, padding, zero_point, act), rng)


@given(st.data())
def test_random_layers(lib, data):
    draw = lambda *ends: data.draw(st.integers(*ends))  # noqa: E731
    sizes = dict(size=(draw(3, 9), draw(3, 9)), channels=draw(16, 40), out=draw(5, 12))
    rng = np.random.default_rng(draw(0, 2**32 - 1))
    graph = layer(rng, **sizes, padding=tuple(draw(0, 2) for _ in range(4)), zero_point=draw(-128, 127))
    if kernels.kernel_for(graph.ops[0], graph, SPEED).function == "sf_conv2d_3x3":
        assert_same(lib, graph, rng)


@needs_arm
@pytest.mark.parametrize("fpu", [True, False])
@pytest.mark.parametrize(("channels", "zero_point"), [(16, -128), (24, 5)])
def test_the_assembly_on_an_emulated_core(tmp_path, fpu, channels, zero_point):
    graph = layer(np.random.default_rng(0), (7, 10), channels, 6, (1, 1, 1, 1), zero_point)
    device = Device("board", core="cortex-m4", fpu=fpu, optimize="speed")
    write_folder(graph, tmp_path / "net", name="net", device=device)
    result = check(tmp_path / "net", on="cortex-m4", graph=graph)
    assert result.exact
    assert result.cycles == pytest.approx(cycles.estimate(graph, device).total, rel=0.05)


@pytest.mark.parametrize(("size", "channels", "out"), [((7, 9), 8, 8), ((6, 5), 9, 4), ((5, 8), 4, 10), ((1, 6), 8, 3)])
@pytest.mark.parametrize("padding", PADDINGS[:1] + PADDINGS[2:])
def test_the_output_may_lie_over_the_input(lib, by_tiles, size, channels, out, padding):
    rng = np.random.default_rng(0)
    graph = layer(rng, size, channels, out, padding)
    (op,), (x,) = graph.ops, inputs_for(graph, rng)
    expected, distance, keep = simulated(graph, [x]), overlap(op, graph, 0).distance, []
    memory = native.guarded(distance + x.size + expected.size, 0)
    scratch = native.guarded(kernels.kernel_for(op, graph, SPEED).scratch_bytes, 0)
    memory[distance : distance + x.size] = x.reshape(-1)
    struct = native.params(pack(op, graph, SPEED), keep)
    places = [native.POINTER(p) for p in (memory[distance:].ctypes.data, memory.ctypes.data, scratch.ctypes.data)]
    lib.sf_conv2d_3x3_s8_dsp(native.ctypes.byref(struct), *places)
    np.testing.assert_array_equal(memory[: expected.size].reshape(expected.shape), expected)


@pytest.mark.parametrize("value", [-127, 127])
def test_the_largest_sums(lib, by_tiles, value):
    rng = np.random.default_rng(0)
    graph = layer(rng, (4, 5), 64, 4, (1, 1, 1, 1))
    op = replace(graph.ops[0], kernel=np.full((4, 3, 3, 64), value, np.int8))
    assert_same(lib, replace(graph, ops=(op,)), rng)


@pytest.mark.parametrize(
    ("size", "channels", "out"), [((5, 7), 8, 4), ((4, 4), 17, 6), ((1, 9), 3, 1), ((32, 32), 16, 16)]
)
def test_sizes_have_equal_twins(lib, by_tiles, size, channels, out):
    graph = layer(np.random.default_rng(0), size, channels, out, (1, 1, 1, 1))
    (op,) = graph.ops
    kernel, packed = kernels.kernel_for(op, graph, SPEED), pack(op, graph, SPEED)
    keep = []
    struct = native.params(packed, keep)
    assert lib.sf_conv2d_3x3_dsp_scratch_bytes(native.ctypes.byref(struct)) == kernel.scratch_bytes
    packed_bytes = sum(a.nbytes for a in packed.arrays.values()) + kernels.STRUCT_BYTES[packed.params]
    assert kernel.data_bytes == packed_bytes


def test_weights_are_those_of_the_papers_transform():
    kernel = np.zeros((4, 3, 3, 8), np.int8)
    kernel[1, :, :, 2] = np.arange(1, 10).reshape(3, 3)
    words = tile_rows(kernel).view("<i2").reshape(16, 4, 4, 2)
    assert not np.delete(words, 1, axis=2).any() and not words[:, 1:].any() and not words[..., 0].any()
    t = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]])
    products = t @ kernel[1, :, :, 2] @ t.T
    for column, (row, sign) in product(range(4), [(3, -1), (2, -1), (1, 1), (0, 1)]):
        assert words[4 * column + 3 - row, 0, 1, 1] == sign * products[row, column]


NOT = [
    dict(kernel=(3, 2)),
    dict(stride=(1, 2)),
    dict(dilation=(2, 1)),
    dict(channels=2),
    dict(groups=2),
    dict(size=(1, 1)),
]


@pytest.mark.parametrize("other", NOT, ids=str)
def test_only_the_layers_that_gain_take_it(other):
    sizes = dict(size=(8, 8), channels=16, kernel=(3, 3), out=16, padding=(1, 1, 1, 1)) | other
    graph = graphs.conv(np.random.default_rng(0), **sizes)
    assert kernels.kernel_for(graph.ops[0], graph, SPEED).function != "sf_conv2d_3x3"


def test_only_where_speed_is_asked_for():
    graph = layer(np.random.default_rng(0), (8, 8), 16, 16, (1, 1, 1, 1))
    choices = {True: "sf_conv2d_pairs", SPEED: "sf_conv2d_3x3", Choice(False, speed=True): "sf_conv2d"}
    for choice, function in choices.items():
        assert kernels.kernel_for(graph.ops[0], graph, choice).function == function


def test_sums_that_need_more_than_32_bits_take_another(by_tiles):
    graph = layer(np.random.default_rng(0), (1, 1), 3700, 1, (1, 1, 1, 1))
    op = replace(graph.ops[0], kernel=np.full((1, 3, 3, 3700), 126, np.int8))
    tensors = graph.tensors["x"], graph.tensors["y"]
    assert not kernels_3x3.fits_tiles(op, *tensors)
    assert kernels_3x3.fits_tiles(replace(op, kernel=op.kernel - 1), *tensors)


def test_the_rule_agrees_with_the_cycles():
    speed, usual = (Device("d", core="cortex-m4", fpu=True, optimize=o) for o in ("speed", "balanced"))
    rng, gain = np.random.default_rng(0), []
    for size, channels, out in product([(3, 3), (4, 9), (16, 16)], [9, 16, 24, 64], [4, 7, 16]):
        graph = layer(rng, size, channels, out, (1, 1, 1, 1), ir.INT8_MIN)
        gain.append(cycles.estimate(graph, usual).total / cycles.estimate(graph, speed).total)
    assert min(gain) > 0.95 and max(gain) > 1.7
