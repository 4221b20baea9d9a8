# SPDX-License-Identifier: Apache-2.0
"""Arguments that several commands take, and what a shell completes in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

import shrinkfit
from shrinkfit.device.device import OPTIMIZE

# As check.compare.PLACES, which takes NumPy to import; a test holds them against each other.
PLACES = ("host", "cortex-m4", "qemu")
_GOALS = dict(zip(OPTIMIZE, ("the best trade", "the fewest cycles", "the least code"), strict=True))
_WHERE = dict(zip(PLACES, ("this computer", "an emulated core, with cycles", "a whole emulated board"), strict=True))
Completion = Callable[[str], list[tuple[str, str]]]


def _parts(incomplete: str) -> list[tuple[str, str]]:
    """The catalogue's names, and other names of its parts where nothing else begins so."""
    known = shrinkfit.devices()
    named = [(part.name, part.title) for part in known if part.name.startswith(incomplete)]
    also = [(name, part.title) for part in known for name in part.aliases if name.startswith(incomplete)]
    return named or also


def _of(words: dict[str, str]) -> Completion:
    def complete(incomplete: str) -> list[tuple[str, str]]:
        return [(word, help) for word, help in words.items() if word.startswith(incomplete)]

    return complete


PART_HELP = "A name that `shrinkfit devices` lists, or a .toml file that describes your own part."
complete_part: Completion = _parts
Goal = Annotated[
    str,
    typer.Option(
        help="What kernels are chosen for: balanced, speed or size.", metavar="GOAL", autocompletion=_of(_GOALS)
    ),
]
Streaming = Annotated[
    bool, typer.Option("--streaming", help="A model that takes new frames alone and keeps what it needs of the others.")
]
FramesPerCall = Annotated[
    int | None, typer.Option(help="New frames of a call; the fewest that the strides allow where it is left out.")
]
Ram = Annotated[
    str | None,
    typer.Option(
        help="smallest: layers around the peak run in stripes of rows.",
        metavar="smallest",
        autocompletion=_of({"smallest": "for more cycles"}),
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON in place of tables.")]
Wav = Annotated[Path | None, typer.Option(help="A recording for the listener: wav, FLAC and others.", metavar="FILE")]
Model = Annotated[Path, typer.Argument(help="A .tflite, .keras or .h5 file.", metavar="MODEL")]
PartName = Annotated[str | None, typer.Option("--device", help=PART_HELP, metavar="PART", autocompletion=complete_part)]
On = Annotated[str, typer.Option(help="host, cortex-m4 or qemu.", metavar="PLACE", autocompletion=_of(_WHERE))]
