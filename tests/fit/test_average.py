# SPDX-License-Identifier: Apache-2.0
"""The fitted model has the mean of the weights of all epochs within the limits, and nothing else changes."""

import keras
import numpy as np
import pytest

from shrinkfit.fit.average import WeightMean
from shrinkfit.graph import simulate
from tests.fit.tiny import EPOCHS, X, fit, halving, is_plain, tiny

SETTINGS = {"prune_epochs": (0.2, 0.4), "average": True}
HOLD = 2  # the first epoch within the limits


class Stopped(Exception):
    pass


def recorder(package=keras, stop=None):
    """A callback whose `seen` has the weights at each epoch's end; it may end the fit as an epoch begins."""

    class Weights(package.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.seen = []

        def on_epoch_begin(self, epoch, logs=None):
            if epoch == stop:
                raise Stopped

        def on_epoch_end(self, epoch, logs=None):
            self.seen.append(self.model.get_weights())

    return Weights()


def assert_has_mean(model, seen):
    for got, weights in zip(model.get_weights(), zip(*seen, strict=True), strict=True):
        np.testing.assert_allclose(got, np.mean(weights, axis=0, dtype=np.float64), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["keras", "tf_keras"])
def test_the_mean_of_the_epochs_within_the_limits_ships(name):
    package = pytest.importorskip(name)
    model = tiny(package)
    device, weights = halving(model, **SETTINGS), recorder(package)
    fit(model, [device, weights])
    assert not np.allclose(weights.seen[HOLD][0], weights.seen[-1][0], atol=1e-3)
    assert_has_mean(model, weights.seen[HOLD:])
    assert device.cost.flops <= device.budget.flops and is_plain(model)
    np.testing.assert_allclose(device.model.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-4)
    classes = simulate.run(device.graph, simulate.quantize(device.graph.tensors[device.graph.inputs[0]], X))
    assert np.mean(classes.argmax(axis=1) == device.predict(X).argmax(axis=1)) > 0.97


def test_without_it_the_last_epochs_weights_ship():
    model = tiny()
    weights = recorder()
    fit(model, [halving(model, prune_epochs=SETTINGS["prune_epochs"]), weights])
    assert_has_mean(model, weights.seen[-1:])


def test_each_fit_has_its_own_mean():
    model = tiny()
    device, weights = halving(model, **SETTINGS), recorder()
    fit(model, [device])
    fit(model, [device, weights])
    assert_has_mean(model, weights.seen[HOLD:])


def test_it_begins_when_all_zero_blocks_are_there():
    model = tiny()
    weights = recorder()
    device = halving(model, block_sparsity=0.5, sparsity_layers=["dense*"], freeze_from=0.6, **SETTINGS)
    fit(model, [device, weights])
    assert_has_mean(model, weights.seen[3:])
    kernel = model.layers[-1].get_weights()[0]
    assert np.mean(kernel == 0) >= 0.5


def test_what_early_stopping_puts_back_stands():
    model = tiny()
    device, weights = halving(model, **SETTINGS), recorder()
    worst = keras.callbacks.EarlyStopping("loss", mode="max", patience=EPOCHS, restore_best_weights=True)
    fit(model, [device, worst, weights])
    settled = device._schedule.settled
    losses = [record["metrics"]["loss"] for record in device.history]
    best = settled + int(np.argmax(losses[settled:]))
    assert_has_mean(model, [weights.seen[best]])


def test_a_run_that_goes_on_counts_the_epochs_before(tmp_path):
    def train(stop=None):
        model = tiny()
        device, weights = halving(model, **SETTINGS), recorder(stop=stop)
        backup = keras.callbacks.BackupAndRestore(str(tmp_path / "backup"))
        fit(model, [backup, device, weights])
        return model, weights.seen

    with pytest.raises(Stopped) as stopped:
        train(stop=4)
    before = stopped.traceback[-1].frame.f_locals["self"].seen
    assert len(list((tmp_path / "backup" / "shrinkfit").glob("*.npz"))) == 2  # of the states that are kept
    model, after = train()
    assert len(before) == 4 and len(after) == 1
    assert_has_mean(model, [*before[HOLD:], *after])


def test_counts_are_no_means():
    mean = WeightMean()

    class Counting:
        weights = [np.float16([1, 2]), np.int64([7])]

        def get_weights(self):
            return self.weights

        def set_weights(self, weights):
            self.weights = weights

    counting = Counting()
    mean.add(counting)
    counting.weights = [np.float16([2, 4]), np.int64([9])]
    mean.add(counting)
    mean.put(counting)
    assert [w.tolist() for w in counting.weights] == [[1.5, 3], [9]]
    assert [w.dtype for w in counting.weights] == [np.float16, np.int64]
    mean.begin()
    counting.weights = [np.float16([5, 5]), np.int64([1])]
    mean.put(counting)  # of no epochs
    assert [w.tolist() for w in counting.weights] == [[5, 5], [1]]
