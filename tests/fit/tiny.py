# SPDX-License-Identifier: Apache-2.0
"""A model small enough for many fits, in either Keras; its data, and a FitDevice that has to halve it."""

import keras
import numpy as np

import shrinkfit
from shrinkfit.read.topology import keras_value

EPOCHS = 5
_RNG = np.random.default_rng(0)
X = _RNG.normal(size=(48, 8, 6)).astype(np.float32)
Y = _RNG.integers(0, 3, 48)


def layers_of(package):
    kinds = package.layers
    return [
        kinds.Conv1D(12, 3, name="first"),
        kinds.BatchNormalization(),
        kinds.ReLU(),
        kinds.Conv1D(12, 3, activation="relu", name="second"),
        kinds.GlobalAveragePooling1D(),
        kinds.Dense(3, dtype="float32"),
    ]


def tiny(package=keras, subclass=None, **settings):
    """Compiled without XLA, which takes longer to compile than such a model to train."""
    package.utils.set_random_seed(3)
    x = inputs = package.Input((8, 6))
    for layer in layers_of(package):
        x = layer(x)
    model = (subclass or package.Model)(inputs, x)
    loss = package.losses.SparseCategoricalCrossentropy(from_logits=True)
    defaults = {"optimizer": package.optimizers.Adam(0.01), "loss": loss, "metrics": ["accuracy"]}
    if package is keras:
        defaults["jit_compile"] = False
    model.compile(**(defaults | settings))
    return model


def halving(model, **settings):
    return shrinkfit.FitDevice("efm32", flops=shrinkfit.price(model).flops / 2, **settings)


def fit(model, callbacks=(), *, x=X, y=Y, epochs=EPOCHS, **settings):
    return model.fit(x, y, **({"batch_size": 16} | settings), epochs=epochs, callbacks=list(callbacks), verbose=0)


def left(model):
    """How many channels of each convolution are not zero."""
    return {n: int((keras_value(model.get_layer(n).kernel) != 0).any(axis=(0, 1)).sum()) for n in ("first", "second")}


def is_plain(model):
    return not any("call" in vars(layer) for layer in model.layers) and "train_step" not in vars(model)
