# SPDX-License-Identifier: Apache-2.0
"""Quantization error: figures that can be worked out by hand, and models of every kind."""

from math import log10

import keras
import numpy as np
import pytest
from keras import layers

import shrinkfit
from shrinkfit.errors import ShrinkfitError
from shrinkfit.graph.ir import Tensor
from shrinkfit.read import quantization
from shrinkfit.read.quantization import quantization_error
from shrinkfit.write.quantization import quantization_record
from tests.keras_models import MODELS, MORE_MODELS, as_list, inputs_for


def net():
    keras.utils.set_random_seed(1)
    entering = keras.Input((8, 6, 2))
    left = layers.Conv2D(4, 3, padding="same", activation="relu", name="left")(entering)
    right = layers.BatchNormalization()(layers.Conv2D(4, 1, name="right")(entering))
    sums = layers.MaxPooling2D(2, name="pool")(layers.Add(name="sum")([left, right]))
    return keras.Model(entering, layers.Dense(3, activation="softmax", name="classes")(layers.Flatten()(sums)))


@pytest.fixture(scope="module")
def measured():
    data = np.random.default_rng(0).normal(0, 1, (40, 8, 6, 2)).astype(np.float32)
    model = net()
    return model, shrinkfit.read_keras(model, data), data


def test_figures_by_hand():
    tensor = Tensor("t", (1, 4), 0.5, 0)
    real = np.array([1.0, 2.25, -70.0, 3.0], np.float32)
    found = quantization._error(tensor, "layer", real, np.array([2, 4, -128, 6], np.int8))
    signal, lost = float(np.square(real).sum()), 0.25**2 + 6.0**2
    assert found.sqnr_db == pytest.approx(10 * log10(signal / lost)) and found.clipped == 0.25
    assert (found.low, found.high) == (-64.0, 63.5)


@pytest.mark.parametrize(("real", "steps", "wanted"), [((1, 2), (1, 2), None), ((0, 0), (1, 0), -99.0)])
def test_what_has_no_ratio(real, steps, wanted):
    tensor = Tensor("t", (1, 2), 1.0, 0)
    assert quantization._error(tensor, "l", np.array(real, np.float32), np.array(steps, np.int8)).sqnr_db == wanted


def test_each_layer_has_its_error(measured):
    found = quantization_error(*measured)
    assert found.inputs == 32
    assert [tensor.layer for tensor in found.tensors][-3:] == ["sum", "classes", "classes/softmax"]
    assert {tensor.layer for tensor in found.tensors[1:3]} == {"left", "right"}
    assert all(25 < tensor.sqnr_db <= tensor.rounding_db + 3 and tensor.clipped < 0.01 for tensor in found.tensors)


@pytest.mark.parametrize("name", MODELS | MORE_MODELS)
def test_models_of_every_family(name):
    keras.utils.set_random_seed(0)
    model = (MODELS | MORE_MODELS)[name]()
    data = as_list(inputs_for(model, 12))
    data = data if len(data) > 1 else data[0]
    found = quantization_error(model, shrinkfit.read_keras(model, data), data).tensors
    # Tensors that do not belong together would be as far apart as they are long, which is 0 dB. What a Minimum never
    # takes is clipped, and its rounding alone (with which clipping counts) is not much better then.
    assert len(found) > 5
    assert all(t.sqnr_db is None or t.sqnr_db > min(15, t.rounding_db - 3) for t in found)
    assert sum(t.sqnr_db is not None and t.sqnr_db < 15 for t in found) <= 2


def test_narrow_ranges_clip(measured):
    model, _, data = measured
    narrow = quantization_error(model, shrinkfit.read_keras(model, data / 4), data)
    assert narrow.tensors[0].clipped > 0.1 and narrow.tensors[0].sqnr_db < 15


def test_the_error_is_that_of_the_simulator(measured):
    model, graph, data = measured
    some = data[np.unique(np.linspace(0, 39, 32).astype(int))]
    steps = shrinkfit.simulate(graph, quantization.quantize(graph.tensors[graph.inputs[0]], some))
    real = model.predict(some, verbose=0)
    lost = np.square(real - (steps.astype(np.float64) + 128) / 256).sum()
    assert quantization_error(*measured).tensors[-1].sqnr_db == pytest.approx(
        10 * log10(np.square(real).sum() / lost), abs=0.01
    )


def test_large_models_take_fewer_inputs(measured, monkeypatch):
    monkeypatch.setattr(quantization, "MOST_MACS", 5 * measured[1].macs)
    assert quantization_error(*measured).inputs == 5


def test_data_of_another_shape_is_refused(measured):
    with pytest.raises(ShrinkfitError, match=r"the data to measure on has shape \(3, 5\)"):
        quantization_error(*measured[:2], np.zeros((3, 5)))


def test_the_record_says_why_there_is_none(measured, tmp_path):
    model, graph, data = measured
    assert (
        "holds the int8 model only"
        in quantization_record(tmp_path / "a.tflite", graph, data)["quantization"]["because"]
    )
    assert "no float model" in quantization_record(graph, graph, data)["quantization"]["because"]
    assert "calibration" in quantization_record(model, graph, None)["quantization"]["because"]


def test_export_measures(measured, tmp_path):
    record = shrinkfit.export(measured[0], tmp_path / "fw", name="net", calibration=measured[2]).details["quantization"]
    assert record["because"] == "" and record["inputs"] == 32 and len(record["tensors"]) == 6
    assert "Quantization error" in (tmp_path / "fw" / "report.html").read_text()
