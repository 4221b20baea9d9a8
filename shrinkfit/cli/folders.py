# SPDX-License-Identifier: Apache-2.0
"""check, profile and report: what export wrote is built, run and told."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import shrinkfit
from shrinkfit.cli.options import AsJson, On, Wav
from shrinkfit.cli.show import FAILED, HELD, finish, print_json, print_tables, working
from shrinkfit.errors import ShrinkfitError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from shrinkfit.audio.heard import SoundCheck
    from shrinkfit.check.compare import CheckResult


def _sound(folder: Path, path: Path) -> Any:
    """int16 [n] at the rate of a folder's listener; what had to be changed in the file is said on stderr."""
    from shrinkfit.audio.listen import listening_of
    from shrinkfit.audio.sound import read_sound

    sound = read_sound(path, listening_of(folder).features.sample_rate_hz)
    for note in sound.notes:
        print(f"{path}: {note}", file=sys.stderr)
    return sound.samples


def _required(folder: Path) -> None:
    if not folder.is_dir():
        from shrinkfit.check.exported import wanted_folder

        raise ShrinkfitError(f"'{folder}' is no folder; {wanted_folder(folder)}")


def check(
    folder: Annotated[
        Path, typer.Argument(help="A folder that export wrote; with --trace also a .tflite file.", metavar="DIR")
    ],
    inputs: Annotated[
        Path | None, typer.Option(help=".npy with inputs, .npz for several; random ones where it is left out.")
    ] = None,
    on: On = "host",
    trace: Annotated[
        bool, typer.Option("--trace", help="Compare layer by layer and name the first tensor that differs.")
    ] = False,
    wav: Wav = None,
    as_json: AsJson = False,
) -> None:
    """Build a folder, run it, compare every byte.

    The outputs on the host, an emulated Cortex-M4 core or a whole emulated board have to equal the simulator's.
    With --trace what every layer writes is compared, in C on the host, or in LiteRT for a .tflite file.
    With --wav the folder's listener hears a recording: every score and every detection has to be the Python twin's.
    """
    if not (trace and folder.is_file()):
        _required(folder)
    if wav is not None and (trace or inputs is not None):
        raise ShrinkfitError("--wav takes neither --inputs nor --trace: it checks the listener around the model")
    samples = None if wav is None else _sound(folder, wav)
    report: SoundCheck | CheckResult
    with working():
        if samples is not None:
            report = shrinkfit.check_sound(folder, samples, on)
        else:
            report = shrinkfit.check(folder, inputs=inputs, on=on, trace=trace)
    finish(report, as_json)


def profile(
    folder: Annotated[Path, typer.Argument(help="A folder that export wrote.", metavar="DIR")],
    inputs: Annotated[
        Path | None, typer.Option(help=".npy with inputs, .npz for several; one random run where it is left out.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Also draw it, into this .png file.", metavar="FILE.png")] = None,
    wav: Wav = None,
    as_json: AsJson = False,
) -> None:
    """Count what an inference costs, layer by layer.

    The built image runs on an emulated core: instructions, a Cortex-M4's cycles, flash by function, RAM and stack. Of a
    folder with a listener also what a second of sound costs, of noise where no recording is given.
    """
    if plot is not None and plot.suffix.lower() != ".png":
        raise ShrinkfitError(f"--plot is '{plot}', expected a file name that ends in .png")
    _required(folder)
    samples = None if wav is None else _sound(folder, wav)
    with working():
        result = shrinkfit.profile(folder, inputs)
        if plot is not None:
            _draw(plot, result)
        heard, record = _listening_profile(folder, samples)
    if as_json:
        print_json(result.as_dict() | ({} if heard is None else {"listening": heard.as_dict()}))
    else:
        from shrinkfit.report.listening import listening_report
        from shrinkfit.report.profile import profile_report

        tables: list[RenderableType] = [profile_report(result)]
        tables += [] if heard is None else ["", listening_report(heard, record)]
        print_tables(*tables)
    within = heard is None or heard.stack_bytes <= record["cost"]["listen_stack_bytes"]
    raise typer.Exit(HELD if result.held and within else FAILED)


def _draw(plot: Path, result: Any) -> None:
    from shrinkfit.report.profile import plot_profile

    try:
        plot_profile(plot, result)
    except OSError as error:
        raise ShrinkfitError(f"--plot '{plot}' cannot be written: {error.strerror or error}") from error


def _listening_profile(folder: Path, samples: Any) -> tuple[Any, Any]:
    """(what was heard, what report.json says of the listener); both None for a folder without one."""
    from shrinkfit.check.exported import Exported

    record = Exported.read(folder).report.get("listener")
    if record is None and samples is None:
        return None, None
    from shrinkfit.audio.listen import profile_sound

    return profile_sound(folder, samples), record


def report(
    folder: Annotated[Path, typer.Argument(help="A folder that export wrote.", metavar="DIR")],
    as_json: AsJson = False,
) -> None:
    """Print what an exported folder's report.html shows.

    Limits, epochs and widths of the fit, memory plan, cycles and quantization error per layer, parts that it fits.
    """
    from shrinkfit.check.exported import Exported

    _required(folder)
    details = Exported.read(folder).report
    if as_json:
        print_json(details)
    else:
        from shrinkfit.report.terminal import terminal_report

        print_tables(terminal_report(details))
    raise typer.Exit(HELD if all(details[name] <= limit for name, limit in details["limits"].items()) else FAILED)
