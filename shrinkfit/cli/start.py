# SPDX-License-Identifier: Apache-2.0
"""The commands in one program."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import shrinkfit
from shrinkfit.cli import folders, models, sound
from shrinkfit.cli.show import BAD_USAGE, FAILED, HELD
from shrinkfit.errors import CheckError, CheckUsageError, ShrinkfitError

app = typer.Typer(
    help="Fits Keras models to microcontrollers, and writes and checks the C that runs them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    *(models.devices, models.price, models.export),
    *(folders.check, folders.profile, folders.report, sound.detect),
):
    app.command()(command)


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


def main() -> None:
    """The console script."""
    try:
        # Also of `python -m`: what users type, and what the name of the completion's variable is made of.
        app(prog_name="shrinkfit")
    except ShrinkfitError as error:
        typer.secho(f"shrinkfit: {error}", fg="red", err=True)
        failed = isinstance(error, CheckError) and not isinstance(error, CheckUsageError)
        sys.exit(FAILED if failed else BAD_USAGE)
