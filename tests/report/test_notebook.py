# SPDX-License-Identifier: Apache-2.0
"""What terminals and notebooks show of a record: every figure, escaped, and a short repr that is true."""

import re
from html.parser import HTMLParser

import pytest
from rich.console import Group
from rich.text import Text

import shrinkfit
from shrinkfit.check.compare import CheckResult
from shrinkfit.report.columns import Column, Columns, plain_table
from shrinkfit.report.notebook import html_of
from shrinkfit.write.export import write_folder
from tests.report.test_profile import RESULT
from tests.report.test_table import BOARD, COST, text_of
from tests.write import nets


class Cells(HTMLParser):
    """Checks that every tag is closed, and keeps the texts of the cells row by row."""

    def __init__(self, html):
        super().__init__()
        self.open, self.rows = [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def test_a_table_in_html():
    columns = (
        Column("a<b", ["x", "  y"], footer="all", justify="left"),
        Column("n", ["1", Text("2", "bold red")], "3"),
    )
    html = html_of(Group(Columns(columns, "title", "below & beside"), "", Text("line\nline")))
    assert Cells(html).rows == [["a<b", "n"], ["x", "1"], ["\u2003y", "2"], ["all", "3"]]
    for part in ("a&lt;b", "<b>2</b>", "<b>title</b>", "below &amp; beside</caption>", "line\nline</p>"):
        assert part in html


def test_a_table_without_rows_in_html():
    table = plain_table()
    table.add_column("only")
    assert Cells(html_of(table)).rows == [["only"]]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return write_folder(nets.tiny(), tmp_path_factory.mktemp("exported") / "fw", name="net")


CHECKED = CheckResult("net", "host", "host", 3, 0, "", None)
SHOWN = {
    "device": (shrinkfit.get_device("efm32"), ["1,048,576", "Silicon Labs", "sister"]),
    "own device": (BOARD, ["8,192", "?"]),
    "devices": (shrinkfit.devices(), ["rp2040", "1,056"]),
    "cost": (COST, ["77,984", "peak", "no limit"]),
    "profile": (RESULT, ["26,052,085", "260"]),
    "check": (CHECKED, ["every byte as simulated"]),
}


@pytest.mark.parametrize(("record", "wanted"), SHOWN.values(), ids=SHOWN)
def test_terminals_and_notebooks_show_the_same(record, wanted):
    lines, html = text_of(record, 80).splitlines(), record._repr_html_()
    Cells(html)
    assert max(map(len, lines)) <= 80
    assert all(one in "\n".join(lines) and one in html for one in wanted)


def test_an_export_and_its_costs_on_parts(exported):
    parts = shrinkfit.price_all(nets.tiny())
    assert "µJ" in text_of(exported) and str(exported.folder) in exported._repr_html_()
    assert text_of(parts).count("fits") == len(parts) == len(Cells(parts._repr_html_()).rows) - 1
    assert "on efm32, EFM32PG12" in text_of(parts[0]) and repr(parts[0]) == "<PartCost efm32: fits>"


def test_reprs_are_short_and_make_a_device_again():
    for device in (*shrinkfit.devices(), BOARD):
        assert eval(repr(device), {"Device": shrinkfit.Device}) == device
    assert repr(shrinkfit.Device("a", core="cortex-m4", dsp=True)) == "Device(name='a', core='cortex-m4')"
    assert "layers" not in repr(COST) and "flash_bytes=38000" in repr(COST)


def test_an_unknown_public_name_is_near_another():
    with pytest.raises(AttributeError, match=re.escape("no attribute 'FitDevise'; did you mean 'FitDevice'")):
        shrinkfit.FitDevise  # noqa: B018


def test_brackets_are_no_markup_in_anybodys_console():
    table = plain_table("[bold]x", "[dim]y")
    table.add_column("[head]", "[foot]")
    table.add_row("[/s] which is wide")
    table.show_footer = True
    text = text_of(table, 80)
    for written in ("[bold]x", "[dim]y", "[head]", "[foot]", "[/s]"):
        assert written in text and written in html_of(table)
