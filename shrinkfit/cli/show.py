# SPDX-License-Identifier: Apache-2.0
"""What commands print: tables and JSON on stdout, and what is being done on stderr where that is a terminal."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from shrinkfit._progress import heard_by

if TYPE_CHECKING:
    from rich.console import Console

HELD, FAILED, BAD_USAGE = 0, 1, 2
# A pipe or a file has no width of its own, and rich would take 80 columns for it.
PIPE_COLUMNS = 140


def console() -> Console:
    """Where tables go: as wide as the terminal is, or as COLUMNS says. Users' names in them are no markup."""
    from rich.console import Console

    own_width = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return Console(width=None if own_width else PIPE_COLUMNS, highlight=False, markup=False, emoji=False)


def print_tables(*tables: Any) -> None:
    """Whatever rich prints, one below the other."""
    console().print(*tables, sep="\n")


def print_json(record: Any) -> None:
    """Records, paths, NumPy's scalars and arrays; numbers that JSON has no word for as null."""
    print(json.dumps(_plain(record), indent=2, allow_nan=False))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def finish(report: Any, as_json: bool) -> NoReturn:
    """Print a report and end with its verdict."""
    if as_json:
        print_json(report.as_dict() if hasattr(report, "as_dict") else report)
    else:
        print(report)
    raise typer.Exit(HELD if getattr(report, "held", True) else FAILED)


@contextmanager
def working() -> Iterator[None]:
    """What takes its time: what libraries print is kept off stdout, what TensorFlow's C++ greets with off stderr."""
    with ExitStack() as around:
        around.enter_context(_native_silence())
        around.enter_context(redirect_stdout(sys.stderr))
        if sys.stderr.isatty():
            around.enter_context(_progress())
        yield


@contextmanager
def _native_silence() -> Iterator[None]:
    """TensorFlow's C++ greets on file descriptor 2 before any setting can stop it; Python's own stderr stays."""
    sys.stderr.flush()
    saved, python_stderr = os.dup(2), sys.stderr
    try:
        with open(os.devnull, "wb") as nowhere, open(saved, "w", closefd=False) as still_heard:
            os.dup2(nowhere.fileno(), 2)
            if python_stderr is sys.__stderr__:
                sys.stderr = still_heard
            yield
    finally:
        sys.stderr = python_stderr
        os.dup2(saved, 2)
        os.close(saved)


@contextmanager
def _progress() -> Iterator[None]:
    """A line on the terminal that says what is being done and is gone when it is."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

    # What is being done comes last: where the terminal is narrow, it is cut.
    counted = (SpinnerColumn(), TimeElapsedColumn(), BarColumn(bar_width=20), TaskProgressColumn())
    text = TextColumn("{task.description}", markup=False)
    # rich would send what is printed in between to its own console.
    as_they_are: dict[str, Any] = {"redirect_stdout": False, "redirect_stderr": False}
    shown = Progress(*counted, text, console=Console(stderr=True), transient=True, **as_they_are)
    shown.add_task("starting", total=None)
    (task,) = shown.tasks

    def listen(what: str, done: int, of: int | None) -> None:
        # Progress.update cannot take a total away again.
        task.description, task.completed, task.total = what, done, of

    with shown, heard_by(listen):
        yield
