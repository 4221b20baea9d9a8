# SPDX-License-Identifier: Apache-2.0
"""The page says what the records say, needs nothing but itself, and opens in a real browser at any width."""

import json
import re
import shutil
from html.parser import HTMLParser

import pytest

from shrinkfit.report.advice import advice, heaviest
from shrinkfit.report.charts import confusion, lines, short, stack, ticks
from shrinkfit.report.memory_chart import memory, memory_rows
from shrinkfit.report.page import det_points, page, some_of
from shrinkfit.report.quantization_section import clipped
from shrinkfit.write.export import write_folder
from tests.report.page_records import EPOCHS, FIT, QUANTIZATION, RUN
from tests.write import nets

HEADINGS = {
    "Limits": None,
    "Accuracy": "90.8 %",
    "Epochs of the fit": "0.75",
    "Channels that are left": "17",
    "Memory plan": None,
    "Cycles per layer": None,
    "Quantization error": "34.7 dB",
    "Confusion matrix": "91 of 94 right",
    "Missed words against false alarms": "0.83",
    "Parts that it fits": "nrf52840",
    "To fit a smaller part": "FitDevice(",
}
# In the background colours of both looks; a browser's own default is neither.
LOOKS = {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 27)"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page") / "fw"
    details = write_folder(nets.residual(2, (8, 8), 5), folder, name="net").details
    small = {
        "device": "tiny",
        "over": ["ram_bytes"],
        "costs": details["parts"][0]["costs"],
        "limits": {"ram_bytes": 64},
    }
    more = {"epochs": EPOCHS, "fit": FIT, "limits": details["limits"] | {"flops": 1_000}, "quantization": QUANTIZATION}
    return folder, details | more | {"parts": [*details["parts"], small]}


class Words(HTMLParser):
    """The text between two headings, by the first of them."""

    def __init__(self, text):
        super().__init__()
        self.sections, self.heading, self.in_heading = {}, "", False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.in_heading = tag == "h2"

    def handle_endtag(self, tag):
        self.in_heading = self.in_heading and tag != "h2"

    def handle_data(self, data):
        if self.in_heading:
            self.heading = data
        self.sections[self.heading] = self.sections.get(self.heading, "") + data


def test_every_section_has_its_numbers(exported):
    sections = Words(page(exported[1], RUN)).sections
    assert set(HEADINGS) <= set(sections)
    for heading, figure in HEADINGS.items():
        assert figure is None or figure in sections[heading], heading
    details = exported[1]
    assert (
        f"{details['ram_bytes']:,}" in sections["Limits"] and f"{details['arena_bytes']:,}" in sections["Memory plan"]
    )
    assert all(f"{layer['cycles']:,}" in sections["Cycles per layer"] for layer in details["layers"])


def test_what_was_not_measured_is_left_out(exported):
    details = {
        key: value
        for key, value in exported[1].items()
        if key not in ("epochs", "fit", "parts", "memory", "quantization")
    }
    assert set(Words(page(details)).sections) & set(HEADINGS) == {
        "Limits",
        "Cycles per layer",
        "To fit a smaller part",
    }


def test_the_page_needs_nothing_but_itself(exported):
    text = page(exported[1], RUN)
    assert text == page(json.loads(json.dumps(exported[1])), RUN)
    assert not re.search(r"https?:|<script|<link(?! rel=\"icon\" href=\"data:)|url\(|@import", text)
    assert "&lt;no&gt;" in text and "<no>" not in text


def test_the_verdict_is_that_of_the_limits(exported):
    assert "does not fit: over in FLOPs" in page(exported[1])
    assert "every limit holds" in page(exported[1] | {"limits": {}})


def test_export_writes_the_page(exported):
    folder, _ = exported
    details = json.loads((folder / "report.json").read_text())
    assert "report.html" in details["files"] and (folder / "report.html").read_text() == page(details)


def test_the_memory_plan_covers_the_arena(exported):
    stays = exported[1]["memory"]["stays"]
    assert max(stay["offset"] + stay["size_bytes"] for stay in stays) == exported[1]["arena_bytes"]
    assert {stay["kind"] for stay in stays} >= {"input", "output", "tensor"}


@pytest.mark.parametrize(("low", "high"), [(0, 9056), (0.2, 0.913), (-2, 3.1), (5, 5), (0, 1e7)])
def test_ticks_are_round_and_lie_around_the_values(low, high):
    marks = ticks(low, high)
    assert marks[0] <= low and 2 <= len(marks) <= 7 and (marks[-1] <= high or high == low)


@pytest.mark.parametrize(
    ("value", "text"), [(1_234_567, "1.23M"), (41_272, "41.3k"), (2500, "2,500"), (0.8851, "0.885"), (0, "0")]
)
def test_short_numbers(value, text):
    assert short(value) == text


def test_a_curve_breaks_where_it_is_not_known():
    drawn = lines({"a": [1, 2, None, 4, 5]}, [1, 2, 3, 4, 5], title="t", x_label="x")
    assert drawn.count("<polyline") == 2 and lines({"a": [None]}, [1], title="t", x_label="x") == ""


def test_parts_of_nothing_are_left_out():
    assert "data" not in stack({"arena": 10, "data": 0}) and "width:100.00%" in stack({"arena": 10, "data": 0})


def test_a_row_without_clips_has_no_share():
    assert "nan" not in confusion(["a", "b"], [[0, 0], [1, 2]])


def test_advice_names_the_nearest_parts_first(exported):
    parts = [
        {"device": "far", "over": ["flops"], "costs": {"flops": 900}, "limits": {"flops": 100}},
        {"device": "near", "over": ["ram_bytes"], "costs": {"ram_bytes": 1100}, "limits": {"ram_bytes": 1000}},
        {"device": "fits", "over": [], "costs": {}, "limits": {}},
    ]
    near, far = advice(exported[1] | {"parts": parts})
    assert near.startswith("near wants 100 bytes less RAM (9 %") and "ram_bytes=1_000" in near
    assert far.startswith("far wants 800 less FLOPs (89 %") and exported[1]["layers"][0]["name"] in far


def test_advice_says_what_weighs_most(exported):
    details = exported[1]
    most, ram, flash = heaviest(details)
    code = round(100 * details["code_bytes"] / details["flash_bytes"])
    assert f"its peak is in {details['peak_layer']}" in most and f"{code} % of it is code" in most
    assert f"ram_bytes={int(0.75 * details['ram_bytes']):_}" in ram and "optimize='size'" in flash
    assert "optimize" not in heaviest(details | {"optimize": "size"})[2]
    heavy = heaviest(details | {"weight_bytes": details["flash_bytes"] // 2})[2]
    assert "flash_bytes=" in heavy and "flash_bytes=" not in flash


def test_every_tensor_of_the_plan_is_drawn_and_listed(exported):
    plan = exported[1]["memory"]
    drawn = memory(plan["stays"], plan["operators"], exported[1]["peak_layer"])
    boxes = re.findall(r'<rect class="(?!peak)\w+" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', drawn)
    assert len(boxes) == len(plan["stays"]) == len(memory_rows(plan))
    assert "the peak" in drawn and all(float(x) + float(width) <= 360.1 for x, _, width, _ in boxes)


def test_names_are_drawn_where_no_other_box_is_in_the_way():
    stay = {"name": "a", "kind": "tensor", "offset": 0, "size_bytes": 100, "first": 0, "last": 1}
    free, covered = memory([stay], ["x", "y"]), memory([stay, stay | {"name": "b"}], ["x", "y"])
    assert 'class="name"' in free and 'class="name"' not in covered


def test_widths_show_what_was_before(exported):
    assert 'class="pale" style="width:100.00%"></div><div class="fill" style="width:26.56%"' in page(exported[1])


def test_why_nothing_was_measured_is_said(exported):
    none = QUANTIZATION | {"tensors": [], "because": "no <float> model"}
    assert "not measured: no &lt;float&gt; model" in page(exported[1] | {"quantization": none})


def test_the_phase_in_which_int8_begins_is_marked(exported):
    later = [EPOCHS[0], *(epoch | {"phase": "quantized"} for epoch in EPOCHS[1:])]
    assert ">int8</text>" in page(exported[1] | {"epochs": later}) and ">int8</text>" not in page(exported[1])


def test_the_points_of_a_det_curve_are_those_that_no_other_beats():
    det = {"false_accepts_per_hour": [0, 2, 1, 8], "false_rejects": [0.5, 0.3, 0.4, 0.35]}
    assert det_points(det) == [(0, 0.5), (1, 0.4), (2, 0.3)]
    assert some_of(det_points(det)) == det_points(det) and some_of([]) == []
    assert len(some_of(range(99))) == 12 and {0, 98} < set(some_of(range(99)))


@pytest.mark.parametrize(("share", "text"), [(0.0, "none"), (0.0004, "0.04 %"), (0.0127, "1.3 %")])
def test_shares_of_clipped_values(share, text):
    assert clipped(share) == text


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    assert chromium, "no chromium: .ci/system-packages test installs it"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("width", [400, 1100])
def test_it_opens_in_a_browser(browser, exported, tmp_path, width, look):
    (tmp_path / "report.html").write_text(page(exported[1], RUN))
    view = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=look)
    said, asked = [], []
    view.on("console", lambda message: said.append(message.text))
    view.on("request", lambda request: asked.append(request.url))
    view.goto((tmp_path / "report.html").as_uri())
    assert not said and len(asked) == 1
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    assert view.evaluate("getComputedStyle(document.body).backgroundColor") == LOOKS[look]
    boxes = [chart.bounding_box() for chart in view.query_selector_all("svg, .stack, .track, table:not(details *)")]
    assert len(boxes) > 10 and all(box["width"] > 100 and box["height"] > 5 for box in boxes)
    drawn = view.eval_on_selector_all(
        "section", "all => all.map(one => [one.querySelector('h2').innerText, one.innerText])"
    )
    for heading, figure in HEADINGS.items():
        assert figure is None or any(figure in text for found, text in drawn if found == heading), heading
    view.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    view.close()
