# SPDX-License-Identifier: Apache-2.0
"""Exported C in Python: the simulator's bytes, state, several inputs and outputs, errors that say what to do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import shrinkfit
from shrinkfit.errors import CheckError, ToolMissingError
from shrinkfit.graph import simulate
from shrinkfit.graph.inputs import graph_inputs
from shrinkfit.write.export import write_folder
from tests.write import nets, nets_arithmetic, stateful

pytestmark = pytest.mark.needs("gcc")
SHARED = Path(os.environ.get("SHRINKFIT_SHARED", Path(__file__).resolve().parents[2] / "../shared"))
KWS = SHARED / "models" / "mlperf_tiny"
LABELS = ("yes", "no", "up", "down", "left")
GRAPHS = {
    "residual": nets.residual(1),
    "streaming": stateful.streaming(),
    "delays": stateful.delays("float32"),
    "uint8": stateful.delays("uint8"),
    "cells": nets_arithmetic.cells(),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """(name, dsp) -> loaded model, compiled when it is first asked for."""
    place, made = tmp_path_factory.mktemp("models"), {}

    def model(name, dsp=False):
        if not (place / name).exists():
            write_folder(GRAPHS[name], place / name, name=name, labels=LABELS if name == "residual" else None)
        if (name, dsp) not in made:
            made[name, dsp] = shrinkfit.load(place / name, dsp=dsp)
        return made[name, dsp]

    return model


def simulated(graph, inputs):
    outputs = simulate.trace_runs(graph, inputs, graph.outputs)
    return outputs[graph.outputs[0]] if len(outputs) == 1 else outputs


@pytest.mark.parametrize("dsp", [False, True], ids=["scalar", "DSP"])
@pytest.mark.parametrize("name", GRAPHS)
def test_equals_the_simulator(models, name, dsp):
    graph, model = GRAPHS[name], models(name, dsp)
    inputs = graph_inputs(graph)
    model.reset()
    got = model.run_int8(inputs if len(inputs) > 1 else inputs[graph.inputs[0]])
    expected = simulated(graph, inputs)
    for key in graph.outputs if isinstance(expected, dict) else [...]:
        np.testing.assert_array_equal(got[key], expected[key])
        assert got[key].dtype == expected[key].dtype and len(np.unique(expected[key])) > 2


def test_predict_takes_and_gives_real_numbers(models):
    model, graph = models("residual"), GRAPHS["residual"]
    real = np.random.default_rng(0).normal(0, 2, (40, *model.input.shape))
    values = simulate.quantize(graph.tensors[graph.inputs[0]], real)
    expected = (simulate.run(graph, values).astype(np.float32) + 128) / 256
    for given in (real, real.astype(np.float32), values):
        np.testing.assert_array_equal(model.predict(given), expected)
    np.testing.assert_array_equal(model(values), expected)
    assert model.predict(real).dtype == np.float32


def test_state_goes_on_from_call_to_call_until_a_reset(models):
    model, graph = models("streaming"), GRAPHS["streaming"]
    inputs = graph_inputs(graph)["frame"]
    model.reset()
    pieces = np.concatenate([model.run_int8(inputs[:5]), model.run_int8(inputs[5:])])
    np.testing.assert_array_equal(pieces, simulated(graph, {"frame": inputs}))
    assert (model.run_int8(inputs[:1]) != pieces[:1]).any()
    model.reset()
    np.testing.assert_array_equal(model.run_int8(inputs[:1]), pieces[:1])


def test_says_what_goes_in_and_comes_out(models):
    model, graph = models("residual"), GRAPHS["residual"]
    source = graph.tensors[graph.inputs[0]]
    assert (model.input.dtype, model.input.shape) == ("int8", source.shape[1:])
    assert (model.input.scale, model.input.zero_point) == (source.scale, source.zero_point)
    assert model.output.labels == LABELS and model.input.labels == () and not model.keeps_state
    said = repr(model)
    for part in ("'residual'", "int8 [11, 7, 2] -> int8 [5]", "768 bytes", "scalar kernels", str(model.folder)):
        assert part in said
    assert "keeps state" in repr(models("delays"))
    with pytest.raises(CheckError, match="2 inputs: 'in:0', 'in/1'; use .inputs"):
        models("delays").input  # noqa: B018


BAD_INPUTS = {
    "no batch": (np.zeros((11, 7, 2)), r"shape \[11, 7, 2\], expected \[n, 11, 7, 2\]"),
    "not finite": (np.full((1, 11, 7, 2), np.nan), "finite"),
    "no type of ours": (np.zeros((1, 11, 7, 2), np.int64), "int64, expected int8"),
    "several": ({"a": 1, "b": 2}, "inputs are given for 'a', 'b'"),
}


@pytest.mark.parametrize("given, message", BAD_INPUTS.values(), ids=BAD_INPUTS)
def test_bad_inputs_are_refused(models, given, message):
    with pytest.raises(CheckError, match=message):
        models("residual").predict(given)


def test_run_int8_refuses_floats(models):
    with pytest.raises(CheckError, match="float64, expected int8; predict"):
        models("residual").run_int8(np.zeros((1, 11, 7, 2)))


def files_of(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_leaves_the_folder_and_the_disk_as_they_were(tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    write_folder(nets.tiny(), tmp_path / "fw", name="tiny")
    before = files_of(tmp_path / "fw")
    model = shrinkfit.load(tmp_path / "fw")
    assert files_of(tmp_path / "fw") == before and not list(temporary.iterdir())
    assert model.run_int8(np.zeros((3, 6), np.int8)).shape == (3, 3)


def test_it_is_the_c_in_the_folder_that_runs(tmp_path):
    write_folder(nets.tiny(), tmp_path / "fw", name="tiny")
    inputs = np.random.default_rng(0).integers(-128, 128, (20, 6), np.int8)
    before = shrinkfit.load(tmp_path / "fw").run_int8(inputs)
    header = tmp_path / "fw" / "tiny_weights.h"
    header.write_text(header.read_text().replace("_stream[18] = {\n    ", "_stream[18] = {\n    -"))
    assert (shrinkfit.load(tmp_path / "fw").run_int8(inputs) != before).any()


def test_no_compiler_is_said(tmp_path, monkeypatch):
    write_folder(nets.tiny(), tmp_path / "fw", name="tiny")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(ToolMissingError, match="cc, gcc, clang are all not installed; install one with"):
        shrinkfit.load(tmp_path / "fw")
    monkeypatch.setenv("CC", "tcc -g")
    with pytest.raises(ToolMissingError, match="'tcc', is not installed"):
        shrinkfit.load(tmp_path / "fw")


def spoiled(folder, how):
    report = json.loads((folder / "report.json").read_text())
    if how == "no report":
        (folder / "report.json").unlink()
    elif how == "no model":
        (folder / "tiny.c").unlink()
    elif how == "no C":
        (folder / "tiny.c").write_text("int tiny_run(void) { return }\n")
    elif how == "other C":
        (folder / "tiny.c").write_text("int tiny_run(void *arena) { return arena != 0; }\n")
    else:
        (folder / "report.json").write_text(json.dumps(report | {"shrinkfit_report": 0}))


SPOILED = {
    "no report": "no report.json, so shrinkfit did not write it",
    "no model": "has no tiny.c",
    "no C": "does not compile",
    "other C": "no function 'tiny_input'",
    "other version": "another version of shrinkfit",
}


@pytest.mark.parametrize("how, message", SPOILED.items(), ids=SPOILED)
def test_a_folder_that_is_no_export_is_refused(tmp_path, how, message):
    write_folder(nets.tiny(), tmp_path / "fw", name="tiny")
    spoiled(tmp_path / "fw", how)
    with pytest.raises(CheckError, match=message):
        shrinkfit.load(tmp_path / "fw")
    with pytest.raises(CheckError, match="is no folder"):
        shrinkfit.load(tmp_path / "elsewhere")


def test_dsp_kernels_need_an_export_for_a_core_that_has_them(tmp_path):
    write_folder(nets.tiny(), tmp_path / "fw", name="tiny", device="rp2040")
    with pytest.raises(CheckError, match="cortex-m0plus without DSP"):
        shrinkfit.load(tmp_path / "fw", dsp=True)


def test_no_tensorflow(tmp_path):
    write_folder(nets.tiny(), tmp_path / "fw", name="tiny")
    code = f"import shrinkfit, sys; print(shrinkfit.load({str(tmp_path / 'fw')!r})); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert said.startswith("<shrinkfit model 'tiny': int8 [6] -> int8 [3]")
    assert not {"tensorflow", "keras", "unicorn"} & set(said.split())


def test_a_real_model_gives_litert_reference_outputs(tmp_path):
    if not (KWS / "kws_vectors.npz").is_file():
        pytest.skip(f"{KWS} is not there")
    shrinkfit.export(KWS / "kws_ref_model_int8.tflite", tmp_path / "kws", name="kws")
    vectors, model = np.load(KWS / "kws_vectors.npz"), shrinkfit.load(tmp_path / "kws", dsp=True)
    outputs = model.run_int8(vectors["inputs"].reshape(-1, *model.input.shape))
    np.testing.assert_array_equal(outputs, vectors["out_builtin_ref"])


def test_a_missing_runtime_file_is_named(tmp_path):
    write_folder(nets.residual(1), tmp_path / "fw", name="net")
    gone = next((tmp_path / "fw").glob("sf_*.c"))
    gone.unlink()
    with pytest.raises(CheckError, match=f"has no {gone.name}, which its report.json promises; export again"):
        shrinkfit.load(tmp_path / "fw")


def test_c_that_lacks_a_function_is_told(tmp_path):
    write_folder(nets.residual(1), tmp_path / "fw", name="net")
    for runtime in (tmp_path / "fw").glob("sf_*.c"):
        runtime.write_text("")
    with pytest.raises(CheckError, match="cannot be loaded: undefined symbol.*; export again"):
        shrinkfit.load(tmp_path / "fw")
