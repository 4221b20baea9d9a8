# SPDX-License-Identifier: Apache-2.0
"""What was heard in a recording enters; the lines of `shrinkfit detect` leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from shrinkfit.report.columns import plain_table

if TYPE_CHECKING:
    from shrinkfit.audio.recording import Detected, Recording


def clock(seconds: float) -> str:
    """3723.4567 as "1:02:03.457"; 3.2 as "0:03.200"."""
    thousandths = round(1000 * seconds)
    minutes, rest = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // 1000:02d}.{rest % 1000:03d}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def detected_line(one: Detected) -> str:
    """A detection on a line of its own, for sound that goes on."""
    return f"{clock(one.seconds):>12}  {one.label}  {one.score:.3f}"


def recording_report(heard: Recording) -> Group:
    """Notes, a line per detection, and where nothing was detected what came nearest."""
    head = Text(f"{heard.file}: {clock(heard.seconds)} at {heard.sample_rate_hz} Hz, on {heard.on}")
    notes = [Text(f"note: {note}", style="yellow") for note in heard.notes]
    return Group(head, *notes, _detections(heard) if heard.detections else Text(_nothing(heard)))


def _detections(heard: Recording) -> Table:
    table = plain_table()
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("hotword", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    for one in heard.detections:
        table.add_row(clock(one.seconds), one.label, f"{one.score:.3f}")
    return table


def _nothing(heard: Recording) -> str:
    if heard.nearest is None:
        return "nothing detected: the recording is too short for the network to run once"
    near = heard.nearest
    return (
        f"nothing detected; nearest came '{near.label}' with {near.score:.3f} at {clock(near.seconds)}, where "
        f"{near.threshold:.3f} is needed"
    )
