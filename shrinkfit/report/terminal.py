# SPDX-License-Identifier: Apache-2.0
"""What the HTML page shows, for the terminal: report.json enters, the tables of `shrinkfit report` leave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from shrinkfit.report import memory_chart, quantization_section
from shrinkfit.report.advice import advice, heaviest
from shrinkfit.report.columns import plain_table
from shrinkfit.report.fitted import fit_report
from shrinkfit.report.listening_section import flash_parts, listening_summary, ram_parts, verifier_summary
from shrinkfit.report.page import det_points, limited, metric_names, rate_text, some_of
from shrinkfit.report.table import LIMIT_TITLES, Figure, budget_table, costs_of, number, parts_table

Record = Mapping[str, Any]
_LISTENING_MEMORIES = (("RAM", "ram_bytes"), ("flash", "flash_bytes"))


def terminal_report(export: Record) -> Group:
    """Every section of the page that has figures, as a table.

    Args:
        export: content of an exported folder's report.json.
    """
    parts: list[RenderableType] = []
    for section in _sections(export):
        parts += [section, ""]
    return Group(*parts)


def _sections(export: Record) -> Iterator[RenderableType]:
    results = export.get("results") or {}
    yield _limits(export)
    if results.get("notes"):
        yield Text("\n".join(results["notes"]))
    if export.get("listener"):
        yield _listening(export["listener"])
    if results.get("accuracy"):
        yield _rows("accuracy", ("", "right"), [(n, number(v, "%")) for n, v in results["accuracy"].items()])
    if export.get("epochs"):
        yield _epochs(export["epochs"])
    if export.get("fit"):
        yield fit_report(export["fit"])
    if export.get("memory"):
        title = f"memory plan: {export['arena_bytes']:,} bytes, the most alive in {export['peak_layer']}"
        yield _rows(title, memory_chart.HEADERS, memory_chart.memory_rows(export["memory"]), left=4)
    yield _layers(export)
    if export.get("quantization"):
        yield _quantization(export["quantization"])
    if results.get("confusion"):
        yield _confusion(results["confusion"])
    if results.get("det"):
        rows = [(rate_text(rate), number(share, "%")) for rate, share in some_of(det_points(results["det"]))]
        yield _rows("DET curve", ("false accepts per hour", "false rejects"), rows, left=0)
        if results["det"].get("chosen"):
            yield Text("\n".join(f"{name}: {value}" for name, value in results["det"]["chosen"].items()))
    if export.get("parts"):
        yield parts_table(export["parts"])
    yield Text("\n".join(["to fit a smaller part:", *(f"  {line}" for line in [*advice(export), *heaviest(export)])]))


def _rows(title: str, headers: Sequence[str], rows: Sequence[Sequence[Any]], *, left: int = 1) -> Table:
    """Cells as text; whole numbers with commas, None as "?"."""
    table = plain_table(title)
    for place, header in enumerate(headers):
        table.add_column(header, justify="left" if place < left else "right", overflow="ellipsis", no_wrap=True)
    for row in rows:
        table.add_row(*(cell if isinstance(cell, str) else number(cell) for cell in row))
    return table


def _limits(export: Record) -> Table:
    figures = (
        Figure(LIMIT_TITLES[name][0], cost, export["limits"].get(name), LIMIT_TITLES[name][1])
        for name, cost in costs_of(export).items()
    )
    around = " with its listener" if export.get("listener") else ""
    return budget_table(figures, f"{export['name']}{around} on {export['device']}")


def _listening(record: Record) -> Group:
    """A second of sound, and the image that listens."""
    cost = record["cost"]
    ram, flash = (f"{name} while listening, {number(cost[key])} bytes" for name, key in _LISTENING_MEMORIES)
    return Group(
        Text(f"a second of sound: {listening_summary(record)}", style="bold"),
        _rows("", ("", "cycles"), list(cost["parts"].items())),
        *([Text(f"verifying a hotword: {verified}", style="bold")] if (verified := verifier_summary(record)) else []),
        "",
        _rows("", (ram, "bytes"), list(ram_parts(record).items())),
        "",
        _rows("", (flash, "bytes"), list(flash_parts(record).items())),
    )


def _epochs(epochs: Sequence[Record]) -> Table:
    """Metrics, then each limited cost with that epoch's limit, of some epochs."""
    metrics, resources = metric_names(epochs), limited(epochs)
    headers = ["epoch", "phase", *metrics]
    headers += [text for name in resources for text in (LIMIT_TITLES[name][0], "limit")]
    rows = []
    for epoch in some_of(epochs):
        row: list[Any] = [str(epoch["epoch"] + 1), epoch.get("phase") or ""]
        row += [f"{epoch['metrics'][name]:.4f}" if name in epoch["metrics"] else "" for name in metrics]
        row += [epoch[key].get(name) for name in resources for key in ("costs", "limits")]
        rows.append(row)
    return _rows("epochs of the fit", headers, rows, left=2)


def _layers(export: Record) -> Table:
    layers = export["layers"]
    whole = sum(layer["cycles"] or 0 for layer in layers)
    rows = [
        (
            layer["name"],
            layer["kind"],
            layer["bytes"],
            layer["macs"],
            layer["cycles"],
            "" if not whole or layer["cycles"] is None else f"{100 * layer['cycles'] / whole:.1f} %",
            layer["arena_live_bytes"],
        )
        for layer in layers
    ]
    return _rows("layers", ("layer", "kind", "flash", "MACs", "cycles", "share", "alive"), rows, left=2)


def _quantization(record: Record) -> RenderableType:
    if not record["tensors"]:
        return Text(f"quantization error: not measured: {record['because']}")
    title = f"quantization error, int8 against float, over {record['inputs']} {record['source']}"
    return _rows(title, quantization_section.HEADERS, quantization_section.quantization_rows(record), left=2)


def _confusion(record: Record) -> Table:
    rows = zip(record["labels"], record["counts"], strict=True)
    shown = [(label, *(str(count or "·") for count in row)) for label, row in rows]
    return _rows("confusion matrix; rows: what it was", ("", *record["labels"]), shown)
