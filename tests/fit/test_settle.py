# SPDX-License-Identifier: Apache-2.0
"""The end of a fit: means of the int8 arithmetic's sums are the float model's, ranges are those that serve best."""

import keras
import numpy as np
import pytest

from shrinkfit.fit.samples import ROWS_A_STEP, Samples
from shrinkfit.fit.settle import _divergence, _Means, _rounded, softmax_range
from shrinkfit.fit.variables import corrected_nodes
from shrinkfit.read.calls import generation
from shrinkfit.read.stages import fuse
from shrinkfit.read.topology import read_topology
from tests.fit.tiny import X, fit, halving, tiny

BOUNDED = np.clip(X / 4 + 0.5, 0, 1)


@pytest.fixture(scope="module")
def fitted():
    device = halving(model := tiny())
    fit(model, [device], x=BOUNDED)
    return device


def means(device, **settings):
    """Mean of each channel's sums, by node, on the inputs that were kept."""
    instruments, found = device._instruments, _Means(device._instruments.variables.corrections)
    batch = list(instruments.variables.samples.arrays().values())
    with instruments.applied(probe=found, **settings):
        generation(instruments.model).run(instruments.model, batch)
    return found.means


def farthest(one, other):
    return max(float(np.abs(one[name] - other[name]).max()) for name in one)


def test_means_of_sums_are_those_of_the_float_model(fitted):
    variables = fitted._instruments.variables
    wanted, corrected = means(fitted, phase="float"), means(fitted)
    kept = {name: c.numpy() for name, c in variables.corrections.items()}
    variables.forget_corrections()
    plain = means(fitted)
    for name, value in kept.items():
        variables.corrections[name].assign(value)
    assert len(kept) == len(wanted) == 3
    assert 5 * farthest(corrected, wanted) < farthest(plain, wanted)


def test_corrections_are_in_the_graph_that_ships(fitted):
    twin = fitted.predict(X)
    fitted._instruments.variables.forget_corrections()
    assert not np.array_equal(fitted.predict(X), twin)
    fitted._finish()
    np.testing.assert_array_equal(fitted.predict(X), twin)


def test_a_bounded_input_has_the_range_of_its_data(fitted):
    tensor = fitted.graph.tensors[fitted.graph.inputs[0]]
    assert (tensor.scale, tensor.zero_point) == (float(np.float32(1 / 255)), -128)


def test_a_layer_that_is_called_twice_keeps_its_bias():
    x = inputs = keras.Input((8,))
    shared = keras.layers.Dense(8, name="shared")
    topology = read_topology(keras.Model(inputs, keras.layers.Dense(3, name="last")(shared(shared(x)))))
    assert [node.layer.name for node in corrected_nodes(topology, fuse(topology))] == ["last"]


@pytest.mark.parametrize("lowest", [-1.0, -40.0])
def test_a_range_before_softmax_is_no_worse_than_the_learned_one(lowest):
    logits = np.random.default_rng(0).uniform(lowest, 12, (200, 10))
    wanted = np.exp(logits - logits.max(-1, keepdims=True))
    wanted /= wanted.sum(-1, keepdims=True)
    learned, chosen = (lowest, 12.0), softmax_range(logits, lowest, 12.0)
    before, after = (_divergence(wanted, _rounded(logits, *ends)) for ends in (learned, chosen))
    assert after <= before and (chosen[0] - lowest > 10) == (lowest < -12)


@pytest.mark.parametrize("batch", [1, ROWS_A_STEP, 3 * ROWS_A_STEP])
def test_samples_are_the_newest_rows(batch):
    samples = Samples(topology := read_topology(tiny()))
    (name,) = topology.inputs
    reader = topology.readers(name)[0].name
    for step in (1, 2):
        samples.take(reader, name, X[:batch] * 0 + step)
        samples.take("another", name, X)
    (kept,) = samples.arrays().values()
    assert kept[:, 0, 0].tolist() == [2] * ROWS_A_STEP + [1] * ROWS_A_STEP
    samples.forget()
    assert samples.arrays() == {}
