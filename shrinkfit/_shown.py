# SPDX-License-Identifier: Apache-2.0
"""Records that terminals and notebooks show as tables.

The tables are drawn in report/, which comes after the rooms of most records; so a class names the function that draws
it, and it is looked up when it is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from rich.console import RenderableType


def drawn_by(name: str) -> Callable[..., Any]:
    """The function "module.function" below shrinkfit."""
    module, _, function = name.rpartition(".")
    found: Callable[..., Any] = getattr(import_module(f"shrinkfit.{module}"), function)
    return found


class Shown:
    """Base of a record that rich's print and notebooks show as a table.

    Args of a subclass:
        by: "module.function" below shrinkfit; the function takes the record and returns what rich prints.
    """

    _shown_by: ClassVar[str]

    def __init_subclass__(cls, by: str | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        if by is not None:
            cls._shown_by = by

    def __rich__(self) -> RenderableType:
        shown: RenderableType = drawn_by(self._shown_by)(self)
        return shown

    def _repr_html_(self) -> str:
        """What notebooks ask for."""
        html: str = drawn_by("report.notebook.html_of")(self.__rich__())
        return html
