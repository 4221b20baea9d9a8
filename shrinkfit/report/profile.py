# SPDX-License-Identifier: Apache-2.0
"""A profile enters; the tables of `shrinkfit profile` and its plot leave."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from shrinkfit.report.columns import Column, Columns, plain_table, shortened
from shrinkfit.report.plots import BLUE, GREY, ORANGE, draw
from shrinkfit.report.table import number

if TYPE_CHECKING:
    from shrinkfit.check.profile import ProfileResult

SHOWN_FUNCTIONS = 20
# Where the plot cuts names, from the front.
DRAWN_LAYER = 28


def profile_report(result: ProfileResult) -> Group:
    """Layers, functions, memory, then time and energy."""
    return Group(
        layers_table(result),
        "",
        functions_table(result),
        "",
        memory_table(result),
        "",
        _end(result),
    )


def _per(value: int | None, macs: int) -> str:
    return "" if value is None or not macs else f"{value / macs:.2f}"


def _share(value: int | None, whole: int | None) -> str:
    return "" if value is None or not whole else f"{100 * value / whole:.1f} %"


def layers_table(result: ProfileResult) -> Columns:
    """One line per layer: what it took, and its share of the inference."""
    layers = result.layers
    columns = [
        Column("layer", [layer.name for layer in layers], footer="all", justify="left"),
        Column("kind", [layer.kind for layer in layers], justify="left", spare=1),
        Column("MACs", [number(layer.macs) for layer in layers], footer=number(result.macs)),
        Column("instr.", [number(layer.instructions) for layer in layers], footer=number(result.instructions)),
    ]
    if result.cycles is not None:
        per_mac = [_per(layer.cycles, layer.macs) for layer in layers]
        columns += [
            Column("cycles", [number(layer.cycles) for layer in layers], footer=number(result.cycles)),
            Column("per MAC", per_mac, footer=_per(result.cycles, result.macs)),
            Column("share", [_share(layer.cycles, result.cycles) for layer in layers]),
        ]
    return Columns(tuple(columns), f"{result.name}, one inference on an emulated {result.core}")


def functions_table(result: ProfileResult) -> Columns:
    """What lies in flash, by function, and what each took itself."""
    shown, rest = result.functions[:SHOWN_FUNCTIONS], result.functions[SHOWN_FUNCTIONS:]
    more = [f"{len(rest)} more"] if rest else []

    def figures(name: str) -> list[str]:
        sums = [sum(getattr(one, name) for one in rest)] if rest else []
        return [number(n) for n in (*(getattr(one, name) for one in shown), *sums)]

    columns = [
        Column("function", [*(one.name for one in shown), *more], footer="all", justify="left"),
        Column("flash", figures("flash_bytes"), footer=number(result.flash_bytes)),
        Column("instructions", figures("instructions"), footer=number(result.instructions), spare=2),
    ]
    if result.cycles is not None:
        shares = [*(_share(one.cycles, result.cycles) for one in shown), *([""] if rest else [])]
        columns += [
            Column("cycles", figures("cycles"), footer=number(result.cycles)),
            Column("share", shares, spare=1),
        ]
    return Columns(tuple(columns), "flash by function, with its own share of the inference")


def _parts(result: ProfileResult) -> dict[str, dict[str, int]]:
    """Memory -> what lies in it -> bytes."""
    ran = result.code_run_bytes
    return {
        "flash": {"parameters": result.parameter_bytes, "code that ran": ran, "other code": result.code_bytes - ran},
        "RAM": {"arena": result.arena_bytes, "data": result.static_bytes, "stack": result.reserved_stack_bytes},
    }


def memory_table(result: ProfileResult) -> Table:
    """Flash and RAM by use, the linked sections, the stack beside its bound."""
    table = plain_table(
        "memory", caption=f"sections: {', '.join(f'{n} {number(b)}' for n, b in result.sections.items())}"
    )
    table.add_column("")
    table.add_column("bytes", justify="right", no_wrap=True)
    table.add_column("", style="dim")
    notes = {
        "other code": "start-up, main, paths not taken",
        "data": ".data and .bss besides the arena",
        "stack": f"the run used {number(result.stack_bytes)}, computed bound {number(result.stack_bound_bytes)}",
    }
    for (memory, parts), whole in zip(_parts(result).items(), (result.flash_bytes, result.ram_bytes), strict=True):
        table.add_row(Text(memory, "bold"), Text(number(whole), "bold"), "")
        for name, size_bytes in parts.items():
            over = Text(notes[name] + ": OVER", "bold red") if name == "stack" and not result.held else None
            table.add_row(f"  {name}", number(size_bytes), over or notes.get(name, ""))
    return table


def _end(result: ProfileResult) -> Text:
    if result.cycles is None:
        return Text(f"{result.core}: no cycles, time or energy: timings are known for cortex-m4 only", style="dim")
    clock = "?" if result.clock_hz is None else f"{result.clock_hz / 1e6:g} MHz"
    lines = [f"on {result.device} at {clock}: {number(result.latency_ms, 'ms')}, {number(result.energy_uj, 'µJ')}"]
    if result.runs > 1:
        lines.append(f"the slowest of {result.runs} inputs; the fastest took {number(result.fewest_cycles)} cycles")
    return Text("\n".join([*lines, "cycles without flash wait states"]), style="dim")


def plot_profile(path: str | Path, result: ProfileResult) -> Path:
    """Cycles per layer as bars, above what flash and RAM are made of.

    Args:
        path: PNG to write.
        result: what profile measured; instructions are drawn where it has no cycles.
    Returns:
        path.
    """
    rows = len(result.layers)
    heights = (0.8 + 0.3 * rows, 1.9)

    def fill(figure: Any) -> None:
        above, below = figure.subplots(2, 1, height_ratios=heights)
        _layer_bars(above, result)
        _memory_bars(below, result)

    return draw(path, (8.0, sum(heights)), fill)


def _layer_bars(axes: Any, result: ProfileResult) -> None:
    unit, whole = ("instructions", result.instructions) if result.cycles is None else ("cycles", result.cycles)
    values = [getattr(layer, unit) for layer in result.layers]
    axes.barh(range(len(values)), values, height=0.7, color=BLUE)
    for row, (layer, value) in enumerate(zip(result.layers, values, strict=True)):
        per = f"  ({value / layer.macs:.2f} per MAC)" if layer.macs else ""
        axes.text(value, row, f"  {value:,}{per}", va="center", fontsize=9)
    axes.set_yticks(
        range(len(values)), [shortened(layer.name, DRAWN_LAYER) for layer in result.layers], color="#222222"
    )
    axes.invert_yaxis()
    axes.set_xlim(0, 1.42 * max(values, default=1))
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    time = ""
    if result.latency_ms is not None and result.clock_hz is not None:
        time = f", {result.latency_ms:.1f} ms at {result.clock_hz / 1e6:g} MHz"
    axes.set_title(f"{result.name}: {whole:,} {unit}{time}")


def _memory_bars(axes: Any, result: ProfileResult) -> None:
    """Each bar is its memory's whole: what lies in it is told apart by colour and by its label below."""
    wholes = (result.flash_bytes, result.ram_bytes)
    for row, ((_, parts), whole) in enumerate(zip(_parts(result).items(), wholes, strict=True)):
        left, legend = 0.0, []
        for (name, value), colour in zip(parts.items(), (BLUE, ORANGE, GREY), strict=True):
            axes.barh(row, value / whole, left=left, height=0.34, color=colour)
            left += value / whole
            legend.append((f"{name} {value:,}", colour))
        for place, (text, colour) in zip((0.0, 0.36, 0.72), legend, strict=True):
            axes.plot(place + 0.006, row + 0.36, marker="s", color=colour, markersize=5, clip_on=False)
            axes.text(place + 0.02, row + 0.36, text, va="center", fontsize=9)
    labels = [f"{name}\n{whole:,} B" for name, whole in zip(("Flash", "RAM"), wholes, strict=True)]
    axes.set_yticks((0, 1), labels, color="#222222")
    axes.set_ylim(1.6, -0.4)
    axes.set_xlim(0, 1)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    stack = f"stack used {result.stack_bytes:,} of at most {result.stack_bound_bytes:,} computed"
    axes.set_title(f"Memory ({stack})")
