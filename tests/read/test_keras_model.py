# SPDX-License-Identifier: Apache-2.0
"""Keras models against the integer graphs read from them."""

import keras
import numpy as np
import pytest
from keras import layers

from shrinkfit.errors import ShrinkfitError, UnsupportedLayerError
from shrinkfit.graph import simulate
from shrinkfit.read.keras_model import read_keras, read_shapes
from tests.keras_models import MODELS, MORE_MODELS, as_list, inputs_for, trained

SHAPE = (8, 6, 3)


@pytest.mark.parametrize("name", MODELS)
def test_the_integer_graph_computes_what_the_model_does(name):
    model = trained(MODELS[name])
    x = inputs_for(model, 200)
    graph = read_keras(model, x)
    expected = model.predict(x, verbose=0)
    got = simulate.run(graph, simulate.quantize(graph.tensors[graph.inputs[0]], x))
    error = simulate.dequantize(graph.tensors[graph.outputs[0]], got) - expected
    assert got.shape == expected.shape
    assert np.sqrt((error**2).mean()) < 0.05 * expected.std()
    assert (got.argmax(1) == expected.argmax(1)).mean() > 0.95


@pytest.mark.parametrize("name", MORE_MODELS)
def test_several_inputs_and_outputs_gates_and_shared_layers_too(name):
    model = trained(MORE_MODELS[name])
    x = inputs_for(model, 100)
    graph = read_keras(model, dict(zip((t.name for t in model.inputs), x, strict=True)) if isinstance(x, list) else x)
    feed = {n: simulate.quantize(graph.tensors[n], values) for n, values in zip(graph.inputs, as_list(x), strict=True)}
    got = simulate.trace(graph, feed, keep=graph.outputs)
    for output, expected in zip(graph.outputs, map(np.asarray, as_list(model(x))), strict=True):
        error = simulate.dequantize(graph.tensors[output], got[output]) - expected
        assert got[output].shape == expected.shape
        assert np.sqrt((error**2).mean()) < 0.1 * expected.std()


@pytest.mark.parametrize("name", MODELS)
def test_shapes_alone_give_the_same_layers(name):
    model = trained(MODELS[name])
    full, shapes = read_keras(model, inputs_for(model, 8)), read_shapes(model)
    assert [(op.kind, op.weight_count) for op in full.ops] == [(op.kind, op.weight_count) for op in shapes.ops]
    assert {n: t.shape for n, t in full.tensors.items()} == {n: t.shape for n, t in shapes.tensors.items()}


def test_normalization_activation_and_padding_are_fused():
    kinds = [op.kind for op in read_shapes(MODELS["ds_cnn"]()).ops if op.kind != "reshape"]
    assert kinds == ["conv2d", "depthwise_conv2d", "depthwise_conv2d", "conv2d", "mean", "dense", "softmax"]


@pytest.mark.parametrize("name", ["MobileNet", "MobileNetV2", "MobileNetV3Small"])
def test_mobile_networks_of_keras_are_read(name):
    settings = {"input_shape": (32, 32, 3), "alpha": 0.5, "weights": None, "classes": 4}
    graph = read_shapes(getattr(keras.applications, name)(**settings))
    assert len(graph.ops) > 30 and graph.tensors[graph.outputs[0]].shape == (1, 4)


def unbuilt():
    return keras.Sequential([layers.Dense(3)])


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="mine")
        self.dense = layers.Dense(2)

    def call(self, x):
        return self.dense(x)


def with_layer(*extra):
    return lambda: keras.Sequential([keras.Input(SHAPE), *(make() for make in extra)])


def added_to_itself():
    x = keras.Input((4,))
    return keras.Model(x, layers.Add(name="twice")([x, x]))


def nested_subclass():
    model = Subclassed()
    model.name = "inner"
    return model


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (unbuilt, "has no input shape yet"),
        (Subclassed, "'mine' is a subclassed Subclassed"),
        (with_layer(lambda: layers.Embedding(3, 2, name="e")), r"layer 'e' \(Embedding\) is not supported"),
        (
            with_layer(lambda: layers.Conv2D(4, 3, activation="log_softmax", name="c")),
            "layer 'c': activation 'log_softmax'.*use one of",
        ),
        (with_layer(lambda: layers.ReLU(threshold=1, name="r")), "layer 'r': ReLU has either"),
        (
            with_layer(lambda: layers.Reshape((8, 18)), lambda: layers.GRU(3, name="g")),
            r"layer 'g' \(GRU\) is not supported",
        ),
        (with_layer(lambda: layers.Conv2DTranspose(3, 3, dilation_rate=2, name="t")), "layer 't': dilation"),
        (
            with_layer(lambda: layers.UpSampling2D(2, interpolation="bicubic", name="u")),
            "'bicubic', expected 'nearest'",
        ),
        (added_to_itself, "layer 'twice': Add of 2 tensors, expected 2 or more different ones"),
        (with_layer(lambda: layers.BatchNormalization(axis=1, name="b")), "layer 'b': BatchNormalization over axis 1"),
        (with_layer(lambda: nested_subclass()), "'inner' is a subclassed Subclassed"),
        (lambda: keras.Sequential([keras.Input((None, 3)), layers.Conv1D(2, 3)]), r"shape \(None, 3\) is open"),
    ],
)
def test_what_cannot_be_read_is_named(build, message):
    with pytest.raises(UnsupportedLayerError, match=message):
        read_shapes(build())


@pytest.mark.parametrize(
    ("calibration", "message"),
    [
        (None, "pass calibration="),
        (np.zeros((5, 2, 2, 1), np.float32), r"calibration has shape \(5, 2, 2, 1\), expected \(n, 16, 10, 1\)"),
        (np.full((5, 16, 10, 1), np.nan, np.float32), "NaN"),
    ],
)
def test_calibration_is_checked(calibration, message):
    with pytest.raises(ShrinkfitError, match=message):
        read_keras(MODELS["plain_2d"](), calibration)


def test_a_file_that_is_no_model_is_named(tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(b"nothing")
    with pytest.raises(ShrinkfitError, match="is no Keras model"):
        read_keras(path, np.zeros((1, 2)))


def _float_model():
    entering = keras.Input((4, 3))
    return keras.Model(entering, keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(entering)))


@pytest.mark.parametrize(
    ("calibration", "message"),
    [
        ((x for x in [np.ones((2, 4, 3))]), "calibration is a generator, expected an array"),
        (np.ones((2, 4, 3), np.complex64), "calibration is complex64"),
        (np.full((2, 4, 3), "a"), "calibration is <U1"),
        (np.full((2, 4, 3), 1e300), r"holds values of 1e\+300, expected such as float32 holds"),
        ([np.ones((4, 3)), np.ones((3, 3))], "calibration is no array"),
    ],
    ids=["generator", "complex", "text", "large", "ragged"],
)
def test_calibration_that_is_no_array_of_float32(calibration, message):
    with pytest.raises(ShrinkfitError, match=message):
        read_keras(_float_model(), calibration)


def test_a_tf_dataset_is_no_calibration():
    import tensorflow as tf

    with pytest.raises(ShrinkfitError, match="Dataset, expected an array"):
        read_keras(_float_model(), tf.data.Dataset.from_tensor_slices(np.ones((2, 4, 3), np.float32)))


def test_a_tensor_that_is_two_outputs_is_reshaped_once():
    entering = keras.Input((8, 2))
    rows = keras.layers.Conv1D(4, 3, name="rows")(entering)
    graph = read_keras(keras.Model(entering, [rows, rows]), np.ones((2, 8, 2), np.float32))
    assert graph.outputs == ("rows:6x4", "rows:6x4")
