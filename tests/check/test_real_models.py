# SPDX-License-Identifier: Apache-2.0
"""Real models on the emulated core: the simulator's bytes, and no more stack and flash than export says."""

import os
from pathlib import Path

import pytest

from shrinkfit.check.compare import check
from shrinkfit.graph.inputs import graph_inputs
from shrinkfit.read.tflite import read_tflite
from shrinkfit.write.export import write_folder

pytestmark = pytest.mark.needs("arm-none-eabi-gcc", "gcc")
SHARED = Path(os.environ.get("SHRINKFIT_SHARED", Path(__file__).resolve().parents[2] / "../shared"))
# State, edges of every type, LSTM, unusual depthwise, residual adds.
CASES = [
    ("wild/alexa", "efm32", 4),
    ("wild/okay_nabu", "rp2040", 4),
    ("wild/trained_lstm_int8", "efm32", 4),
    ("wild/micro_speech_quantized", "efm32", 2),
    ("wild/micro_speech_quantized", "rp2040", 2),
    ("wild/hello_world_int8", "rp2350", 4),
    ("mlperf_tiny/str_ww_ref_model_int8", "efm32", 4),
    ("mlperf_tiny/ic_pretrainedResnet_int8", "efm32", 1),
]


@pytest.fixture
def read():
    def call(name):
        path = SHARED / "models" / f"{name}.tflite"
        if not path.is_file():
            pytest.skip(f"{path} is not there")
        return read_tflite(path)

    return call


@pytest.mark.parametrize(("name", "device", "runs"), CASES)
def test_as_simulated_and_as_priced(read, tmp_path, name, device, runs):
    graph = read(name)
    write_folder(graph, tmp_path / "net", name="net", device=device)
    inputs = {name: values[-runs:] for name, values in graph_inputs(graph).items()}
    result = check(tmp_path / "net", inputs, on="cortex-m4", graph=graph)
    assert result.exact, result.first_difference
    assert 0 < result.stack_bytes <= result.predicted["stack_bytes"]
    assert result.ram_bytes == result.predicted["ram_bytes"]
    assert result.flash_bytes == pytest.approx(result.predicted["flash_bytes"], rel=0.02)


@pytest.mark.parametrize("name", ["wild/alexa", "wild/trained_lstm_int8", "mlperf_tiny/kws_ref_model_int8"])
def test_every_tensor_as_in_litert_and_in_c(read, tmp_path, name):
    graph = read(name)
    assert check(SHARED / "models" / f"{name}.tflite", trace=True).exact
    write_folder(graph, tmp_path / "net", name="net")
    result = check(tmp_path / "net", trace=True, graph=graph)
    assert result.exact, result.first_difference
