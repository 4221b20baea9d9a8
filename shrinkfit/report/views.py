# SPDX-License-Identifier: Apache-2.0
"""A record of another room enters, what rich and notebooks show of it leaves: see `_shown`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from shrinkfit.device import Budget
from shrinkfit.report.columns import Columns, plain_table
from shrinkfit.report.table import budget_table, limit_figures, number, parts_table, priced, yes_no

if TYPE_CHECKING:
    from rich.table import Table

    from shrinkfit.device import Device
    from shrinkfit.price.cost import Cost
    from shrinkfit.price.parts import PartCost, PartCosts
    from shrinkfit.write.export import ExportReport

# A Device's figures, and what they are counted in.
_FIGURES = {
    "clock_hz": "Hz",
    "flash_bytes": "bytes",
    "ram_bytes": "bytes",
    "ram_total_bytes": "bytes",
    "active_ua_per_mhz": "µA/MHz",
    "flops_per_second": "FLOP/s",
    "supply_volts": "V",
}


def device_view(device: Device) -> Table:
    """One part: its figures, and where each was read."""
    table = plain_table(f"{device.name}: {device.title}", device.notes)
    table.add_column("", no_wrap=True)
    table.add_column("", no_wrap=True, justify="right")
    table.add_column("read in", style="dim")
    table.add_row("core", device.core, device.sources.get("core", ""))
    for name in ("dsp", "fpu"):
        table.add_row(name, yes_no(getattr(device, name)), device.sources.get(name, ""))
    for name, unit in _FIGURES.items():
        if getattr(device, name) is not None or name != "supply_volts":
            table.add_row(name, number(getattr(device, name), unit), device.sources.get(name, ""))
    return table


def cost_view(cost: Cost) -> Group:
    """What a model costs, whatever the limits are."""
    return priced(cost, Budget(), f"on {cost.device}")


def part_view(part: PartCost) -> Group:
    """What a model costs on a part, against the part's limits."""
    return priced(part.cost, part.device.budget(), f"on {part.device.name}, {part.device.title}")


def parts_view(parts: PartCosts) -> Columns:
    """Which parts a model fits."""
    return parts_table(part.as_dict() for part in parts)


def export_view(report: ExportReport) -> Group:
    """What was written, and its costs against the limits."""
    figures = limit_figures(report.cost, report.limits)
    more = [report.streaming, *report.cost.stripes, *report.more]
    lines = [Text(str(line)) for line in more if line is not None]
    return Group(budget_table(figures, f"{report.name} for {report.device}: {report.folder}"), *lines)


def said(record: Any) -> Text:
    """What print shows."""
    return Text(str(record))
