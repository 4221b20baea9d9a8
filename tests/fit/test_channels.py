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
from shrinkfit.read.topology import read_topology
from tests.keras_models import MODELS, inputs_for, trained


def group_names(model):
    return sorted(group.name for group in couple(read_topology(model)).groups)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("share", [0.3, 0.8])
def test_the_smaller_model_answers_as_the_masked_one(name, share):
    model = trained(MODELS[name])
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
    np.testing.assert_allclose(small.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-4)


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
