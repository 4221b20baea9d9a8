# SPDX-License-Identifier: Apache-2.0
"""Streamed models as C: on the host and an emulated core they give what the model gives for whole windows."""

import shutil
from functools import cache

import numpy as np
import pytest

import shrinkfit
from shrinkfit.check.compare import check
from shrinkfit.errors import ShrinkfitError
from shrinkfit.graph import simulate
from shrinkfit.graph.streaming import to_streaming
from tests.graph import streams

needs_arm = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
FRAMES = 1000
MODELS = {"ds_cnn": streams.ds_cnn, "tc_resnet": streams.tc_resnet, "conv1d_stack": streams.conv1d_stack}


@cache
def graph(name):
    return streams.integer(MODELS[name]())


def expected_rows(whole, frames, calls):
    """The model itself, on each full window; or on everything since the reset."""
    if to_streaming(whole).report.equals == "sequence":
        long = streams.stretched(whole, len(frames), whole.outputs[0])
        return simulate.run(long, frames[None])[0].reshape(calls, 1, -1)
    length, n = whole.tensors[whole.inputs[0]].shape[1], len(frames) // calls
    return streams.windows(whole, frames, [end for end in range(n, len(frames) + 1, n) if end >= length])


@needs_arm
@pytest.mark.parametrize("name", MODELS)
def test_1000_frames_on_host_and_emulated_core_equal_the_model(tmp_path, name):
    whole = graph(name)
    report = shrinkfit.export(whole, tmp_path / "fw", name="net", streaming=True)
    n, frames = report.streaming.frames_per_call, streams.frames_for(whole, FRAMES)
    calls = frames.reshape(FRAMES // n, n, *frames.shape[1:])
    expected = expected_rows(whole, frames, FRAMES // n)
    for on in ("host", "cortex-m4"):
        result = check(tmp_path / "fw", calls, on=on)
        assert result.exact, result.first_difference
        np.testing.assert_array_equal(result.outputs[-len(expected) :], expected)
    assert len(expected) > 400 and result.ram_bytes == result.predicted["ram_bytes"]
    assert result.stack_bytes <= result.predicted["stack_bytes"]
    assert result.flash_bytes == pytest.approx(result.predicted["flash_bytes"], rel=0.02)


def test_every_layer_of_a_stream_is_traced(tmp_path):
    shrinkfit.export(graph("ds_cnn"), tmp_path / "fw", name="net", streaming=True)
    assert check(tmp_path / "fw", trace=True).exact


def test_header_and_report_say_what_a_call_takes(tmp_path):
    report = shrinkfit.export(graph("ds_cnn"), tmp_path / "fw", name="net", frames_per_call=4)
    header = (tmp_path / "fw" / "net.h").read_text()
    for line in ("NET_FRAMES_PER_CALL 4 ", "NET_WINDOW_FRAMES 25 ", "NET_WARMUP_CALLS 7 "):
        assert f"#define {line}" in header
    told = report.as_dict()["streaming"]
    assert told["equals"] == "window" and told["exact"] and told["macs_per_call"] == report.cost.macs
    assert "the last 25 frames" in str(report) and told["state_bytes"] <= report.as_dict()["state_bytes"]


def test_without_streaming_the_report_says_nothing_of_it(tmp_path):
    report = shrinkfit.export(graph("conv1d_stack"), tmp_path / "fw", name="net")
    assert report.as_dict()["streaming"] is None and "FRAMES_PER_CALL" not in (tmp_path / "fw" / "net.h").read_text()


def test_a_stream_costs_a_fraction_of_the_window():
    whole = shrinkfit.price(graph("ds_cnn"))
    call = shrinkfit.price(graph("ds_cnn"), streaming=True)
    assert call.macs < 0.2 * whole.macs and call.cycles < 0.3 * whole.cycles and call.ram_bytes < whole.ram_bytes
    with pytest.raises(ShrinkfitError, match="multiple of 2"):
        shrinkfit.price(graph("ds_cnn"), streaming=True, frames_per_call=5)
