# SPDX-License-Identifier: Apache-2.0
"""Outputs that help to train: they have a say in what stays, and do not ship."""

import keras
import numpy as np
import pytest
import tf_keras

import shrinkfit
from shrinkfit.fit.auxiliary import shipped_part
from shrinkfit.graph import simulate
from tests.fit.tiny import EPOCHS, X, Y, fit

OTHER = np.random.default_rng(1).integers(0, 40, 48)


def two_headed(package=keras, *, named=True, **settings):
    """Three classes that ship, and forty that are told apart along the way."""
    package.utils.set_random_seed(3)
    kinds = package.layers
    x = inputs = package.Input((8, 6))
    for name in ("first", "second"):
        x = kinds.Conv1D(12, 3, name=name)(x)
        x = kinds.ReLU()(kinds.BatchNormalization()(x))
    x = kinds.GlobalAveragePooling1D()(x)
    classes, words = kinds.Dense(3, name="classes")(x), kinds.Dense(40, name="along")(x)
    model = package.Model(inputs, {"classes": classes, "words": words} if named else [words, classes])
    loss = package.losses.SparseCategoricalCrossentropy(from_logits=True)
    losses = {"classes": loss, "words": loss} if named else [loss, loss]
    model.compile(optimizer=package.optimizers.Adam(0.01), loss=losses, **settings)
    return model


def fitted(package=keras, *, named=True, name="words"):
    model = two_headed(package, named=named)
    alone = package.Model(model.input, model.output["classes"] if named else model.output[1])
    flops = shrinkfit.price(alone).flops / 2
    done = shrinkfit.FitDevice("efm32", flops=flops, auxiliary=[name])
    fit(model, [done], y={"classes": Y, "words": OTHER} if named else [OTHER, Y])
    return model, alone, done, flops


@pytest.mark.parametrize(
    ("package", "named", "name"),
    [(keras, True, "words"), (keras, True, "along"), (keras, False, "along"), (tf_keras, True, "along")],
)
def test_it_is_neither_priced_nor_exported_and_the_rest_is_exact(package, named, name, tmp_path):
    model, alone, done, flops = fitted(package, named=named, name=name)
    assert done.cost.flops <= flops
    assert done.history[0]["costs"]["flops"] <= 2 * flops  # of the part alone, from the first epoch on
    assert [layer.name for layer in done.model.layers if isinstance(layer, package.layers.Dense)] == ["classes"]
    np.testing.assert_allclose(done.model.predict(X, verbose=0), alone.predict(X, verbose=0), atol=1e-4)
    graph = done.graph
    assert len(graph.outputs) == 1
    scores = simulate.run(graph, simulate.quantize(graph.tensors[graph.inputs[0]], X))
    assert (scores.argmax(1) == done.predict(X).argmax(1)).mean() >= 0.95
    shrinkfit.export(done, tmp_path / "c", name="tiny")
    assert (tmp_path / "c").is_dir()
    assert len(model.predict(X, verbose=0)) == 2  # the user's own keeps both


@pytest.mark.parametrize("weight", [1.0, 0.0])
def test_what_it_needs_counts_in_the_choice_of_channels(weight):
    """Of two channels that the classes do not read, the one that the other output reads stays, if its loss counts."""
    model = two_headed(loss_weights={"classes": 1.0, "words": weight})
    classes, along = (model.get_layer(name) for name in ("classes", "along"))
    kernel, other = (np.array(layer.kernel) for layer in (classes, along))
    kernel[:2], other[0] = 0, 0  # the first channel serves nobody, the second the auxiliary output alone
    other[1] *= 20
    classes.kernel.assign(kernel)
    along.kernel.assign(other)
    model.optimizer.learning_rate = 1e-5
    part = shipped_part(model, ["words"])
    done = shrinkfit.FitDevice("efm32", flops=shrinkfit.price(part).flops * 0.5, auxiliary="words", quantize=False)
    fit(model, [done], y={"classes": Y, "words": OTHER})
    left = np.abs(np.array(model.get_layer("second").kernel)).sum(axis=(0, 1)) > 0
    assert not left[0]
    assert left[1] == (weight > 0)


def test_backups_and_early_stopping_go_with_it(tmp_path):
    model = two_headed()
    done = shrinkfit.FitDevice("efm32", auxiliary=["words"])
    stop = keras.callbacks.EarlyStopping("loss", patience=EPOCHS, restore_best_weights=True)
    fit(model, [keras.callbacks.BackupAndRestore(tmp_path / "backup"), stop, done], y={"classes": Y, "words": OTHER})
    assert len(done.history) == EPOCHS
    assert done.model.output_shape == (None, 3)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["wordz"], r"no output 'wordz'; it has classes, words or along"),
        (["words", "classes"], "none is left for the device"),
    ],
)
def test_names_that_do_not_suit_are_told(names, message):
    with pytest.raises(shrinkfit.ShrinkfitError, match=message):
        fit(two_headed(), [shrinkfit.FitDevice("efm32", auxiliary=names)], y={"classes": Y, "words": OTHER})


def test_a_layer_that_both_run_is_refused():
    inputs = keras.Input((4,))
    shared = keras.layers.Dense(4, name="shared")
    x = shared(inputs)
    model = keras.Model(inputs, {"a": keras.layers.Dense(2, name="one")(x), "b": shared(x)})
    with pytest.raises(shrinkfit.ShrinkfitError, match="'shared' of model .* runs for the device and again"):
        shipped_part(model, ["b"])


def test_settings_that_do_not_go_together_are_told():
    with pytest.raises(shrinkfit.ShrinkfitError, match="auxiliary 'words' and distill=0.5: expected one of the two"):
        shrinkfit.FitDevice("efm32", auxiliary="words", distill=0.5)
    with pytest.raises(shrinkfit.ShrinkfitError, match="auxiliary holds 3, expected names of outputs"):
        shrinkfit.FitDevice("efm32", auxiliary=[3])


@pytest.mark.parametrize("package", [keras, tf_keras])
def test_a_sequential_has_the_same_messages(package):
    kinds = package.layers
    entering = keras.Input((8, 6)) if package is keras else kinds.InputLayer((8, 6))
    model = package.Sequential([entering, kinds.Flatten(), kinds.Dense(3, name="classes")])
    for name, message in (("zz", "has no output 'zz'; it has classes"), ("classes", "all outputs of model")):
        with pytest.raises(shrinkfit.ShrinkfitError, match=message):
            shipped_part(model, [name])


def test_auxiliary_that_lists_nothing():
    assert shrinkfit.FitDevice("efm32", auxiliary=None).auxiliary == ()
    with pytest.raises(shrinkfit.ShrinkfitError, match="auxiliary is 3, expected names of outputs"):
        shrinkfit.FitDevice("efm32", auxiliary=3)
