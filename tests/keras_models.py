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


def residual_projection() -> keras.Model:
    """Residual blocks with a projection, and a chain of three tensors; normalization behind an Add."""
    x = inputs = keras.Input((8, 6, 2))
    x = stem = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(12, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(scale=False)(x)
    shortcut = layers.Conv2D(12, 1, strides=2, padding="same", name="projection")(stem)
    x = layers.ReLU()(layers.Add()([x, shortcut]))
    y = layers.Conv2D(12, 3, padding="same")(x)
    z = layers.SeparableConv2D(12, 3, padding="same", activation="tanh")(x)
    x = layers.BatchNormalization(center=False)(layers.Add()([x, y, z]))
    x = layers.LeakyReLU()(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def inverted_residual() -> keras.Model:
    """MobileNetV2's block with squeeze-and-excite, both ways of writing the gate."""
    x = inputs = keras.Input((8, 6, 2))
    x = shortcut = layers.Conv2D(6, 3, padding="same", activation="hard_silu")(x)
    x = layers.Conv2D(16, 1, use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(max_value=6.0)(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(max_value=6.0)(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(4, 1, activation="relu")(gate)
    gate = layers.Conv2D(16, 1, activation="sigmoid")(gate)
    x = layers.Multiply()([x, gate])
    x = layers.Conv2D(6, 1, use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.Add()([x, shortcut])
    gate = layers.Dense(6, activation="hard_sigmoid")(layers.GlobalAveragePooling2D()(x))
    x = layers.Multiply()([x, layers.Reshape((1, 1, 6))(gate)])
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(12, 1, activation="silu")(x))
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def dense_net() -> keras.Model:
    """Concatenations of what others read too and of what nothing else reads, with normalization behind."""
    x = inputs = keras.Input((8, 6, 2))
    x = layers.Conv2D(8, 3, padding="same")(x)
    for _ in range(2):
        y = layers.BatchNormalization()(x)
        y = layers.Conv2D(6, 3, padding="same", activation="relu")(layers.ReLU()(y))
        x = layers.Concatenate()([x, y])
    pooled = layers.MaxPooling2D(2)(layers.Conv2D(6, 1, activation="relu")(x))
    x = layers.Concatenate()([layers.AveragePooling2D(2)(x), pooled, layers.Conv2D(4, 2, strides=2)(x)])
    x = layers.Conv2D(10, 1, activation="silu")(x)
    x = layers.Concatenate()([layers.GlobalMaxPooling2D()(x), layers.GlobalAveragePooling2D()(x)])
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def tc_resnet() -> keras.Model:
    """Convolutions over time, coefficients as channels."""
    x = inputs = keras.Input((16, 6))
    x = layers.Conv1D(8, 3, padding="same", use_bias=False)(x)
    for width in (8, 12):
        stride = width // 8 + width % 8 // 4
        y = layers.Conv1D(width, 5, strides=stride, padding="same", use_bias=False)(x)
        y = layers.ReLU()(layers.BatchNormalization()(y))
        y = layers.Conv1D(width, 5, padding="same", use_bias=False)(y)
        y = layers.BatchNormalization()(y)
        x = layers.Conv1D(width, 1, strides=stride, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.Dropout(0.1)(layers.GlobalAveragePooling1D()(x))
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def two_inputs() -> keras.Model:
    image, sound = keras.Input((8, 6, 2), name="image"), keras.Input((16, 3), name="sound")
    x = layers.Conv2D(8, 3, strides=2, activation="relu")(image)
    x = layers.Flatten()(x)
    y = layers.Conv1D(8, 3, strides=2)(layers.Rescaling(0.5, 0.1)(sound))
    y = layers.GlobalAveragePooling1D()(layers.ReLU()(layers.BatchNormalization()(y)))
    x = layers.Concatenate()([x, y])
    x = layers.Dense(12, activation="relu")(x)
    return keras.Model([image, sound], layers.Dense(CLASSES, activation="softmax")(x))


def two_outputs() -> keras.Model:
    x = inputs = keras.Input((8, 6, 2))
    x = layers.Conv2D(10, 3, padding="same", activation="relu")(x)
    y = layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    word = layers.Dense(CLASSES, activation="softmax", name="word")(layers.GlobalAveragePooling2D()(y))
    z = layers.Conv2D(6, 3, strides=2, activation="relu")(x)
    loud = layers.Dense(1, activation="sigmoid", name="loud")(layers.Flatten()(z))
    return keras.Model(inputs, [word, loud])


def autoencoder() -> keras.Model:
    x = inputs = keras.Input((8, 6, 2))
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(10, activation="relu", name="code")(x)
    x = layers.Dense(4 * 3 * 8, activation="relu")(x)
    x = layers.Reshape((4, 3, 8))(x)
    x = layers.UpSampling2D(2)(x)
    return keras.Model(inputs, layers.Conv2D(2, 3, padding="same")(x))


def unet() -> keras.Model:
    x = inputs = keras.Input((8, 8, 2))
    x = skip = layers.Conv2D(6, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = middle = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(12, 3, padding="same", strides=2, activation="relu")(x)
    x = layers.Conv2DTranspose(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Concatenate()([x, middle])
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(6, 4, strides=2, activation="relu")(x)
    x = layers.Cropping2D(1)(x)
    x = layers.Concatenate()([skip, x])
    return keras.Model(inputs, layers.Conv2D(2, 1)(x))


def shared_layers() -> keras.Model:
    """One tower for two inputs, as a model inside the model, and a convolution that is called twice."""
    first, second = keras.Input((16, 3), name="first"), keras.Input((16, 3), name="second")
    x = inputs = keras.Input((16, 3))
    x = layers.Conv1D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    again = layers.Conv1D(8, 3, padding="same", activation="relu", name="again")
    tower = keras.Model(inputs, layers.GlobalAveragePooling1D()(again(again(x))), name="tower")
    x = layers.Subtract()([tower(first), tower(second)])
    return keras.Model([first, second], layers.Dense(CLASSES, activation="softmax")(x))


def grouped() -> keras.Model:
    x = inputs = keras.Input((8, 6, 2))
    x = layers.Conv2D(12, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(16, 3, groups=4, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2D(8, 1, groups=2, activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def smooth() -> keras.Model:
    """Activations by table, one of which is not 0 at 0, as arguments and layers; clamps of other heights than 6."""
    x = inputs = keras.Input((8, 6, 2))
    x = layers.Conv2D(8, 3, padding="same", activation="gelu")(x)
    x = layers.Conv2D(12, 3, padding="same", use_bias=False)(x)
    x = layers.ELU(0.5)(layers.BatchNormalization()(x))
    x = layers.ReLU(max_value=2.0)(layers.DepthwiseConv2D(3)(x))
    x = layers.Conv2D(10, 1, activation="softplus", name="leaking")(x)
    x = layers.Conv2D(10, 1, activation="mish")(layers.BatchNormalization()(x))
    x = layers.Activation("selu")(layers.Conv2D(12, 1)(x))
    x = layers.Dense(8, activation=layers.LeakyReLU(0.1))(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def learned_slopes() -> keras.Model:
    """PReLU with slopes per channel, per value, one for all, and of a vector; means of two tensors and of three."""
    x = inputs = keras.Input((8, 6, 2))
    x = layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
    x = layers.PReLU(shared_axes=[1, 2])(layers.BatchNormalization()(x))
    y = layers.PReLU()(layers.Conv2D(8, 3, padding="same")(x))
    z = layers.PReLU(shared_axes=[1, 2, 3])(layers.Conv2D(8, 1)(x))
    x = layers.ReLU()(layers.Average()([x, y, z]))
    x = layers.Conv2D(10, 3, strides=2)(x)
    x = layers.Average()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    x = layers.PReLU()(layers.Dense(12)(x))
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def larger_and_smaller() -> keras.Model:
    """Maxout of what nothing else reads; the smaller of three; of a scale of its own, a fixed one, and per channel."""
    x = inputs = keras.Input((8, 6, 2))
    x = layers.Maximum()([layers.Conv2D(8, 3, padding="same")(x) for _ in range(2)])
    y = layers.ReLU()(layers.Conv2D(8, 3, padding="same")(x))
    z = layers.Conv2D(8, 1, activation="tanh")(x)
    x = layers.Minimum()([x, y, layers.DepthwiseConv2D(3, padding="same")(z)])
    x = layers.ReLU()(layers.Maximum()([layers.Conv2D(8, 1)(x), z]))
    x = layers.Maximum()([x, layers.GlobalAveragePooling2D(keepdims=True)(x)])
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(12, 3, activation="relu")(x))
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def written_out() -> keras.Model:
    """Activations and a gate written with numbers, as MobileNetV3 is."""
    x = inputs = keras.Input((8, 6, 2))
    x = layers.Conv2D(8, 3, padding="same")(x)
    x = x * (layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0))
    x = layers.Conv2D(12, 3, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    gate = layers.Conv2D(4, 1, activation="relu")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = x * (1.0 - layers.Conv2D(12, 1, activation="sigmoid")(gate))
    x = layers.Conv2D(10, 3, activation="relu")((x - 0.5) / 2)
    x = keras.ops.gelu(layers.GlobalAveragePooling2D()(2 * x))
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


MODELS = {build.__name__: build for build in (plain_2d, ds_cnn, residual_1d, loose_ends)}
MORE_MODELS = {
    build.__name__: build
    for build in (
        residual_projection,
        inverted_residual,
        dense_net,
        tc_resnet,
        two_inputs,
        two_outputs,
        autoencoder,
        unet,
        shared_layers,
        grouped,
        smooth,
        learned_slopes,
        larger_and_smaller,
        written_out,
    )
}


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


def inputs_for(model: keras.Model, count: int, seed: int = 1) -> np.ndarray | list[np.ndarray]:
    """float [count, *input shape], one array or a list of one per input."""
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=(count, *t.shape[1:])).astype(np.float32) for t in model.inputs]
    return arrays if len(arrays) > 1 else arrays[0]


def as_list(values) -> list:
    return list(values) if isinstance(values, (list, tuple)) else [values]
