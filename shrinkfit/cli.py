# SPDX-License-Identifier: Apache-2.0
"""The `shrinkfit` command: arguments enter, the other rooms do the work, tables or JSON leave.

Exit status: 0 it held, 1 a check or a limit failed, 2 bad usage. TensorFlow is imported only by what needs it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

import shrinkfit
from shrinkfit.errors import CheckError, ShrinkfitError

HELD, FAILED, BAD_USAGE = 0, 1, 2

app = typer.Typer(
    help="Fits Keras models to microcontrollers, and writes and checks the C that runs them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
Goal = Annotated[str, typer.Option(help="What kernels are chosen for: balanced, speed or size.", metavar="GOAL")]
Streaming = Annotated[
    bool, typer.Option("--streaming", help="A model that takes new frames alone and keeps what it needs of the others.")
]
FramesPerCall = Annotated[
    int | None, typer.Option(help="New frames of a call; the fewest that the strides allow where it is left out.")
]
Ram = Annotated[
    str | None, typer.Option(help="smallest: layers around the peak run in stripes of rows.", metavar="smallest")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON in place of tables.")]
Wav = Annotated[Path | None, typer.Option(help="A recording for the listener: wav, FLAC and others.", metavar="FILE")]
Model = Annotated[Path, typer.Argument(help="A .tflite, .keras or .h5 file.", metavar="MODEL")]
PartName = Annotated[str, typer.Option("--device", help="A name that `shrinkfit devices` lists.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"shrinkfit {shrinkfit.__version__}")
        raise typer.Exit(HELD)


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _console() -> Any:
    from rich.console import Console

    # A pipe or a file has no width of its own, and rich would take 80 columns for it.
    return Console(width=None if sys.stdout.isatty() else 140, highlight=False)


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


def _print_json(record: Any) -> None:
    print(json.dumps(record, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    """What json cannot write itself: records, paths, NumPy scalars and arrays."""
    if is_dataclass(value):
        return asdict(value)
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def _array(path: Path | None) -> Any:
    """float or int8 [n, ...] from an .npy file; None where no file is named."""
    if path is None:
        return None
    import numpy as np

    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ShrinkfitError(f"'{path}' cannot be read as an .npy file: {error}") from error


def _sound(folder: Path, path: Path) -> Any:
    """int16 [n] at the rate of a folder's listener; what had to be changed in the file is said on stderr."""
    from shrinkfit.audio.listen import listening_of
    from shrinkfit.audio.sound import read_sound

    sound = read_sound(path, listening_of(folder).features.sample_rate_hz)
    for note in sound.notes:
        print(f"{path}: {note}", file=sys.stderr)
    return sound.samples


@app.command()
def devices(as_json: AsJson = False) -> None:
    """List known parts and what each can hold."""
    if as_json:
        _print_json(shrinkfit.devices())
    else:
        from shrinkfit.report.table import device_table

        console = _console()
        console.print(device_table(shrinkfit.devices(), titles=console.width >= 110))


@app.command()
def price(
    model: Model,
    device: PartName = "efm32",
    optimize: Goal = "balanced",
    ram: Ram = None,
    all_devices: Annotated[
        bool, typer.Option("--all-devices", help="One line per known part: does the model fit it?")
    ] = False,
    streaming: Streaming = False,
    frames_per_call: FramesPerCall = None,
    as_json: AsJson = False,
) -> None:
    """Count what a model costs, layer by layer.

    Weights, bytes, MACs and FLOPs, the arena's peak and the layer that makes it, each against the device's limits.
    """
    if all_devices and ram is not None:
        raise ShrinkfitError(
            "--ram is for one device, and --all-devices prices layers in one piece; leave one of them out"
        )
    how: dict[str, Any] = {"optimize": optimize, "streaming": streaming or frames_per_call is not None}
    how["frames_per_call"] = frames_per_call
    if all_devices:
        _price_all(model, how, as_json)
    from shrinkfit.report.table import price_report

    part = shrinkfit.get_device(device)
    budget = part.budget()
    with _native_silence():
        cost = shrinkfit.price(model, device=part, ram=ram, **how)
    held = not cost.over(budget)
    if as_json:
        _print_json({"device": part.name, "limits": budget, "held": held, "cost": cost})
    else:
        _console().print(price_report(cost, part, budget))
    raise typer.Exit(HELD if held else FAILED)


def _price_all(model: Path, how: dict[str, Any], as_json: bool) -> None:
    from shrinkfit.report.table import parts_table

    with _native_silence():
        parts = [part.as_dict() for part in shrinkfit.price_all(model, **how)]
    if as_json:
        _print_json(parts)
    else:
        _console().print(parts_table(parts))
    raise typer.Exit(HELD if any(not part["over"] for part in parts) else FAILED)


@app.command()
def export(
    model: Model,
    folder: Annotated[Path, typer.Option("-o", "--output", help="Where the firmware folder goes.", metavar="DIR")],
    name: Annotated[str, typer.Option(help="What the C calls the model; a C identifier.")],
    device: Annotated[str | None, typer.Option(help="A name that `shrinkfit devices` lists.")] = None,
    calibration: Annotated[
        Path | None, typer.Option(help=".npy with example inputs, for a model that is not quantized.")
    ] = None,
    labels: Annotated[str | None, typer.Option(help="Class names, separated by commas.")] = None,
    optimize: Goal = "balanced",
    ram: Ram = None,
    no_optimize: Annotated[
        bool,
        typer.Option("--no-optimize", help="Keep the graph as it came, without rewrites."),
    ] = False,
    streaming: Streaming = False,
    frames_per_call: FramesPerCall = None,
    selftest: Annotated[
        str | None,
        typer.Option(help="Also write a self-test for the board: a number of vectors, or an .npy with their inputs."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the C that runs a model.

    The folder compiles by itself: weights, layers, the runtime files that they need, a Makefile.
    """
    part = None if device is None else shrinkfit.get_device(device)
    if no_optimize and optimize != "balanced":
        raise ShrinkfitError(f"--no-optimize takes the balanced kernels, and --optimize is '{optimize}': leave out one")
    with _native_silence():
        report = shrinkfit.export(
            model,
            folder,
            name=name,
            device=part,
            calibration=_array(calibration),
            labels=None if labels is None else [label.strip() for label in labels.split(",")],
            optimize=False if no_optimize else optimize,
            streaming=streaming or frames_per_call is not None,
            frames_per_call=frames_per_call,
            ram=ram,
            selftest=int(selftest) if selftest is not None and selftest.lstrip("-").isdecimal() else selftest,
        )
    _finish(report, as_json)


@app.command()
def check(
    folder: Annotated[
        Path, typer.Argument(help="A folder that export wrote; with --trace also a .tflite file.", metavar="DIR")
    ],
    inputs: Annotated[
        Path | None, typer.Option(help=".npy with inputs, .npz for several; random ones where it is left out.")
    ] = None,
    on: Annotated[str, typer.Option(help="host, cortex-m4 or qemu.")] = "host",
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
    if not folder.is_dir() and not (trace and folder.is_file()):
        raise ShrinkfitError(f"'{folder}' is no folder; expected one that `shrinkfit export` wrote")
    if wav is not None and (trace or inputs is not None):
        raise ShrinkfitError("--wav takes neither --inputs nor --trace: it checks the listener around the model")
    with _native_silence():
        if wav is not None:
            report = shrinkfit.check_sound(folder, _sound(folder, wav), on)
        else:
            report = shrinkfit.check(folder, inputs=inputs, on=on, trace=trace)
    _finish(report, as_json)


@app.command()
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
    if not folder.is_dir():
        raise ShrinkfitError(f"'{folder}' is no folder; expected one that `shrinkfit export` wrote")
    result = shrinkfit.profile(folder, inputs)
    if plot is not None:
        from shrinkfit.report.profile import plot_profile

        try:
            plot_profile(plot, result)
        except OSError as error:
            raise ShrinkfitError(f"--plot '{plot}' cannot be written: {error.strerror or error}") from error
    heard, record = _listening_profile(folder, wav)
    if as_json:
        _print_json(result.as_dict() | ({} if heard is None else {"listening": heard.as_dict()}))
    else:
        from shrinkfit.report.profile import profile_report

        console = _console()
        console.print(profile_report(result, wide=console.width >= 100))
        if heard is not None:
            from shrinkfit.report.listening import listening_report

            console.print("", listening_report(heard, record), sep="\n")
    within = heard is None or heard.stack_bytes <= record["cost"]["listen_stack_bytes"]
    raise typer.Exit(HELD if result.held and within else FAILED)


def _listening_profile(folder: Path, wav: Path | None) -> tuple[Any, Any]:
    """(what was heard, what report.json says of the listener); both None for a folder without one."""
    record = json.loads((folder / "report.json").read_text(encoding="utf-8")).get("listener")
    if record is None and wav is None:
        return None, None
    from shrinkfit.audio.listen import profile_sound

    return profile_sound(folder, None if wav is None else _sound(folder, wav)), record


@app.command()
def detect(
    folder: Annotated[Path, typer.Argument(help="A folder that export wrote with a listener.", metavar="DIR")],
    wav: Annotated[
        Path | None, typer.Option(help="A recording: wav, FLAC and others, of any sample rate.", metavar="FILE")
    ] = None,
    microphone: Annotated[bool, typer.Option("--microphone", help="Listen to the microphone, until Ctrl-C.")] = False,
    on: Annotated[str, typer.Option(help="host, cortex-m4 or qemu.")] = "host",
    as_json: AsJson = False,
) -> None:
    """Run the exported C over a recording.

    Prints which hotwords it detects, when, and their scores; where there is none, what came nearest.
    """
    if (wav is None) != microphone:
        raise ShrinkfitError("detect takes a recording or the microphone: give either --wav FILE or --microphone")
    if microphone and on != "host":
        raise ShrinkfitError(f"--microphone listens on the host only, and --on is '{on}': leave out one")
    if microphone:
        _detect_live(folder, as_json)
        return
    from shrinkfit.audio.recording import hear

    heard = hear(folder, wav, on)
    if as_json:
        _print_json(heard.as_dict())
    else:
        from shrinkfit.report.heard import recording_report

        _console().print(recording_report(heard))


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


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="A folder that export wrote.", metavar="DIR")],
    as_json: AsJson = False,
) -> None:
    """Print what an exported folder's report.html shows.

    Limits, epochs and widths of the fit, memory plan, cycles and quantization error per layer, parts that it fits.
    """
    from shrinkfit.write.whole import REPORT

    try:
        details = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        limits = details["limits"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ShrinkfitError(f"'{folder}' has no {REPORT} of an export; expected a folder that export wrote") from error
    if as_json:
        _print_json(details)
    else:
        from shrinkfit.report.terminal import terminal_report

        console = _console()
        console.print(terminal_report(details, wide=console.width >= 120))
    raise typer.Exit(HELD if all(details[name] <= limit for name, limit in limits.items()) else FAILED)


def _finish(report: Any, as_json: bool) -> None:
    if as_json:
        _print_json(report.as_dict() if hasattr(report, "as_dict") else report)
    else:
        print(report)
    raise typer.Exit(HELD if getattr(report, "held", True) else FAILED)


def main() -> None:
    """The console script."""
    try:
        app()
    except ShrinkfitError as error:
        typer.secho(f"shrinkfit: {error}", fg="red", err=True)
        sys.exit(FAILED if isinstance(error, CheckError) else BAD_USAGE)


if __name__ == "__main__":
    main()
