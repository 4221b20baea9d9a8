# SPDX-License-Identifier: Apache-2.0
"""Devices and budgets: what is refused, and what is filled in."""

import numpy as np
import pytest

from shrinkfit import Budget, Device, ShrinkfitError, get_device
from shrinkfit.device import RESOURCES
from shrinkfit.errors import BudgetError

BOARD = Device("my-board", core="Cortex-M4", flash_bytes=65536, ram_bytes=8192, flops_per_second=3e6)


def test_own_device_is_taken_as_it_is():
    assert get_device(BOARD) is BOARD
    assert (BOARD.core, BOARD.title, BOARD.ram_total_bytes) == ("cortex-m4", "my-board", 8192)


@pytest.mark.parametrize(
    "core, dsp", [("cortex-m4", True), ("cortex-m7", True), ("cortex-m0plus", False), ("cortex-m33", None)]
)
def test_dsp_follows_from_the_core_where_the_architecture_says(core, dsp):
    assert Device("x", core=core).dsp is dsp
    assert Device("x", core=core, dsp=True).dsp is True


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"ram_bytes": 0}, "ram_bytes is 0, expected a positive whole number of bytes"),
        ({"flash_bytes": -1}, "flash_bytes is -1"),
        ({"clock_hz": 1.5}, "clock_hz is 1.5, expected a positive whole number of hertz"),
        ({"flops_per_second": float("inf")}, "flops_per_second is inf"),
        ({"ram_bytes": "8K"}, "ram_bytes is '8K'"),
        ({"ram_bytes": True}, "ram_bytes is True"),
        ({"ram_bytes": 100, "ram_total_bytes": 50}, "ram_total_bytes is 50, expected at least"),
        ({"core": ""}, "core is ''"),
    ],
)
def test_impossible_device_is_refused(wrong, message):
    with pytest.raises(BudgetError, match="device.*" + message.replace("(", r"\(")):
        Device(**{"name": "my-board", "core": "cortex-m4", **wrong})


def test_budget_is_the_parts_own():
    assert get_device("efm32").budget() == Budget(ram_bytes=262144, flash_bytes=1048576, flops=2_000_000)


def test_budget_takes_what_is_given():
    budget = BOARD.budget(ram_bytes=np.int64(4096), flash_bytes=30000.0, inferences_per_second=4)
    assert budget == Budget(ram_bytes=4096, flash_bytes=30000, flops=750_000)
    assert all(type(limit) is int for limit in budget.limits().values())
    assert BOARD.budget(flops=1e6, inferences_per_second=4).flops == 1_000_000


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"ram_bytes": 0}, "ram_bytes is 0"),
        ({"flash_bytes": -1}, "flash_bytes is -1"),
        ({"flops": 0}, "flops is 0"),
        ({"flops": float("nan")}, "flops is nan"),
        ({"inferences_per_second": 0}, "inferences_per_second is 0"),
        ({"ram_bytes": 10_000}, "ram_bytes is 10000, but my-board holds 8192"),
        ({"flash_bytes": 70_000}, "flash_bytes is 70000, but my-board holds 65536"),
    ],
)
def test_impossible_budget_is_refused(wrong, message):
    with pytest.raises(BudgetError, match=message):
        BOARD.budget(**wrong)


TIMED = Device(
    "timed", core="cortex-m4", clock_hz=10**7, active_ua_per_mhz=50, flash_bytes=65536, ram_bytes=8192,
    flops_per_second=3e6,
)  # fmt: skip


def test_latency_and_energy_are_limited_only_when_asked():
    assert TIMED.budget() == Budget(ram_bytes=8192, flash_bytes=65536, flops=3_000_000)
    budget = TIMED.budget(latency_ms=100, energy_uj=250.5, inferences_per_second=10)
    assert budget.limits() == {
        "ram_bytes": 8192, "flash_bytes": 65536, "flops": 300_000, "latency_ms": 100.0, "energy_uj": 250.5,
    }  # fmt: skip
    assert tuple(budget.limits()) == RESOURCES


@pytest.mark.parametrize(
    "asked, limits",
    [
        ({"ram_bytes": "50%"}, {"ram_bytes": 4096}),
        ({"ram_bytes": "50 %", "reserve_ram_bytes": 2048}, {"ram_bytes": 3072}),
        ({"flash_bytes": "12.5%"}, {"flash_bytes": 8192}),
        ({"flops": "10%", "inferences_per_second": 3}, {"flops": 100_000}),
        ({"latency_ms": "20%", "inferences_per_second": 2}, {"latency_ms": 100.0}),
        ({"reserve_ram_bytes": 192, "reserve_flash_bytes": 5536}, {"ram_bytes": 8000, "flash_bytes": 60_000}),
        ({"ram_bytes": 5000, "reserve_ram_bytes": 3192}, {"ram_bytes": 5000}),
    ],
)
def test_shares_and_reserves(asked, limits):
    got = TIMED.budget(**asked).limits()
    assert {name: got[name] for name in limits} == limits


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"ram_bytes": "0%"}, "ram_bytes is '0%', expected a number or a share"),
        ({"ram_bytes": "150%"}, "ram_bytes is '150%'"),
        ({"flash_bytes": "half"}, "flash_bytes is 'half'"),
        ({"energy_uj": "50%"}, "energy_uj is '50%', expected a positive number of microjoules"),
        ({"latency_ms": 0}, "latency_ms is 0"),
        ({"latency_ms": 300, "inferences_per_second": 4}, "latency_ms is 300, but 4 inferences a second leave 250 ms"),
        ({"reserve_ram_bytes": 8192}, "reserve_ram_bytes is 8192, but timed holds 8192: nothing is left"),
        ({"reserve_flash_bytes": -1}, "reserve_flash_bytes is -1"),
        ({"ram_bytes": 8000, "reserve_ram_bytes": 500}, "timed holds 8192, of which 500 are reserved"),
    ],
)
def test_impossible_share_or_reserve_is_refused(wrong, message):
    with pytest.raises(BudgetError, match=message):
        TIMED.budget(**wrong)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"latency_ms": 10}, "a limit on latency_ms needs the clock_hz of bare, which is not known"),
        ({"energy_uj": 10}, "a limit on energy_uj needs the active_ua_per_mhz of bare"),
        ({"ram_bytes": "50%"}, "'50%' of a figure of bare that is not known"),
        ({"reserve_flash_bytes": 10}, "not known what bare holds"),
    ],
)
def test_what_needs_an_unknown_figure_is_refused(wrong, message):
    with pytest.raises(BudgetError, match=message):
        Device("bare", core="cortex-m33").budget(**wrong)


def test_unknown_figures_set_no_limit():
    assert Device("bare", core="cortex-m33").budget().limits() == {}
    assert Device("bare", core="cortex-m33", ram_total_bytes=4096).budget().limits() == {"ram_bytes": 4096}


def test_budget_errors_are_shrinkfit_errors():
    assert issubclass(BudgetError, ShrinkfitError)


@pytest.mark.parametrize(
    "line, message", [("sources = {ram_bytes = 3}", "source of 'ram_bytes' is 3"), ("aliases = [3]", "alias 1 is 3")]
)
def test_texts_of_a_device_file_are_texts(tmp_path, line, message):
    path = tmp_path / "board.toml"
    path.write_text(f'core = "cortex-m4"\n{line}\n', encoding="utf-8")
    with pytest.raises(BudgetError, match=f"device 'board': {message}, expected text"):
        get_device(path)
