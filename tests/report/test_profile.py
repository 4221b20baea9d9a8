# SPDX-License-Identifier: Apache-2.0
"""The profile's tables and plot show what the record says, in 80 columns."""

from dataclasses import replace

import pytest

from shrinkfit.check.exported import LayerRun
from shrinkfit.check.profile import FunctionProfile, ProfileResult
from shrinkfit.report.profile import SHOWN_FUNCTIONS, plot_profile, profile_report
from tests.report.test_plots import drawn
from tests.report.test_table import row, text_of

LAYERS = (
    LayerRun("a_layer_with_a_rather_long_name", "depthwise_conv2d", 12_501_632, 21_222_688, 26_052_085),
    LayerRun("soft", "softmax", 0, 1_000, 2_000),
)
FUNCTIONS = (
    FunctionProfile("sf_depthwise_s8_dsp.constprop.0", 400, 21_222_688, 26_052_085),
    FunctionProfile("sf_softmax_s8", 600, 1_000, 2_000),
    FunctionProfile("parameters", 28_000, 0, 0),
    *(FunctionProfile(f"quiet_{i}", 10, 0, 0) for i in range(30)),
)
RESULT = ProfileResult(
    name="net",
    device="board",
    core="cortex-m4",
    runs=1,
    macs=12_501_632,
    instructions=21_223_688,
    cycles=26_054_085,
    fewest_cycles=26_054_085,
    clock_hz=40_000_000,
    latency_ms=651.4,
    energy_uj=4901.0,
    layers=LAYERS,
    functions=FUNCTIONS,
    sections={".text": 29_300, ".bss": 9_000, ".stack": 440},
    flash_bytes=29_300,
    ram_bytes=9_440,
    parameter_bytes=28_000,
    code_bytes=1_300,
    arena_bytes=9_000,
    static_bytes=0,
    stack_bytes=260,
    stack_bound_bytes=264,
    reserved_stack_bytes=440,
)
UNTIMED = replace(
    RESULT,
    core="cortex-m33",
    cycles=None,
    latency_ms=None,
    energy_uj=None,
    layers=tuple(replace(layer, cycles=None) for layer in LAYERS),
    functions=tuple(replace(function, cycles=None) for function in FUNCTIONS),
)


def test_rows():
    text = text_of(profile_report(RESULT))
    assert row(text, "soft").split() == ["soft", "softmax", "0", "1,000", "2,000", "0.0", "%"]
    assert text.count("26,054,085") == 2 and "2.08" in row(text, "a_layer_with_a_rather_long_name")
    assert f"{len(FUNCTIONS) - SHOWN_FUNCTIONS} more" in text
    assert row(text, "  other code").split()[2] == "300"
    assert "the run used 260, computed bound 264" in text and "OVER" not in text
    assert "on board at 40 MHz: 651.4 ms, 4,901 µJ" in text


@pytest.mark.parametrize("result", [RESULT, UNTIMED], ids=["timed", "untimed"])
def test_rows_fit_80_columns(result):
    lines = text_of(profile_report(result), width=80).splitlines()
    assert max(map(len, lines)) <= 80
    # Every number is whole; only a name may be cut.
    assert [line.split()[0] for line in lines if "…" in line] in ([], ["…h_a_rather_long_name"])


def test_untimed_cores_show_instructions():
    text = text_of(profile_report(UNTIMED))
    assert "cycles" not in row(text, "layer") and "no cycles, time or energy" in text


def test_stack_over_its_bound_and_several_runs():
    text = text_of(profile_report(replace(RESULT, stack_bytes=300, runs=3, fewest_cycles=25_000_000)))
    assert "computed bound 264: OVER" in text and "the slowest of 3 inputs; the fastest took 25,000,000" in text


@pytest.mark.parametrize("result", [RESULT, UNTIMED], ids=["timed", "untimed"])
def test_plot(tmp_path, result):
    assert drawn(plot_profile(tmp_path / "p.png", result)) > 0.05


def test_longer_bars_for_dearer_layers(tmp_path):
    even = tuple(replace(layer, cycles=26_052_085) for layer in LAYERS)
    shares = [
        drawn(plot_profile(tmp_path / f"{i}.png", replace(RESULT, layers=x))) for i, x in enumerate((LAYERS, even))
    ]
    assert shares[1] > shares[0] + 0.02
