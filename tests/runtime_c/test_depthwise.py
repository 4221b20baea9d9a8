# SPDX-License-Identifier: Apache-2.0
"""Depthwise kernels: sizes around every strip and band, and outputs written over the inputs."""

import ctypes

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shrinkfit.graph import ir
from shrinkfit.price.kernels import kernel_for
from shrinkfit.write.pack import pack
from tests.runtime_c import graphs, native
from tests.runtime_c.test_kernels import assert_same, inputs_for, simulated

SAME, TAIL, NONE, WIDE = (1, 1, 1, 1), (0, 1, 0, 1), (0, 0, 0, 0), (2, 2, 3, 2)


def strip_cases():
    """Widths 1 to 14 and some that make several strips; both strides; paddings; one, two and an odd number of
    channels; a zero_point of the output that needs the sign and one that does not."""
    for width in (*range(1, 15), 24, 29):
        for stride, padding in [(1, SAME), (1, NONE), (1, WIDE), (2, TAIL), (2, SAME), (2, NONE)]:
            if width + padding[2] + padding[3] >= 3:
                channels = 1 + (width + stride) % 3
                yield dict(size=(3 + width % 5, width), channels=channels, stride=(stride, stride), padding=padding)
    yield dict(size=(40, 26), channels=4, stride=(2, 2), padding=TAIL)
    yield dict(size=(41, 27), channels=3, stride=(1, 2), padding=(1, 0, 0, 0))
    yield dict(size=(9, 13), channels=3, stride=(3, 1), padding=SAME)
    yield dict(size=(9, 13), channels=3, stride=(2, 3), padding=SAME)
    yield dict(size=(2, 13), channels=2, padding=(9, 9, 9, 20), act=(-100, 90))
    yield dict(size=(9, 13), channels=5, padding=SAME, m=2)
    yield dict(size=(9, 3), channels=1, padding=SAME, m=3)
    yield dict(size=(9, 3), channels=3, padding=SAME, act=(-100, 90))


def other_cases():
    """Windows that run in whole planes."""
    for kernel in [(1, 1), (5, 5), (1, 9), (9, 1), (7, 1), (2, 2), (2, 3), (4, 5)]:
        for width in (1, 2, 3, 4, 5, 8, 9):
            padding = (kernel[0] // 2, kernel[0] // 2, kernel[1] // 2, kernel[1] // 2)
            yield dict(size=(10 - width % 4, width), channels=3, kernel=kernel, padding=padding)
    yield dict(size=(9, 8), channels=3, kernel=(5, 5), padding=(2, 2, 2, 2), stride=(2, 2))
    yield dict(size=(9, 8), channels=3, kernel=(5, 3), padding=(2, 2, 2, 2), stride=(1, 2), dilation=(1, 2))
    yield dict(size=(9, 8), channels=3, kernel=(3, 3), padding=(2, 2, 2, 2), dilation=(2, 2))
    yield dict(size=(9, 8), channels=3, kernel=(2, 5), padding=(2, 2, 2, 2), dilation=(2, 1), m=2, act=(-90, 90))
    yield dict(size=(3, 3), channels=2, kernel=(1, 1), stride=(4, 4))


CASES = [dict(kernel=(3, 3), y_zp=zp) | case for zp in (-128, -9) for case in strip_cases()]
CASES += [dict(y_zp=-9) | case for case in other_cases()]


def label(case):
    return "-".join(str(v).replace(" ", "") for v in case.values())


def in_place(library, graph, source, dsp):
    """The output where the input was, and what lies behind must stay."""
    (op,) = graph.ops
    kernel, keep, target = kernel_for(op, graph, dsp), [], graph.op_outputs(op)[0]
    data, scratch = native.guarded(max(source.size, target.size_bytes), 0), native.guarded(kernel.scratch_bytes, 0)
    data[: source.size] = source.reshape(-1)
    struct, address = native.params(pack(op, graph, dsp), keep), native.POINTER(data.ctypes.data)
    getattr(library, kernel.symbol)(ctypes.byref(struct), address, address, native.POINTER(scratch.ctypes.data))
    assert not data[max(source.size, target.size_bytes) :].any() and not scratch[kernel.scratch_bytes :].any()
    return data[: target.size_bytes].reshape(target.shape[1:])


@pytest.mark.parametrize("case", CASES, ids=label)
def test_depthwise_equals_simulator(lib, case):
    rng = np.random.default_rng(1)
    graph = graphs.depthwise(rng, **case)
    inputs = inputs_for(graph, rng)
    assert_same(lib, graph, inputs)
    if case.get("m", 1) == 1:
        for dsp in (False, True):
            got = in_place(lib, graph, inputs[0], dsp)
            np.testing.assert_array_equal(got, simulated(graph, inputs), err_msg=f"in place, dsp={dsp}")


@pytest.mark.parametrize("case", CASES, ids=label)
def test_scratch_sizes_have_equal_twins(lib, case):
    graph = graphs.depthwise(np.random.default_rng(0), **case)
    (op,) = graph.ops
    for dsp in (False, True):
        kernel, keep = kernel_for(op, graph, dsp), []
        is_dsp = "_dsp" if kernel.symbol.endswith("_dsp") else ""
        struct = native.params(pack(op, graph, dsp), keep)
        assert getattr(lib, f"{kernel.function}{is_dsp}_scratch_bytes")(ctypes.byref(struct)) == kernel.scratch_bytes


@given(st.data())
def test_random_depthwise_in_place(lib, data):
    draw = lambda *ends: data.draw(st.integers(*ends))  # noqa: E731
    size, kernel = (draw(1, 20), draw(1, 30)), data.draw(st.sampled_from([(3, 3), (3, 3), (5, 5), (1, 3), (4, 1)]))
    stride, padding = (draw(1, 3), draw(1, 3)), tuple(draw(0, 3) for _ in range(4))
    if min(ir.window_output_size(size, kernel, stride, (1, 1), ir.Padding(*padding))) < 1:
        return
    rng = np.random.default_rng(draw(0, 2**32 - 1))
    zero_points = dict(zp=draw(-128, 127), y_zp=data.draw(st.sampled_from([-128, -127, 0, 127])))
    graph = graphs.depthwise(
        rng, size=size, channels=draw(1, 5), kernel=kernel, stride=stride, padding=padding, **zero_points
    )
    inputs = inputs_for(graph, rng)
    for dsp in (False, True):
        np.testing.assert_array_equal(in_place(lib, graph, inputs[0], dsp), simulated(graph, inputs), err_msg=str(dsp))
