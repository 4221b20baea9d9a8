# SPDX-License-Identifier: Apache-2.0
"""The terminal gets the same figures as the page."""

import json
import re

import pytest
from rich.console import Console

from shrinkfit import ShrinkfitError, cli
from shrinkfit.report.terminal import terminal_report
from shrinkfit.write.export import write_folder
from shrinkfit.write.results import add_results
from tests.report.listening_records import RECORD
from tests.report.page_records import EPOCHS, QUANTIZATION, RUN
from tests.write import nets


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("terminal") / "fw"
    write_folder(nets.residual(2, (8, 8), 5), place, name="net", training={"quantization": QUANTIZATION})
    return place


def details_of(folder):
    return json.loads((folder / "report.json").read_text())


def said(details, columns=200):
    console = Console(width=columns, color_system=None)
    with console.capture() as capture:
        console.print(terminal_report(details))
    return capture.get()


def test_all_that_the_page_shows_is_there(folder):
    details = details_of(folder) | {"epochs": EPOCHS, "results": RUN}
    text = said(details)
    for figure in ("90.8 %", "0.7500", "34.7 dB", "exact", "0.04 %", "51", "60.0 %", "nrf52840"):
        assert figure in text, figure
    assert all(words in text for words in ("demo quality", "threshold: 0.83", "what weighs most"))
    assert all(f"{layer['cycles']:,}" in text for layer in details["layers"])
    assert all(re.search(rf"^{re.escape(s['name'])} +{s['kind']} ", text, re.M) for s in details["memory"]["stays"])


def test_what_listens_is_told(folder):
    text = said(details_of(folder) | {"listener": RECORD})
    for figure in ("10 runs of the network", "1,200,000", "while listening, 6,500 bytes", "16,600"):
        assert figure in text, figure
    assert re.search(r"^detector +\? *$", text, re.M)  # its cycles are not known


def test_limits_are_on_the_image_that_listens(folder):
    text = said(details_of(folder) | {"listener": RECORD, "limits": {"ram_bytes": 6_400, "flash_bytes": 20_100}})
    assert " with its listener on " in text
    assert re.search(r"^RAM +6,500 bytes +6,400 bytes +101.6 % +over", text, re.M)
    assert re.search(r"^flash +20,100 bytes +20,100 bytes +100.0 % +held", text, re.M)


def test_what_was_not_measured_is_left_out(folder):
    text = said(
        {key: value for key, value in details_of(folder).items() if key not in ("memory", "parts", "quantization")}
    )
    assert not any(word in text for word in ("memory plan", "quantization", "confusion", "DET", "epochs", "nrf52840"))


def test_why_nothing_was_measured_is_said(folder):
    none = QUANTIZATION | {"tensors": [], "because": "no float model"}
    assert "not measured: no float model" in said(details_of(folder) | {"quantization": none})


def test_rows_fit_eighty_columns(folder):
    assert max(map(len, said(details_of(folder), 80).splitlines())) <= 80


def test_the_command_prints_it(folder, capsys):
    with pytest.raises(SystemExit) as left:
        cli.app(["report", str(folder)])
    assert left.value.code == 0 and "quantization error" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.app(["report", str(folder), "--json"])
    assert json.loads(capsys.readouterr().out) == details_of(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "has no report.json"),
        ("{}", "is not a report that shrinkfit wrote"),
        ("no JSON", "is not a report that shrinkfit wrote"),
        ("[]", "is not a report that shrinkfit wrote"),
        ('{"limits": {}}', "is not a report that shrinkfit wrote"),
    ],
)
def test_other_folders_are_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    with pytest.raises(ShrinkfitError, match=message):
        cli.app(["report", str(tmp_path)])


def test_a_report_of_another_version_is_refused(folder, tmp_path):
    (tmp_path / "report.json").write_text(json.dumps(details_of(folder) | {"shrinkfit_report": 2}))
    with pytest.raises(ShrinkfitError, match="another version of shrinkfit; export again"):
        cli.app(["report", str(tmp_path)])


def test_results_join_the_records_and_the_page(folder):
    details = add_results(folder, RUN)
    assert details == details_of(folder) and details["results"] == json.loads(json.dumps(RUN))
    assert "91 of 94 right" in (folder / "report.html").read_text()


@pytest.mark.parametrize("results", [{"accuracies": {}}, {"accuracy": {}}])
def test_results_of_nothing_are_refused(tmp_path, results):
    with pytest.raises(ShrinkfitError, match="expected"):
        add_results(tmp_path, results)


@pytest.mark.parametrize(
    ("content", "says"),
    [("no JSON", "expected a folder"), ("[]", "expected a folder"), ('{"shrinkfit_report": 1}', "export again")],
)
def test_results_of_other_reports_are_refused(tmp_path, content, says):
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(ShrinkfitError, match=says):
        add_results(tmp_path, {})
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_results_that_json_cannot_hold_are_refused(folder):
    before = details_of(folder)
    with pytest.raises(ShrinkfitError, match="takes numbers"):
        add_results(folder, {"accuracy": {"float": object()}})
    assert details_of(folder) == before
