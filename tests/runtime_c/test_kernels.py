# SPDX-License-Identifier: Apache-2.0
"""Every C kernel against the simulator, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shrinkfit.graph import ir, simulate
from shrinkfit.price.kernel import Choice
from shrinkfit.price.kernels import kernel_for
from shrinkfit.write.pack import pack
from tests.runtime_c import graphs, native
from tests.runtime_c.cases import CASES, label


def inputs_for(graph, rng, fill=None):
    shapes = [graph.tensors[name].shape[1:] for name in graph.inputs]
    if fill is not None:
        return [np.full(shape, fill, np.int8) for shape in shapes]
    return [rng.integers(-128, 128, shape, np.int8) for shape in shapes]


def simulated(graph, inputs):
    batch = {name: x[None] for name, x in zip(graph.inputs, inputs, strict=True)}
    return simulate.trace(graph, batch)[graph.outputs[0]][0]


SMALL = Choice(dsp=True, small=True)


def assert_same(lib, graph, inputs):
    expected = simulated(graph, inputs)
    for dsp, reference in ((False, False), (True, False), (True, True), (SMALL, False), (SMALL, True)):
        got = native.run(lib, graph, inputs, dsp, reference=reference)
        np.testing.assert_array_equal(got, expected, err_msg=f"dsp={dsp}, reference={reference}")


@pytest.mark.parametrize("case", CASES, ids=label)
def test_kernel_equals_simulator(lib, case):
    make, sizes = case
    rng = np.random.default_rng(1)
    graph = make(rng, **sizes)
    for fill in (None, None, -128, 127):
        assert_same(lib, graph, inputs_for(graph, rng, fill))


small = st.integers(1, 5)


@given(st.data())
def test_random_windows(lib, data):
    draw = lambda strategy: data.draw(strategy)  # noqa: E731
    pair = st.tuples(small, small)
    size, kernel, stride, dilation = (
        draw(st.tuples(st.integers(1, 9), st.integers(1, 9))),
        draw(pair),
        draw(pair),
        draw(pair),
    )
    padding = draw(st.tuples(*[st.integers(0, 4)] * 4))
    if min(ir.window_output_size(size, kernel, stride, dilation, ir.Padding(*padding))) < 1:
        return
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    common = dict(size=size, channels=draw(st.integers(1, 9)), kernel=kernel, stride=stride, dilation=dilation)
    common |= dict(padding=padding, zp=draw(st.integers(-128, 127)))
    if draw(st.booleans()):
        graph = graphs.conv(rng, **common, out=draw(st.integers(1, 9)))
    else:
        graph = graphs.depthwise(rng, **common, m=draw(st.integers(1, 3)))
    assert_same(lib, graph, inputs_for(graph, rng))


@given(st.data())
def test_random_groups(lib, data):
    draw = lambda *ends: data.draw(st.integers(*ends))  # noqa: E731
    groups, kernel = draw(2, 5), (draw(1, 3), draw(1, 3))
    sizes = dict(size=(draw(3, 6), draw(3, 6)), channels=groups * draw(1, 9), out=groups * draw(1, 5), kernel=kernel)
    sizes |= dict(stride=(draw(1, 3), draw(1, 3)), padding=tuple(draw(0, 2) for _ in range(4)), zp=draw(-128, 127))
    rng = np.random.default_rng(draw(0, 2**32 - 1))
    graph = graphs.conv(rng, **sizes, groups=groups)
    assert_same(lib, graph, inputs_for(graph, rng))


@given(st.data())
def test_random_transposed(lib, data):
    draw = lambda *ends: data.draw(st.integers(*ends))  # noqa: E731
    pair = lambda *ends: (draw(*ends), draw(*ends))  # noqa: E731
    size, kernel, stride = pair(1, 6), pair(1, 5), pair(1, 4)
    full = [(n - 1) * s + k for n, s, k in zip(size, stride, kernel, strict=True)]
    first = tuple(draw(0, n - 1) for n in full)
    target = tuple(max(n - cut + draw(-4, 4), 1) for n, cut in zip(full, first, strict=True))
    rng = np.random.default_rng(draw(0, 2**32 - 1))
    sizes = dict(size=size, channels=draw(1, 9), out=draw(1, 5), zp=draw(-128, 127), first=first, target=target)
    graph = graphs.transpose(rng, kernel=kernel, stride=stride, **sizes)
    assert_same(lib, graph, inputs_for(graph, rng))


@pytest.mark.parametrize("case", [c for c in CASES if c[0] is graphs.conv], ids=label)
def test_scratch_size_has_an_equal_twin(lib, case):
    graph = case[0](np.random.default_rng(0), **case[1])
    (op,) = graph.ops
    kernel, keep = kernel_for(op, graph, True), []
    struct = native.params(pack(op, graph, True), keep)
    size_function = getattr(lib, f"{kernel.function}_dsp_scratch_bytes")
    assert size_function(native.ctypes.byref(struct)) == kernel.scratch_bytes
    assert kernel_for(op, graph, False).scratch_bytes == 0


@pytest.mark.parametrize(
    "graph", [graphs.add(None, (3, 5)), graphs.requantize(None, (31,)), graphs.softmax(None, (3, 5))]
)
@pytest.mark.parametrize("output_index", [0, -1])
def test_in_place_as_the_contract_allows(lib, graph, output_index):
    inputs = inputs_for(graph, np.random.default_rng(3))
    expected = simulated(graph, inputs)
    out = native.run(lib, graph, [x.copy() for x in inputs], False, output_index)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("shift_scale", [1e-6, 1e-9, 1e-13, 3.0, 500.0])
@pytest.mark.parametrize("make", ["conv", "transpose", "depthwise", "dense"])
def test_extreme_output_scales(lib, make, shift_scale):
    rng = np.random.default_rng(5)
    sizes = {"conv": dict(size=(3, 3), channels=5, kernel=(2, 2), out=3), "dense": dict(inputs=9, outputs=5)}
    sizes["transpose"] = sizes["conv"] | dict(stride=(2, 2))
    sizes["depthwise"] = dict(size=(4, 4), channels=3, kernel=(3, 3))
    graph = getattr(graphs, make)(rng, **sizes[make])
    (op,) = graph.ops
    op = replace(op, kernel_scales=np.full(op.channels, shift_scale, np.float32))
    assert_same(lib, replace(graph, ops=(op,)), inputs_for(graph, rng))


@pytest.mark.parametrize("make", ["conv", "depthwise"])
def test_a_channel_that_never_moves_costs_no_other_kernel(lib, make):
    sizes = {"conv": dict(size=(5, 5), channels=9, kernel=(3, 3), out=6), "depthwise": dict(size=(5, 5), channels=6)}
    graph = getattr(graphs, make)(np.random.default_rng(7), **sizes[make] | dict(kernel=(3, 3), zp=-128))
    (op,) = graph.ops
    scales = op.kernel_scales.copy()
    scales[2] = 1e-12
    still = replace(graph, ops=(replace(op, kernel_scales=scales),))
    assert kernel_for(still.ops[0], still, True).symbol == kernel_for(op, graph, True).symbol
    assert_same(lib, still, inputs_for(still, np.random.default_rng(8)))
