# SPDX-License-Identifier: Apache-2.0
"""Records enter, one HTML page leaves that needs nothing but itself: no script, no network, light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from html import escape
from math import log10
from pathlib import Path
from typing import Any, TypeVar

from shrinkfit.report.advice import advice, heaviest
from shrinkfit.report.charts import bar, confusion, lines, short, stack, table
from shrinkfit.report.listening_section import listening_section
from shrinkfit.report.memory_chart import memory_section
from shrinkfit.report.quantization_section import quantization_section
from shrinkfit.report.table import LIMIT_TITLES, costs_of, number

Record = Mapping[str, Any]
Row = TypeVar("Row")
NONE_SEEN = 1e-2  # false accepts per hour that stand for none, which has no logarithm
LONGEST_LIST = 60  # layers drawn as bars; all of them are in the table


def page(export: Record, run: Record | None = None) -> str:
    """The report of one exported model.

    Args:
        export: content of an exported folder's report.json; with "fit" and "epochs" where a FitDevice was exported.
        run: what a training script measured, all optional: accuracy (name -> share), confusion (labels, counts),
            det (false_accepts_per_hour, false_rejects, chosen), notes (lines of text). None: what
            `write.results.add_results` put beside the model's own figures.
    Returns:
        HTML text; the same records give the same bytes.
    """
    run = run or export.get("results") or {}
    sections = [
        _budget(export),
        listening_section(export.get("listener")),
        _accuracy(run),
        _epochs(export.get("epochs") or ()),
        _widths(export.get("fit")),
        memory_section(export),
        _layers(export),
        quantization_section(export.get("quantization")),
        _confusion(run.get("confusion")),
        _det(run.get("det")),
        _parts(export),
        _advice(export),
    ]
    title = escape(f"{export['name']} on {export['device']}")
    body = "".join(f"<section>{section}</section>\n" for section in sections if section)
    notes = "".join(f'<p class="note">{escape(line)}</p>' for line in run.get("notes", ()))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{title}</title><style>\n{_css()}</style></head><body>\n'
        f"<h1>{title}</h1>{_verdict(export)}{notes}\n{body}</body></html>\n"
    )


@lru_cache
def _css() -> str:
    return (Path(__file__).parent / "page.css").read_text(encoding="utf-8")


def _verdict(export: Record) -> str:
    over = [name for name, cost in costs_of(export).items() if cost > export["limits"].get(name, cost)]
    if not over:
        return '<p class="verdict held">fits: every limit holds</p>'
    return f'<p class="verdict over">does not fit: over in {", ".join(LIMIT_TITLES[name][0] for name in over)}</p>'


def _budget(export: Record) -> str:
    bars = []
    for name, cost in costs_of(export).items():
        title, unit = LIMIT_TITLES[name]
        limit = export["limits"].get(name)
        note = "no limit" if limit is None else f"of {number(limit)}, {100 * cost / limit:.1f} %"
        state = "" if limit is None else "held" if cost <= limit else "over"
        bars.append(bar(title, cost, number(cost, unit), limit, note=note, state=state))
    around, alone = (" with the listener", " without the listener") if export.get("listener") else ("", "")
    static = export["ram_bytes"] - export["arena_bytes"] - export["stack_bytes"]
    ram = {"arena": export["arena_bytes"], "stack": export["stack_bytes"], "static data": static}
    flash = {"weights": export["weight_bytes"], "code and start-up": export["code_bytes"]}
    source = (
        f'<p class="note">time and energy: {escape(export["cycles_source"])}</p>' if export["cycles_source"] else ""
    )
    return (
        f"<h2>Limits{around}</h2>{''.join(bars)}{source}"
        f'<div class="columns"><div><h3>RAM{alone}</h3>{stack(ram)}</div>'
        f"<div><h3>Flash{alone}</h3>{stack(flash)}</div></div>"
    )


def _accuracy(run: Record) -> str:
    reached = run.get("accuracy")
    if not reached:
        return ""
    bars = (bar(name, share, number(share, "%"), 1.0) for name, share in reached.items() if share is not None)
    return f"<h2>Accuracy</h2>{''.join(bars)}"


def _epochs(epochs: Sequence[Record]) -> str:
    """Accuracies, then each limited resource with its limit, over the epochs of the fit."""
    if not epochs:
        return ""
    xs = [epoch["epoch"] + 1 for epoch in epochs]
    begins = _begins(epochs)
    metrics = {name: [epoch["metrics"].get(name) for epoch in epochs] for name in metric_names(epochs)}
    charts = (
        [("metrics", lines(metrics, xs, title="metrics over the epochs", x_label="epoch", marks_at=begins))]
        if metrics
        else []
    )
    for name in limited(epochs):
        title, unit = LIMIT_TITLES[name]
        curves = {title: [e["costs"].get(name) for e in epochs], "limit": [e["limits"].get(name) for e in epochs]}
        heading = f"{title} in {unit}" if unit else title
        charts.append((heading, lines(curves, xs, title=heading, x_label="epoch", dashed=("limit",), low=0)))
    drawn = "".join(f"<div><h3>{escape(heading)}</h3>{chart}</div>" for heading, chart in charts if chart)
    return f'<h2>Epochs of the fit</h2><div class="columns">{drawn}</div>'


def _begins(epochs: Sequence[Record]) -> dict[float, str]:
    """The epoch in which int8 arithmetic begins, where others come before it."""
    numbers = [epoch["epoch"] + 1 for epoch in epochs if epoch.get("phase") in ("quantized", "frozen")]
    return {numbers[0]: "int8"} if numbers and len(numbers) < len(epochs) else {}


def metric_names(epochs: Sequence[Record]) -> list[str]:
    """Names of accuracies; of losses where there are none."""
    names = list(dict.fromkeys(name for epoch in epochs for name in epoch["metrics"]))
    accuracies = [name for name in names if "acc" in name]
    return accuracies or [name for name in names if "loss" in name]


def limited(epochs: Sequence[Record]) -> list[str]:
    """Resources that had a limit in one of the epochs, in the order of their titles."""
    return [name for name in LIMIT_TITLES if any(name in epoch["limits"] for epoch in epochs)]


def _widths(fit: Record | None) -> str:
    layers = [layer for layer in (fit or {}).get("layers", ()) if layer["makes_channels"]]
    if not layers:
        return ""
    most = max(layer["width_before"] for layer in layers)
    bars = (
        bar(
            layer["layer"],
            layer["width_after"],
            str(layer["width_after"]),
            most,
            note=f"of {layer['width_before']}",
            pale=layer["width_before"],
        )
        for layer in layers
    )
    return f"<h2>Channels that are left</h2>{''.join(bars)}<p class='note'>pale: before the fit</p>"


def _layers(export: Record) -> str:
    layers = export["layers"]
    timed = all(layer["cycles"] is not None for layer in layers)
    what, title = ("cycles", "Cycles per layer") if timed else ("macs", "MACs per layer")
    most, whole = max((layer[what] for layer in layers), default=0), sum(layer[what] for layer in layers)
    bars = (
        bar(layer["name"], layer[what], f"{layer[what]:,}", most, note=f"{100 * layer[what] / (whole or 1):.1f} %")
        for layer in layers[:LONGEST_LIST]
    )
    headers = ("layer", "kind", "output", "weights", "flash", "MACs", "cycles", "per MAC", "alive")
    rows = [
        (
            layer["name"],
            layer["kind"],
            "×".join(map(str, layer["output_shape"][1:])) or "1",
            layer["weights"],
            layer["bytes"],
            layer["macs"],
            layer["cycles"],
            f"{layer['cycles'] / layer['macs']:.2f}" if layer["macs"] and layer["cycles"] is not None else "",
            layer["arena_live_bytes"],
        )
        for layer in layers
    ]
    return (
        f"<h2>{title}</h2>{''.join(bars)}<details><summary>all figures of the layers</summary>"
        f"{table(headers, rows, left=3)}</details>"
    )


def _confusion(counts: Record | None) -> str:
    if not counts:
        return ""
    return (
        "<h2>Confusion matrix</h2>"
        f"<p class='note'>rows: what it was; columns: what it was taken for{_right(counts)}</p>"
        f"{confusion(counts['labels'], counts['counts'])}"
    )


def _right(counts: Record) -> str:
    whole = sum(map(sum, counts["counts"]))
    right = sum(row[number] for number, row in enumerate(counts["counts"]))
    return f"; {right:,} of {whole:,} right" if whole else ""


def det_points(det: Record) -> list[tuple[float, float]]:
    """(false accepts per hour, share of false rejects) of the thresholds that no other one beats in both."""
    points: list[tuple[float, float]] = []
    for rate, share in sorted(zip(det["false_accepts_per_hour"], det["false_rejects"], strict=True)):
        if not points or share < points[-1][1]:
            points.append((rate, share))
    return points


def _det(det: Record | None) -> str:
    """False rejects over the logarithm of false accepts, at the thresholds that no other one beats in both."""
    if not det:
        return ""
    points = [(log10(max(rate, NONE_SEEN)), 100 * share) for rate, share in det_points(det)]
    chart = lines(
        {"false rejects, %": [share for _, share in points]},
        [rate for rate, _ in points],
        title="detection error trade-off",
        x_label="false accepts per hour, logarithmic",
        low=0,
        with_last=False,
        x_text=lambda x: "none" if 10**x <= NONE_SEEN else short(float(f"{10**x:.2g}")),
    )
    chosen = "".join(f"<p>{escape(name)}: {escape(str(value))}</p>" for name, value in det.get("chosen", {}).items())
    rows = [(rate_text(rate), number(share, "%")) for rate, share in some_of(det_points(det))]
    figures = table(("false accepts per hour", "false rejects"), rows, left=0)
    return (
        f"<h2>Missed words against false alarms</h2>{chart}{chosen}"
        f"<details><summary>some points of the curve</summary>{figures}</details>"
    )


def some_of(rows: Sequence[Row], most: int = 12) -> list[Row]:
    """Both ends and some between, evenly spread."""
    places = {round(n * (len(rows) - 1) / (most - 1)) for n in range(most)} if rows else set()
    return [rows[place] for place in sorted(places)]


def rate_text(rate: float) -> str:
    """A rate per hour with two digits; "none" of one that was not seen."""
    return "none" if rate == 0 else short(float(f"{rate:.2g}"))


def _parts(export: Record) -> str:
    parts = export.get("parts")
    if not parts:
        return ""
    headers = ("part", "fits", "RAM", "of", "flash", "of", "ms")
    rows = []
    for part in parts:
        costs, limits = part["costs"], part["limits"]
        fits = "yes" if not part["over"] else f"over: {', '.join(LIMIT_TITLES[name][0] for name in part['over'])}"
        time = costs.get("latency_ms")
        ram, flash = ((costs[name], limits.get(name)) for name in ("ram_bytes", "flash_bytes"))
        ram, flash = ((cost, None if limit is None else f"{limit / 1024:g} K") for cost, limit in (ram, flash))
        rows.append((part["device"], fits, *ram, *flash, None if time is None else f"{time:.1f}"))
    fitting = sum(not part["over"] for part in parts)
    return (
        f"<h2>Parts that it fits</h2><p>{fitting} of {len(parts)} known parts</p>{table(headers, rows, left=2)}"
        '<p class="note">bytes, and what the whole part has in KB; ms of one inference; ?: not known</p>'
    )


def _advice(export: Record) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in [*advice(export), *heaviest(export)])
    return f"<h2>To fit a smaller part</h2><ul>{items}</ul>" if items else ""
