# SPDX-License-Identifier: Apache-2.0
"""The network: convolutions along time, with the mel bands as channels."""

import keras
from keras import layers

# (channels, kernel, stride) along time. Few frames, many channels: a Cortex-M4 likes long rows of channels,
# and there are many channels to choose from when it has to shrink.
TIME_CONVOLUTIONS = ((64, 3, 1), (64, 9, 2), (64, 9, 1), (96, 9, 2), (96, 9, 2))


def build_model(frames: int, bands: int, classes: int) -> keras.Model:
    """A float model from log-mel features [frames, bands] to class probabilities."""
    inputs = x = keras.Input((frames, bands), name="features")
    for number, (channels, kernel, stride) in enumerate(TIME_CONVOLUTIONS, 1):
        x = layers.Conv1D(channels, kernel, stride, padding="same", use_bias=False, name=f"conv{number}")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"norm{number}")(x)
        x = layers.ReLU(name=f"relu{number}")(x)
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    x = layers.Dropout(0.3, name="dropout")(x)
    outputs = layers.Dense(classes, activation="softmax", name="classes")(x)
    return keras.Model(inputs, outputs, name="hotword")
