# SPDX-License-Identifier: Apache-2.0
"""Profiles of exported folders: their parts add up, and agree with check, the exporter and the linker."""

import json

import numpy as np
import pytest

import shrinkfit
from shrinkfit.check import build
from shrinkfit.check.profile import PARAMETERS, profile
from shrinkfit.device import Device
from shrinkfit.errors import CheckError, ToolMissingError
from shrinkfit.write.export import write_folder
from tests.write import nets, nets_arithmetic, stateful

pytestmark = pytest.mark.needs("arm-none-eabi-gcc")
NETS = {
    "residual": nets.residual,
    "chain": nets.chain,
    "decoder": nets.decoder,
    "arithmetic, floats in": nets_arithmetic.arithmetic,
    "keeps state": stateful.streaming,
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """exported(name, device): the folder of that net, written once."""
    made = {}

    def folder(name, device="efm32"):
        key = (name, str(device))
        if key not in made:
            made[key] = tmp_path_factory.mktemp("profile") / "fw"
            write_folder(NETS[name](), made[key], name="net", device=device)
        return made[key]

    return folder


@pytest.mark.parametrize("name", NETS)
def test_parts_add_up(exported, name):
    result = profile(exported(name))
    for unit in ("instructions", "cycles"):
        for parts in (result.layers, result.functions):
            assert sum(getattr(part, unit) for part in parts) == getattr(result, unit)
    assert sum(one.flash_bytes for one in result.functions) == result.flash_bytes
    assert result.parameter_bytes + result.code_bytes == result.flash_bytes
    assert result.code_run_bytes < result.code_bytes
    assert result.arena_bytes + result.static_bytes + result.reserved_stack_bytes == result.ram_bytes


@pytest.mark.parametrize("name", NETS)
def test_report_tells_the_same(exported, name):
    result, report = profile(exported(name)), json.loads((exported(name) / "report.json").read_text())
    assert result.flash_bytes == pytest.approx(report["flash_bytes"], rel=0.01)
    assert (result.ram_bytes, result.arena_bytes) == (report["ram_bytes"], report["arena_bytes"])
    assert result.parameter_bytes == pytest.approx(report["weight_bytes"], rel=0.02)
    assert 0 < result.stack_bytes <= result.stack_bound_bytes == report["run_stack_bytes"] and result.held
    assert [layer.macs for layer in result.layers] == [row["macs"] for row in report["layers"] if row["function"]]


def test_check_counts_the_same(exported):
    inputs = np.random.default_rng(1).integers(-128, 128, (1, 11, 7, 2)).astype(np.int8)
    result = profile(exported("residual"), inputs)
    checked = shrinkfit.check(exported("residual"), inputs, on="cortex-m4")
    assert (result.instructions, result.cycles) == (checked.instructions, checked.cycles)
    assert (result.layers, result.stack_bytes) == (checked.layers, checked.stack_bytes)


def test_time_and_energy_follow_from_the_device(exported):
    board = Device("board", core="cortex-m4", clock_hz=20_000_000, active_ua_per_mhz=50, supply_volts=2)
    result = profile(exported("chain", board))
    assert result.device == "board" and result.latency_ms == pytest.approx(result.cycles / 20_000)
    assert result.energy_uj == pytest.approx(result.cycles * 50 * 2 / 1e6)
    unknown = profile(exported("chain", Device("bare", core="cortex-m4")))
    assert (unknown.latency_ms, unknown.energy_uj) == (None, None) and unknown.cycles


@pytest.mark.parametrize("core", [core for core in build.CORES if core != "cortex-m4"])
def test_other_cores_have_instructions_only(exported, core):
    result = profile(exported("chain", Device("board", core=core, clock_hz=48_000_000)))
    assert result.instructions == sum(one.instructions for one in result.functions) > 0
    assert (result.cycles, result.latency_ms, result.energy_uj) == (None, None, None)
    assert {layer.cycles for layer in result.layers} == {None}


def test_the_slowest_of_several_inputs(exported):
    quiet, loud = np.full((1, 11, 7, 2), -1, np.int8), np.full((1, 11, 7, 2), 127, np.int8)
    alone = [profile(exported("residual"), x).cycles for x in (quiet, loud)]
    both = profile(exported("residual"), np.concatenate([quiet, loud]))
    assert (both.runs, both.cycles, both.fewest_cycles) == (2, max(alone), min(alone)) and alone[0] != alone[1]


def test_a_folder_without_tflite_runs(exported, tmp_path):
    folder = exported("chain")
    before = profile(folder)
    (folder / "net.tflite").rename(tmp_path / "net.tflite")
    assert profile(folder) == before
    (tmp_path / "net.tflite").rename(folder / "net.tflite")


def test_parameters_are_what_the_model_brings(exported):
    small, large = profile(exported("chain")), profile(exported("decoder"))
    rows = {one.name: one for one in small.functions}
    assert rows[PARAMETERS].instructions == 0 and rows["net_run"].instructions > 0
    assert small.parameter_bytes != large.parameter_bytes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shrinkfit_report": 1}, "another version of shrinkfit"),
        ({"target": {"core": "cortex-m99", "fpu": None, "dsp": None}}, "core 'cortex-m99'|is not a report"),
        ({"name": "other"}, "no symbol 'net_input'|no function 'other_run'"),
    ],
)
def test_reports_that_do_not_fit(exported, change, message):
    path = exported("chain") / "report.json"
    text = path.read_text()
    path.write_text(json.dumps(json.loads(text) | change))
    try:
        with pytest.raises(CheckError, match=message):
            profile(exported("chain"))
    finally:
        path.write_text(text)


def test_missing_compiler_is_named(exported, monkeypatch):
    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    with pytest.raises(ToolMissingError, match="arm-none-eabi-gcc is not installed; install it with"):
        profile(exported("chain"))


@pytest.mark.parametrize("folder", ["", "absent"])
def test_no_folder_of_ours(tmp_path, folder):
    with pytest.raises(CheckError, match="so shrinkfit did not write it|is no folder"):
        profile(tmp_path / folder)
