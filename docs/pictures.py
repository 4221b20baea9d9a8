# SPDX-License-Identifier: Apache-2.0
"""Draws the pictures of docs/fitting.md from the network that the page trains.

python docs/pictures.py                     # trains it, some seconds, and writes docs/pictures/
python docs/pictures.py --fit fit.json      # draws what such a training has left
python docs/pictures.py --check             # exit status 1 where a picture is not that of docs/pictures/figures.json

All ink is of middle brightness on no background, so that a picture is readable on light and dark pages alike.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FOLDER, PAGE = HERE / "pictures", HERE / "fitting.md"
INK, BLUE, ORANGE, COLOURS = "#7d8791", "#3d8fd6", "#dd8426", ("#3d8fd6", "#dd8426", "#2f9f6e", "#a06fd2")
PHASES = {"float": "float", "quantized": "int8 rounding", "frozen": "statistics frozen"}
COSTS = {"flops": "FLOPs an inference", "ram_bytes": "bytes of RAM"}
WIDTH, LEFT, RIGHT, RADIUS = 640, 64, 14, 6
Figures = Mapping[str, Any]


# --- what is drawn ---


def program() -> str:
    """The page's own."""
    return re.search(r"```python\n(# fitted\.py\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]


def train() -> dict[str, Any]:
    """Run the page's program: what it leaves in fit.json."""
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "fitted.py").write_text(program(), encoding="utf-8")
        subprocess.run([sys.executable, "fitted.py"], cwd=place, check=True, stdout=subprocess.DEVNULL)
        return json.loads((Path(place) / "fit.json").read_text(encoding="utf-8"))


def figures(fit: Figures) -> dict[str, Any]:
    """What of a fit is drawn; accuracies to a thousandth.

    Args:
        fit: history and records, of a FitDevice.
    """
    epochs = [
        {"phase": e["phase"], "accuracy": round(e["metrics"]["val_accuracy"], 3)}
        | {what: {cost: e[what][cost] for cost in COSTS} for what in ("limits", "costs")}
        for e in fit["history"]
    ]
    wanted = ("layer", "makes_channels", "groups", "width_before", "width_after")
    layers = [{key: layer[key] for key in wanted} for layer in fit["records"]["layers"]]
    before = {cost: fit["records"]["before"][cost] for cost in COSTS}
    return {"before": before, "epochs": epochs, "layers": layers}


# --- pieces of SVG ---


def text(x: float, y: float, words: str, *, anchor: str = "start", colour: str = INK, weight: int = 400) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{colour}" font-weight="{weight}">{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, *, colour: str = INK, width: float = 1, more: str = "") -> str:
    place = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {place} stroke="{colour}" stroke-width="{width:g}" {more}/>'


def rectangle(x: float, y: float, width: float, height: float, *, colour: str, share: float, edge: float = 0) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="2"'
    return f'<rect {place} fill="{colour}" fill-opacity="{share:g}" stroke="{colour}" stroke-width="{edge:g}"/>'


def curve(points: Sequence[tuple[float, float]], colour: str, more: str = "") -> str:
    place = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{place}" fill="none" stroke="{colour}" stroke-width="2" {more}/>'


def svg(height: float, title: str, marks: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" role="img"'
    note = "<!-- SPDX-License-Identifier: Apache-2.0. Drawn by docs/pictures.py: do not edit. -->"
    look = 'font-family="system-ui, sans-serif" font-size="12"'
    inside = "\n".join((f"<title>{escape(title)}</title>", *marks))
    return f"{head} {look}>\n{note}\n{inside}\n</svg>\n"


# --- the pictures ---


def limits_picture(figures: Figures) -> str:
    """Costs and limits over the epochs, above them the phases, below them the accuracy."""
    epochs = figures["epochs"]
    marks, top = list(_phases(epochs)), 40.0
    for cost, title in COSTS.items():
        costs, limits = ([e[what][cost] for e in epochs] for what in ("costs", "limits"))
        most = max(figures["before"][cost], *limits)
        marks += _panel(top, title, most, len(epochs))
        marks += _dotted(costs, most, top)
        marks.append(curve(_points(limits, most, top), ORANGE, 'stroke-dasharray="5 4"'))
        marks.append(
            text(WIDTH - RIGHT, _up(limits[-1], most, top) - 7, f"{limits[-1]:,.0f}", anchor="end", colour=ORANGE)
        )
        top += 150
    marks += _panel(top, "accuracy on data that it does not train on", 1.0, len(epochs))
    marks += _dotted([e["accuracy"] for e in epochs], 1.0, top)
    marks += _legend(top + 166)
    return svg(top + 174, "limits, costs and accuracy over the epochs", marks)


PLOT = 100.0  # a panel's height


def _up(value: float, most: float, top: float) -> float:
    return top + 24 + PLOT * (1 - value / most)


def _points(values: Sequence[float], most: float, top: float) -> list[tuple[float, float]]:
    return [(_across(number, len(values)), _up(value, most, top)) for number, value in enumerate(values)]


def _across(number: float, epochs: int) -> float:
    return LEFT + (number + 0.5) / epochs * (WIDTH - LEFT - RIGHT)


def _dotted(values: Sequence[float], most: float, top: float) -> Iterator[str]:
    points = _points(values, most, top)
    yield curve(points, BLUE)
    yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{BLUE}"/>' for x, y in points)


def _panel(top: float, title: str, most: float, epochs: int) -> Iterator[str]:
    yield text(LEFT, top + 12, title, weight=600)
    for value in (0, most):
        y = _up(value, most, top)
        yield line(LEFT, y, WIDTH - RIGHT, y, more='stroke-opacity="0.35"')
        yield text(LEFT - 8, y + 4, f"{value:,.0f}" if most > 1 else f"{value:.0%}", anchor="end")
    for number in (0, *range(4, epochs, 5)):
        yield text(_across(number, epochs), _up(0, most, top) + 16, f"{number + 1}", anchor="middle")


def _phases(epochs: Sequence[Figures]) -> Iterator[str]:
    """A strip with a field per phase, as wide as its epochs, and lines down where one begins."""
    for phase, words in PHASES.items():
        own = [number for number, epoch in enumerate(epochs) if epoch["phase"] == phase]
        first, end = (_across(number, len(epochs)) for number in (own[0] - 0.5, own[-1] + 0.5))
        yield rectangle(first + 1, 8, end - first - 2, 22, colour=INK, share=0.16)
        yield text((first + end) / 2, 23, words, anchor="middle")
        if own[0]:
            yield line(first, 8, first, 40 + 3 * 150 - 26, more='stroke-dasharray="2 4"')


def _legend(y: float) -> Iterator[str]:
    yield line(LEFT, y - 4, LEFT + 26, y - 4, colour=BLUE, width=2)
    yield text(LEFT + 34, y, "the model")
    yield line(LEFT + 120, y - 4, LEFT + 146, y - 4, colour=ORANGE, width=2, more='stroke-dasharray="5 4"')
    yield text(LEFT + 154, y, "this epoch's limit")
    yield text(WIDTH - RIGHT, y, "epochs", anchor="end")


def widths_picture(figures: Figures) -> str:
    """A bar per layer that makes channels: how many it had, and how many it has."""
    layers = [layer for layer in figures["layers"] if layer["makes_channels"]]
    most, start, row = max(layer["width_before"] for layer in layers), 90.0, 30.0
    marks = [text(start, 16, "channels before (outline) and after (filled)", weight=600)]
    scale = (WIDTH - start - 90) / most
    for number, layer in enumerate(layers):
        y, before, after = 28 + number * row, layer["width_before"], layer["width_after"]
        marks.append(text(start - 10, y + 15, layer["layer"], anchor="end"))
        marks.append(rectangle(start, y, before * scale, 20, colour=INK, share=0.1, edge=1))
        marks.append(rectangle(start, y, after * scale, 20, colour=BLUE, share=0.85))
        said = f"{before} → {after}" if after < before else f"{before}, fixed"
        marks.append(text(start + before * scale + 8, y + 15, said))
    return svg(34 + len(layers) * row, "channels of each layer before and after", marks)


def coupled_picture(figures: Figures) -> str:
    """A row per layer, a column per group: a full dot makes the group's channels, a ring hands them on."""
    layers = figures["layers"]
    groups = list(dict.fromkeys(name for layer in layers for name in layer["groups"]))
    start, across, row, top = 110.0, 150.0, 30.0, 54.0
    marks = [text(16, 18, "layers, in order", weight=600), text(start + 40, 18, "groups of channels", weight=600)]
    for column, name in enumerate(groups):
        x, colour = start + 60 + column * across, COLOURS[column % len(COLOURS)]
        rows = [number for number, layer in enumerate(layers) if name in layer["groups"]]
        marks.append(text(x + 14, top + rows[0] * row - 12, name, colour=colour, weight=600))
        for above, below in pairwise(rows):
            ends = (top + above * row + RADIUS, top + below * row - RADIUS)
            marks.append(line(x, ends[0], x, ends[1], colour=colour, width=2))
        for number in rows:
            inside = colour if layers[number]["makes_channels"] else "none"
            place = f'cx="{x:.1f}" cy="{top + number * row:.1f}" r="{RADIUS}"'
            marks.append(f'<circle {place} fill="{inside}" stroke="{colour}" stroke-width="2"/>')
    for number, layer in enumerate(layers):
        y = top + number * row + 4
        marks.append(text(16, y, layer["layer"]))
        if not layer["groups"]:
            marks.append(text(start + 54, y, "fixed: the model's output"))
    return svg(top + len(layers) * row, "which layers' channels go together", marks)


def pictures(figures: Figures) -> dict[str, str]:
    """File name -> SVG."""
    drawn = {"limits": limits_picture, "widths": widths_picture, "coupled": coupled_picture}
    return {f"{name}.svg": draw(figures) for name, draw in drawn.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", type=Path, help="a fit.json that the page's program wrote; it is run where left out")
    parser.add_argument("--output", type=Path, default=FOLDER, help="a folder")
    parser.add_argument("--check", action="store_true", help="write nothing")
    given = parser.parse_args()
    if given.check:
        kept = json.loads((FOLDER / "figures.json").read_text(encoding="utf-8"))
        old = [name for name, drawn in pictures(kept).items() if (FOLDER / name).read_text(encoding="utf-8") != drawn]
        print(f"not as docs/pictures.py draws them: {', '.join(old)}" if old else "all as docs/pictures.py draws them")
        return int(bool(old))
    fit = train() if given.fit is None else json.loads(given.fit.read_text(encoding="utf-8"))
    found = figures(fit)
    given.output.mkdir(parents=True, exist_ok=True)
    files = pictures(found) | {"figures.json": json.dumps(found, indent=1) + "\n"}
    for name, content in files.items():
        (given.output / name).write_text(content, encoding="utf-8")
        print(given.output / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
