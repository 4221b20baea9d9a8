# SPDX-License-Identifier: Apache-2.0
"""Plain numbers enter, HTML and inline SVG leave: charts that need no script, no network and no fixed width.

Colours are the page's CSS variables, so that a chart follows its light or dark look. SVG is 360 units wide, about a
phone's pixels: letters of 10 units stay readable there and grow with the screen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from math import ceil, floor, log10
from typing import Any

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 360.0, 46.0, 8.0, 8.0, 26.0
COLOURS = ("--blue", "--orange", "--green", "--red", "--grey")


def bar(label: str, value: float, text: str, whole: float | None, *, note: str = "", state: str = "") -> str:
    """One horizontal bar of a list.

    Args:
        label: what it is.
        value, whole: the bar's share of its track is value / whole; what is over fills it. No track without a whole.
        text: the value, written out.
        note: small print behind the text.
        state: "held" or "over" colours the bar and its text.
    """
    share = min(1.0, value / whole) if whole else 0.0
    fill = f'<div class="track"><div class="fill" style="width:{100 * share:.2f}%"></div></div>' if whole else ""
    small = f' <span class="note">{escape(note)}</span>' if note else ""
    return (
        f'<div class="bar {state}"><div class="label">{escape(label)}</div><div class="value">{escape(text)}{small}'
        f"</div>{fill}</div>"
    )


def stack(parts: Mapping[str, float], unit: str = "bytes") -> str:
    """One bar cut into parts, with a legend that gives each part's value; parts of 0 are left out."""
    shown = {name: value for name, value in parts.items() if value}
    whole = sum(shown.values())
    pieces, legend = [], []
    for number, (name, value) in enumerate(shown.items()):
        colour = f"background:var({COLOURS[number % len(COLOURS)]})"
        pieces.append(f'<div style="width:{100 * value / whole:.2f}%;{colour}"></div>')
        legend.append(f'<li><i style="{colour}"></i>{escape(name)} <b>{value:,}</b> {escape(unit)}</li>')
    return f'<div class="stack">{"".join(pieces)}</div><ul class="legend">{"".join(legend)}</ul>'


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]], *, left: int = 1) -> str:
    """Rows of cells; the first `left` columns hold words, the others figures. Wide ones scroll in their own box."""
    kinds = ["word"] * left + ["figure"] * (len(headers) - left)
    head = "".join(f'<th class="{kind}">{escape(text)}</th>' for kind, text in zip(kinds, headers, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f'<td class="{kind}">{_cell(cell)}</td>' for kind, cell in zip(kinds, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(value: Any) -> str:
    if value is None:
        return '<span class="note">?</span>'
    return escape(f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value))


def confusion(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """Rows: what was said; columns: what was heard; a cell's shade is its share of the row."""
    head = "".join(f"<th><span>{escape(label)}</span></th>" for label in labels)
    rows = []
    for number, (label, row) in enumerate(zip(labels, counts, strict=True)):
        whole = sum(row) or 1
        cells = "".join(
            f'<td class="{"hit" if column == number else "miss"}" style="--share:{100 * count / whole:.0f}%" '
            f'title="{escape(label)} heard as {escape(labels[column])}">{count or ""}</td>'
            for column, count in enumerate(row)
        )
        rows.append(f"<tr><th>{escape(label)}</th>{cells}</tr>")
    return f'<div class="scroll"><table class="confusion"><tr><td></td>{head}</tr>{"".join(rows)}</table></div>'


def memory(stays: Sequence[Mapping[str, Any]], operators: Sequence[str]) -> str:
    """Each tensor as a box: from left to right the operators that run, from top to bottom the arena's addresses."""
    top = max((stay["offset"] + stay["size_bytes"] for stay in stays), default=1)
    columns, height = len(operators) + 1, 220.0
    scale_x = (WIDTH - LEFT - RIGHT) / columns
    scale_y = (height - TOP - BOTTOM) / top
    marks = []
    for value in ticks(0, top):
        y = TOP + value * scale_y
        marks.append(f'<line class="grid" x1="{LEFT:g}" x2="{WIDTH - RIGHT:g}" y1="{y:.1f}" y2="{y:.1f}"/>')
        marks.append(f'<text x="{LEFT - 4:g}" y="{y + 3:.1f}" text-anchor="end">{value:,.0f}</text>')
    for stay in stays:
        x, y = LEFT + stay["first"] * scale_x, TOP + stay["offset"] * scale_y
        width, tall = (stay["last"] - stay["first"] + 1) * scale_x, stay["size_bytes"] * scale_y
        end = operators[stay["last"]] if stay["last"] < len(operators) else "the end"
        title = (
            f"{stay['name']} ({stay['kind']}): {stay['size_bytes']:,} bytes at {stay['offset']:,}, "
            f"from {operators[stay['first']] if operators else 'the start'} to {end}"
        )
        marks.append(
            f'<rect class="{escape(stay["kind"])}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" '
            f'height="{max(tall, 0.6):.1f}"><title>{escape(title)}</title></rect>'
        )
    middle, below = (LEFT + WIDTH - RIGHT) / 2, height - 6
    marks.append(f'<text x="{middle:g}" y="{below:g}" text-anchor="middle">{len(operators)} operators, in order</text>')
    return _svg(height, "".join(marks), "memory plan: bytes of the arena over the operators that run")


def lines(
    series: Mapping[str, Sequence[float | None]],
    xs: Sequence[float],
    *,
    title: str,
    x_label: str,
    dashed: Sequence[str] = (),
    low: float | None = None,
    x_text: Callable[[float], str] | None = None,
) -> str:
    """Curves over common xs, with a legend; a None breaks a curve.

    Args:
        series: name -> values.
        dashed: names of those drawn dashed, such as limits.
        low: where the y axis begins; the smallest value when None.
        x_text: how an x is written at the axis; `short` when None.
    """
    values = [v for curve in series.values() for v in curve if v is not None]
    if not values:
        return ""
    height = 190.0
    grid = ticks(min(values) if low is None else low, max(values))
    bottom, top = grid[0], max(grid[-1], max(values))
    place = _placer(xs[0], xs[-1], bottom, top, height)
    marks = []
    for value in grid:
        y = place(xs[0], value)[1]
        marks.append(f'<line class="grid" x1="{LEFT:g}" x2="{WIDTH - RIGHT:g}" y1="{y:.1f}" y2="{y:.1f}"/>')
        marks.append(f'<text x="{LEFT - 4:g}" y="{y + 3:.1f}" text-anchor="end">{short(value)}</text>')
    for x in sorted({xs[0], xs[len(xs) // 2], xs[-1]}):
        at, text = place(x, bottom)[0], (x_text or short)(x)
        marks.append(f'<text x="{at:.1f}" y="{height - 14:g}" text-anchor="middle">{text}</text>')
    marks.append(f'<text x="{(LEFT + WIDTH) / 2:g}" y="{height - 3:g}" text-anchor="middle">{escape(x_label)}</text>')
    legend = []
    for number, (name, curve) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        style = f'style="stroke:var({colour})"' + (' stroke-dasharray="4 3"' if name in dashed else "")
        marks += [f'<polyline class="curve" {style} points="{points}"/>' for points in _runs(xs, curve, place)]
        last = next((v for v in reversed(curve) if v is not None), None)
        end = "" if last is None else f" <b>{short(last)}</b>"
        legend.append(f'<li><i style="background:var({colour})"></i>{escape(name)}{end}</li>')
    return _svg(height, "".join(marks), title) + f'<ul class="legend">{"".join(legend)}</ul>'


def _runs(xs: Sequence[float], curve: Sequence[float | None], place: Any) -> list[str]:
    """The unbroken stretches of a curve, as SVG points."""
    stretches: list[list[str]] = [[]]
    for x, value in zip(xs, curve, strict=True):
        if value is None:
            stretches.append([])
        else:
            stretches[-1].append("{:.1f},{:.1f}".format(*place(x, value)))
    return [" ".join(points) for points in stretches if points]


def _placer(x0: float, x1: float, y0: float, y1: float, height: float) -> Any:
    across, up = (x1 - x0) or 1, (y1 - y0) or 1

    def place(x: float, y: float) -> tuple[float, float]:
        right = LEFT + 4 + (x - x0) / across * (WIDTH - LEFT - RIGHT - 8)
        return right, height - BOTTOM - 2 - (y - y0) / up * (height - TOP - BOTTOM - 2)

    return place


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers from low to high, some `about` of them; the first is at most low."""
    if high <= low:
        high = low + (abs(low) or 1)
    step = 10 ** floor(log10((high - low) / about))
    step = next(step * factor for factor in (1, 2, 2.5, 5, 10) if (high - low) / (step * factor) <= about)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(step * number, 12) for number in range(first, last + 1) if step * number <= high or number == first]


def short(value: float) -> str:
    """1234567 as "1.23M", 41272 as "41.3k", 0.885 as "0.885"."""
    for limit, letter in ((1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (1e3 if letter == 'k' else limit):.3g}{letter}"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.3g}"


def _svg(height: float, content: str, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{content}</svg>"
    )
