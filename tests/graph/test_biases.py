# SPDX-License-Identifier: Apache-2.0
"""Biases that give sums a mean: reached to half a step through layers of every kind, and nothing else changes."""

import numpy as np
import pytest

from shrinkfit.errors import ShrinkfitError
from shrinkfit.graph import ir
from shrinkfit.graph.biases import with_means
from shrinkfit.graph.kernels_weighted import sums
from shrinkfit.graph.simulate import trace
from tests.graph.test_drop_channels import chain, op, weights

GRAPH = chain(
    op(ir.Conv2D, **weights((8, 3, 3, 3)), padding=ir.Padding(1, 1, 1, 1)),
    op(ir.DepthwiseConv2D, **weights((2, 2, 16), axis=2, seed=1), depth_multiplier=2),
    op(ir.TransposeConv2D, **weights((4, 2, 2, 16), seed=2), stride=(2, 2), output_size=(8, 10)),
    op(ir.Conv2D, **weights((6, 1, 1, 2), seed=3)),  # two groups
    op(ir.Pool2D, mode="average", window=(8, 10), stride=(1, 1)),
    op(ir.Reshape, shape=(1, 6)),
    op(ir.Dense, **weights((5, 6), seed=4)),
)
LAYERS = tuple(one for one in GRAPH.ops if isinstance(one, ir.Weighted))


def inputs():
    return np.random.default_rng(0).integers(-128, 128, (40, 5, 6, 3)).astype(np.int8)


def means_of(graph, x):
    """Tensor -> mean of its real sums, from the values that a run gives."""
    values, found = trace(graph, x), {}
    for one in graph.ops:
        if isinstance(one, ir.Weighted):
            source = graph.tensors[one.inputs[0]]
            total = sums(one, (source,), [values[one.inputs[0]].reshape(len(x), *source.shape)])
            step = float(source.scale) * one.kernel_scales.astype(float)
            found[one.outputs[0]] = total.reshape(-1, one.channels).mean(axis=0) * step, step
    return found


def test_every_layer_has_its_mean():
    rng = np.random.default_rng(1)
    wanted = {one.outputs[0]: rng.uniform(-3, 3, one.channels) for one in LAYERS}
    made = with_means(GRAPH, inputs(), wanted)
    found = means_of(made, inputs())
    assert len(found) == 5
    for name, (mean, step) in found.items():
        assert np.all(np.abs(mean - wanted[name]) <= 0.5001 * step), name
    for one, before in zip(made.ops, GRAPH.ops, strict=True):
        same = [field for field in vars(before) if field != "bias"]
        assert all(np.all(getattr(one, field) == getattr(before, field)) for field in same)


def test_a_layer_that_is_not_named_keeps_its_bias():
    made = with_means(GRAPH, inputs(), {LAYERS[1].outputs[0]: np.ones(16)})
    pairs = [pair for pair in zip(made.ops, GRAPH.ops, strict=True) if isinstance(pair[0], ir.Weighted)]
    kept = [np.array_equal(one.bias, before.bias) for one, before in pairs]
    assert kept == [True, False, True, True, True]


def test_means_that_are_there_move_nothing():
    before = {name: mean for name, (mean, _) in means_of(GRAPH, inputs()).items()}
    made = with_means(GRAPH, inputs(), before)
    assert all(np.array_equal(a.bias, b.bias) for a, b in zip(made.ops, GRAPH.ops, strict=True) if hasattr(a, "bias"))


def test_inputs_that_do_not_fit_are_refused():
    with pytest.raises(ShrinkfitError, match="expected int8"):
        with_means(GRAPH, inputs()[:, 1:], {})
