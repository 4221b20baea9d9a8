# SPDX-License-Identifier: Apache-2.0
"""Distillation: the distance to the teacher is in the training loss only, and the teacher stays as it is."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import shrinkfit
from shrinkfit.errors import ShrinkfitError
from shrinkfit.fit.distill import Distiller
from shrinkfit.read.stages import fuse
from shrinkfit.read.topology import read_topology
from tests.fit.test_callback import blobs, compiled
from tests.keras_models import CLASSES

SHARE, TEMPERATURE = 0.4, 3.0


def network(activation=None, outputs=1):
    inputs = keras.Input((16, 10))
    x = layers.Conv1D(12, 5, strides=2, activation="relu")(inputs)
    x = layers.GlobalAveragePooling1D()(x)
    ends = [layers.Dense(CLASSES, activation=activation)(x) for _ in range(outputs)]
    return keras.Model(inputs, ends if outputs > 1 else ends[0])


def distiller_of(model, **settings):
    topology = read_topology(model)
    return Distiller(model, topology, fuse(topology), **({"share": SHARE, "temperature": TEMPERATURE} | settings))


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("loss", "activation"), [("sparse", None), ("sparse", "softmax"), ("mse", None)])
def test_the_loss_is_its_own_share_and_the_teachers(loss, activation, weighted):
    keras.utils.set_random_seed(3)
    model, teacher = network(activation), network(activation)
    classifier = keras.losses.SparseCategoricalCrossentropy(from_logits=activation is None)
    model.compile(loss=classifier if loss == "sparse" else "mse")
    x, y = blobs((16, 10), 8)
    y = y if loss == "sparse" else np.eye(CLASSES)[y]
    weights = np.linspace(0, 2, 8).astype(np.float32) if weighted else None
    distiller = distiller_of(model, teacher=teacher)
    answer, wanted = model(x).numpy(), teacher(x).numpy()
    args = (x, y, tf.constant(answer), weights)
    own = float(model.compute_loss(*args))
    if loss == "mse":
        each = ((answer - wanted) ** 2).mean(axis=-1)
    else:
        logits = np.log if activation == "softmax" else np.asarray
        p, q = (softmax(logits(z) / TEMPERATURE) for z in (wanted, answer))
        each = (p * (np.log(p) - np.log(q))).sum(axis=-1) * TEMPERATURE**2
    extra = float((each * (1 if weights is None else weights)).mean())
    assert extra > 1e-4
    got = distiller.loss_of(model.compute_loss, lambda: True)(*args)
    assert float(got) == pytest.approx((1 - SHARE) * own + SHARE * extra, rel=1e-4)
    assert float(distiller.loss_of(model.compute_loss, lambda: False)(*args)) == pytest.approx(own)


def fit_with(teacher, model=None, epochs=4, **settings):
    model = model or compiled(network, jit_compile=False)
    x, y = blobs((16, 10), 128)
    fit = shrinkfit.FitDevice(
        "efm32", flops=shrinkfit.price(model).flops * 0.7, distill=SHARE, teacher=teacher, **settings
    )
    log = model.fit(x, y, epochs=epochs, callbacks=[fit], validation_data=(x, y), verbose=0)
    return model, fit, log.history, (x, y)


def test_it_trains_towards_the_teacher_and_the_teacher_stays():
    teacher = compiled(network, jit_compile=False)
    x, y = blobs((16, 10), 256)
    teacher.fit(x, y, epochs=3, verbose=0)
    before = teacher.get_weights()
    tracked = len(compiled(network, jit_compile=False).variables)
    model, fit, log, (x, y) = fit_with(teacher, epochs=5, temperature=TEMPERATURE)
    assert all(np.array_equal(a, b) for a, b in zip(before, teacher.get_weights(), strict=True))
    assert len(model.variables) == tracked and "compute_loss" not in vars(model)
    assert np.isfinite(log["loss"]).all() and log["loss"][-1] < log["loss"][0] and log["accuracy"][-1] > 0.5
    record = {"share": SHARE, "compares": "logits", "temperature": TEMPERATURE}
    assert [entry["distill"] for entry in fit.history] == [record] * 5
    # The last epoch's validation loss is that of the answers alone.
    expected = float(model.loss(y, fit.predict(x)))
    assert log["val_loss"][-1] == pytest.approx(expected, rel=0.02)


def test_without_a_teacher_the_unpruned_model_is_it():
    _, fit, log, _ = fit_with(None, prune_epochs=(0.5, 0.75))
    assert ["distill" in entry for entry in fit.history] == [False, False, True, True]
    assert not any(entry["pruned"] for entry in fit.history[:2]) and np.isfinite(log["loss"]).all()


def test_a_train_step_that_never_asks_for_the_loss_is_named():
    class Mine(keras.Model):
        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self(x, training=True) - tf.one_hot(y, CLASSES)) ** 2)
            self.optimizer.apply_gradients(
                zip(tape.gradient(loss, self.trainable_weights), self.trainable_weights, strict=True)
            )
            return {"loss": loss}

    plain = network()
    model = Mine(plain.input, plain.output)
    model.compile(loss="sparse_categorical_crossentropy")
    with pytest.raises(ShrinkfitError, match="train_step does not call self.compute_loss"):
        fit_with(network(), model, epochs=1)
    assert "compute_loss" not in vars(model) and "train_step" not in vars(model)


@pytest.mark.parametrize(
    ("model", "teacher", "message"),
    [
        (network(outputs=2), None, "has 2 outputs, expected one; set distill=0"),
        (network(), keras.Sequential([keras.Input((16, 10)), layers.Dense(2)]), "the teacher's output_shape is"),
        (network(), keras.Sequential([keras.Input((9, 10)), layers.Dense(2)]), "the teacher's input_shape is"),
    ],
)
def test_what_cannot_be_distilled(model, teacher, message):
    with pytest.raises(ShrinkfitError, match=message):
        distiller_of(model, teacher=teacher)


def test_a_model_cannot_teach_itself():
    model = network()
    with pytest.raises(ShrinkfitError, match="leave teacher=None"):
        distiller_of(model, teacher=model)


@pytest.mark.parametrize(
    ("settings", "message"), [({"distill": 1.5}, "distill is 1.5"), ({"temperature": 0}, "temperature is 0")]
)
def test_bad_settings(settings, message):
    with pytest.raises(ShrinkfitError, match=message):
        shrinkfit.FitDevice("efm32", **settings)


def test_a_copied_teacher_comes_back_from_its_state():
    model = network()
    distiller, again = distiller_of(model), distiller_of(model)
    assert distiller.state() is None
    distiller.take_copy(model)
    wanted = model.get_weights()
    model.set_weights([w + 1 for w in wanted])
    again.restore(model, distiller.state())
    assert all(np.array_equal(a, b) for a, b in zip(wanted, again.teacher.get_weights(), strict=True))


def test_a_resumed_run_keeps_its_teacher(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 3:
                raise InterruptedError

    teachers = []
    for stop in ([Stop()], []):
        model = compiled(network, jit_compile=False)
        backup = keras.callbacks.BackupAndRestore(str(tmp_path / "backup"))
        fit = shrinkfit.FitDevice("efm32", flops=shrinkfit.price(model).flops * 0.7, distill=SHARE)
        x, y = blobs((16, 10), 64)
        with contextlib.suppress(InterruptedError):
            model.fit(x, y, epochs=4, callbacks=[fit, backup, *stop], verbose=0)
        teachers.append(fit._instruments.distiller.teacher.get_weights())
    assert len(fit.history) == 4 and ["distill" in entry for entry in fit.history] == [True] * 4
    assert all(np.array_equal(a, b) for a, b in zip(*teachers, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(teachers[1], model.get_weights(), strict=True))
