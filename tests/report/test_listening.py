# SPDX-License-Identifier: Apache-2.0
"""The tables and the page's section about a second of sound show what the records say."""

from dataclasses import replace

import numpy as np
import pytest

from shrinkfit.audio.heard import Heard, SoundCost
from shrinkfit.report.listening import listening_report
from shrinkfit.report.listening_section import flash_parts, listening_section, ram_parts
from tests.report.listening_records import RECORD
from tests.report.test_table import row, text_of

COST = SoundCost(1_200_000.0, 700_000.0, 5_000.0, 95_000.0, 1.0, 0.05, 378.0, "63 µA/MHz: a sheet")
HEARD = Heard("cortex-m4", 16_000, ("a",), [], np.zeros((0, 1), np.int8), COST, 500, 20_000, 6_600)


def test_tables():
    text = text_of(listening_report(HEARD, RECORD), width=80)
    lines = [line.split() for line in text.splitlines()]
    assert ["features", "1,200,000", "60.0", "%", "100", "frames"] in lines
    assert ["network", "700,000", "35.0", "%", "10", "runs"] in lines and ["all", "2,000,000"] in lines
    # The image has 100 bytes more than were predicted; they are data.
    assert row(text, "RAM").split()[1] == "6,600" and row(text, "  data").split()[1] == "800"
    assert "49 a run, 10 of them new" in text and "5.0 % of the clock; 378 µJ" in text and "OVER" not in text


def test_a_deep_stack_stands_out():
    assert "OVER" in text_of(listening_report(replace(HEARD, stack_bytes=513), RECORD), width=80)


def test_without_timings():
    text = text_of(listening_report(replace(HEARD, cost=None), RECORD), width=80)
    assert "timings are known for cortex-m4 only" in text and "a second of sound" not in text.split("\n")[0]


def test_parts_of_the_ram_are_all_of_it():
    assert sum(ram_parts(RECORD).values()) == 6_500


def test_section_of_the_page():
    html = listening_section(RECORD)
    for wanted in ("1,200,000", "5.0 % of the clock", "&lt;a sheet&gt;", "6,500", "3,500", "16,600", "10 runs"):
        assert wanted in html
    assert "detector</div>" not in html and listening_section(None) == ""


@pytest.mark.parametrize("unknown", ["cycles_per_second", "load", "energy_uj_per_second"])
def test_what_is_not_known_is_left_out(unknown):
    html = listening_section({**RECORD, "cost": {**RECORD["cost"], unknown: None}})
    assert "None" not in html


SPENT = {
    "cycles": 90_000_000,
    "seconds": 2.25,
    "energy_uj": 17_000.0,
    "samples_meanwhile": 36_000,
    "flash_bytes": 9_000,
}
VERIFIED = {
    **RECORD,
    "layout": {**RECORD["layout"], "listener_bytes": 9_000, "verifier": {"sound": 5_000}},
    "cost": {**RECORD["cost"], "ram_bytes": 10_500, "flash_bytes": 29_100, "verifier": SPENT},
}


def test_a_verifier_has_its_share_of_each_memory_and_a_line_of_its_own():
    assert ram_parts(VERIFIED)["verifier"] == 4_000 and sum(ram_parts(VERIFIED).values()) == 10_500
    assert flash_parts(VERIFIED) == {"tables": 3_500, "verifier": 9_000, "network and code": 16_600}
    html = listening_section(VERIFIED)
    assert "Verifying a hotword" in html and "90,000,000 cycles, 2.25 s, in which 72,000 bytes of sound arrive" in html
    heard = replace(HEARD, ram_bytes=10_500, cost=replace(COST, verifier=91_000_000.0))
    text = text_of(listening_report(heard, VERIFIED), width=80)
    assert row(text, "verifier").split()[1] == "91,000,000" and "on top" in row(text, "verifier")
    assert [line.split()[1] for line in text.splitlines() if line.startswith("  verifier")] == ["9,000", "4,000"]
    unknown = {**SPENT, "cycles": None, "seconds": None, "samples_meanwhile": None, "energy_uj": None}
    assert "None" not in listening_section({**VERIFIED, "cost": {**VERIFIED["cost"], "verifier": unknown}})
    assert "Verifying" not in listening_section(RECORD)
