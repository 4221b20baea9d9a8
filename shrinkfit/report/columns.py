# SPDX-License-Identifier: Apache-2.0
"""Columns of text enter; a rich table leaves that fits whatever width there is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

Cell = str | Text
# Names are not cut below so many characters, nor sentences wrapped to less.
_NAME, _SENTENCE = 16, 20
_GAP = 3  # between columns, in plain_table's look


class _AsWritten(Table):
    """A table whose strings are shown as they are: rich takes "[x]" in a name of the user's for markup."""

    def add_column(self, header: Any = "", footer: Any = "", **options: Any) -> None:
        super().add_column(_as_written(header), _as_written(footer), **options)

    def add_row(self, *cells: Any, **options: Any) -> None:
        super().add_row(*map(_as_written, cells), **options)


def _as_written(cell: Any) -> Any:
    return Text(cell) if isinstance(cell, str) else cell


def plain_table(title: str = "", caption: str = "") -> Table:
    """An empty table in the house's look; all strings in it are shown as they are."""
    return _AsWritten(
        title=Text(title, "bold") if title else None,
        caption=Text(caption, "table.caption") if caption else None,
        box=SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
        header_style="bold",
        pad_edge=False,
        show_edge=False,
    )


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        header, footer: above and below.
        cells: one per row.
        justify: "right" for figures.
        wrap: for sentences, which may take several lines.
        style: of all cells.
        spare: the lower, the sooner the column is left out where the width does not do; 0 for never.
    """

    header: str
    cells: Sequence[Cell]
    footer: str = ""
    justify: Literal["left", "right"] = "right"
    wrap: bool = False
    style: str = ""
    spare: int = 0

    @property
    def width(self) -> int:
        """Of its longest cell; what a sentence can do with."""
        longest = max(map(_width, (self.header, self.footer, *self.cells)))
        return min(longest, _SENTENCE) if self.wrap else longest


@dataclass(frozen=True)
class Columns:
    """A table. Where it is too wide, columns to spare go, and the names in its first column are cut from the front.

    Args:
        columns: the first with the rows' names.
        title, caption: above and below.
    """

    columns: tuple[Column, ...]
    title: str = ""
    caption: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        yield self.fitted(options.max_width)

    def fitted(self, width: int | None = None) -> Table:
        """The table for so many characters; the whole one for None."""
        shown, cut = self.columns, 0
        for shown in self._fewer():
            excess = 0 if width is None else _total(shown) - width
            cut = max(0, excess)
            if cut <= max(0, shown[0].width - _NAME):
                break
        return self._table(shown, max(_NAME, shown[0].width - cut))

    def _fewer(self) -> Iterator[tuple[Column, ...]]:
        """All columns, then always one less."""
        yield self.columns
        for spare in sorted({column.spare for column in self.columns} - {0}):
            yield tuple(column for column in self.columns if not 0 < column.spare <= spare)

    def _table(self, columns: Sequence[Column], most: int) -> Table:
        table = plain_table(self.title, self.caption)
        table.show_footer = any(column.footer for column in columns)
        for one in columns:
            table.add_column(one.header, one.footer, justify=one.justify, no_wrap=not one.wrap, style=one.style)
        names: Iterable[Cell] = (_cut(name, most) for name in columns[0].cells)
        for row in zip(names, *(column.cells for column in columns[1:]), strict=True):
            table.add_row(*row)
        return table


def _total(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + _GAP * (len(columns) - 1)


def _width(cell: Cell) -> int:
    return cell.cell_len if isinstance(cell, Text) else cell_len(cell)


def _cut(name: Cell, most: int) -> Cell:
    return shortened(name, most) if isinstance(name, str) else name


def shortened(name: str, most: int) -> str:
    """At most so many characters, the last ones, in which names of layers differ."""
    return name if len(name) <= most else f"…{name[1 - most :]}"
