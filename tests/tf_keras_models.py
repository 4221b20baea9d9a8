# SPDX-License-Identifier: Apache-2.0
"""The small models of keras_models, built in tf_keras, and a small task that tfmot models learn in seconds."""

from __future__ import annotations

from unittest import mock

import numpy as np
import tf_keras

from tests import keras_models

CLASSES = 4
SHAPE = (12, 10, 1)


def legacy(name: str):
    """A model of keras_models, built in tf_keras with weights away from their initial values."""
    with mock.patch.multiple(keras_models, keras=tf_keras, layers=tf_keras.layers):
        tf_keras.utils.set_random_seed(0)
        model = keras_models.MODELS[name]()
    assert isinstance(model, tf_keras.Model)
    return shaken(model)


def shaken(model, seed: int = 0):
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        noise = rng.normal(0, 0.1, variable.shape)
        variable.assign(1 + np.abs(noise) if "moving_variance" in variable.name else variable.numpy() + noise)
    return model


def task(count: int, seed: int):
    """float [count, *SHAPE], int [count]: the direction of the stripes in the noise."""
    rng = np.random.default_rng(seed)
    y = rng.integers(CLASSES, size=count)
    angle = (np.pi * y / CLASSES)[:, np.newaxis, np.newaxis]
    rows, columns = np.meshgrid(np.arange(SHAPE[0]), np.arange(SHAPE[1]), indexing="ij")
    phase = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    stripes = np.sin(1.6 * (np.cos(angle) * rows + np.sin(angle) * columns) + phase)
    return (2 * stripes + 0.5 * rng.normal(size=stripes.shape))[..., np.newaxis].astype(np.float32), y


def small_resnet():
    """Every pattern that tfmot transforms: convolutions with normalization and both kinds of ReLU behind, an Add."""
    layers = tf_keras.layers
    x = inputs = tf_keras.Input(SHAPE)
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="stem")(x)
    x = layers.BatchNormalization()(x)
    shortcut = x = layers.ReLU()(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("relu")(x)
    x = layers.Conv2D(8, 1, name="pointwise")(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(layers.Add(name="add")([x, shortcut]))
    x = layers.SeparableConv2D(12, 3, activation="relu", name="separable")(x)
    x = layers.AveragePooling2D(2)(x)
    x = layers.Conv2D(16, 3, activation="relu", name="last")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    x = layers.Dropout(0.1)(layers.Dense(16, activation="relu", name="hidden")(x))
    return tf_keras.Model(inputs, layers.Dense(CLASSES, activation="softmax", name="top")(x))


def trained_on_task(model, epochs: int = 4, callbacks=()):
    """The model after a few seconds of training; its last layer is a softmax."""
    x, y = task(512, 0)
    model.compile(tf_keras.optimizers.legacy.Adam(3e-3), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=0, callbacks=list(callbacks))
    return model
