# SPDX-License-Identifier: Apache-2.0
"""The network: small square convolutions first, then convolutions along time over all that is left of the bands.

Nothing is padded along time, so that a device computes what is new since the last call and nothing else.
"""

import keras
from keras import layers

# (channels, kernel, stride); height is time, width is the mel bands. The first three layers hear a voice the same
# way when it is a little higher or lower; the fourth folds the last bands away, and time alone remains.
CONVOLUTIONS = (
    (16, (5, 5), (2, 2)),
    (24, (3, 3), (1, 2)),
    (32, (3, 3), (1, 2)),
    (64, (9, 5), (2, 5)),
    (96, (5, 1), (1, 1)),
)


def build_model(frames: int, bands: int, classes: int) -> keras.Model:
    """A float model from log-mel features [frames, bands] to class probabilities."""
    inputs = keras.Input((frames, bands), name="features")
    x = layers.Reshape((frames, bands, 1), name="plane")(inputs)
    for number, (channels, kernel, stride) in enumerate(CONVOLUTIONS, 1):
        x = pad_bands(x, kernel[1], stride[1], f"pad{number}")
        x = layers.Conv2D(channels, kernel, stride, use_bias=False, name=f"conv{number}")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"norm{number}")(x)
        x = layers.ReLU(name=f"relu{number}")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(0.3, name="dropout")(x)
    outputs = layers.Dense(classes, activation="softmax", name="classes")(x)
    return keras.Model(inputs, outputs, name="hotword")


def pad_bands(x, kernel, stride, name):
    """Zeros around the bands, as padding="same" has them; none along time."""
    bands = x.shape[2]
    missing = max(0, (-(-bands // stride) - 1) * stride + kernel - bands)
    return layers.ZeroPadding2D(((0, 0), (missing // 2, missing - missing // 2)), name=name)(x) if missing else x
