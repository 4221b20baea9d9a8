# SPDX-License-Identifier: Apache-2.0
"""What was heard on the emulated core enters; the tables about a second of sound and the listener's memory leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from shrinkfit.report.columns import plain_table
from shrinkfit.report.listening_section import ram_parts
from shrinkfit.report.table import number

if TYPE_CHECKING:
    from rich.console import RenderableType

    from shrinkfit.audio.heard import Heard, SoundCost

PARTS = ("features", "network", "detector", "rest")


def listening_report(heard: Heard, record: dict[str, Any]) -> Group:
    """A second of sound, then memory, then load and energy.

    Args:
        heard: on the emulated core, with its cost where the core's timings are known.
        record: what report.json says of the listener.
    """
    tables: list[RenderableType] = [] if heard.cost is None else [second_table(heard.cost, record), ""]
    return Group(*tables, memory_table(heard, record), "", _end(heard))


def second_table(cost: SoundCost, record: dict[str, Any]) -> Table:
    """One line per part: what a second of sound takes of it."""
    table = plain_table("a second of sound on an emulated cortex-m4")
    table.add_column("part", footer="all")
    table.add_column("cycles", footer=number(round(cost.cycles)), justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("", style="dim")
    table.show_footer = True
    notes = {
        "features": f"{record['features']['sample_rate_hz'] / record['features']['hop_samples']:g} frames",
        "network": f"{record['runs_per_second']:.4g} runs",
        "rest": "keeping frames, calls",
    }
    for part in PARTS:
        cycles = getattr(cost, part)
        table.add_row(part, number(round(cycles)), f"{100 * cycles / cost.cycles:.1f} %", notes.get(part, ""))
    if cost.verifier is not None:
        table.add_row("verifier", number(round(cost.verifier)), "", "on top, for a hotword that it verifies")
    return table


def memory_table(heard: Heard, record: dict[str, Any]) -> Table:
    """Flash and RAM of the image that listens."""
    assert heard.ram_bytes is not None and heard.stack_bytes is not None, "the emulated core tells both"
    cost, parts = record["cost"], ram_parts(record)
    parts["data"] = heard.ram_bytes - sum(parts.values()) + parts["data"]
    within = heard.stack_bytes <= cost["listen_stack_bytes"]
    bound = f"a call used {number(heard.stack_bytes)}, computed bound {number(cost['listen_stack_bytes'])}"
    rows = [
        ("flash", heard.flash_bytes, f"predicted {number(cost['flash_bytes'])}"),
        ("  tables", cost["table_bytes"], "of features and detector, labels"),
        *([("  verifier", cost["verifier"]["flash_bytes"], "of its network")] if cost.get("verifier") else []),
        ("RAM", heard.ram_bytes, f"predicted {number(cost['ram_bytes'])}"),
        ("  arena", parts["arena"], "of the network, and the features' scratch"),
        ("  features", parts["features"], "the window's samples, estimates"),
        ("  frames", parts["frames"], f"{record['frames']} a run, {record['hop_frames']} of them new"),
        ("  detector", parts["detector"], ""),
        *([("  verifier", parts["verifier"], "the sound that it hears, its arena")] if "verifier" in parts else []),
        ("  data", parts["data"], "the samples' buffer, what the image keeps"),
        ("  stack", cost["stack_bytes"], bound if within else Text(f"{bound}: OVER", "bold red")),
    ]
    table = plain_table("memory of the image that listens")
    table.add_column("")
    table.add_column("bytes", justify="right", no_wrap=True)
    table.add_column("", style="dim")
    for name, size_bytes, note in rows:
        style = "" if name.startswith(" ") else "bold"
        table.add_row(Text(name, style), Text(number(size_bytes), style), note)
    return table


def _end(heard: Heard) -> Text:
    cost = heard.cost
    if cost is None:
        return Text("no cycles or energy: timings are known for cortex-m4 only", style="dim")
    load = "?" if cost.load is None else f"{100 * cost.load:.1f} %"
    energy = "?" if cost.energy_uj is None else f"{number(cost.energy_uj)} µJ"
    lines = [
        f"load {load} of the clock; {energy} a second of sound while the core runs, what it sleeps on comes on top",
        f"current: {cost.energy_source}; cycles counted over {cost.counted_seconds:.1f} s, without flash wait states",
    ]
    return Text("\n".join(lines), style="dim")
