# SPDX-License-Identifier: Apache-2.0
"""Which kernel a dense layer or 1x1 convolution gets where there are DSP instructions; each is exact up to its edge."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shrinkfit.graph.multipliers import dense_multipliers
from shrinkfit.price.kernels import kernel_for
from shrinkfit.price.kernels_dense import STRUCT_BYTES
from shrinkfit.write.pack import pack
from tests.runtime_c import graphs
from tests.runtime_c.test_kernels import assert_same, inputs_for

PAIRS, FOURS, SPARSE, PIXELS = "sf_dense_pairs", "sf_dense", "sf_sparse_dense", "sf_sparse_conv2d"


def changed(graph, **fields):
    (op,) = graph.ops
    return replace(graph, ops=(replace(op, **fields),))


def function(graph, dsp=True):
    return kernel_for(graph.ops[0], graph, dsp).function


def edge(value, inputs, zp=0, scale=1e-5, bias=0):
    """Every weight is `value`; nine outputs, so that the last has no partner."""
    graph = graphs.dense(np.random.default_rng(0), inputs=inputs, outputs=9, zp=zp)
    kernel, scales = np.full((9, inputs), value, np.int8), np.full(9, scale, np.float32)
    return changed(graph, kernel=kernel, kernel_scales=scales, bias=np.full(9, bias, np.int32))


def first_weights(a, b):
    graph = graphs.dense(np.random.default_rng(0), inputs=9, outputs=8)
    kernel = graph.ops[0].kernel.copy()
    kernel[:2, 3] = a, b
    return changed(graph, kernel=kernel)


# 2**23 = 516 * 127 * 128 + 512. Outputs have a scale of 1.25 times the kernel's.
EDGES = {
    "largest sum": (edge(-127, 516, bias=511), PAIRS),
    "smallest sum": (edge(127, 516, bias=-511), PAIRS),
    "sum of 2**23": (edge(-127, 516, bias=512), FOURS),
    "sum of -2**23": (edge(127, 516, bias=-512), FOURS),
    "scale just below 0.25": (edge(3, 5, scale=0.1999), PAIRS),
    "scale of 0.25": (edge(3, 5, scale=0.2), FOURS),
    "least scale at which outputs change": (edge(127, 516, scale=2.0**-24 * 0.81), PAIRS),
    "outputs that do not change": (edge(127, 516, scale=2.0**-25 * 0.81), PAIRS),
    "scale that is no multiplier": (edge(3, 7, scale=1e-12, bias=99), PAIRS),
    "A of -128 beside B of -1": (first_weights(-128, -1), FOURS),
    "A of -128 beside B of 0": (first_weights(-128, 0), PAIRS),
    "A of 127 beside B of 127": (first_weights(127, 127), PAIRS),
}


@pytest.mark.parametrize(("graph", "expected"), EDGES.values(), ids=EDGES)
def test_kernel_at_the_edge_of_what_it_takes(lib, graph, expected):
    assert function(graph) == expected
    assert function(graph, dsp=False) == FOURS
    for fill in (None, -128, 127):
        assert_same(lib, graph, inputs_for(graph, np.random.default_rng(1), fill))


def with_blocks(make, kept, **sizes):
    return graphs.sparse(np.random.default_rng(2), make, [kept], **sizes)


DENSE, POINT = {"inputs": 128, "outputs": 16}, {"size": (4, 4), "channels": 128, "kernel": (1, 1), "out": 16}
BLOCKS = {
    "few blocks": (with_blocks(graphs.dense, 8, **DENSE), SPARSE),
    "most blocks": (with_blocks(graphs.dense, 24, **DENSE), PAIRS),
    "too many inputs": (with_blocks(graphs.dense, 8, inputs=1028, outputs=8), PAIRS),
    "few blocks of pixels": (with_blocks(graphs.conv, 8, **POINT), PIXELS),
    "most blocks of pixels": (with_blocks(graphs.conv, 24, **POINT), "sf_conv2d"),
    "stride 2": (with_blocks(graphs.conv, 8, **POINT, stride=(2, 2)), "sf_conv2d"),
    "padding": (with_blocks(graphs.conv, 8, **POINT, padding=(1, 1, 1, 1)), "sf_conv2d"),
}


@pytest.mark.parametrize(("graph", "expected"), BLOCKS.values(), ids=BLOCKS)
def test_blocks_are_skipped_where_that_is_faster(lib, graph, expected):
    assert function(graph).startswith(expected)
    assert function(graph, dsp=False) in (FOURS, "sf_conv2d")
    assert_same(lib, graph, inputs_for(graph, np.random.default_rng(1)))


@given(st.booleans(), st.integers(9, 80), st.integers(1, 20), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_random_blocks(lib, is_dense, inputs, outputs, rows, seed):
    rng = np.random.default_rng(seed)
    kept = rng.integers(0, -(-inputs // 4) // 2, outputs, endpoint=True)
    sizes = {"inputs": inputs, "outputs": outputs, "rows": (rows,)}
    if not is_dense:
        sizes = {"channels": inputs, "out": outputs, "kernel": (1, 1), "size": (rows, 1)}
    graph = graphs.sparse(
        rng, graphs.dense if is_dense else graphs.conv, kept, zp=int(rng.integers(-128, 128)), **sizes
    )
    assert_same(lib, graph, inputs_for(graph, rng))


@pytest.mark.parametrize(("even", "odd", "expected"), [(-128, -1, PAIRS), (-128, 0, SPARSE), (127, 127, SPARSE)])
def test_a_block_whose_weights_fit_no_pair_is_not_skipped(lib, even, odd, expected):
    graph = with_blocks(graphs.dense, 5, **DENSE)
    kernel = graph.ops[0].kernel.copy()
    kernel[:, 8:12] = [even, odd, odd, even]
    kernel[1::2, 10:12] = 1
    graph = changed(graph, kernel=kernel)
    assert function(graph).startswith("sf_dense" if expected == PAIRS else SPARSE)
    assert_same(lib, graph, inputs_for(graph, np.random.default_rng(1)))


@pytest.mark.parametrize(
    ("make", "sizes", "expected"), [(graphs.dense, DENSE, PAIRS), (graphs.conv, POINT, "sf_conv2d")]
)
def test_shapes_alone_are_priced_as_the_dense_kernel(make, sizes, expected):
    graph = make(np.random.default_rng(0), **sizes)
    (op,) = graph.ops
    bare = changed(graph, kernel=np.zeros_like(op.kernel), bias=np.zeros_like(op.bias))
    assert function(bare).startswith(expected)
    assert kernel_for(bare.ops[0], bare, True) == kernel_for(op, graph, True)


def one_scale(graph, fraction=1.0):
    """As LiteRT's converter makes them: all outputs have the first one's scale."""
    scales = graph.ops[0].kernel_scales
    return changed(graph, kernel_scales=np.full_like(scales, scales[0] * fraction))


def own_records(graph):
    (op,) = graph.ops
    packed, kernel = pack(op, graph, True), kernel_for(op, graph, True)
    stored = sum(array.nbytes for array in packed.arrays.values())
    assert kernel.data_bytes == stored + STRUCT_BYTES[packed.params]
    return packed.fields["own_records"]


@pytest.mark.parametrize("outputs", range(1, 18))
@pytest.mark.parametrize("inputs", [1, 3, 4, 7, 8, 11, 16, 21, 24, 36])
def test_outputs_with_one_scale_share_a_record(lib, inputs, outputs):
    rng = np.random.default_rng(100 * inputs + outputs)
    act = (-100, 90) if outputs % 3 == 0 else graphs.FULL
    own = graphs.dense(rng, inputs=inputs, outputs=outputs, rows=(2,), act=act)
    graph = one_scale(own)
    assert (own_records(own), own_records(graph)) == (int(outputs > 1), 0)
    for each in (own, graph):
        assert_same(lib, each, inputs_for(each, rng))


def with_still_outputs(fraction):
    """Outputs 0 and 9, whose sums never get to half a step, between others."""
    graph = one_scale(graphs.dense(np.random.default_rng(3), inputs=16, outputs=11), fraction)
    kernel, bias = graph.ops[0].kernel.copy(), graph.ops[0].bias.copy()
    kernel[[0, 9]], bias[[0, 9]] = 0, (7, -7)
    return changed(graph, kernel=kernel, bias=bias)


def one_ulp_apart():
    graph = one_scale(graphs.dense(np.random.default_rng(4), inputs=16, outputs=11))
    scales = graph.ops[0].kernel_scales.copy()
    scales[10] = np.nextafter(scales[10], np.float32(1))
    return changed(graph, kernel_scales=scales)


SCALES = {
    "some outputs never change": (with_still_outputs(1.0), 0),
    "no output ever changes": (with_still_outputs(1e-7), 0),
    "a scale that is no multiplier": (with_still_outputs(1e-12), 0),
    "one scale is the next float": (one_ulp_apart(), 1),
}


@pytest.mark.parametrize(("graph", "own"), SCALES.values(), ids=SCALES)
def test_records_where_scales_are_nearly_the_same(lib, graph, own):
    assert (function(graph), own_records(graph)) == (PAIRS, own)
    for fill in (None, -128, 127):
        assert_same(lib, graph, inputs_for(graph, np.random.default_rng(1), fill))


def test_outputs_that_round_ties_differently_have_own_records(lib):
    """All on a scale of 1/8: who meets a negative tie needs another multiplier than who meets none."""
    graph = graphs.dense(np.random.default_rng(0), inputs=4, outputs=10)
    kernel, bias = np.zeros((10, 4), np.int8), np.zeros(10, np.int32)
    kernel[1::2, 0], bias[::2] = 1, 100
    graph = changed(graph, kernel=kernel, bias=bias, kernel_scales=np.full(10, 0.125, np.float32))
    graph = replace(graph, tensors={name: replace(t, scale=0.5) for name, t in graph.tensors.items()})
    multipliers, _ = dense_multipliers(graph.ops[0], graph.tensors["x"], graph.tensors["y"])
    assert len(set(multipliers)) == 2 and own_records(graph) == 1
    assert_same(lib, graph, inputs_for(graph, np.random.default_rng(1)))
