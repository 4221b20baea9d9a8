# SPDX-License-Identifier: Apache-2.0
"""Small Keras models for tests, one per structure, with weights that look trained."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from shrinkfit.read.topology import keras_value

CLASSES = 4


def plain_2d() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((16, 10, 1)),
            layers.Conv2D(12, (5, 3), strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(2, padding="same"),
            layers.Conv2D(16, 3, padding="same", activation="relu6"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.1),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def ds_cnn() -> keras.Model:
    x = inputs = keras.Input((16, 10))
    x = layers.Reshape((16, 10, 1))(x)
    x = layers.ZeroPadding2D(((2, 2), (1, 1)))(x)
    x = layers.Conv2D(12, (5, 3), strides=2)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(max_value=6.0)(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    x = layers.SeparableConv2D(16, 3, padding="same", activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(CLASSES)(x)
    return keras.Model(inputs, layers.Softmax()(x))


def residual_1d() -> keras.Model:
    x = inputs = keras.Input((16, 10))
    x = layers.Conv1D(12, 5, strides=2, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    shortcut = x = layers.ReLU()(x)
    x = layers.Conv1D(12, 3, padding="causal", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.Add()([x, shortcut])
    x = layers.Activation("relu")(x)
    x = layers.DepthwiseConv1D(3, padding="same", depth_multiplier=2)(x)
    x = layers.Conv1D(16, 1, activation="relu")(x)
    x = layers.MaxPooling1D(2)(x)
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def loose_ends() -> keras.Model:
    """Normalization and activations that no convolution absorbs; dense layers over a plane; a global maximum."""
    x = inputs = keras.Input((8, 6, 3))
    x = layers.BatchNormalization()(x)
    x = layers.Conv2D(8, 3)(x)
    x = layers.AveragePooling2D(2, strides=1, padding="same")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Dense(10, activation="relu")(x)
    x = layers.GlobalMaxPooling2D()(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    return keras.Model(inputs, layers.Dense(CLASSES)(x))


MODELS = {build.__name__: build for build in (plain_2d, ds_cnn, residual_1d, loose_ends)}


def trained(build, seed: int = 0) -> keras.Model:
    """A model whose weights, normalization included, are away from their initial values."""
    keras.utils.set_random_seed(seed)
    model = build()
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        noise = rng.normal(0, 0.1, variable.shape)
        if variable.path.endswith("moving_variance"):
            variable.assign(1 + np.abs(noise))
        elif not variable.dtype.startswith("uint"):
            variable.assign(keras_value(variable) + noise)
    return model


def inputs_for(model: keras.Model, count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, *model.input_shape[1:])).astype(np.float32)
