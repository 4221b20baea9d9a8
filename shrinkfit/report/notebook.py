# SPDX-License-Identifier: Apache-2.0
"""What rich would print on a terminal enters; HTML for a notebook leaves, in the notebook's own colours."""

from __future__ import annotations

from html import escape
from typing import Any

from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from shrinkfit.report.columns import Columns

_CAPTION = "caption-side: bottom; text-align: left; opacity: 0.7"


def html_of(shown: Any) -> str:
    """Tables as tables, text as paragraphs, groups of them one below the other."""
    if isinstance(shown, Group):
        return "".join(html_of(one) for one in shown.renderables)
    if isinstance(shown, Columns):
        return _table(shown.fitted())
    if isinstance(shown, Table):
        return _table(shown)
    text = _text(shown)
    return f'<p style="white-space: pre-line">{text}</p>' if text else ""


def _text(cell: Any) -> str:
    """Escaped, indented as it is; bold where it is bold on a terminal."""
    plain = escape(cell.plain if isinstance(cell, Text) else str(cell)).replace("  ", "&emsp;")
    strong = isinstance(cell, Text) and "bold" in str(cell.style)
    return f"<b>{plain}</b>" if strong else plain


def _table(table: Table) -> str:
    columns = table.columns
    rows = [_row("td", columns, cells) for cells in zip(*(column.cells for column in columns), strict=True)]
    foot = _row("td", columns, [column.footer for column in columns]) if table.show_footer else ""
    head = _row("th", columns, [column.header for column in columns]) if table.show_header else ""
    title = f"<p><b>{_text(str(table.title))}</b></p>" if table.title else ""
    caption = f'<caption style="{_CAPTION}">{_text(str(table.caption))}</caption>' if table.caption else ""
    return (
        f"{title}<table>{caption}<thead>{head}</thead><tbody>{''.join(rows)}</tbody>"
        f"{f'<tfoot>{foot}</tfoot>' if foot else ''}</table>"
    )


def _row(tag: str, columns: list[Column], cells: Any) -> str:
    pairs = zip(columns, cells, strict=True)
    return f"<tr>{''.join(_cell(tag, column, cell) for column, cell in pairs)}</tr>"


def _cell(tag: str, column: Column, cell: Any) -> str:
    return f'<{tag} style="text-align: {column.justify}; padding: 0 0.6em">{_text(cell)}</{tag}>'
