# SPDX-License-Identifier: Apache-2.0
"""catalogue.toml, or a file of the user's own, enters; Devices by name leave."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import fields
from functools import cache
from importlib.resources import files
from pathlib import Path

from shrinkfit._shown import Shown
from shrinkfit.device.device import Device
from shrinkfit.errors import ShrinkfitError, UnknownDeviceError, did_you_mean

DEFAULT_DEVICE = "efm32"  # what models are priced and written for where nobody says


class Devices(Shown, tuple[Device, ...], by="report.table.device_table"):
    """Parts, which terminals and notebooks show in one table."""


@cache
def devices() -> Devices:
    """Every part that shrinkfit knows.

    Returns:
        the parts of catalogue.toml, in its order.
    """
    data = tomllib.loads(files("shrinkfit.device").joinpath("catalogue.toml").read_text(encoding="utf-8"))
    legend = data["legend"]
    return Devices(_device(name, part, legend) for name, part in data["parts"].items())


def _device(name: str, part: dict, legend: dict[str, str]) -> Device:
    sources = {key: legend.get(source, source) for key, source in part["sources"].items()}
    return Device(**{**part, "name": name, "sources": sources})


@cache
def _by_name() -> dict[str, Device]:
    return {name: device for device in devices() for name in (device.name, *device.aliases)}


def get_device(name: str | Path | Device) -> Device:
    """Look a part up.

    Args:
        name: a catalogue name or alias, in any case; a .toml file that describes one part, as `read_device` takes it;
            or a Device.
    Returns:
        the part.
    Raises:
        UnknownDeviceError: no such part; the message lists near matches.
        ShrinkfitError: the file is not there, or does not describe a part.
    """
    if isinstance(name, Device):
        return name
    if not isinstance(name, str | Path):
        raise UnknownDeviceError(f"a device is a catalogue name or a shrinkfit.Device, got {type(name).__name__}")
    if str(name).lower().endswith(".toml"):
        return read_device(name)
    name, known = str(name), _by_name()
    if name.lower() in known:
        return known[name.lower()]
    near = _near(name.lower(), known)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise UnknownDeviceError(f"unknown device '{name}'; {hint}`shrinkfit devices` lists all")


def read_device(path: str | Path) -> Device:
    """A part from a file of its own: TOML with the fields of a Device, each as in catalogue.toml.

    Args:
        path: of the file; its stem is the part's name where the file gives none.
    Raises:
        ShrinkfitError: the file cannot be read, is no TOML, or has a field that a Device does not.
        BudgetError: a figure makes no sense.
    """
    path = Path(path)
    try:
        part = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ShrinkfitError(f"cannot read the device file '{path}': {error.strerror}") from error
    except ValueError as error:
        raise ShrinkfitError(f"the device file '{path}' is no TOML: {error}") from error
    known = [field.name for field in fields(Device)]
    for key in part:
        if key not in known:
            hint = did_you_mean(key, known) or f"; expected {', '.join(known)}"
            raise ShrinkfitError(f"the device file '{path}' has a field '{key}', which a Device does not{hint}")
    return Device(**{"name": path.stem, "core": ""} | part)


def _near(name: str, known: dict[str, Device]) -> list[str]:
    # A family ("stm32f4") or a full part number ("nrf52840-qiaa") first, then slips of the finger ("emf32").
    longer_or_shorter = [other for other in known if len(name) >= 3 and (other.startswith(name) or name in other)]
    longer_or_shorter += [other for other in known if name.startswith(other)]
    return longer_or_shorter[:4] or difflib.get_close_matches(name, known, n=3, cutoff=0.6)
