# SPDX-License-Identifier: Apache-2.0
"""Coupled channels: removing dead ones leaves the outputs as they were."""

import keras
import numpy as np
import pytest
from keras import layers

from shrinkfit.fit.channels import couple
from shrinkfit.fit.instruments import bake
from shrinkfit.fit.prune import select, widths_of
from shrinkfit.fit.rebuild import smaller_model
from shrinkfit.graph import simulate
from shrinkfit.read.keras_model import read_keras
from shrinkfit.read.topology import read_topology
from tests.keras_models import MODELS, MORE_MODELS, as_list, inputs_for, trained

ALL = MODELS | MORE_MODELS


def group_names(model):
    return sorted(group.name for group in couple(read_topology(model)).groups)


@pytest.mark.parametrize("share", [0.3, 0.8])
@pytest.mark.parametrize("name", ALL)
def test_the_smaller_model_answers_as_the_masked_one(name, share):
    model = trained(ALL[name])
    topology = read_topology(model)
    channels = couple(topology)
    rng = np.random.default_rng(3)
    widths = tuple(max(1, int(len(g.units) * share)) for g in channels.groups)
    alive = select(channels.groups, widths, rng.random(channels.count), np.ones(channels.count, bool))
    bake(topology, channels, alive)
    small = smaller_model(model, topology, channels, alive)
    x = inputs_for(model, 32)
    assert widths_of(channels, alive) == widths
    assert small.count_params() < model.count_params()
    for a, b in zip(as_list(small(x)), as_list(model(x)), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), atol=1e-4)
    assert [t.shape for t in (*small.inputs, *small.outputs)] == [t.shape for t in (*model.inputs, *model.outputs)]


def test_an_add_ties_the_layers_before_it():
    model = MODELS["residual_1d"]()
    names = [layer.name for layer in model.layers if isinstance(layer, layers.Conv1D)]
    assert group_names(model) == sorted([f"{names[0]}+{names[1]}", names[2]])


def test_model_inputs_and_outputs_keep_their_shape():
    x = inputs = keras.Input((8, 4))
    x = layers.Conv1D(4, 3, padding="same", name="into_input")(x)
    x = layers.Add()([x, inputs])
    x = layers.Conv1D(6, 3, name="free")(x)
    x = layers.Conv1D(5, 3, name="last")(x)
    assert group_names(keras.Model(inputs, x)) == ["free"]


def test_a_reshape_that_mixes_channels_fixes_them():
    stack = [keras.Input((8, 6)), layers.Conv1D(8, 3, padding="same"), layers.Reshape((16, 4)), layers.Conv1D(3, 1)]
    assert group_names(keras.Sequential(stack)) == []


def after_conv(*stack, shape=(8, 6, 2)):
    return keras.Sequential([keras.Input(shape), layers.Conv2D(8, 3, padding="same", name="c"), *stack])


def gated(*, twice: bool):
    """A gate by sigmoid; `twice`: a convolution reads it too."""
    x = inputs = keras.Input((8, 6, 2))
    x = layers.Conv2D(8, 1, name="a")(x)
    gate = layers.Conv2D(8, 1, activation="sigmoid", name="gate")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    y = layers.Conv2D(4, 1, name="b")(layers.Multiply()([x, gate]))
    y = layers.Flatten()(y)
    more = layers.Flatten()(layers.Conv2D(4, 1, name="other")(gate)) if twice else layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(3)(layers.Concatenate()([y, more])))


@pytest.mark.parametrize(
    ("build", "groups"),
    [
        (lambda: gated(twice=False), {"a+gate": 8, "b": 4}),
        (lambda: gated(twice=True), {"b": 4, "other": 4}),
        (lambda: after_conv(layers.Activation("sigmoid"), layers.Conv2D(4, 1)), {}),
        (lambda: after_conv(layers.Activation("sigmoid"), layers.BatchNormalization(), layers.Conv2D(4, 1)), {"c": 8}),
        (lambda: after_conv(layers.Activation("tanh"), layers.Conv2D(4, 1)), {"c": 8}),
        (lambda: after_conv(layers.Rescaling(2.0), layers.Conv2D(4, 1)), {"c": 8}),
        (lambda: after_conv(layers.Rescaling(2.0, 1.0), layers.Conv2D(4, 1)), {}),
        (lambda: after_conv(layers.Permute((2, 1, 3)), layers.Conv2D(4, 1)), {"c": 8}),
        (lambda: after_conv(layers.Permute((3, 1, 2)), layers.Conv2D(4, 1)), {}),
        (lambda: after_conv(layers.Conv2D(12, 1, groups=4, name="g"), layers.Conv2D(4, 1)), {"c": 2, "g": 3}),
    ],
)
def test_units_of_gates_activations_and_groups(build, groups):
    assert {g.name: len(g.units) for g in couple(read_topology(build())).groups} == groups


def test_what_is_added_to_a_concatenation_is_cut_into_its_pieces():
    x = inputs = keras.Input((8, 2))
    a, b = (layers.Conv1D(n, 1, name=name)(x) for n, name in ((4, "a"), (6, "b")))
    x = layers.Add()([layers.Concatenate()([a, b]), layers.Conv1D(10, 1, name="whole")(x)])
    model = keras.Model(inputs, layers.Conv1D(3, 1)(x))
    assert {g.name: len(g.units) for g in couple(read_topology(model)).groups} == {"a+whole": 4, "b+whole": 6}


def test_channels_of_a_plane_made_of_a_flat_tensor_are_units():
    model = MORE_MODELS["autoencoder"]()
    assert sorted(len(g.units) for g in couple(read_topology(model)).groups) == [8, 8, 10]


def test_the_calls_of_a_shared_layer_are_one():
    channels = couple(read_topology(MORE_MODELS["shared_layers"]()))
    assert [len(g.units) for g in channels.groups] == [8]


def test_what_a_normalization_layer_has_learned_goes_along():
    x = inputs_for(MODELS["ds_cnn"](), 64) * 3 + 5
    normalization = layers.Normalization()
    normalization.adapt(x)
    model = keras.Sequential([keras.Input((16, 10)), normalization, layers.Conv1D(8, 3), layers.Conv1D(3, 1)])
    topology = read_topology(model)
    channels = couple(topology)
    small = smaller_model(model, topology, channels, np.ones(channels.count, bool))
    np.testing.assert_allclose(np.asarray(small(x)), np.asarray(model(x)), atol=1e-4)
    graph = read_keras(model, x)
    got = simulate.run(graph, simulate.quantize(graph.tensors[graph.inputs[0]], x))
    error = simulate.dequantize(graph.tensors[graph.outputs[0]], got) - np.asarray(model(x))
    assert error.std() < 0.05 * np.asarray(model(x)).std()
