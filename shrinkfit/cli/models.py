# SPDX-License-Identifier: Apache-2.0
"""devices, price and export: what parts hold, what a model costs, the C that runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

import shrinkfit
from shrinkfit.cli.options import (
    AsJson,
    FramesPerCall,
    Goal,
    Model,
    PartName,
    Ram,
    Streaming,
    complete_part,
)
from shrinkfit.cli.show import FAILED, HELD, finish, print_json, print_tables, working
from shrinkfit.device import DEFAULT_DEVICE
from shrinkfit.errors import ShrinkfitError, near_files


def _array(path: Path | None) -> Any:
    """float or int8 [n, ...] from an .npy file; None where no file is named."""
    if path is None:
        return None
    import numpy as np

    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        near = near_files(path, (".npy",)) if isinstance(error, FileNotFoundError) else ""
        raise ShrinkfitError(f"'{path}' cannot be read as an .npy file: {error}{near}") from error


def devices(
    part: Annotated[
        str | None,
        typer.Argument(help="One of them, with its sources.", metavar="PART", autocompletion=complete_part),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List known parts and what each can hold."""
    if part is not None:
        one = shrinkfit.get_device(part)
        print_json(one) if as_json else print_tables(one)
    elif as_json:
        print_json(shrinkfit.devices())
    else:
        from shrinkfit.report.table import device_table

        print_tables(device_table(shrinkfit.devices()))


def price(
    model: Model,
    device: PartName = None,
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

    Weights, bytes, MACs and FLOPs, the arena's peak and the layer that makes it, each against the device's limits,
    efm32's where no device is named.
    """
    if all_devices and device is not None:
        raise ShrinkfitError("--device is for one part, and --all-devices prices for every one; leave one of them out")
    if all_devices and ram is not None:
        raise ShrinkfitError(
            "--ram is for one device, and --all-devices prices layers in one piece; leave one of them out"
        )
    how: dict[str, Any] = {"optimize": optimize, "streaming": streaming or frames_per_call is not None}
    how["frames_per_call"] = frames_per_call
    if all_devices:
        _price_all(model, how, as_json)
    part = shrinkfit.get_device(DEFAULT_DEVICE if device is None else device)
    budget = part.budget()
    with working():
        cost = shrinkfit.price(model, device=part, ram=ram, **how)
    held = not cost.over(budget)
    if as_json:
        print_json({"device": part.name, "limits": budget, "held": held, "cost": cost})
    else:
        from shrinkfit.report.table import price_report

        print_tables(price_report(cost, part, budget))
    raise typer.Exit(HELD if held else FAILED)


def _price_all(model: Path, how: dict[str, Any], as_json: bool) -> NoReturn:
    with working():
        parts = [part.as_dict() for part in shrinkfit.price_all(model, **how)]
    if as_json:
        print_json(parts)
    else:
        from shrinkfit.report.table import parts_table

        print_tables(parts_table(parts))
    raise typer.Exit(HELD if any(not part["over"] for part in parts) else FAILED)


def export(
    model: Model,
    folder: Annotated[Path, typer.Option("-o", "--output", help="Where the firmware folder goes.", metavar="DIR")],
    name: Annotated[str, typer.Option(help="What the C calls the model; a C identifier.")],
    device: PartName = None,
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
    author: Annotated[
        str | None, typer.Option(help="Who the packages of the folder say made it.", metavar="'NAME <MAIL>'")
    ] = None,
    url: Annotated[str | None, typer.Option(help="A page about it, for the packages.", metavar="URL")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the C that runs a model.

    The folder compiles by itself: weights, layers, the runtime files that they need, a Makefile.
    """
    part = None if device is None else shrinkfit.get_device(device)
    if no_optimize and optimize != "balanced":
        raise ShrinkfitError(f"--no-optimize takes the balanced kernels, and --optimize is '{optimize}': leave out one")
    with working():
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
            author=author,
            url=url,
        )
    finish(report, as_json)
