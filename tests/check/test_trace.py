# SPDX-License-Identifier: Apache-2.0
"""--trace: whichever layer is made wrong is the one that is named."""

import re
import shutil

import numpy as np
import pytest

from shrinkfit import cli
from shrinkfit.check import trace as trace_module
from shrinkfit.check.compare import check
from shrinkfit.errors import CheckError, ShrinkfitError
from shrinkfit.graph import simulate
from shrinkfit.write.export import write_folder
from shrinkfit.write.tflite import write_tflite
from tests.write import nets, stateful

pytestmark = pytest.mark.needs("gcc")
GRAPH = nets.residual(1)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("traced") / "net"
    write_folder(GRAPH, folder, name="net")
    return folder


def test_equal_executions(exported):
    before = {path: path.read_bytes() for path in exported.rglob("*") if path.is_file()}
    result = check(exported, trace=True, graph=GRAPH)
    assert result.exact and result.clips == 32 and result.outputs.shape == (32, 5)
    assert before == {path: path.read_bytes() for path in exported.rglob("*") if path.is_file()}


BROKEN = [
    ("net_op_0_records[18] = {\n    101123590, ", "conv2d 'op/0' writes 't1'"),
    ("net_op_2_records[18] = {\n    67372292, ", "conv2d 'op/2' writes 't3'"),
    ("net_op_7_stream[27] = {\n    ", "dense 'op/7' writes 't8'"),
]


@pytest.mark.parametrize(("place", "said"), BROKEN, ids=lambda x: str(x)[:10])
def test_the_first_wrong_layer_is_named(exported, tmp_path, place, said):
    folder = shutil.copytree(exported, tmp_path / "broken")
    path = folder / "net_weights.h"
    text = path.read_text()
    assert place in text
    path.write_text(text.replace(place, place + "7999 + 0 * "))
    result = check(folder, trace=True, graph=GRAPH)
    assert not result.held and result.differences > 0
    pattern = re.escape(f"scalar kernels, clip 0, {said} at [") + r"[\d, ]+\]: -?\d+, expected -?\d+"
    assert re.fullmatch(pattern, result.first_difference)


@pytest.mark.parametrize("graph", [stateful.streaming(), stateful.delays("float32")], ids=lambda g: g.name)
def test_state_is_traced_too(tmp_path, graph):
    write_folder(graph, tmp_path / "net", name="net")
    assert check(tmp_path / "net", trace=True, graph=graph).exact
    path = tmp_path / "net" / "net.c"
    variable = "ring" if graph.name == "streaming" else "delay"
    (call,) = re.findall(r"    sf_copy\(&net_(?:keep|assign), .*\n", path.read_text())
    path.write_text(path.read_text().replace(call, ""))
    result = check(tmp_path / "net", trace=True, graph=graph)
    assert f"clip 0, after the run state '{variable}' at [0" in result.first_difference


def test_a_source_that_was_changed_is_told(exported, tmp_path):
    folder = shutil.copytree(exported, tmp_path / "changed")
    (folder / "net.c").write_text((folder / "net.c").read_text().replace("sf_softmax_s8(", "my_softmax("))
    with pytest.raises(CheckError, match=r"'net.c' does not call sf_softmax_s8\(&net_softmax"):
        check(folder, trace=True, graph=GRAPH)


def test_a_trace_runs_on_the_host(exported):
    with pytest.raises(ShrinkfitError, match="a trace runs on the host, not on 'qemu'"):
        check(exported, on="qemu", trace=True)


@pytest.fixture
def tflite(tmp_path):
    (tmp_path / "chain.tflite").write_bytes(write_tflite(nets.chain(3)))
    return tmp_path / "chain.tflite"


def test_litert_equals_the_simulator(tflite):
    result = check(tflite, trace=True)
    assert result.exact and (result.name, result.on) == ("chain", "LiteRT")


def test_a_simulator_that_errs_is_told_from_litert(tflite, monkeypatch):
    def off_by_one(graph, inputs, keep):
        values = simulate.trace(graph, inputs, keep=keep)
        name = graph.ops[1].outputs[0]
        return values | {name: values[name] ^ np.int8(1)}

    monkeypatch.setattr(trace_module, "trace_runs", off_by_one)
    assert check(tflite, trace=True).first_difference.startswith("LiteRT, clip 0, conv2d 'conv2d_1' writes 't2' at [0")


def test_on_the_command_line(exported, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["shrinkfit", "check", str(exported), "--trace"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert not stopped.value.code and "every byte as simulated" in capsys.readouterr().out
