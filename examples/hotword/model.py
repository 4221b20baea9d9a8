# SPDX-License-Identifier: Apache-2.0
"""The network: small square convolutions first, then convolutions along time over all that is left of the bands."""

import keras
from keras import layers

# (channels, kernel, stride); height is time, width is the mel bands. The first three layers hear a voice the same
# way when it is a little higher or lower; the fourth folds the last bands away, and time alone remains.
CONVOLUTIONS = (
    (16, (5, 5), (2, 2)),
    (24, (3, 3), (1, 2)),
    (32, (3, 3), (1, 2)),
    (64, (9, 5), (2, 5)),
    (96, (9, 1), (2, 1)),
)


def build_model(frames: int, bands: int, classes: int) -> keras.Model:
    """A float model from log-mel features [frames, bands] to class probabilities."""
    inputs = keras.Input((frames, bands), name="features")
    x = layers.Reshape((frames, bands, 1), name="plane")(inputs)
    for number, (channels, kernel, stride) in enumerate(CONVOLUTIONS, 1):
        x = layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False, name=f"conv{number}")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"norm{number}")(x)
        x = layers.ReLU(name=f"relu{number}")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(0.3, name="dropout")(x)
    outputs = layers.Dense(classes, activation="softmax", name="classes")(x)
    return keras.Model(inputs, outputs, name="hotword")
