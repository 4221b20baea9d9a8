# SPDX-License-Identifier: Apache-2.0
"""FitDevice at the edges: odd outputs fit, data without a batch and settings of another type are refused."""

import keras
import numpy as np
import pytest

import shrinkfit
from shrinkfit.errors import TrainingError
from tests.fit.tiny import X, Y, fit, halving, is_plain, tiny


def test_a_model_that_ends_in_a_lone_number():
    layers = keras.layers
    net = [keras.Input((8, 6)), layers.Flatten(), layers.Dense(8, activation="relu"), layers.Dense(1)]
    model = keras.Sequential([*net, layers.Reshape(())])
    model.compile(loss="mse", jit_compile=False)
    done = halving(model)
    fit(model, [done], y=Y.astype(np.float32))
    assert done.cost.flops <= done.budget.flops
    assert done.model.output_shape == (None,)
    assert done.predict(X).shape == (len(X),)


def test_a_tensor_that_is_two_outputs():
    entering = keras.Input((8, 6))
    rows = keras.layers.Conv1D(4, 3, name="rows")(entering)
    model = keras.Model(entering, [rows, rows])
    model.compile(loss=["mse", "mse"], jit_compile=False)
    done, wanted = shrinkfit.FitDevice("efm32"), np.zeros((48, 6, 4), np.float32)
    fit(model, [done], y=[wanted, wanted])
    assert done.graph.outputs == ("rows:6x4", "rows:6x4")


@pytest.mark.parametrize("logs", [{}, {"val_loss": 1.0}])
def test_no_batch_at_all_is_an_error(logs):
    """As Keras calls the hooks for data without a batch."""
    model, done = tiny(), shrinkfit.FitDevice("efm32")
    hooks = keras.callbacks.CallbackList([done], model=model, epochs=2)
    hooks.on_train_begin()
    hooks.on_epoch_begin(0)
    with pytest.raises(TrainingError, match="without a single batch"):
        hooks.on_epoch_end(0, logs)
    assert is_plain(model)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frames_per_call": 0}, "frames_per_call is 0, expected a whole number of at least 1"),
        ({"frames_per_call": -1}, "frames_per_call is -1"),
        ({"frames_per_call": 1.5}, "frames_per_call is 1.5"),
        ({"exclude": 3}, "exclude is 3, expected names of layers"),
        ({"sparsity_layers": [3]}, "sparsity_layers holds 3, expected names of layers"),
        ({"prune_epochs": 0.1}, r"prune_epochs is 0.1, expected \(begin, end\)"),
        ({"prune_epochs": (0.1, 0.2, 0.3)}, r"expected \(begin, end\)"),
        ({"prune_epochs": ("a", "b")}, "prune_epochs is 'a', expected a share"),
        ({"quantize_from": None}, "quantize_from is None, expected a share"),
        ({"width_multiple": "2"}, "width_multiple is '2', expected a whole number"),
        ({"block_sparsity": None}, "block_sparsity is None, expected a share"),
        ({"distill": None}, "distill is None"),
        ({"temperature": None}, "temperature is None"),
    ],
)
def test_settings_of_another_type_are_refused(settings, message):
    with pytest.raises(shrinkfit.ShrinkfitError, match=message):
        shrinkfit.FitDevice("efm32", **settings)


def test_a_single_name_counts_as_one_and_none_as_no_name():
    done = shrinkfit.FitDevice("efm32", exclude=None, sparsity_layers="stem", prune_epochs=np.array([0.1, 0.2]))
    assert (done.exclude, done.sparsity_layers, done.prune_epochs) == ((), ("stem",), (0.1, 0.2))
