# SPDX-License-Identifier: Apache-2.0
"""FitDevice on one tiny model of each family: limits, slices, fake quantization and exports hold on all of them."""

import keras
import numpy as np
import pytest

import shrinkfit
from shrinkfit.graph import simulate
from tests.keras_models import CLASSES, MORE_MODELS, as_list, inputs_for

EPOCHS, COUNT = 5, 192
# The others are built and run on the host only: a core takes its time.
ON_THE_CORE = ("inverted_residual", "unet", "shared_layers", "smooth", "larger_and_smaller")


def task(model):
    """Inputs, targets and losses: which quarter of the first axis is loud; an image's target is the image."""
    y = np.random.default_rng(0).integers(0, CLASSES, COUNT)
    xs = as_list(inputs_for(model, COUNT))
    for x in xs:
        for i, label in enumerate(y):
            x[i, label * x.shape[1] // CLASSES : (label + 1) * x.shape[1] // CLASSES] += 1.5
    kinds = {(CLASSES,): (y, "sparse_categorical_crossentropy"), (1,): ((y > 1) * 1.0, "binary_crossentropy")}
    targets, losses = zip(*(kinds.get(tuple(t.shape[1:]), (xs[0], "mse")) for t in model.outputs), strict=True)
    return xs, list(targets), list(losses)


def one_or_list(values):
    return values if len(values) > 1 else values[0]


@pytest.fixture(scope="module", params=MORE_MODELS)
def fitted(request):
    keras.utils.set_random_seed(7)
    model = MORE_MODELS[request.param]()
    xs, targets, losses = task(model)
    # XLA takes longer to compile these than they take to train; test_callback has it.
    model.compile(keras.optimizers.Adam(0.005), one_or_list(losses), jit_compile=False)
    model.optimizer.build(model.trainable_variables)  # else the first step is traced twice; test_workflow has that
    fit = shrinkfit.FitDevice("efm32", flops=shrinkfit.price(model).flops * 0.5, minimum_width=2)
    model.fit(one_or_list(xs), one_or_list(targets), epochs=EPOCHS, batch_size=32, callbacks=[fit], verbose=0)
    return request.param, model, fit, xs


def test_limits_hold_in_every_epoch_and_at_the_end(fitted):
    _, model, fit, _ = fitted
    assert len(fit.history) == EPOCHS
    assert all(r["costs"][k] <= limit for r in fit.history for k, limit in r["limits"].items())
    assert shrinkfit.price(fit.model).as_costs() == fit.history[-1]["costs"]
    assert [t.shape for t in fit.model.inputs] == [t.shape for t in model.inputs]
    assert [t.shape for t in fit.model.outputs] == [t.shape for t in model.outputs]


def test_the_quantization_error_is_known_of_every_layer_that_computes(fitted):
    fit = fitted[2]
    found = {tensor.tensor: tensor for tensor in fit.quantization_error().tensors}
    moved = ("reshape", "concat", "pad", "strided_slice", "transpose", "pool2d", "requantize", "resize_nearest")
    made = {name for op in fit._lowered.ops if op.kind not in moved for name in op.outputs}
    # The sum under a mean of tensors holds the mean's bytes, and only the mean has a twin.
    assert {name for name in made if not name.endswith("/sum")} <= set(found)
    # Other tensors than those that belong together would be as far apart as they are long.
    assert all(tensor.sqnr_db is None or tensor.sqnr_db > 3 for tensor in found.values()), found


def test_the_smaller_model_answers_as_the_masked_one(fitted):
    _, model, fit, xs = fitted
    masked, sliced = (as_list(m(one_or_list(xs))) for m in (model, fit.model))
    for a, b in zip(masked, sliced, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), atol=1e-4)
    assert fit.model.count_params() < model.count_params()


def test_fake_quantized_keras_and_the_simulator_agree(fitted):
    _, _, fit, xs = fitted
    graph, expected = fit.graph, as_list(fit.predict(one_or_list(xs)))
    inputs = {name: simulate.quantize(graph.tensors[name], x) for name, x in zip(graph.inputs, xs, strict=True)}
    got = simulate.trace(graph, inputs, keep=graph.outputs)
    for name, values in zip(graph.outputs, expected, strict=True):
        tensor = graph.tensors[name]
        steps = np.abs(simulate.dequantize(tensor, got[name]) - values) / tensor.scale
        assert (steps < 1.5).mean() > 0.98 and steps.max() < 10, name


def test_the_export_is_exact(fitted, tmp_path):
    name, _, fit, xs = fitted
    report = shrinkfit.export(fit, tmp_path / "firmware", name="tiny")
    assert report.held and report.cost == fit.cost
    inputs = {name: x[:8] for name, x in zip(fit.graph.inputs, xs, strict=True)}
    for on in ("host", "cortex-m4") if name in ON_THE_CORE else ("host",):
        ran = shrinkfit.check(tmp_path / "firmware", inputs=inputs, on=on)
        assert ran.exact and ran.clips == 8
