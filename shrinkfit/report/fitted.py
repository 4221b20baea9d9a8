# SPDX-License-Identifier: Apache-2.0
"""A fit's records enter; a table and a plot of what became of each layer leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from shrinkfit.report.plots import plot_widths
from shrinkfit.report.table import LIMIT_TITLES, number, plain_table

# Terminals of less columns get fewer of the table's.
_WIDE = 120
# Cost of a layer -> the column's title; the totals' titles are LIMIT_TITLES'.
_COLUMNS = {"flops": "FLOPs", "flash_bytes": "flash", "ram_bytes": "RAM"}


def summary(fit: Any, print_fn: Callable[[str], Any] | None = None) -> None:
    """Print what a fit did to each layer, and its totals against the limits.

    Args:
        fit: a FitDevice that has fitted a model.
        print_fn: gets the whole text once; None for the console.
    Raises:
        ShrinkfitError: nothing was fitted yet.
    """
    records = fit.records()
    if print_fn is None:
        console = Console()
        console.print(fit_report(records, wide=console.width >= _WIDE))
        return
    console = Console(width=140, color_system=None)
    with console.capture() as capture:
        console.print(fit_report(records))
    print_fn("\n".join(line.rstrip() for line in capture.get().splitlines()))


def plot_fit(fit: Any, path: str | Path) -> Path:
    """Draw the widths before and after of the layers that compute, as a PNG.

    Args:
        fit: a FitDevice that has fitted a model.
        path: PNG to write.
    Returns:
        path.
    """
    layers = [layer for layer in fit.records()["layers"] if layer["makes_channels"]]
    widths = ({layer["layer"]: layer[when] for layer in layers} for when in ("width_before", "width_after"))
    return plot_widths(path, *widths)


def fit_report(records: Mapping[str, Any], *, wide: bool = True) -> Group:
    """The table of `summary`.

    Args:
        records: of FitDevice.records().
        wide: with every cost of each layer, or with its FLOPs only, for 80 columns.
    """
    heading = f"{records['model']} on {records['device']}, {records['epochs']} epochs"
    parts: list[Any] = [_layers(records["layers"], heading, wide), "", _totals(records)]
    if records["sparsity"]:
        parts += ["", _sparse(records["sparsity"])]
    return Group(*parts)


def _layers(layers: Sequence[Mapping[str, Any]], heading: str, wide: bool) -> Table:
    caption = "flash: weights and parameters; RAM: arena alive while the layer runs; epochs count from 1"
    columns = _COLUMNS if wide else {"flops": _COLUMNS["flops"]}
    table = plain_table(heading, caption if wide else "epochs count from 1")
    table.add_column("layer", overflow="ellipsis", no_wrap=True)
    for header in ("channels", *(("gone",) if wide else ()), *columns.values(), "epochs"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("why", ratio=1)
    for layer in layers:
        gone = layer["width_before"] - layer["width_after"]
        costs = (_change(layer[f"{name}_before"], layer[f"{name}_after"]) for name in columns)
        widths = _change(layer["width_before"], layer["width_after"])
        cells = [layer["layer"], widths, *([str(gone or "")] if wide else []), *costs]
        table.add_row(*cells, _span(layer["epochs"]), _why(layer["reason"]))
    return table


def _totals(records: Mapping[str, Any]) -> Table:
    table = plain_table()
    table.add_column("")
    for header in ("before", "after", "saved", "limit", "used"):
        table.add_column(header, justify="right", no_wrap=True)
    for name, after in records["after"].items():
        before, limit = records["before"][name], records["limits"].get(name)
        title, unit = LIMIT_TITLES.get(name, (name, ""))
        saved = f"{100 * (1 - after / before):.1f} %" if before else ""
        used = Text("no limit", style="dim")
        if limit is not None:
            used = Text(f"{100 * after / limit:.1f} %", style="green" if after <= limit else "bold red")
        bound = "" if limit is None else _figure(limit, unit)
        table.add_row(title, _figure(before, unit), _figure(after, unit), saved, bound, used)
    return table


def _sparse(sparsity: Mapping[str, Mapping[str, float]]) -> Text:
    zero, blocks = (sum(layer[key] for layer in sparsity.values()) for key in ("zero", "blocks"))
    return Text(
        f"zero blocks of 4 input channels: {number(zero)} of {number(blocks)} in {len(sparsity)} layers; "
        "the device skips them in dense and 1x1 layers where that is faster",
        style="dim",
    )


def _figure(value: float, unit: str) -> str:
    """As `number`, but with three digits of what is small, such as milliseconds."""
    return number(value, unit) if value >= 100 or float(value).is_integer() else f"{value:.3g} {unit}".rstrip()


def _change(before: float, after: float) -> str:
    return number(before) if before == after else f"{number(before)} → {number(after)}"


def _span(epochs: Sequence[int] | None) -> str:
    if epochs is None:
        return ""
    first, last = (epoch + 1 for epoch in epochs)
    return str(first) if first == last else f"{first}–{last}"


def _why(reason: str) -> str:
    for name, (title, _) in LIMIT_TITLES.items():
        reason = reason.replace(name, title)
    return reason
