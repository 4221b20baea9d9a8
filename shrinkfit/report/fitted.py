# SPDX-License-Identifier: Apache-2.0
"""A fit's records enter; a table and a plot of what became of each layer leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from shrinkfit.errors import ShrinkfitError
from shrinkfit.report.columns import Column, Columns, plain_table
from shrinkfit.report.page import limited, metric_names
from shrinkfit.report.plots import fit_plot, plot_widths, save
from shrinkfit.report.table import LIMIT_TITLES, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Cost of a layer -> the column's title, and when a narrow terminal does without; the totals' titles are LIMIT_TITLES'.
_COLUMNS = {"flops": ("FLOPs", 0), "flash_bytes": ("flash", 2), "ram_bytes": ("RAM", 1)}


def summary(fit: Any, print_fn: Callable[[str], Any] | None = None) -> None:
    """Print what a fit did to each layer, and its totals against the limits.

    Args:
        fit: a FitDevice that has fitted a model.
        print_fn: gets the whole text once; None for the console.
    Raises:
        ShrinkfitError: nothing was fitted yet, or fit is something else.
    """
    records = _records(fit, "summary")
    if print_fn is None:
        Console(markup=False, emoji=False).print(fit_report(records))
        return
    console = Console(width=140, color_system=None, markup=False, emoji=False)
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
    Raises:
        ShrinkfitError: nothing was fitted yet, or fit is something else.
    """
    return plot_widths(path, *_widths(_records(fit, "plot_fit")))


def _records(fit: Any, asked: str) -> Mapping[str, Any]:
    if not callable(getattr(fit, "records", None)):
        raise ShrinkfitError(
            f"shrinkfit.{asked} takes a FitDevice that has fitted a model, and this is a {type(fit).__name__}; what a "
            "model costs without one, shrinkfit.price(model) says"
        )
    records: Mapping[str, Any] = fit.records()
    return records


def _widths(records: Mapping[str, Any]) -> tuple[dict[str, int], dict[str, int]]:
    """Before and after, of the layers that make channels of their own."""
    layers = [layer for layer in records["layers"] if layer["makes_channels"]]
    before, after = ({one["layer"]: one[when] for one in layers} for when in ("width_before", "width_after"))
    return before, after


def fit_figure(fit: Any, path: str | Path | None = None) -> Figure:
    """The figure of `FitDevice.plot`; arguments and errors are its own."""
    records = fit.records()
    ended = [epoch for epoch in fit.history if "costs" in epoch]
    if not ended:
        raise ShrinkfitError("there is nothing to plot yet: no epoch of this fit has ended")
    shown = limited(ended) or list(ended[-1]["costs"])
    figure = fit_plot(
        [epoch["epoch"] + 1 for epoch in ended],
        {name: [epoch["costs"][name] for epoch in ended] for name in shown},
        {name: [epoch["limits"].get(name) for epoch in ended] for name in shown},
        _metrics(ended),
        *_widths(records),
    )
    if path is not None:
        save(figure, path)
    return figure


def _metrics(epochs: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Accuracies over the epochs; losses where there are none."""
    return {name: [epoch["metrics"].get(name, float("nan")) for epoch in epochs] for name in metric_names(epochs)}


def fit_view(fit: Any) -> Group:
    """What became of each layer, or before the first epoch the limits alone."""
    if fit.history:
        return fit_report(fit.records())
    table = plain_table()
    table.add_column("limit")
    table.add_column("", justify="right")
    for name, limit in fit.budget.limits().items():
        title, unit = LIMIT_TITLES[name]
        table.add_row(title, number(limit, unit))
    return Group(Text(f"FitDevice for {fit.device.name}, {fit.device.title}: not fitted yet"), table)


def fit_report(records: Mapping[str, Any]) -> Group:
    """The table of `summary`.

    Args:
        records: of FitDevice.records().
    """
    heading = f"{records['model']} on {records['device']}, {records['epochs']} epochs"
    parts: list[Any] = [_layers(records["layers"], heading), "", _totals(records)]
    if records.get("listener"):
        parts += ["", _listener(records["listener"])]
    if records["sparsity"]:
        parts += ["", _sparse(records["sparsity"])]
    return Group(*parts)


def _layers(layers: Sequence[Mapping[str, Any]], heading: str) -> Columns:
    gone = [layer["width_before"] - layer["width_after"] for layer in layers]
    costs = (
        Column(header, [_change(layer[f"{name}_before"], layer[f"{name}_after"]) for layer in layers], spare=spare)
        for name, (header, spare) in _COLUMNS.items()
    )
    return Columns(
        (
            Column("layer", [layer["layer"] for layer in layers], justify="left"),
            Column("channels", [_change(layer["width_before"], layer["width_after"]) for layer in layers]),
            Column("gone", [str(n or "") for n in gone], spare=3),
            *costs,
            Column("epochs", [_span(layer["epochs"]) for layer in layers]),
            Column("why", [_why(layer["reason"]) for layer in layers], justify="left", wrap=True),
        ),
        heading,
        "flash: weights and parameters; RAM: arena alive while the layer runs; epochs count from 1",
    )


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


def _listener(added: Mapping[str, float]) -> Text:
    own = " and ".join(f"{_figure(value, 'bytes')} of {LIMIT_TITLES[name][0]}" for name, value in added.items())
    return Text(f"RAM and flash are those of the image that listens; {own} are the listener's", style="dim")


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
