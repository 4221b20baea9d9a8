# SPDX-License-Identifier: Apache-2.0
"""Whole networks that the cycle model was not fitted on: predicted cycles against those of the emulated core."""

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

LARGEST_ERROR_PERCENT = 10.0


def networks() -> Iterator[Any]:
    """Keras models of the usual kinds, then the .tflite models beside the project, where they are."""
    import keras

    for build in (ds_cnn, residual, autoencoder, time_convolutions, mobile, odd):
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


def compare(console: Console) -> int:
    """Prints a table; 0 where every network on a Cortex-M4 is within LARGEST_ERROR_PERCENT, else 1."""
    table = Table(title="cycles of an inference: model against emulated Cortex-M4")
    for column in ("network", "MACs", "predicted", "emulated", "error %", "source"):
        table.add_column(column, justify="left" if column in ("network", "source") else "right")
    worst = 0.0
    for network in networks():
        name = getattr(network, "name", "")
        report, checked = emulated(network)
        error = 100 * (report.cost.cycles / checked.cycles - 1)
        worst = max(worst, abs(error))
        figures = (f"{report.cost.macs:,}", f"{report.cost.cycles:,}", f"{checked.cycles:,}", f"{error:+.2f}")
        table.add_row(name, *figures, report.cost.cycles_source)
    console.print(table)
    return int(worst > LARGEST_ERROR_PERCENT)


def emulated(network: Any):
    """(export's report, check's result) on an EFM32."""
    with tempfile.TemporaryDirectory() as place:
        folder, more = Path(place) / "net", {}
        if not isinstance(network, Path):
            more["calibration"] = np.random.default_rng(2).normal(size=(20, *network.input_shape[1:]))
        report = shrinkfit.export(network, folder, name="net", device=board(), **more)
        return report, shrinkfit.check(folder, on="cortex-m4")


def board() -> shrinkfit.Device:
    """An EFM32's core with more memory than any network here needs."""
    return shrinkfit.Device("board", core="cortex-m4", fpu=True, clock_hz=40_000_000)
