# SPDX-License-Identifier: Apache-2.0
"""FitDevice with streaming: limits are on one call of the streamed model, which is what export writes."""

import json

import numpy as np
import pytest

import shrinkfit
from shrinkfit.errors import ShrinkfitError, UnsupportedLayerError
from tests.graph import streams
from tests.graph.test_streaming import squeeze_and_excite


def fitted(model, epochs=4, **settings):
    rng = np.random.default_rng(0)
    x = streams.sound(model.input_shape[1:], 64, rng)
    y = rng.integers(0, streams.CLASSES, 64)
    model.compile(optimizer="sgd", loss="mse" if model.output_shape[-1] == 1 else "sparse_categorical_crossentropy")
    fit = shrinkfit.FitDevice("efm32", streaming=True, **settings)
    model.fit(x, y, epochs=epochs, batch_size=32, verbose=0, callbacks=[fit])
    return fit


def test_limits_hold_for_a_call(tmp_path):
    model = streams.ds_cnn(width=16)
    whole, call = shrinkfit.price(model), shrinkfit.price(model, streaming=True)
    fit = fitted(model, flops=0.6 * call.flops)
    assert call.flops < 0.3 * whole.flops and fit.records()["before"]["flops"] == call.flops
    assert fit.cost.flops <= 0.6 * call.flops and fit.history[-1]["costs"]["flops"] <= 0.6 * call.flops
    told = json.loads(json.dumps(fit.records()["streaming"]))
    assert (told["frames_per_call"], told["window_frames"], told["equals"]) == (2, 25, "window")
    report = shrinkfit.export(fit, tmp_path / "fw", name="net")
    assert report.cost == fit.cost and report.streaming.frames_per_call == 2 and report.held


def test_inferences_per_second_are_calls(tmp_path):
    call = shrinkfit.price(streams.ds_cnn(width=16), streaming=True, frames_per_call=4)
    often = 2_000_000 / (0.7 * call.flops)
    fit = fitted(streams.ds_cnn(width=16), frames_per_call=4, inferences_per_second=often)
    assert fit.budget.limits()["flops"] == pytest.approx(0.7 * call.flops, rel=0.01)
    assert fit.cost.flops <= 0.7 * call.flops
    report = shrinkfit.export(fit, tmp_path / "fw", name="net", streaming=False)
    assert report.streaming is None and report.cost.flops > fit.cost.flops


def test_what_cannot_be_streamed_is_refused_before_it_trains():
    with pytest.raises(UnsupportedLayerError, match="'gated'"):
        fitted(squeeze_and_excite())
    with pytest.raises(ShrinkfitError, match="multiple of 2"):
        fitted(streams.ds_cnn(), frames_per_call=3)
