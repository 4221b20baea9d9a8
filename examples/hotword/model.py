# SPDX-License-Identifier: Apache-2.0
"""The network: small convolutions over time and bands first, then over time alone.

Nothing is padded along time, so that a device computes what is new since the last call and nothing else.
"""

import keras
from keras import layers

# (channels, (frames, bands) that a channel looks at, stride along the bands, stride along time behind it). Each pair
# of a depthwise and a 1x1 convolution costs a fraction of a full one.
STEM = (16, (5, 5), (2, 2))
OVER_BANDS = ((32, 2), (48, 2))
FOLDED = 64
OVER_TIME = ((96, 5, 2), (96, 3, 1), (96, 3, 1))


def build_model(frames: int, bands: int, classes: int) -> keras.Model:
    """A float model from log-mel features [frames, bands] to class probabilities."""
    inputs = keras.Input((frames, bands), name="features")
    x = layers.Reshape((frames, bands, 1), name="plane")(inputs)
    channels, kernel, stride = STEM
    x = layers.ZeroPadding2D(((0, 0), (1, 2)), name="stem_pad")(x)
    x = active(layers.Conv2D(channels, kernel, stride, use_bias=False, name="stem")(x), "stem")
    for number, (channels, stride) in enumerate(OVER_BANDS, 1):
        x = layers.ZeroPadding2D(((0, 0), (1, 1)), name=f"bands{number}_pad")(x)
        x = separable(x, f"bands{number}", channels, (3, 3), (1, stride))
    x = active(layers.Conv2D(FOLDED, (1, x.shape[2]), use_bias=False, name="fold")(x), "fold")
    for number, (channels, length, stride) in enumerate(OVER_TIME, 1):
        x = separable(x, f"time{number}", channels, (length, 1), (stride, 1))
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    outputs = layers.Dense(classes, activation="softmax", name="classes")(x)
    return keras.Model(inputs, outputs, name="hotword")


def separable(x, name, channels, kernel, stride):
    """A depthwise convolution and a 1x1 convolution, which takes the stride: the kernels see all that is there."""
    x = active(layers.DepthwiseConv2D(kernel, use_bias=False, name=f"{name}_each")(x), f"{name}_each")
    return active(layers.Conv2D(channels, 1, stride, use_bias=False, name=f"{name}_mix")(x), f"{name}_mix")


def active(x, name):
    x = layers.BatchNormalization(momentum=0.95, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
