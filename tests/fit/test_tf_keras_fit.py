# SPDX-License-Identifier: Apache-2.0
"""The same FitDevice in tf_keras's fit()."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import shrinkfit
from shrinkfit.fit.slots import slots_of
from shrinkfit.graph import simulate
from shrinkfit.read.topology import keras_value
from tests.fit.tiny import X, Y, fit, halving, is_plain, left, tiny

tf_keras = pytest.importorskip("tf_keras")


@pytest.fixture(scope="module")
def fitted():
    model = tiny(tf_keras)
    device = halving(model)
    log = fit(model, [device, tf_keras.callbacks.TerminateOnNaN()], validation_split=0.25, epochs=8)
    return model, device, log


def test_the_limits_hold_and_the_small_model_is_a_tf_keras_model(fitted):
    model, device, log = fitted
    assert device.cost.flops <= device.budget.flops and is_plain(model) and max(left(model).values()) < 12
    assert isinstance(device.model, tf_keras.Model) and log.history["flops"][-1] == device.history[-1]["costs"]["flops"]
    np.testing.assert_allclose(device.model.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-4)


def test_what_trains_is_what_the_graph_computes(fitted):
    _, device, _ = fitted
    source, target = (device.graph.tensors[ends[0]] for ends in (device.graph.inputs, device.graph.outputs))
    answer = simulate.dequantize(target, simulate.run(device.graph, simulate.quantize(source, X)))
    steps = np.abs(answer - device.predict(X)) / target.scale
    assert (steps < 0.01).mean() > 0.5 and steps.max() < 4


def test_the_quantization_error_is_known(fitted):
    kept, given = fitted[1].quantization_error(), fitted[1].quantization_error(X[:9])
    assert kept.inputs > 9 == given.inputs and [t.layer for t in kept.tensors] == [t.layer for t in given.tensors]
    assert len(kept.tensors) > 3 and all(tensor.sqnr_db > 10 for tensor in (*kept.tensors, *given.tensors))


def test_the_export_is_exact(fitted, tmp_path):
    shrinkfit.export(fitted[1], tmp_path / "firmware", name="tiny")
    assert shrinkfit.check(tmp_path / "firmware", inputs=X[:8], on="host").exact


def test_the_small_model_loads_without_shrinkfit(fitted, tmp_path):
    fitted[1].model.save(tmp_path / "small.h5")
    code = (
        "import sys, tf_keras; tf_keras.models.load_model(sys.argv[1]);"
        "assert not [n for n in sys.modules if n.startswith('shrinkfit')]"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "small.h5")], check=True, cwd=tmp_path)


OPTIMIZERS = {
    "Adam": lambda: tf_keras.optimizers.Adam(0.01),
    "legacy Adam": lambda: tf_keras.optimizers.legacy.Adam(0.01),
    "legacy SGD": lambda: tf_keras.optimizers.legacy.SGD(0.01, momentum=0.9),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_is_pruned_stays_zero_with_any_optimizer(name):
    class Look(tf_keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((tuple(left(self.model).values()), device._pruner.widths))

    seen, model = [], tiny(tf_keras, optimizer=OPTIMIZERS[name]())
    device = halving(model, quantize=False, prune_epochs=(0.0, 0.5))
    fit(model, [device, Look()], epochs=4)
    assert all(counts == widths for counts, widths in seen) and seen[-1][1] < (12, 12)
    kernel = model.get_layer("first").kernel
    slots = list(slots_of(model.optimizer, kernel))
    dead = ~(keras_value(kernel) != 0).any(axis=(0, 1))
    assert slots and not any(keras_value(slot)[..., dead].any() for slot in slots)


class Stepwise(tf_keras.Model):
    """A training step of the user's own."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True), None)
        weights = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"loss": loss, "mine": loss * 2}


SETTINGS = {
    "steps per execution": {"steps_per_execution": 2},
    "XLA": {"jit_compile": True},
    "own step": {"subclass": Stepwise},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_compile(name):
    model = tiny(tf_keras, **SETTINGS[name])
    device = halving(model)
    fit(model, [device], validation_data=(X, Y))
    assert device.cost.flops <= device.budget.flops and is_plain(model)


def test_early_stopping_waits_for_the_limits():
    model = tiny(tf_keras)
    device = halving(model)
    stopper = tf_keras.callbacks.EarlyStopping("loss", patience=0, min_delta=10, restore_best_weights=True)
    log = fit(model, [stopper, device], epochs=10)
    assert device._schedule.settled < len(log.epoch) < 10 and device.cost.flops <= device.budget.flops


def test_an_interrupted_model_is_plain_at_its_next_use():
    class Interrupt(tf_keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations >= 8:
                raise KeyboardInterrupt

    model = tiny(tf_keras)
    with pytest.raises(KeyboardInterrupt):
        fit(model, [halving(model), Interrupt()])
    model.predict(X, verbose=0)
    assert is_plain(model)
