# SPDX-License-Identifier: Apache-2.0
"""Biases that make up for rounding: each layer's mean is the float model's, and int8 comes nearer to it."""

import keras
import numpy as np
import pytest
from keras import layers

import shrinkfit
from shrinkfit.graph import ir
from shrinkfit.graph.simulate import quantize
from shrinkfit.read.biases import SOME
from shrinkfit.read.quantization import quantization_error
from tests.graph.test_biases import means_of
from tests.keras_models import MODELS, MORE_MODELS, inputs_for, trained

ALL = MODELS | MORE_MODELS


def deep():
    """What rounding hurts: a row of layers that see the differences of large, positive numbers."""
    rng = np.random.default_rng(3)
    x = entering = keras.Input((20, 12, 1))
    for number in range(6):
        x = layers.Conv2D(8, 3, activation="relu", padding="same", name=f"conv{number}")(x)
    model = keras.Model(entering, layers.Dense(4, name="classes")(layers.GlobalAveragePooling2D()(x)))
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            kernel = rng.normal(size=layer.kernel.shape)
            layer.set_weights([kernel - kernel.mean(axis=(0, 1, 2)) + 0.01, rng.uniform(0.5, 1, 8)])
    return model, rng.uniform(8, 10, (60, 20, 12, 1)).astype(np.float32)


@pytest.mark.parametrize("name", ALL)
def test_nothing_but_biases_moves_and_the_same_way_each_time(name):
    model = trained(ALL[name])
    data = inputs_for(model, SOME)
    plain, made = (shrinkfit.read_keras(model, data, correct_biases=correct) for correct in (False, True))
    moved = 0
    for one, before in zip(made.ops, plain.ops, strict=True):
        same = [field for field in vars(before) if field not in ("bias", "inputs", "outputs", "name")]
        assert one.outputs == before.outputs
        assert all(np.all(getattr(one, field) == getattr(before, field)) for field in same)
        moved += isinstance(one, ir.Weighted) and not np.array_equal(one.bias, before.bias)
    assert moved > 0
    again = shrinkfit.read_keras(model, data, correct_biases=True)
    assert all(np.array_equal(a.bias, b.bias) for a, b in zip(made.ops, again.ops, strict=True) if hasattr(a, "bias"))


def test_a_layers_mean_by_hand():
    model, data = deep()
    graph = shrinkfit.read_keras(model, data, correct_biases=True)
    some = data[np.linspace(0, len(data) - 1, SOME).astype(int)]
    found = means_of(graph, quantize(graph.tensors[graph.inputs[0]], some))
    first = model.get_layer("conv0")
    kernel, bias = first.get_weights()
    wanted = np.asarray(keras.ops.conv(some, kernel, padding="same") + bias).mean(axis=(0, 1, 2))
    mean, step = found[next(op.outputs[0] for op in graph.ops if isinstance(op, ir.Conv2D))]
    assert np.all(np.abs(mean - wanted) <= 0.51 * step + 1e-5)
    assert len(found) == 7


def test_int8_comes_nearer_to_float():
    model, data = deep()
    plain, made = (shrinkfit.read_keras(model, data[:40], correct_biases=correct) for correct in (False, True))
    before, after = (quantization_error(model, graph, data[40:]).tensors[-1].sqnr_db for graph in (plain, made))
    assert after > before + 6, (before, after)
