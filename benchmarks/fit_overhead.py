# SPDX-License-Identifier: Apache-2.0
"""What FitDevice adds to a training: time per step in each phase, and work between epochs, as ratios to plain fit().

    python benchmarks/fit_overhead.py

A DS-CNN of 64 channels on made-up data (the time does not depend on the values) trains under FitDevice;
after each of its epochs the same network trains plainly for as many steps, so that both see the same machine.
"""

from __future__ import annotations

import argparse
import time
from statistics import median
from typing import Any

import keras
import numpy as np
from keras import layers
from rich.console import Console
from rich.table import Table

import shrinkfit

INPUT, CLASSES, BATCH = (49, 40, 1), 12, 100
# An epoch of the keyword features that fit_quality.py trains on: 21,812 clips.
STEPS_PER_REAL_EPOCH = 21_812 // BATCH
# Steps after tracing that still warm up.
WARM_UP = 3


def ds_cnn(channels: int = 64, blocks: int = 4) -> keras.Model:
    """The network of fit_quality.py."""
    x = inputs = keras.Input(INPUT)
    x = _normalized(layers.Conv2D(channels, (10, 4), strides=2, padding="same", use_bias=False)(x))
    for _ in range(blocks):
        x = _normalized(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x))
        x = _normalized(layers.Conv2D(channels, 1, use_bias=False)(x))
    model = keras.Model(inputs, layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x)))
    model.compile(
        optimizer="adam",
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    return model


def _normalized(x: Any) -> Any:
    return layers.ReLU()(layers.BatchNormalization()(x))


class StepTimes(keras.callbacks.Callback):
    """Seconds of each step, per epoch, and between the last step of an epoch and the first of the next."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[list[float]] = []
        self.between: list[float] = []
        self._last = self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.steps.append([])

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._began = time.perf_counter()
        if batch == 0 and self._last:
            self.between.append(self._began - self._last)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.steps[-1].append(time.perf_counter() - self._began)
        self._last = time.perf_counter()


class PlainTwin(keras.callbacks.Callback):
    """After each epoch, as many steps of the same network without FitDevice; out of the other's between-time."""

    def __init__(self, data: tuple, times: StepTimes) -> None:
        super().__init__()
        self._data, self._twin, self._around = data, ds_cnn(), times
        self.times = StepTimes()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        began = time.perf_counter()
        self._twin.fit(*self._data, batch_size=BATCH, verbose=0, callbacks=[self.times])
        self._around._last += time.perf_counter() - began


def measure(epochs: int, steps: int) -> tuple[shrinkfit.FitDevice, StepTimes, StepTimes]:
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    data = rng.random((BATCH * steps, *INPUT), np.float32), rng.integers(0, CLASSES, BATCH * steps)
    fit, times = shrinkfit.FitDevice("efm32", flops=2e6), StepTimes()
    twin = PlainTwin(data, times)
    model = ds_cnn()
    model.fit(*data, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=[fit, times, twin])
    return fit, times, twin.times


def report(fit: shrinkfit.FitDevice, fitted: StepTimes, plain: StepTimes) -> Table:
    table = Table("phase", "epochs", "ms a step", "plain", "ratio", title="FitDevice on a DS-CNN of 64 channels")
    phases = [record["phase"] for record in fit.history]
    for phase in dict.fromkeys(phases):
        rows = [i for i, p in enumerate(phases) if p == phase]
        ours, theirs = (median(s for i in rows for s in t.steps[i][WARM_UP:]) for t in (fitted, plain))
        table.add_row(phase, str(len(rows)), f"{ours * 1e3:.1f}", f"{theirs * 1e3:.1f}", f"{ours / theirs:.2f}")
    step = median(s for epoch in plain.steps for s in epoch[WARM_UP:])
    epoch = step * STEPS_PER_REAL_EPOCH
    pruning = [s for s, record in zip(fitted.between, fit.history[1:], strict=False) if record["pruned"]]
    quiet = [s for s, record in zip(fitted.between, fit.history[1:], strict=False) if not record["pruned"]]
    for name, seconds in (("between epochs, pruning", pruning), ("between epochs, not pruning", quiet)):
        if seconds:
            share = f"{median(seconds) / epoch:.1%} (at most {max(seconds) / epoch:.1%})"
            table.add_row(name, str(len(seconds)), f"{median(seconds) * 1e3:.0f}", "", f"{share} of {epoch:.1f} s")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--steps", type=int, default=25, help="steps an epoch")
    arguments = parser.parse_args()
    Console(width=110).print(report(*measure(arguments.epochs, arguments.steps)))


if __name__ == "__main__":
    main()
