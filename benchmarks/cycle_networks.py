# SPDX-License-Identifier: Apache-2.0
"""Whole networks that the cycle model was not fitted on: the price against the linked image on the emulated core."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import shrinkfit

# Percent: of cycles; of flash and RAM.
LARGEST_ERROR, LARGEST_SIZE_ERROR = 10.0, 1.0
OPTIMIZE = ("balanced", "speed", "size")


def networks() -> Iterator[Any]:
    """Keras models of the usual kinds, then the .tflite models beside the project, where they are."""
    import keras

    for build in BUILDERS:
        keras.utils.set_random_seed(1)
        yield build(keras.Input, keras.Model, keras.layers)
    shared = Path(os.environ.get("SHRINKFIT_SHARED", "../shared"))
    yield from sorted(shared.glob("models/*/*.tflite"))


def ds_cnn(Input, Model, layers):
    x = inputs = Input((49, 10, 1))
    x = layers.Conv2D(24, (10, 4), strides=2, padding="same", activation="relu")(x)
    for channels in (24, 30, 37):
        x = layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
        x = layers.Conv2D(channels, 1, activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return Model(inputs, layers.Dense(12, activation="softmax")(x), name="ds_cnn")


def residual(Input, Model, layers):
    x = inputs = Input((32, 32, 3))
    x = layers.Conv2D(10, 3, padding="same", activation="relu")(x)
    for channels, stride in ((10, 1), (20, 2), (31, 2)):
        y = layers.Conv2D(channels, 3, strides=stride, padding="same", activation="relu")(x)
        y = layers.Conv2D(channels, 3, padding="same")(y)
        x = layers.Conv2D(channels, 1, strides=stride)(x) if x.shape != y.shape else x
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.AveragePooling2D(8)(x)
    return Model(inputs, layers.Dense(10, activation="softmax")(layers.Flatten()(x)), name="residual")


def autoencoder(Input, Model, layers):
    x = inputs = Input((320,))
    for width in (90, 64, 8, 64, 90):
        x = layers.Dense(width, activation="relu")(x)
    return Model(inputs, layers.Dense(320)(x), name="autoencoder")


def time_convolutions(Input, Model, layers):
    x = inputs = Input((98, 40))
    for channels, stride in ((16, 1), (24, 2), (33, 2)):
        x = layers.Conv1D(channels, 9, strides=stride, padding="same", activation="relu")(x)
    x = layers.MaxPooling1D(2)(x)
    return Model(inputs, layers.Dense(12, activation="softmax")(layers.Flatten()(x)), name="time_convolutions")


def mobile(Input, Model, layers):
    x = inputs = Input((48, 48, 1))
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu6")(x)
    for channels, stride in ((16, 1), (24, 2), (24, 1), (40, 2)):
        y = layers.Conv2D(3 * x.shape[-1], 1, activation="relu6")(x)
        y = layers.DepthwiseConv2D(3, strides=stride, padding="same", activation="relu6")(y)
        y = layers.Conv2D(channels, 1)(y)
        x = layers.Add()([x, y]) if x.shape == y.shape else y
    x = layers.GlobalAveragePooling2D()(x)
    return Model(inputs, layers.Dense(2, activation="softmax")(x), name="mobile")


def odd(Input, Model, layers):
    """Odd widths, VALID padding, dilation, a pool that overlaps."""
    x = inputs = Input((40, 21, 2))
    x = layers.Conv2D(13, (5, 3), dilation_rate=2, activation="relu")(x)
    x = layers.MaxPooling2D(3, strides=2)(x)
    x = layers.SeparableConv2D(19, 5, padding="same", activation="relu")(x)
    x = layers.AveragePooling2D(2)(x)
    x = layers.Dense(7, activation="relu")(x)
    return Model(inputs, layers.Dense(3)(layers.Flatten()(x)), name="odd")


def temporal_residual(Input, Model, layers):
    """TC-ResNet's kind: time along one axis, bands as channels, kernels of 9."""
    x = inputs = Input((98, 40))
    x = layers.Conv1D(16, 3, padding="same", activation="relu")(x)
    for channels in (24, 32):
        y = layers.Conv1D(channels, 9, strides=2, padding="same", activation="relu")(x)
        y = layers.Conv1D(channels, 9, padding="same")(y)
        x = layers.ReLU()(layers.Add()([layers.Conv1D(channels, 1, strides=2, activation="relu")(x), y]))
    x = layers.GlobalAveragePooling1D()(x)
    return Model(inputs, layers.Dense(12, activation="softmax")(x), name="temporal_residual")


def squeeze_and_excite(Input, Model, layers):
    x = inputs = Input((24, 24, 4))
    for channels in (16, 24):
        x = layers.SeparableConv2D(channels, 3, strides=2, padding="same", activation="relu")(x)
        gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
        gate = layers.Conv2D(channels, 1, activation="sigmoid")(layers.Conv2D(6, 1, activation="relu")(gate))
        x = layers.Multiply()([x, gate])
    return Model(inputs, layers.Dense(5, activation="softmax")(layers.Flatten()(x)), name="squeeze_and_excite")


def stacked(Input, Model, layers):
    """VGG's kind: 3x3, 3x3, pool."""
    x = inputs = Input((28, 28, 1))
    for channels in (8, 16, 32):
        for _ in range(2):
            x = layers.Conv2D(channels, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Dense(48, activation="relu")(layers.Flatten()(x))
    return Model(inputs, layers.Dense(10, activation="softmax")(x), name="stacked")


def branches(Input, Model, layers):
    """Windows of several sizes side by side, joined."""
    x = inputs = Input((20, 18, 6))
    for channels in (9, 14):
        parts = [layers.Conv2D(channels, k, padding="same", activation="relu")(x) for k in (1, 3, 5)]
        x = layers.MaxPooling2D(2)(layers.Concatenate()(parts))
    return Model(inputs, layers.Dense(4)(layers.GlobalMaxPooling2D()(x)), name="branches")


def sensors(Input, Model, layers):
    """Six axes of motion in windows, no padding."""
    x = inputs = Input((128, 6))
    for channels, window in ((12, 7), (20, 5), (28, 5)):
        x = layers.Conv1D(channels, window, activation="relu")(x)
        x = layers.AveragePooling1D(2)(x)
    return Model(inputs, layers.Dense(6, activation="softmax")(layers.Flatten()(x)), name="sensors")


def up_and_down(Input, Model, layers):
    x = inputs = Input((16, 16, 3))
    down = layers.Conv2D(12, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2D(18, 3, strides=2, padding="same", activation="relu")(down)
    x = layers.Conv2DTranspose(12, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Concatenate()([x, down])
    return Model(inputs, layers.Conv2D(2, 1)(layers.UpSampling2D(2)(x)), name="up_and_down")


def multilayer(Input, Model, layers):
    x = inputs = Input((45,))
    for width in (66, 33, 17):
        x = layers.Dense(width, activation="relu")(x)
    return Model(inputs, layers.Dense(3, activation="softmax")(x), name="multilayer")


def depthwise_stack(Input, Model, layers):
    """Windows that depthwise layers seldom have."""
    x = inputs = Input((30, 22, 8))
    for window, stride in (((5, 5), 1), ((3, 3), 2), ((7, 1), 1), ((1, 5), 1)):
        x = layers.DepthwiseConv2D(window, strides=stride, padding="same", activation="relu")(x)
        x = layers.Conv2D(x.shape[-1] + 4, 1, activation="relu")(x)
    return Model(inputs, layers.Dense(7)(layers.GlobalAveragePooling2D()(x)), name="depthwise_stack")


BUILDERS = (ds_cnn, residual, autoencoder, time_convolutions, mobile, odd, temporal_residual, squeeze_and_excite)
BUILDERS += (stacked, branches, sensors, up_and_down, multilayer, depthwise_stack)


def compare(console: Console) -> int:
    """Prints a table; 0 where every network on a Cortex-M4 is within the largest errors, else 1."""
    table = Table(title="price against linked image and emulated Cortex-M4")
    columns = ("network", "optimize", "MACs", "cycles priced", "emulated", "error %", "flash, error %", "RAM, error %")
    for column in columns:
        table.add_column(column, justify="left" if column in ("network", "optimize") else "right")
    held = True
    for network in networks():
        for optimize in OPTIMIZE:
            report, checked = emulated(network, optimize)
            off = 100 * (report.cost.cycles / checked.cycles - 1)
            sizes = {n: (getattr(checked, n), checked.predicted[n]) for n in ("flash_bytes", "ram_bytes")}
            sizes = {n: (linked, 100 * (priced / linked - 1)) for n, (linked, priced) in sizes.items()}
            held &= abs(off) <= LARGEST_ERROR and all(abs(e) <= LARGEST_SIZE_ERROR for _, e in sizes.values())
            held &= checked.exact
            figures = (f"{report.cost.macs:,}", f"{report.cost.cycles:,}", f"{checked.cycles:,}", f"{off:+.2f}")
            shown = (f"{linked:,} {error:+.2f}" for linked, error in sizes.values())
            table.add_row(getattr(network, "stem", getattr(network, "name", "")), optimize, *figures, *shown)
    console.print(table)
    return int(not held)


def emulated(network: Any, optimize: str):
    """(export's report, check's result) on an EFM32."""
    with tempfile.TemporaryDirectory() as place:
        folder, more = Path(place) / "net", {}
        if not isinstance(network, Path):
            more["calibration"] = np.random.default_rng(2).normal(size=(20, *network.input_shape[1:]))
        report = shrinkfit.export(network, folder, name="net", device=board(), optimize=optimize, **more)
        return report, shrinkfit.check(folder, on="cortex-m4")


def board() -> shrinkfit.Device:
    """An EFM32's core with more memory than any network here needs."""
    return shrinkfit.Device("board", core="cortex-m4", fpu=True, clock_hz=40_000_000)
