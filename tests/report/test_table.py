# SPDX-License-Identifier: Apache-2.0
"""Tables show what the records say."""

from dataclasses import replace

import pytest
from rich.console import Console

import shrinkfit
from shrinkfit import Budget, Device
from shrinkfit.price.cost import Cost, LayerCost
from shrinkfit.price.parts import PartCost
from shrinkfit.report import table

LAYERS = (
    LayerCost("conv", "conv2d", (1, 25, 1, 32), 3104, 3232, 77_600, 155_200, 4000, 150_000),
    LayerCost("head", "dense", (1, 12), 396, 520, 384, 768, 44, 1200),
)
COST = Cost(
    device="board",
    ram_bytes=9800,
    flash_bytes=38_000,
    flops=155_968,
    macs=77_984,
    arena_bytes=4000,
    stack_bytes=932,
    weight_bytes=3752,
    code_bytes=34_248,
    peak_layer="conv",
    layers=LAYERS,
    cycles=151_200,
    latency_ms=3.15,
    cycles_source="an estimate: a Cortex-M4's cycles",
)
BOARD = Device("board", core="cortex-m33", clock_hz=48_000_000, ram_bytes=8192, ram_total_bytes=16384)


def text_of(renderable, width=120) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_what_a_listener_keeps_is_a_part_of_the_ram():
    made_of = text_of(table.price_report(replace(COST, ram_bytes=12_000, sound_bytes=2200), BOARD, Budget()))
    assert "arena 4,000 + sound 2,200 + stack 932 + static data 4,868 bytes" in made_of
    assert "sound" not in text_of(table.price_report(COST, BOARD, Budget()))


def row(text: str, start: str) -> str:
    (line,) = (line for line in text.splitlines() if line.startswith(start + " "))
    return line


@pytest.mark.parametrize(
    "value, unit, text",
    [
        (1234567, "", "1,234,567"),
        (0.934, "%", "93.4 %"),
        (None, "bytes", "?"),
        (8704, "bytes", "8,704 bytes"),
        (2.5, "", "2.5"),
    ],
)
def test_numbers(value, unit, text):
    assert table.number(value, unit) == text


@pytest.mark.parametrize(
    "value, limit, at_least, held",
    [
        (5, 5, False, True),
        (6, 5, False, False),
        (5, 5, True, True),
        (4, 5, True, False),
        (None, 5, False, None),
        (5, None, False, None),
    ],
)
def test_held(value, limit, at_least, held):
    assert table.Figure("x", value, limit, at_least=at_least).held is held


def test_budget_table_says_which_limit_is_broken():
    text = text_of(table.budget_table(table.limit_figures(COST, Budget(ram_bytes=8192, flash_bytes=40_000).limits())))
    assert "119.6 %" in row(text, "RAM") and row(text, "RAM").rstrip().endswith("over")
    assert "95.0 %" in row(text, "flash") and row(text, "flash").rstrip().endswith("held")
    assert row(text, "FLOPs").rstrip().endswith("no limit")


def test_floor_in_budget_table():
    text = text_of(table.budget_table([table.Figure("accuracy", 0.9, 0.93, "%", at_least=True)]))
    assert "at least 93.0 %" in text and text.rstrip().endswith("below")


def test_layers_sum_up_and_the_peak_is_marked():
    text = text_of(table.price_report(COST, BOARD, BOARD.budget()))
    assert "25×1×32" in row(text, "conv") and "peak" in row(text, "conv") and "peak" not in row(text, "head")
    assert row(text, "all").split() == ["all", "3,500", "3,752", "77,984", "155,968", "151,200", "4,000"]
    assert "arena 4,000 + stack 932 + static data 4,868 bytes" in text
    assert "weights 3,752 + code and start-up 34,248 bytes" in text
    assert "cycles: an estimate: a Cortex-M4's cycles" in text


def test_latency_and_energy_stand_beside_their_limits():
    text = text_of(table.budget_table(table.limit_figures(COST, Budget(latency_ms=3.0).limits())))
    assert "3.1 ms" in row(text, "latency") and row(text, "latency").rstrip().endswith("over")
    assert row(text, "energy").split() == ["energy", "?", "no", "limit"]


def test_device_table_says_what_is_unknown():
    text = text_of(table.device_table([BOARD]))
    assert row(text, "board").split() == ["board", "board", "M33", "?", "?", "48", "?", "8", "of", "16", "?", "?"]


LONG = "a_rather_long_name_of_a_layer_in_a_block/depthwise_conv2d"
TABLES = {
    "devices": lambda: table.device_table(shrinkfit.devices()),
    "price": lambda: table.price_report(
        replace(COST, layers=(replace(LAYERS[0], name=LONG, macs=10**9, flops=2 * 10**9), LAYERS[1])), BOARD, Budget()
    ),
    "parts": lambda: table.parts_table(
        [PartCost(BOARD, COST, {"ram_bytes": (1, 0), "flash_bytes": (1, 0), "flops": (1, 0)}).as_dict()]
    ),
}


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("name", TABLES)
def test_tables_fit_the_terminal(name, width):
    lines = text_of(TABLES[name](), width).splitlines()
    assert max(map(len, lines)) <= width
    # Every number is whole; only that name may be cut, from its front.
    assert {line.split()[0] for line in lines if "…" in line} <= {"…" + LONG[1 - n :] for n in range(16, len(LONG))}


def test_wide_terminals_get_every_column():
    text = text_of(TABLES["price"](), 160)
    assert row(text, LONG).split()[1:] == [
        *["conv2d", "25×1×32", "3,104", "3,232", "1,000,000,000", "2,000,000,000", "150,000", "4,000"]
    ]
    assert "EFM32PG12B500F1024 (Pearl Gecko 12)" in text_of(TABLES["devices"](), 140)
