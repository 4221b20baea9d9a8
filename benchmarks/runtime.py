# SPDX-License-Identifier: Apache-2.0
"""The runtime on the four MLPerf Tiny models: cycles, flash and RAM, beside the limits and what others need.

    python benchmarks/runtime.py ../shared/models/mlperf_tiny            # the table
    python benchmarks/runtime.py DIR --layers --models KWS VWW           # layer by layer
    python benchmarks/runtime.py DIR --check                             # exit status 1 where a limit is missed
    python benchmarks/runtime.py DIR --markdown                          # as README shows it
    python benchmarks/runtime.py DIR --readme README.md                  # writes it there, between its two marks

Each model is exported for the EFM32 in every variant, linked, and one inference counted on an emulated Cortex-M4.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import shrinkfit
from shrinkfit.check.profile import ProfileResult
from shrinkfit.report.profile import layers_table

DEVICE = "efm32"
README_MARKS = ("<!-- runtime.py: begin -->\n", "<!-- runtime.py: end -->\n")
MODELS = {
    "KWS": "kws_ref_model_int8",
    "IC": "ic_pretrainedResnet_int8",
    "VWW": "vww_96_int8",
    "AD": "ad01_int8",
}
# What each variant hands to export besides the device.
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "speed": {"optimize": "speed"},
    "size": {"optimize": "size"},
}
# Figure -> (how the tables call it, its unit, what a unit is). KB are 1000 bytes, as in the figures of the others.
FIGURES = {
    "cycles": ("cycles", "M", 1e6),
    "flash_bytes": ("flash in all", "KB", 1e3),
    "ram_bytes": ("RAM in all", "KB", 1e3),
    "code_bytes": ("code without parameters", "KB", 1e3),
}


@dataclass(frozen=True)
class Row:
    """One figure for each of the models, in the unit of FIGURES."""

    variant: str
    figure: str
    values: tuple[float | None, ...]


# What each may be at most.
LIMITS = (
    Row("default", "cycles", (4.2, 16.0, 8.5, 0.42)),
    Row("speed", "cycles", (3.7, 14.5, 8.0, 0.40)),
    Row("default", "flash_bytes", (40, 96, 60, 280)),
    Row("default", "ram_bytes", (11, 40, 42, 1.6)),
    Row("size", "code_bytes", (5, 5, 5, 3)),
)
# Measured in the same way: emulated Cortex-M4, -O2, the same timings. RAM is arena + data + stack.
INTERPRETER, BY_HAND, PUBLISHED = "interpreter with CMSIS-NN", "CMSIS-NN by hand", "best published on an M4, about"
OTHERS = (
    Row(INTERPRETER, "cycles", (9.08, 36.36, 28.76, 0.720)),
    Row(PUBLISHED, "cycles", (4.5, 17.2, 9.4, 0.37)),
    Row(INTERPRETER, "flash_bytes", (107.372, 149.704, 386.756, 305.060)),
    Row(BY_HAND, "flash_bytes", (47.960, 101.680, 267.676, 277.456)),
    Row(INTERPRETER, "ram_bytes", (24.312, 56.488, 102.200, 3.504)),
    Row(BY_HAND, "ram_bytes", (16.844, 52.172, 66.220, 1.100)),
    Row(INTERPRETER, "code_bytes", (53.436, 51.208, 53.468, 28.084)),
)


@dataclass(frozen=True)
class Measured:
    """Profiles by (variant, model), and how quick they were counted."""

    profiles: dict[tuple[str, str], ProfileResult]
    models: tuple[str, ...]
    seconds: float = field(compare=False)

    def rows(self) -> Iterator[Row]:
        """Every figure of every variant, in the unit of FIGURES."""
        for figure, (_, _, unit) in FIGURES.items():
            for variant in VARIANTS:
                found = (self.profiles[variant, model] for model in self.models)
                yield Row(variant, figure, tuple(getattr(one, figure) / unit for one in found))

    def among(self, rows: tuple[Row, ...]) -> Iterator[Row]:
        """The columns of the models that were measured."""
        for row in rows:
            by_model = dict(zip(MODELS, row.values, strict=True))
            yield Row(row.variant, row.figure, tuple(by_model[model] for model in self.models))

    def limit(self, row: Row) -> tuple[float | None, ...]:
        found = [one.values for one in self.among(LIMITS) if (one.variant, one.figure) == (row.variant, row.figure)]
        return found[0] if found else (None,) * len(self.models)

    def missed(self) -> list[str]:
        """One line per limit that does not hold."""
        lines = []
        for row in self.rows():
            name, unit, _ = FIGURES[row.figure]
            for model, value, limit in zip(self.models, row.values, self.limit(row), strict=True):
                if limit is not None and value > limit:
                    lines.append(f"{model}, {row.variant}: {name} {value:,.3f} {unit}, at most {limit:g}")
        return lines


def measure(folder: Path, models: list[str]) -> Measured:
    profiles, seconds = {}, 0.0
    for model in models:
        for variant, options in VARIANTS.items():
            with tempfile.TemporaryDirectory() as place:
                target = Path(place) / "fw"
                shrinkfit.export(folder / f"{MODELS[model]}.tflite", target, name="net", device=DEVICE, **options)
                start = time.process_time()
                profiles[variant, model] = shrinkfit.profile(target)
                seconds += time.process_time() - start
    return Measured(profiles, tuple(models), seconds)


def text(value: float | None) -> str:
    return "" if value is None else f"{value:,.3f}" if value < 2 else f"{value:,.2f}"


def tables(measured: Measured) -> Table:
    """Measured, the limits below, then what others need."""
    table = Table("", "", *measured.models, title=f"on {DEVICE}, one inference", title_justify="left")
    for figure, (name, unit, _) in FIGURES.items():
        table.add_section()
        title = f"{name}, {unit}"
        for row in (row for row in measured.rows() if row.figure == figure):
            limits = measured.limit(row)
            cells = [_cell(value, limit) for value, limit in zip(row.values, limits, strict=True)]
            table.add_row(title, row.variant, *cells)
            title = ""
            if any(limit is not None for limit in limits):
                table.add_row("", "at most", *map(text, limits), style="dim")
        for row in measured.among(OTHERS):
            if row.figure == figure:
                table.add_row("", row.variant, *map(text, row.values), style="dim")
    return table


def _cell(value: float, limit: float | None) -> str:
    colour = "" if limit is None else "green" if value <= limit else "bold red"
    return f"[{colour}]{text(value)}[/]" if colour else text(value)


def markdown(measured: Measured) -> str:
    """README's table: ours in bold, then the others'."""
    lines = ["| | | " + " | ".join(measured.models) + " |", "|---|---|" + "---|" * len(measured.models)]
    for figure, (name, unit, _) in FIGURES.items():
        title = f"{name}, {unit}"
        for row in (row for row in measured.rows() if row.figure == figure):
            label = "shrinkfit" if row.variant == "default" else f'shrinkfit, `optimize="{row.variant}"`'
            lines.append(f"| {title} | {label} | " + " | ".join(f"**{text(v)}**" for v in row.values) + " |")
            title = ""
        for row in measured.among(OTHERS):
            if row.figure == figure:
                lines.append(f"| | {row.variant} | " + " | ".join(map(text, row.values)) + " |")
    return "\n".join(lines)


def write_readme(path: Path, table: str) -> None:
    """Replaces what stands between the marks."""
    begin, end = README_MARKS
    before, found, rest = path.read_text(encoding="utf-8").partition(begin)
    _, found_too, after = rest.partition(end)
    if not found or not found_too:
        raise SystemExit(f"{path} has no lines {begin.strip()} and {end.strip()}")
    path.write_text(f"{before}{begin}{table}\n{end}{after}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the .tflite files are")
    parser.add_argument(
        "--models", nargs="+", choices=MODELS, default=list(MODELS), metavar="NAME", help="of %(choices)s"
    )
    parser.add_argument("--layers", action="store_true", help="layer by layer too")
    parser.add_argument("--markdown", action="store_true", help="as README shows it")
    parser.add_argument("--readme", type=Path, metavar="FILE", help="put it into this file too")
    parser.add_argument("--check", action="store_true", help="exit status 1 where a limit is missed")
    args = parser.parse_args()
    measured, console = measure(args.folder, args.models), Console(highlight=False)
    if args.markdown:
        print(markdown(measured))
    else:
        console.print(tables(measured))
        instructions = sum(one.instructions for one in measured.profiles.values())
        speed = instructions / measured.seconds / 1e6
        console.print(f"{speed:.1f} million instructions a second, without the compiler's time")
    if args.readme:
        write_readme(args.readme, markdown(measured))
    if args.layers:
        for (variant, model), profile in measured.profiles.items():
            console.print(f"\n{model}, {variant}", layers_table(profile))
    missed = measured.missed() if args.check else []
    for line in missed:
        print(f"missed: {line}", file=sys.stderr)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
