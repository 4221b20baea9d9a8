# SPDX-License-Identifier: Apache-2.0
"""FitDevice on tiny models and data made here: limits, exactness, plain models, clear errors."""

import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
from keras import layers

import shrinkfit
from shrinkfit.errors import BudgetError, TrainingError, UnknownDeviceError, UnsupportedLayerError
from shrinkfit.graph import simulate
from shrinkfit.read.topology import keras_value
from tests.keras_models import CLASSES, MODELS

LIMIT_SHARE = 0.5


def blobs(shape, count=512):
    """Classes told apart by which quarter of the first axis is loud."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, count)
    x = rng.normal(size=(count, *shape)).astype(np.float32)
    for i, label in enumerate(y):
        x[i, label * shape[0] // CLASSES : (label + 1) * shape[0] // CLASSES] += 1.5
    return x, y


def compiled(build, **settings):
    keras.utils.set_random_seed(7)
    model = build()
    probabilities = "softmax" in model.layers[-1].get_config().get("activation", "") or "Softmax" in str(model.layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=not probabilities)
    settings = {"jit_compile": False} | settings  # XLA would compile for longer than these train
    model.compile(optimizer=keras.optimizers.Adam(0.005), loss=loss, metrics=["accuracy"], **settings)
    model.optimizer.build(model.trainable_variables)  # else the first step is traced twice; test_workflow has that
    return model


@pytest.fixture(scope="module", params=MODELS)
def fitted(request):
    model = compiled(MODELS[request.param])
    x, y = blobs(model.input_shape[1:])
    flops = shrinkfit.price(model).flops * LIMIT_SHARE
    fit = shrinkfit.FitDevice("efm32", flops=flops)
    log = model.fit(x, y, epochs=10, batch_size=32, callbacks=[fit], verbose=0)
    return model, fit, x, y, log


def test_limits_hold_in_every_epoch_and_at_the_end(fitted):
    model, fit, _, _, _ = fitted
    assert len(fit.history) == 10
    assert all(r["costs"][k] <= limit for r in fit.history for k, limit in r["limits"].items())
    assert fit.history[-1]["limits"]["flops"] == fit.budget.flops
    assert shrinkfit.price(fit.model).as_costs() == fit.history[-1]["costs"]
    assert shrinkfit.price(fit.graph) == fit.cost
    # Training may leave channels that are constant; the graph that ships is rid of them.
    assert all(cost <= fit.history[-1]["costs"][name] for name, cost in fit.cost.as_costs().items())
    assert shrinkfit.price(model).flops > fit.budget.flops


def test_the_export_is_exact_and_keeps_to_the_same_limits(fitted, tmp_path):
    _, fit, x, _, _ = fitted
    report = shrinkfit.export(fit, tmp_path / "firmware", name="tiny")
    assert report.held and report.limits == fit.budget.limits() and report.cost == fit.cost
    for on in ("host", "cortex-m4", "qemu"):
        ran = shrinkfit.check(tmp_path / "firmware", inputs=x[:16], on=on)
        assert ran.exact and ran.clips == 16
    assert abs(ran.flash_bytes / fit.cost.flash_bytes - 1) < 0.02 and abs(ran.ram_bytes / fit.cost.ram_bytes - 1) < 0.02


def test_costs_are_in_the_logs(fitted):
    _, fit, _, _, log = fitted
    assert log.history["flops"] == [r["costs"]["flops"] for r in fit.history]
    assert {"ram_bytes", "flash_bytes"} <= set(log.history)


def test_the_smaller_model_answers_as_the_masked_one(fitted):
    model, fit, x, _, _ = fitted
    np.testing.assert_allclose(fit.model.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-4)


def test_fake_quantized_keras_and_the_simulator_agree(fitted):
    _, fit, x, y, _ = fitted
    keras_answer = fit.predict(x)
    source = fit.graph.tensors[fit.graph.inputs[0]]
    answer = simulate.run(fit.graph, simulate.quantize(source, x))
    target = fit.graph.tensors[fit.graph.outputs[0]]
    steps = np.abs(simulate.dequantize(target, answer) - keras_answer) / target.scale
    same, ranked = answer.argmax(1) == keras_answer.argmax(1), np.sort(answer.astype(int), axis=1)
    # Classes a few steps apart may change places where either side rounds a tie on the way (four were seen, on one
    # machine of several); others may not.
    assert same.mean() >= 0.99 and same[ranked[:, -1] - ranked[:, -2] > 5].all()
    assert (steps < 0.01).mean() > 0.5 and steps.max() < 8
    assert (answer.argmax(1) == y).mean() > 0.6


def test_the_fitted_model_is_plain_and_loads_with_the_same_answers(fitted, tmp_path):
    _, fit, x, _, _ = fitted
    fit.model.save(tmp_path / "small.keras")
    config = zipfile.ZipFile(tmp_path / "small.keras").read("config.json").decode()
    assert "keras.layers" in config and "shrinkfit" not in config
    loaded = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_allclose(loaded.predict(x[:8], verbose=0), fit.model.predict(x[:8], verbose=0), atol=1e-5)


@pytest.mark.parametrize("fitted", ["ds_cnn"], indirect=True)
def test_the_fitted_model_loads_without_shrinkfit(fitted, tmp_path):
    """In one process of its own: the test above shows of each model that its file asks for nothing but Keras."""
    _, fit, x, _, _ = fitted
    path = tmp_path / "small.keras"
    fit.model.save(path)
    np.save(tmp_path / "x.npy", x[:8])
    np.save(tmp_path / "y.npy", fit.model.predict(x[:8], verbose=0))
    code = (
        "import sys, keras, numpy as np; folder = sys.argv[1]; m = keras.models.load_model(folder + '/small.keras');"
        "d = abs(m.predict(np.load(folder + '/x.npy'), verbose=0) - np.load(folder + '/y.npy')).max();"
        "assert d < 1e-5, d; assert not [n for n in sys.modules if n.startswith('shrinkfit')]"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, cwd=tmp_path)


def test_the_trained_model_is_left_plain(fitted):
    model = fitted[0]
    assert not any("call" in vars(layer) for layer in model.layers) and "train_step" not in vars(model)


def test_an_instance_can_fit_again():
    model = compiled(MODELS["plain_2d"])
    x, y = blobs(model.input_shape[1:], 64)
    fit = shrinkfit.FitDevice("efm32", flops=shrinkfit.price(model).flops * 0.7)
    for _ in range(2):
        model.fit(x, y, epochs=2, callbacks=[fit], verbose=0)
    assert len(fit.history) == 2 and fit.cost.flops <= fit.budget.flops


@pytest.mark.parametrize(("prune", "quantize"), [(True, False), (False, True), (False, False)])
def test_pruning_and_quantization_work_alone(prune, quantize):
    model = compiled(MODELS["plain_2d"])
    x, y = blobs(model.input_shape[1:], 64)
    share = LIMIT_SHARE if prune else 1.0
    flops = shrinkfit.price(model).flops
    fit = shrinkfit.FitDevice("efm32", flops=flops * share, prune=prune, quantize=quantize)
    model.fit(x, y, epochs=3, callbacks=[fit], verbose=0)
    assert fit.cost.flops <= flops * share
    if quantize:
        assert fit.graph.macs == fit.cost.macs
    else:
        with pytest.raises(shrinkfit.ShrinkfitError, match="quantize=False"):
            _ = fit.graph


@pytest.mark.parametrize(("resource", "less"), [("ram_bytes", 200), ("flash_bytes", 1200)])
def test_ram_and_flash_limits_bind(resource, less):
    model = compiled(MODELS["plain_2d"])
    x, y = blobs(model.input_shape[1:], 64)
    limit = getattr(shrinkfit.price(model), resource) - less
    fit = shrinkfit.FitDevice("efm32", **{resource: limit})
    model.fit(x, y, epochs=4, callbacks=[fit], verbose=0)
    assert getattr(fit.cost, resource) <= limit
    assert {r["resource"] for record in fit.history for r in record["pruned"]} == {resource}


@pytest.mark.parametrize("resource", ["latency_ms", "energy_uj"])
def test_a_limit_on_time_or_energy_is_met_on_the_emulated_core(resource, tmp_path):
    model = compiled(MODELS["ds_cnn"])
    x, y = blobs(model.input_shape[1:], 64)
    fit = shrinkfit.FitDevice("efm32", **{resource: getattr(shrinkfit.price(model), resource) * 0.6})
    model.fit(x, y, epochs=4, callbacks=[fit], verbose=0)
    shrinkfit.export(fit, tmp_path / "firmware", name="quick")
    ran = shrinkfit.check(tmp_path / "firmware", inputs=x[:1], on="cortex-m4")
    assert getattr(fit.cost, resource) <= getattr(fit.budget, resource)
    assert ran.exact and abs(fit.cost.cycles / ran.cycles - 1) < 0.1
    assert resource in fit.history[-1]["costs"] and "Cortex-M4" in fit.cost.cycles_source


@pytest.mark.parametrize("importance", ["taylor", "magnitude"])
def test_noise_channels_go_first(importance):
    """Channels whose kernel is near zero carry nothing, by either measure."""
    model = compiled(
        lambda: keras.Sequential(
            [
                keras.Input((16, 10)),
                layers.Conv1D(32, 5),
                layers.ReLU(),
                layers.GlobalAveragePooling1D(),
                layers.Dense(CLASSES),
            ]
        )
    )
    x, y = blobs(model.input_shape[1:], 256)
    kernel = keras_value(model.layers[0].kernel)
    kernel[..., 1::2] *= 1e-3
    model.layers[0].kernel.assign(kernel)
    model.optimizer.learning_rate = 1e-4
    fit = shrinkfit.FitDevice("efm32", flops=shrinkfit.price(model).flops * 0.52, importance=importance)
    model.fit(x, y, epochs=4, callbacks=[fit], verbose=0)
    left = np.abs(keras_value(fit.model.layers[0].kernel)).max(axis=(0, 1))
    assert len(left) == 16 and left.min() > 0.01


# --- bad input ---


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"device": "emf32"}, UnknownDeviceError, "efm32"),
        ({"device": "efm32", "flops": 0}, BudgetError, "flops"),
        ({"device": "efm32", "ram_bytes": -1}, BudgetError, "ram_bytes"),
        ({"device": "efm32", "flash_bytes": 0}, BudgetError, "flash_bytes"),
        ({"device": "efm32", "inferences_per_second": 0}, BudgetError, "inferences_per_second"),
        ({"device": "efm32", "minimum_width": 0}, BudgetError, "minimum_width is 0"),
        ({"device": "efm32", "prune_epochs": (0.9, 0.1)}, BudgetError, "begin <= end"),
        ({"device": "efm32", "quantize_from": 1.5}, BudgetError, "quantize_from is 1.5"),
        (
            {"device": "efm32", "importance": "luck"},
            shrinkfit.ShrinkfitError,
            "importance is 'luck', expected 'taylor'.*or a function",
        ),
    ],
)
def test_bad_settings(settings, error, message):
    with pytest.raises(error, match=message):
        shrinkfit.FitDevice(**settings)


def fit_once(model, fit, epochs=1, **settings):
    x, y = blobs(model.input_shape[1:], 64)
    model.fit(x, y, epochs=epochs, callbacks=[fit], verbose=0, **settings)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"ram_bytes": 100}, r"cannot fit efm32: .* ram_bytes, the limit is 100.*the input alone takes 160 bytes"),
        ({"flops": 1000}, r"cannot fit efm32: with every prunable layer at 4 channels .* flops, the limit is 1,000"),
        ({"flash_bytes": 500}, "flash_bytes, the limit is 500"),
        ({"flops": 20000, "prune": False}, "with prune=False it needs"),
    ],
)
def test_what_can_never_fit_is_refused_before_the_first_epoch(limits, message):
    model = compiled(MODELS["plain_2d"])
    before = [keras.ops.convert_to_numpy(w) for w in model.weights]
    fit = shrinkfit.FitDevice("efm32", **limits)
    with pytest.raises(BudgetError, match=message):
        fit_once(model, fit)
    assert fit.history == [] and not any("call" in vars(layer) for layer in model.layers)
    assert all(np.array_equal(a, keras.ops.convert_to_numpy(b)) for a, b in zip(before, model.weights, strict=True))


def test_training_that_ends_too_early_says_how_far_it_got_and_takes_no_more_weight_away():
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 5

    model = compiled(MODELS["plain_2d"])
    x, y = blobs(model.input_shape[1:], 64)
    fit = shrinkfit.FitDevice("efm32", flops=shrinkfit.price(model).flops * LIMIT_SHARE, prune_epochs=(0.1, 0.6))
    with pytest.raises(BudgetError, match=r"training ended before .* after 6 epochs; the limits hold from epoch 13 on"):
        model.fit(x, y, epochs=20, callbacks=[fit, Stop()], verbose=0)
    assert any(record["pruned"] for record in fit.history)
    assert not any("call" in vars(layer) for layer in model.layers)
    kernels = {layer.name: keras_value(layer.kernel) for layer in model.layers if isinstance(layer, layers.Conv2D)}
    left = {name: int((kernel != 0).any(axis=(0, 1, 2)).sum()) for name, kernel in kernels.items()}
    assert left == {name: fit.history[-1]["widths"].get(name, kernel.shape[-1]) for name, kernel in kernels.items()}


@pytest.mark.parametrize(
    ("value", "rate", "message"),
    [(np.nan, 0.001, "the range of 'input.*' is nan after epoch 1"), (1, np.nan, "the loss is nan")],
)
def test_nan_ends_training(value, rate, message):
    model = compiled(MODELS["plain_2d"])
    x, y = blobs(model.input_shape[1:], 64)
    x[3] = value
    model.optimizer.learning_rate = rate
    with pytest.raises(TrainingError, match=f"{message}.*look for NaN in the data"):
        model.fit(x, y, epochs=5, callbacks=[shrinkfit.FitDevice("efm32")], verbose=0)
    assert not any("call" in vars(layer) for layer in model.layers)


def test_an_unsupported_layer_is_named_before_training():
    model = compiled(
        lambda: keras.Sequential([keras.Input((16, 10)), layers.LSTM(4, name="memory"), layers.Dense(CLASSES)])
    )
    with pytest.raises(UnsupportedLayerError, match="layer 'memory' \\(LSTM\\) is not supported"):
        fit_once(model, shrinkfit.FitDevice("efm32"))


def test_a_subclassed_model_is_refused():
    class Mine(keras.Model):
        def __init__(self):
            super().__init__(name="mine")
            self.dense = layers.Dense(CLASSES)

        def call(self, x):
            return self.dense(x)

    model = Mine()
    model.compile(loss="mse")
    with pytest.raises(UnsupportedLayerError, match="'mine' is a subclassed Mine"):
        model.fit(np.zeros((4, 3)), np.zeros((4, CLASSES)), callbacks=[shrinkfit.FitDevice("efm32")], verbose=0)


@pytest.mark.parametrize("what", ["graph", "cost"])
def test_nothing_is_there_before_fit(what):
    with pytest.raises(shrinkfit.ShrinkfitError, match=r"model.fit\(callbacks="):
        getattr(shrinkfit.FitDevice("efm32"), what)
