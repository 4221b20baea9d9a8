# SPDX-License-Identifier: Apache-2.0
"""FitDevice beside everything else that people pass to compile() and fit()."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import shrinkfit
from shrinkfit.fit.slots import slots_of
from shrinkfit.read.topology import keras_value
from tests.fit.tiny import EPOCHS, X, Y, fit, halving, is_plain, left, tiny


class Stepwise(keras.Model):
    """A training step and a test step of the user's own."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            answer = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=answer)
        weights = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return self.measured(y, answer, loss) | {"mine": loss * 2}

    def test_step(self, data):
        x, y = data
        answer = self(x, training=False)
        return self.measured(y, answer, self.compute_loss(y=y, y_pred=answer))

    def measured(self, y, answer, loss):
        for metric in self.metrics:
            metric.update_state(*((loss,) if metric.name == "loss" else (y, answer)))
        return {metric.name: metric.result() for metric in self.metrics}


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return X[index * 16 : index * 16 + 16], Y[index * 16 : index * 16 + 16]


def generator():
    while True:
        yield X[:16], Y[:16]


def dataset():
    return tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(48, seed=0).batch(16, drop_remainder=True)


def fresh(name, **settings):
    return lambda: getattr(keras.optimizers, name)(0.01, **settings)


COMPILED = {
    "steps per execution": {"steps_per_execution": 2},
    "XLA": {"jit_compile": True},
    "eager": {"run_eagerly": True},
    "accumulated gradients": {"optimizer": fresh("Adam", gradient_accumulation_steps=2)},
    "moving average of weights": {"optimizer": fresh("Adam", use_ema=True)},
    "own steps": {"subclass": Stepwise},
}
FITTED = {
    "weights per class": {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5}},
    "weights per sample": {"sample_weight": np.linspace(0.5, 1.5, 48)},
    "validation split": {"validation_split": 0.25},
    "tf.data": {"x": dataset, "y": None, "batch_size": None},
    "PyDataset": {"x": Batches, "y": None, "batch_size": None},
    "generator": {"x": generator, "y": None, "batch_size": None, "steps_per_epoch": 3},
    "later start": {"initial_epoch": 3},
    "plateau": {"beside": lambda: keras.callbacks.ReduceLROnPlateau("loss", patience=0)},
    "rate schedule": {"beside": lambda: keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9)},
}
CALLED = ("x", "optimizer", "beside")


def halved(model, device):
    """What every fit has to end with."""
    assert device.cost.flops <= device.budget.flops and all(n < 12 for n in left(model).values())
    assert device.history[-1]["epoch"] == EPOCHS - 1 and device.history[-1]["phase"] == "frozen" and is_plain(model)
    answers = [m.predict(X, verbose=0) for m in (device.model, model)]
    np.testing.assert_allclose(*answers, atol=1e-4)


@pytest.mark.parametrize("name", COMPILED)
def test_settings_of_compile(name):
    model = tiny(**{k: v() if k in CALLED else v for k, v in COMPILED[name].items()})
    device = halving(model)
    fit(model, [device], validation_data=(X, Y))
    halved(model, device)


@pytest.mark.parametrize("name", FITTED)
def test_settings_of_fit(name):
    settings = {k: v() if k in CALLED and v is not None else v for k, v in FITTED[name].items()}
    beside = [settings.pop("beside")] if "beside" in settings else []
    model = tiny()
    device = halving(model)
    fit(model, [*beside, device], **settings)
    halved(model, device)


def test_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = tiny()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert type(model.optimizer).__name__ == "LossScaleOptimizer"
    device = halving(model)
    fit(model, [device])
    assert device.cost.flops <= device.budget.flops and all(np.isfinite(list(device.history[-1]["metrics"].values())))
    np.testing.assert_allclose(device.model.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-2)


# --- pruned is zero ---

OPTIMIZERS = {
    "SGD": {"momentum": 0.9, "nesterov": True},
    "Adam": {"amsgrad": True},
    "AdamW": {},
    "RMSprop": {"centered": True},
    "Ftrl": {},
    "Lion": {},
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_is_pruned_stays_zero_with_any_optimizer(name):
    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((left(self.model), device._pruner.widths))

    seen, model = [], tiny(optimizer=getattr(keras.optimizers, name)(0.01, **OPTIMIZERS[name]))
    device = halving(model, quantize=False, prune_epochs=(0.0, 0.5))
    fit(model, [device, Look()], epochs=4)
    assert all(tuple(counts.values()) == widths for counts, widths in seen) and seen[-1][1] < (12, 12)
    kernel = model.get_layer("first").kernel
    dead = ~(keras_value(kernel) != 0).any(axis=(0, 1))
    slots = list(slots_of(model.optimizer, kernel))
    assert slots and all(not keras_value(slot)[..., dead].any() for slot in slots)


def test_a_checkpoint_in_mid_training_is_plain_and_computes_what_validation_measured(tmp_path):
    model = tiny()
    device, path = halving(model, quantize=False), str(tmp_path / "{epoch}.keras")
    log = fit(model, [keras.callbacks.ModelCheckpoint(path), device], validation_data=(X, Y))
    assert device.history[1]["pruned"]
    for epoch in (1, 2, 3):
        loaded = keras.models.load_model(str(tmp_path / f"{epoch}.keras"))
        assert tuple(left(loaded).values()) == tuple(device.history[epoch - 1]["widths"].values())
        assert loaded.evaluate(X, Y, verbose=0)[0] == pytest.approx(log.history["val_loss"][epoch - 1], abs=1e-5)


def test_a_pruned_model_is_fitted_on_from_where_it_is():
    model = tiny()
    device = halving(model)
    fit(model, [device])
    before = left(model)
    fit(model, [device], epochs=2)
    assert (
        left(model) == before
        and len(device.history) == 2
        and device.history[0]["costs"]["flops"] <= device.budget.flops
    )
    other = tiny()
    fit(other, [device])
    halved(other, device)


# --- callbacks that watch ---


class Score(keras.callbacks.Callback):
    """The first epoch looks best."""

    def on_epoch_end(self, epoch, logs=None):
        logs["score"] = -float(epoch)


def stopper():
    return keras.callbacks.EarlyStopping("score", mode="max", patience=1, restore_best_weights=True)


@pytest.mark.parametrize("first", [True, False])
def test_early_stopping_waits_for_the_limits_whatever_the_order(first):
    model = tiny()
    device = halving(model)
    order = [device, Score(), stopper()] if first else [Score(), stopper(), device]
    log = fit(model, order, epochs=10)
    assert len(log.epoch) == device._schedule.settled + 2 == 8
    assert device.cost.flops <= device.budget.flops and is_plain(model)
    np.testing.assert_allclose(device.model.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-4)


def test_restored_weights_come_with_the_ranges_of_their_epoch():
    model = tiny()
    device = halving(model)
    fit(model, [device, Score(), stopper()], epochs=10)
    states = list(device._remembered.values())
    # The input's range is set anew at the end (settle.py).
    assert device._instruments.variables.state()["ranges"][1:] == states[device._schedule.settled]["ranges"][1:]
    assert states[-1]["ranges"][1:] != states[device._schedule.settled]["ranges"][1:]


def test_the_best_checkpoint_is_one_that_fits(tmp_path):
    model = tiny()
    device, path = halving(model), str(tmp_path / "best.keras")
    fit(model, [Score(), keras.callbacks.ModelCheckpoint(path, "score", mode="max", save_best_only=True), device])
    assert tuple(left(keras.models.load_model(path)).values()) == tuple(device.history[-1]["widths"].values())


def test_costs_land_in_csv(tmp_path):
    model = tiny()
    device = halving(model)
    fit(model, [keras.callbacks.CSVLogger(str(tmp_path / "log.csv")), device])
    lines = (tmp_path / "log.csv").read_text().splitlines()
    column = lines[0].split(",").index("flops")
    assert [float(line.split(",")[column]) for line in lines[1:]] == [h["costs"]["flops"] for h in device.history]


def test_tensorboard_is_given_the_costs_as_scalars(tmp_path, monkeypatch):
    """The package tensorboard has the format of a scalar; what matters here is what it is called with."""
    written, model = {}, tiny()
    device = halving(model)
    board = keras.callbacks.TensorBoard(str(tmp_path), write_graph=False)
    monkeypatch.setattr(
        board.summary, "scalar", lambda name, data, step=None: written.setdefault(name, []).append(data)
    )
    fit(model, [board, device])
    for name in ("flops", "ram_bytes", "flash_bytes"):
        assert [float(v) for v in written[f"epoch_{name}"]] == [h["costs"][name] for h in device.history]


def test_other_callbacks_may_use_the_model():
    class Use(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.evaluate(X, Y, verbose=0)
            answers.append(self.model.predict(X, verbose=0))

    answers, model = [], tiny()
    device = halving(model)
    fit(model, [Use(), device])
    halved(model, device)
    assert len(answers) == EPOCHS


def test_two_devices_in_one_fit_are_refused():
    model = tiny()
    with pytest.raises(shrinkfit.ShrinkfitError, match="two FitDevice callbacks"):
        fit(model, [halving(model), halving(model)])


# --- a fit that ends by an exception ---


class Interrupt(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations >= 8:
            raise KeyboardInterrupt


def interrupted():
    model = tiny()
    with pytest.raises(KeyboardInterrupt):
        fit(model, [halving(model, quantize_from=0.4), Interrupt()])
    return model


USES = {
    "call": lambda model, path: model(X[:2]),
    "predict": lambda model, path: model.predict(X[:2], verbose=0),
    "evaluate": lambda model, path: model.evaluate(X, Y, verbose=0),
    "train_on_batch": lambda model, path: model.train_on_batch(X[:16], Y[:16]),
    "fit": lambda model, path: fit(model, epochs=1),
    "fit again": lambda model, path: fit(model, [halving(model)]),
}


@pytest.mark.parametrize("use", USES)
def test_an_interrupted_model_is_plain_at_its_next_use(use, tmp_path):
    model = interrupted()
    assert min(left(model).values()) < 12
    USES[use](model, tmp_path)
    assert is_plain(model)


def test_an_interrupted_model_saves_and_answers_as_its_weights_say(tmp_path):
    model = interrupted()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-5)
