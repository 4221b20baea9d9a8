# SPDX-License-Identifier: Apache-2.0
"""tf_keras models, and the .h5 files that only it can load, become the integer graphs that Keras 3 models do."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest
import tf_keras

import shrinkfit
from shrinkfit.errors import ShrinkfitError, UnsupportedLayerError
from shrinkfit.graph import simulate
from shrinkfit.read.keras_file import load_model
from shrinkfit.read.keras_model import read_keras, read_shapes
from tests import keras_models
from tests.tf_keras_models import legacy, shaken

layers = tf_keras.layers
SHARED = Path(os.environ.get("SHRINKFIT_SHARED") or Path(__file__).resolve().parents[2].parent / "shared")
ORIGINALS = SHARED / "models" / "mlperf_tiny"
# What the MLPerf Tiny models are fed: file, smallest and largest input.
FILES = {
    "ic_pretrainedResnet.h5": (0, 255),
    "kws_model_qualcomm_v1.3.h5": (-3, 3),
    "str_ww_ref_model.h5": (-3, 3),
    "vww_96.h5": (0, 1),
}


def random_inputs(model, count, low=-2.0, high=2.0):
    return np.random.default_rng(1).uniform(low, high, (count, *model.input_shape[1:])).astype(np.float32)


def answers(graph, x):
    got = simulate.run(graph, simulate.quantize(graph.tensors[graph.inputs[0]], x))
    return simulate.dequantize(graph.tensors[graph.outputs[0]], got)


@pytest.mark.parametrize("name", keras_models.MODELS)
def test_the_integer_graph_computes_what_the_tf_keras_model_does(name):
    model = legacy(name)
    x = keras_models.inputs_for(model, 200)
    expected = model.predict(x, verbose=0)
    error = answers(read_keras(model, x), x) - expected
    assert np.sqrt((error**2).mean()) < 0.05 * expected.std()


@pytest.mark.parametrize("name", keras_models.MODELS)
def test_both_generations_give_the_same_graph(name):
    old, new = read_shapes(legacy(name)), read_shapes(keras_models.MODELS[name]())
    assert [(op.kind, op.weight_count) for op in old.ops] == [(op.kind, op.weight_count) for op in new.ops]
    assert [t.shape for t in old.tensors.values()] == [t.shape for t in new.tensors.values()]
    assert shrinkfit.price(legacy(name)).flash_bytes == shrinkfit.price(keras_models.MODELS[name]()).flash_bytes


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_saved_tf_keras_model_loads_from_its_path(tmp_path, suffix):
    model, path = legacy("residual_1d"), tmp_path / f"model{suffix}"
    model.save(path)
    x = keras_models.inputs_for(model, 50)
    np.testing.assert_array_equal(answers(read_keras(path, x), x), answers(read_keras(model, x), x))


def test_slashes_in_layer_names_load_and_export(tmp_path):
    """Keras 3 refuses these names; the C needs identifiers made of them."""
    x = inputs = tf_keras.Input((6, 6, 2), name="in")
    x = layers.Conv2D(4, 3, activation="relu", name="block1/conv")(x)
    x = layers.Flatten(name="block1/flat")(x)
    model = shaken(tf_keras.Model(inputs, layers.Dense(3, activation="softmax", name="top/dense")(x)))
    model.save(tmp_path / "m.h5")
    report = shrinkfit.export(tmp_path / "m.h5", tmp_path / "c", name="m", calibration=random_inputs(model, 20))
    assert [layer.name for layer in report.cost.layers][0] == "block1/conv"


def test_two_parts_of_one_name_are_refused():
    model = tf_keras.Sequential(
        [layers.Input((4,)), layers.Dense(4, name="a/dense"), layers.Dense(4, activation="relu", name="a")]
    )
    with pytest.raises(UnsupportedLayerError, match="two layers have a part named 'a/dense'"):
        read_shapes(model)


class Subclassed(tf_keras.Model):
    def call(self, x):
        return x


def nested():
    inner = tf_keras.Sequential([layers.Input((4,)), layers.Dense(4)], name="inner")
    x = tf_keras.Input((4,))
    return tf_keras.Model(x, inner(x))


def with_layer(layer):
    return lambda: tf_keras.Sequential([layers.Input((8, 6, 3)), layer])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: tf_keras.Sequential([layers.Dense(3)]), "has no input shape yet"),
        (lambda: Subclassed(name="mine"), "'mine' is a subclassed Subclassed"),
        (nested, r"layer 'inner' \(Sequential\) is not supported"),
        (with_layer(layers.LayerNormalization(name="n")), r"layer 'n' \(LayerNormalization\) is not supported"),
        (with_layer(layers.Lambda(lambda x: x, name="l")), r"layer 'l' \(Lambda\) is not supported"),
        (with_layer(layers.ReLU(threshold=0.1, name="r")), "layer 'r': ReLU has either"),
        (lambda: keras.layers.Dense(3), "got a Dense, expected a Keras 3 or tf_keras"),
    ],
)
def test_what_cannot_be_read_is_named(build, message):
    from shrinkfit.read.topology import read_topology

    with pytest.raises(UnsupportedLayerError, match=message):
        read_topology(build())


def lambda_model(path):
    tf_keras.Sequential([layers.Input((3,)), layers.Lambda(lambda x: x, name="mine")]).save(path)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b"nothing"), "is no Keras model that can be loaded. Keras 3 says: .*; tf_keras"),
        (lambda path: None, "no such model file"),
        (lambda_model, r"layer 'mine' \(Lambda\) holds Python code, which is not run"),
    ],
)
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_path_that_cannot_be_loaded_gives_one_sentence(tmp_path, write, message, suffix):
    path = tmp_path / f"model{suffix}"
    write(path)
    with pytest.raises(ShrinkfitError, match=message) as caught:
        read_keras(path, np.zeros((1, 2)))
    assert len(str(caught.value).splitlines()) == 1 and len(str(caught.value)) < 700


def test_an_object_that_is_no_model_is_refused():
    with pytest.raises(ShrinkfitError, match="got a int, expected a Keras model or the path"):
        read_shapes(3)


@pytest.mark.parametrize("file", FILES)
def test_the_mlperf_tiny_originals_load_export_and_keep_their_answers(file, tmp_path):
    if not (ORIGINALS / file).is_file():
        pytest.skip(f"{file} is not in ../shared/models/mlperf_tiny")
    model = load_model(ORIGINALS / file)
    x = random_inputs(model, 96, *FILES[file])
    graph = read_keras(ORIGINALS / file, x)
    expected, got = model.predict(x[:48], verbose=0), answers(graph, x[:48])
    close = np.sqrt(((got - expected) ** 2).mean()) < 0.05 * expected.std()
    assert close or (got.argmax(1) == expected.argmax(1)).mean() > 0.95
    assert expected.std() > 0.01, "answers that are all alike would prove nothing"
    # As it came: a price knows shapes only, and would not see VWW's dead channels, nor that their biases are too large
    # for the kernel by pairs.
    cost, price = shrinkfit.export(graph, tmp_path / "c", name="m", optimize=False).cost, shrinkfit.price(model)
    assert cost == price or (file == "vww_96.h5" and (cost.macs, cost.arena_bytes) == (price.macs, price.arena_bytes))
    assert cost.flash_bytes == pytest.approx(price.flash_bytes, rel=0.02)


def test_an_mlperf_tiny_original_exports_from_its_path(tmp_path):
    path = ORIGINALS / "str_ww_ref_model.h5"
    if not path.is_file():
        pytest.skip("str_ww_ref_model.h5 is not in ../shared/models/mlperf_tiny")
    x = random_inputs(load_model(path), 32)
    report = shrinkfit.export(path, tmp_path / "c", name="wake", calibration=x)
    assert (tmp_path / "c" / "wake.c").is_file()
    assert report.cost.macs == shrinkfit.price(path).macs == 826_368
