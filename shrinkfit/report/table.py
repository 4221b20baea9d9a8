# SPDX-License-Identifier: Apache-2.0
"""Frozen records enter, rich renderables leave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from shrinkfit.device import Budget, Device
    from shrinkfit.price.cost import Cost

UNKNOWN = "?"
LIMIT_TITLES = {
    "ram_bytes": ("RAM", "bytes"),
    "flash_bytes": ("flash", "bytes"),
    "flops": ("FLOPs", ""),
    "latency_ms": ("latency", "ms"),
    "energy_uj": ("energy", "µJ"),
}


@dataclass(frozen=True)
class Figure:
    """One line of a budget table.

    Args:
        name: what was measured.
        value: the figure; None where it is not known.
        limit: what it may be at most, or at least where at_least says so; None where there is no limit.
        unit: written after the value: "bytes", "%"; a share such as an accuracy comes as 0..1 with "%".
        at_least: the limit is a floor.
    """

    name: str
    value: float | None
    limit: float | None = None
    unit: str = ""
    at_least: bool = False

    @property
    def held(self) -> bool | None:
        """Whether the limit holds; None where there is none or the value is unknown."""
        if self.value is None or self.limit is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def number(value: float | None, unit: str = "") -> str:
    """1234567 as "1,234,567"; 0.934 with unit "%" as "93.4 %"; None as "?"."""
    if value is None:
        return UNKNOWN
    if unit == "%":
        return f"{100 * value:.1f} %"
    text = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    return f"{text} {unit}".rstrip()


def plain_table(title: str = "", caption: str = "") -> Table:
    """An empty table in the house's look."""
    return Table(
        title=title or None,
        caption=caption or None,
        box=SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
        title_style="bold",
        header_style="bold",
        pad_edge=False,
        show_edge=False,
    )


def _verdict(figure: Figure) -> Text:
    if figure.held is None:
        return Text("no limit" if figure.limit is None else "not known", style="dim")
    return Text("held", style="green") if figure.held else Text("over" if not figure.at_least else "below", "bold red")


def _share(figure: Figure) -> str:
    if figure.value is None or figure.limit is None or figure.unit == "%":
        return ""
    return f"{100 * figure.value / figure.limit:.1f} %"


def limit_figures(cost: Any, budget: Budget) -> tuple[Figure, ...]:
    """One Figure per kind of limit, from any record that has a field for each."""
    return tuple(
        Figure(title, getattr(cost, name), getattr(budget, name), unit) for name, (title, unit) in LIMIT_TITLES.items()
    )


def budget_table(figures: Iterable[Figure], title: str = "") -> Table:
    """Each figure beside its limit: what `shrinkfit price` and the examples end with."""
    table = plain_table(title)
    table.add_column("")
    for header in ("needs", "limit", "used"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("")
    for figure in figures:
        limit = "" if figure.limit is None else number(figure.limit, figure.unit)
        floor = "at least " if figure.at_least and limit else ""
        table.add_row(figure.name, number(figure.value, figure.unit), floor + limit, _share(figure), _verdict(figure))
    return table


def _yes_no(flag: bool | None) -> str:
    return UNKNOWN if flag is None else ("yes" if flag else "no")


def _scaled(value: float | None, unit: float) -> str:
    return UNKNOWN if value is None else f"{value / unit:,.4g}"


def device_row(device: Device) -> tuple[str, ...]:
    """A device as the cells of device_table."""
    ram = _scaled(device.ram_bytes, 1024)
    if device.ram_total_bytes != device.ram_bytes:
        ram += f" of {_scaled(device.ram_total_bytes, 1024)}"
    return (
        device.name,
        device.title,
        device.core.removeprefix("cortex-").replace("plus", "+").upper(),
        _yes_no(device.dsp),
        _yes_no(device.fpu),
        _scaled(device.clock_hz, 1e6),
        _scaled(device.flash_bytes, 1024),
        ram,
        _scaled(device.active_ua_per_mhz, 1),
        _scaled(device.flops_per_second, 1e6),
    )


def device_table(devices: Iterable[Device], *, titles: bool = True) -> Table:
    """What each part holds; unknown figures are "?". titles: with the maker's part numbers, for wide terminals."""
    caption = f"{UNKNOWN}: not known.  RAM: the largest contiguous part, of all where that is more."
    table = plain_table(caption=caption)
    left = ("device", "part", "core", "DSP", "FPU")
    for header in (*left, "MHz", "flash KB", "RAM KB", "µA/MHz", "MFLOP/s"):
        if titles or header != "part":
            table.add_column(header, justify="left" if header in left else "right", no_wrap=True)
    table.columns[0].style = "bold"
    for device in devices:
        name, title, *rest = device_row(device)
        table.add_row(name, *([title] if titles else []), *rest)
    return table


def _shape(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape[1:])) or "1"


def layer_table(cost: Cost) -> Table:
    """One line per layer, with the totals below and the arena's peak marked."""
    table = plain_table(
        caption="weights: kernel elements and biases; bytes: their flash; arena: activations and scratch alive; "
        "cycles: by the cycle model"
    )
    table.add_column("layer", footer="all", overflow="ellipsis", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    table.add_column("output", no_wrap=True)
    totals = {
        "weights": sum(layer.weights for layer in cost.layers),
        "bytes": sum(layer.bytes for layer in cost.layers),
        "MACs": cost.macs,
        "FLOPs": cost.flops,
        "cycles": cost.cycles,
        "arena": cost.arena_bytes,
    }
    for header, total in totals.items():
        table.add_column(header, footer=number(total), justify="right", no_wrap=True)
    table.add_column("", style="bold yellow", no_wrap=True)
    table.show_footer = True
    for layer in cost.layers:
        figures = (layer.weights, layer.bytes, layer.macs, layer.flops, layer.cycles, layer.arena_live_bytes)
        peak = "◂ peak" if layer.name == cost.peak_layer else ""
        table.add_row(layer.name, layer.kind, _shape(layer.output_shape), *map(number, figures), peak)
    return table


def price_report(cost: Cost, device: Device, budget: Budget) -> Group:
    """Layers, then every cost beside the device's limit, then what the RAM and flash are made of."""
    return Group(
        layer_table(cost),
        "",
        budget_table(limit_figures(cost, budget), f"on {device.name}, {device.title}"),
        "",
        Text(
            f"RAM: arena {number(cost.arena_bytes)} + stack {number(cost.stack_bytes)}"
            f" + static data {number(cost.ram_bytes - cost.arena_bytes - cost.stack_bytes)} bytes\n"
            f"flash: weights {number(cost.weight_bytes)} + code and start-up {number(cost.code_bytes)} bytes\n"
            f"cycles: {cost.cycles_source}" + "".join(f"\nstripes: {striping}" for striping in cost.stripes),
            style="dim",
        ),
    )


def parts_table(parts: Iterable[Mapping[str, Any]]) -> Table:
    """Which parts a model fits.

    Args:
        parts: of PartCost.as_dict().
    """
    table = plain_table(caption=f"{UNKNOWN}: not known; limits are those of the whole part")
    table.add_column("part", style="bold", no_wrap=True)
    for header in ("RAM", "of", "flash", "of", "ms", "µJ"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("")
    for part in parts:
        costs, limits = part["costs"], part["limits"]
        sizes = (number(where.get(name)) for name in ("ram_bytes", "flash_bytes") for where in (costs, limits))
        over = ", ".join(LIMIT_TITLES[name][0] for name in part["over"])
        verdict = Text(f"over: {over}", "bold red") if over else Text("fits", "green")
        table.add_row(part["device"], *sizes, *(number(costs.get(n)) for n in ("latency_ms", "energy_uj")), verdict)
    return table
