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
COLOURS = ("--blue", "--orange", "--green", "--red", "--grey", "--violet")
MANY_LABELS = 8  # of more, a confusion matrix is drawn small on a phone


def bar(
    label: str,
    value: float,
    text: str,
    whole: float | None,
    *,
    note: str = "",
    state: str = "",
    pale: float | None = None,
) -> str:
    """One horizontal bar of a list.

    Args:
        label: what it is.
        value, whole: the bar's share of its track is value / whole; what is over fills it. No track without a whole.
        text: the value, written out.
        note: small print behind the text.
        state: "held" or "over" colours the bar and its text.
        pale: a second value, drawn pale behind the first: what it was, or what it could be.
    """
    behind = _fill("pale", pale, whole) if pale is not None and whole else ""
    fill = f'<div class="track">{behind}{_fill("fill", value, whole)}</div>' if whole else ""
    small = f' <span class="note">{escape(note)}</span>' if note else ""
    return (
        f'<div class="bar {state}"><div class="label">{escape(label)}</div><div class="value">{escape(text)}{small}'
        f"</div>{fill}</div>"
    )


def _fill(kind: str, value: float, whole: float) -> str:
    return f'<div class="{kind}" style="width:{100 * min(1.0, max(0.0, value / whole)):.2f}%"></div>'


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
    """Rows: what it was; columns: what it was taken for; a cell's shade is its share of the row."""
    many = " many" if len(labels) > MANY_LABELS else ""
    head = "".join(f"<th><span>{escape(label)}</span></th>" for label in labels)
    rows = []
    for number, (label, row) in enumerate(zip(labels, counts, strict=True)):
        whole = sum(row) or 1
        cells = "".join(
            f'<td class="{"hit" if column == number else "miss"}" style="--share:{100 * count / whole:.0f}%" '
            f'title="{escape(label)} taken for {escape(labels[column])}">{count or ""}</td>'
            for column, count in enumerate(row)
        )
        rows.append(f"<tr><th>{escape(label)}</th>{cells}</tr>")
    return f'<div class="scroll"><table class="confusion{many}"><tr><td></td>{head}</tr>{"".join(rows)}</table></div>'


def lines(
    series: Mapping[str, Sequence[float | None]],
    xs: Sequence[float],
    *,
    title: str,
    x_label: str,
    dashed: Sequence[str] = (),
    low: float | None = None,
    x_text: Callable[[float], str] | None = None,
    marks_at: Mapping[float, str] | None = None,
    with_last: bool = True,
) -> str:
    """Curves over common xs, with a legend; a None breaks a curve.

    Args:
        series: name -> values.
        dashed: names of those drawn dashed, such as limits.
        low: where the y axis begins; the smallest value when None.
        x_text: how an x is written at the axis; `short` when None.
        marks_at: x -> what begins there, an upright line.
        with_last: whether the legend gives each curve's last value.
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
    for x, text in (marks_at or {}).items():
        at, right = place(x, bottom)[0], x > (xs[0] + xs[-1]) / 2
        marks.append(f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP:g}" y2="{height - BOTTOM:g}"/>')
        where = f'x="{at - 3:.1f}" text-anchor="end"' if right else f'x="{at + 3:.1f}"'
        marks.append(f'<text {where} y="{height - BOTTOM - 5:g}">{escape(text)}</text>')
    legend = []
    for number, (name, curve) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        style = f'style="stroke:var({colour})"' + (' stroke-dasharray="4 3"' if name in dashed else "")
        marks += [f'<polyline class="curve" {style} points="{points}"/>' for points in _runs(xs, curve, place)]
        last = next((v for v in reversed(curve) if v is not None), None)
        end = f" <b>{short(last)}</b>" if with_last and last is not None else ""
        legend.append(f'<li><i style="background:var({colour})"></i>{escape(name)}{end}</li>')
    return svg(height, "".join(marks), title) + f'<ul class="legend">{"".join(legend)}</ul>'


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


def svg(height: float, content: str, title: str, kind: str = "") -> str:
    """The drawing of that height; kind: its CSS class."""
    return (
        f'<svg class="{kind}" viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{content}</svg>"
    )
