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
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON in place of tables.")]
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
    all_devices: Annotated[
        bool, typer.Option("--all-devices", help="One line per known part: does the model fit it?")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Count what a model costs, layer by layer.

    Weights, bytes, MACs and FLOPs, the arena's peak and the layer that makes it, each against the device's limits.
    """
    if all_devices:
        _price_all(model, optimize, as_json)
    from shrinkfit.report.table import price_report

    part = shrinkfit.get_device(device)
    budget = part.budget()
    with _native_silence():
        cost = shrinkfit.price(model, device=part, optimize=optimize)
    held = not cost.over(budget)
    if as_json:
        _print_json({"device": part.name, "limits": budget, "held": held, "cost": cost})
    else:
        _console().print(price_report(cost, part, budget))
    raise typer.Exit(HELD if held else FAILED)


def _price_all(model: Path, optimize: str, as_json: bool) -> None:
    from shrinkfit.report.table import parts_table

    with _native_silence():
        parts = [part.as_dict() for part in shrinkfit.price_all(model, optimize=optimize)]
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
    no_optimize: Annotated[
        bool,
        typer.Option("--no-optimize", help="Keep the graph as it came, without rewrites."),
    ] = False,
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
    as_json: AsJson = False,
) -> None:
    """Build a folder, run it, compare every byte.

    The outputs on the host, an emulated Cortex-M4 core or a whole emulated board have to equal the simulator's.
    With --trace what every layer writes is compared, in C on the host, or in LiteRT for a .tflite file.
    """
    if not folder.is_dir() and not (trace and folder.is_file()):
        raise ShrinkfitError(f"'{folder}' is no folder; expected one that `shrinkfit export` wrote")
    with _native_silence():
        report = shrinkfit.check(folder, inputs=inputs, on=on, trace=trace)
    _finish(report, as_json)


@app.command()
def profile(
    folder: Annotated[Path, typer.Argument(help="A folder that export wrote.", metavar="DIR")],
    inputs: Annotated[
        Path | None, typer.Option(help=".npy with inputs, .npz for several; one random run where it is left out.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Also draw it, into this .png file.", metavar="FILE.png")] = None,
    as_json: AsJson = False,
) -> None:
    """Count what an inference costs, layer by layer.

    The built image runs on an emulated core: instructions, a Cortex-M4's cycles, flash by function, RAM and stack.
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
    if as_json:
        _print_json(result.as_dict())
    else:
        from shrinkfit.report.profile import profile_report

        console = _console()
        console.print(profile_report(result, wide=console.width >= 100))
    raise typer.Exit(HELD if result.held else FAILED)


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
