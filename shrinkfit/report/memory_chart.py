# SPDX-License-Identifier: Apache-2.0
"""What report.json says of the memory plan enters; its section of the page leaves: tensors over time and address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from shrinkfit.report.charts import LEFT, RIGHT, TOP, WIDTH, svg, table, ticks

HEIGHT, BELOW = 220.0, 36.0
LETTER, LINE = 5.2, 10.0  # about the width and height of a letter in a box
_TITLE = "memory plan: bytes of the arena over the operators that run"
KINDS = {"input": "--green", "tensor": "--blue", "output": "--orange", "scratch": "--grey", "state": "--red"}
HEADERS = ("tensor", "kind", "from operator", "to", "bytes", "from byte", "to")


def memory_section(export: Mapping[str, Any]) -> str:
    """The plan as a drawing, and as a table; "" of a report without one."""
    plan = export.get("memory")
    if not plan or not plan["stays"]:
        return ""
    there = {stay["kind"] for stay in plan["stays"]}
    legend = "".join(
        f'<li><i style="background:var({colour})"></i>{kind}</li>' for kind, colour in KINDS.items() if kind in there
    )
    return (
        f"<h2>Memory plan</h2><p>arena of {export['arena_bytes']:,} bytes; the most is alive in "
        f"{escape(export['peak_layer'])}</p>{memory(plan['stays'], plan['operators'], export['peak_layer'])}"
        f"<ul class='legend'>{legend}</ul><p class='note'>from left to right the operators that run, from top to "
        "bottom the bytes of the arena; where boxes overlap, an operator writes over what nothing reads any more</p>"
        f"<details><summary>all tensors of the plan</summary>{table(HEADERS, memory_rows(plan), left=4)}</details>"
    )


def memory_rows(plan: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """What stays where, as cells of HEADERS; bytes count from 0, both ends included."""
    rows = []
    for stay in plan["stays"]:
        end = stay["offset"] + stay["size_bytes"] - 1
        ran = (_named(plan["operators"], stay["first"]), _named(plan["operators"], stay["last"]))
        rows.append((stay["name"], stay["kind"], *ran, stay["size_bytes"], stay["offset"], end))
    return rows


def _named(operators: Sequence[str], number: int) -> str:
    return f"{number + 1} {operators[number]}" if number < len(operators) else "the end"


def memory(stays: Sequence[Mapping[str, Any]], operators: Sequence[str], peak: str = "") -> str:
    """Each tensor as a box: from left to right the operators that run, from top to bottom the arena's addresses.

    Args:
        stays, operators: of report.json's "memory".
        peak: the operator that is marked.
    """
    top = max((stay["offset"] + stay["size_bytes"] for stay in stays), default=1)
    scale_x = (WIDTH - LEFT - RIGHT) / (len(operators) + 1)
    scale_y = (HEIGHT - TOP - BELOW) / top
    marks = []
    for value in ticks(0, top):
        y = TOP + value * scale_y
        marks.append(f'<line class="grid" x1="{LEFT:g}" x2="{WIDTH - RIGHT:g}" y1="{y:.1f}" y2="{y:.1f}"/>')
        marks.append(f'<text x="{LEFT - 4:g}" y="{y + 3:.1f}" text-anchor="end">{value:,.0f}</text>')
    marks += _drawn(stays, operators, scale_x, scale_y)
    return svg(HEIGHT, "".join([*marks, _axis(operators, peak, scale_x)]), _TITLE, "wide")


Box = tuple[float, float, float, float]  # x, y, width, height


def _drawn(stays: Sequence[Mapping[str, Any]], operators: Sequence[str], scale_x: float, scale_y: float) -> list[str]:
    """A box for each stay, and its name where no other box is in the way."""
    boxes: list[Box] = []
    for stay in stays:
        x, y = LEFT + stay["first"] * scale_x, TOP + stay["offset"] * scale_y
        boxes.append((x, y, (stay["last"] - stay["first"] + 1) * scale_x, stay["size_bytes"] * scale_y))
    marks, names = [], []
    for stay, box in zip(stays, boxes, strict=True):
        marks.append(_rectangle(stay, operators, box))
        x, y, width, tall = box
        name = (x, y, len(stay["name"]) * LETTER + 4, LINE)
        if name[2] <= width and tall >= LINE and not any(_meet(name, other) for other in boxes if other is not box):
            names.append(f'<text class="name" x="{x + 3:.1f}" y="{y + 8.5:.1f}">{escape(stay["name"])}</text>')
    return marks + names


def _meet(one: Box, other: Box) -> bool:
    near = 0.01
    return all(one[k] + near < other[k] + other[k + 2] and other[k] + near < one[k] + one[k + 2] for k in (0, 1))


def _rectangle(stay: Mapping[str, Any], operators: Sequence[str], box: Box) -> str:
    x, y, width, tall = box
    title = (
        f"{stay['name']} ({stay['kind']}): {stay['size_bytes']:,} bytes at {stay['offset']:,}, "
        f"from {_named(operators, stay['first'])} to {_named(operators, stay['last'])}"
    )
    return (
        f'<rect class="{escape(stay["kind"])}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" '
        f'height="{max(tall, 0.6):.1f}"><title>{escape(title)}</title></rect>'
    )


def _axis(operators: Sequence[str], peak: str, scale_x: float) -> str:
    """Numbers of the operators, and the one at the peak by name."""
    numbers = [n for n in ticks(1, max(len(operators), 2), 8) if float(n).is_integer() and 1 <= n <= len(operators)]
    base = HEIGHT - BELOW
    marks = [
        f'<text x="{LEFT + (n - 0.5) * scale_x:.1f}" y="{base + 12:g}" text-anchor="middle">{n:.0f}</text>'
        for n in sorted({1.0, *numbers})
    ]
    middle = (LEFT + WIDTH - RIGHT) / 2
    below = f"{len(operators)} operators, in order"
    if peak in operators:
        at = LEFT + operators.index(peak) * scale_x
        marks.append(
            f'<rect class="peak" x="{at:.1f}" y="{TOP:g}" width="{scale_x:.1f}" height="{base - TOP:g}"/>'
            f'<text class="peak" x="{at + scale_x / 2:.1f}" y="{base + 12:g}" text-anchor="middle">▲</text>'
        )
        below += f"; ▲ {operators.index(peak) + 1} {peak}, the peak"
    marks.append(f'<text x="{middle:g}" y="{HEIGHT - 8:g}" text-anchor="middle">{escape(below)}</text>')
    return "".join(marks)
