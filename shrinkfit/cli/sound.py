# SPDX-License-Identifier: Apache-2.0
"""detect: the exported C hears a recording or a microphone."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from shrinkfit.cli.options import AsJson, On
from shrinkfit.cli.show import print_json, print_tables, working
from shrinkfit.errors import ShrinkfitError


def detect(
    folder: Annotated[Path, typer.Argument(help="A folder that export wrote with a listener.", metavar="DIR")],
    wav: Annotated[
        Path | None, typer.Option(help="A recording: wav, FLAC and others, of any sample rate.", metavar="FILE")
    ] = None,
    microphone: Annotated[bool, typer.Option("--microphone", help="Listen to the microphone, until Ctrl-C.")] = False,
    on: On = "host",
    as_json: AsJson = False,
) -> None:
    """Run the exported C over a recording.

    Prints which hotwords it detects, when, and their scores; where there is none, what came nearest.
    """
    if (wav is None) != microphone:
        raise ShrinkfitError("detect takes a recording or the microphone: give either --wav FILE or --microphone")
    if microphone and on != "host":
        raise ShrinkfitError(f"--microphone listens on the host only, and --on is '{on}': leave out one")
    if wav is None:
        _detect_live(folder, as_json)
        return
    from shrinkfit.audio.recording import hear

    with working():
        heard = hear(folder, wav, on)
    if as_json:
        print_json(heard.as_dict())
    else:
        from shrinkfit.report.heard import recording_report

        print_tables(recording_report(heard))


def _detect_live(folder: Path, as_json: bool) -> None:
    """One line, or one line of JSON, per detection."""
    from shrinkfit.audio.live import hear_live, microphone
    from shrinkfit.audio.recording import Ears
    from shrinkfit.report.heard import detected_line

    blocks = microphone(Ears.of(folder).sample_rate_hz)
    try:
        for one in hear_live(folder, blocks):
            print(json.dumps(asdict(one)) if as_json else detected_line(one), flush=True)
    except KeyboardInterrupt:
        typer.secho("stopped", err=True)
