# SPDX-License-Identifier: Apache-2.0
"""Frozen records enter, rich renderables leave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from shrinkfit.report.columns import Column, Columns, plain_table

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


def _verdict(figure: Figure) -> Text:
    if figure.held is None:
        return Text("no limit" if figure.limit is None else "not known", style="dim")
    return Text("held", style="green") if figure.held else Text("over" if not figure.at_least else "below", "bold red")


def _share(figure: Figure) -> str:
    if figure.value is None or figure.limit is None or figure.unit == "%":
        return ""
    return f"{100 * figure.value / figure.limit:.1f} %"


def limit_figures(cost: Any, limits: Mapping[str, float]) -> tuple[Figure, ...]:
    """One Figure per kind of limit, from any record that has a field for each; limits as `Budget.limits` gives them."""
    return tuple(
        Figure(title, getattr(cost, name), limits.get(name), unit) for name, (title, unit) in LIMIT_TITLES.items()
    )


def costs_of(export: Mapping[str, Any]) -> dict[str, float]:
    """Resource -> cost that a limit is held against, of those that are known, in the order of their titles.

    Args:
        export: content of report.json; where it has a listener, RAM and flash are those of the image that listens.
    """
    listening = (export.get("listener") or {}).get("cost", {})
    found = {name: export.get(name) for name in LIMIT_TITLES}
    found |= {name: listening[name] for name in ("ram_bytes", "flash_bytes") if name in listening}
    return {name: cost for name, cost in found.items() if cost is not None}


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


def yes_no(flag: bool | None) -> str:
    """None as "?"."""
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
        yes_no(device.dsp),
        yes_no(device.fpu),
        _scaled(device.clock_hz, 1e6),
        _scaled(device.flash_bytes, 1024),
        ram,
        _scaled(device.active_ua_per_mhz, 1),
        _scaled(device.flops_per_second, 1e6),
    )


def device_table(devices: Iterable[Device]) -> Columns:
    """What each part holds; unknown figures are "?"."""
    headers = ("device", "part", "core", "DSP", "FPU", "MHz", "flash KB", "RAM KB", "µA/MHz", "MFLOP/s")
    left, spare = headers[:5], {"part": 1, "µA/MHz": 2, "DSP": 3, "FPU": 4}
    cells = zip(*map(device_row, devices), strict=True)
    columns = [
        Column(header, own, justify="left" if header in left else "right", spare=spare.get(header, 0))
        for header, own in zip(headers, cells, strict=True)
    ]
    caption = f"{UNKNOWN}: not known.  RAM: the largest contiguous part, of all where that is more."
    return Columns((replace(columns[0], style="bold"), *columns[1:]), caption=caption)


def _shape(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape[1:])) or "1"


def layer_table(cost: Cost) -> Columns:
    """One line per layer, with the totals below and the arena's peak marked."""
    layers = cost.layers
    figures: dict[str, tuple[Sequence[int | None], int | None]] = {
        "weights": ([layer.weights for layer in layers], sum(layer.weights for layer in layers)),
        "bytes": ([layer.bytes for layer in layers], sum(layer.bytes for layer in layers)),
        "MACs": ([layer.macs for layer in layers], cost.macs),
        "FLOPs": ([layer.flops for layer in layers], cost.flops),
        "cycles": ([layer.cycles for layer in layers], cost.cycles),
        "arena": ([layer.arena_live_bytes for layer in layers], cost.arena_bytes),
    }
    spare = {"FLOPs": 1, "output": 2, "kind": 3, "weights": 4, "bytes": 5}
    return Columns(
        (
            Column("layer", [layer.name for layer in layers], footer="all", justify="left"),
            Column("kind", [layer.kind for layer in layers], justify="left", spare=spare["kind"]),
            Column("output", [_shape(layer.output_shape) for layer in layers], justify="left", spare=spare["output"]),
            *(
                Column(header, [number(n) for n in own], footer=number(total), spare=spare.get(header, 0))
                for header, (own, total) in figures.items()
            ),
            Column("", ["◂ peak" if layer.name == cost.peak_layer else "" for layer in layers], style="bold yellow"),
        ),
        caption="weights: kernel elements and biases; bytes: their flash; arena: activations and scratch alive; "
        "cycles: by the cycle model",
    )


def price_report(cost: Cost, device: Device, budget: Budget) -> Group:
    """Layers, then every cost beside the device's limit, then what the RAM and flash are made of."""
    return priced(cost, budget, f"on {device.name}, {device.title}")


def priced(cost: Cost, budget: Budget, title: str) -> Group:
    """The same for any limits.

    Args:
        title: above the table of costs.
    """
    static = cost.ram_bytes - cost.arena_bytes - cost.sound_bytes - cost.stack_bytes
    sound = f" + sound {number(cost.sound_bytes)}" if cost.sound_bytes else ""
    made_of = Text(
        f"RAM: arena {number(cost.arena_bytes)}{sound} + stack {number(cost.stack_bytes)}"
        f" + static data {number(static)} bytes\n"
        f"flash: weights {number(cost.weight_bytes)} + code and start-up {number(cost.code_bytes)} bytes\n"
        f"cycles: {cost.cycles_source}" + "".join(f"\nstripes: {striping}" for striping in cost.stripes),
        style="dim",
    )
    return Group(layer_table(cost), "", budget_table(limit_figures(cost, budget.limits()), title), "", made_of)


def parts_table(parts: Iterable[Mapping[str, Any]]) -> Columns:
    """Which parts a model fits.

    Args:
        parts: of PartCost.as_dict().
    """
    parts = list(parts)
    figures = {
        ("RAM", 0): ("costs", "ram_bytes"),
        ("of", 3): ("limits", "ram_bytes"),
        ("flash", 0): ("costs", "flash_bytes"),
        ("of", 2): ("limits", "flash_bytes"),
        ("ms", 0): ("costs", "latency_ms"),
        ("µJ", 1): ("costs", "energy_uj"),
    }
    return Columns(
        (
            Column("part", [part["device"] for part in parts], justify="left", style="bold"),
            *(
                Column(header, [number(part[kind].get(name)) for part in parts], spare=spare)
                for (header, spare), (kind, name) in figures.items()
            ),
            Column("", [_fits(part["over"]) for part in parts], justify="left", wrap=True),
        ),
        caption=f"{UNKNOWN}: not known; limits are those of the whole part",
    )


def _fits(over: Sequence[str]) -> Text:
    names = ", ".join(LIMIT_TITLES[name][0] for name in over)
    return Text(f"over: {names}", "bold red") if names else Text("fits", "green")
