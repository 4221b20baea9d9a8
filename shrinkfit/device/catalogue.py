# SPDX-License-Identifier: Apache-2.0
"""catalogue.toml enters, Devices by name leave."""

from __future__ import annotations

import difflib
import tomllib
from functools import cache
from importlib.resources import files

from shrinkfit.device.device import Device
from shrinkfit.errors import UnknownDeviceError


@cache
def devices() -> tuple[Device, ...]:
    """Every part of the catalogue, in its order."""
    data = tomllib.loads(files("shrinkfit.device").joinpath("catalogue.toml").read_text(encoding="utf-8"))
    legend = data["legend"]
    return tuple(_device(name, part, legend) for name, part in data["parts"].items())


def _device(name: str, part: dict, legend: dict[str, str]) -> Device:
    sources = {key: legend.get(source, source) for key, source in part["sources"].items()}
    return Device(**{**part, "name": name, "sources": sources})


@cache
def _by_name() -> dict[str, Device]:
    return {name: device for device in devices() for name in (device.name, *device.aliases)}


def get_device(name: str | Device) -> Device:
    """The part of that name or alias, in any case; a Device is handed back as it is.

    Raises:
        UnknownDeviceError: no such part; the message lists near matches.
    """
    if isinstance(name, Device):
        return name
    if not isinstance(name, str):
        raise UnknownDeviceError(f"a device is a catalogue name or a shrinkfit.Device, got {type(name).__name__}")
    known = _by_name()
    if name.lower() in known:
        return known[name.lower()]
    # Shared letters in order find a slip ("emf32"); the weaker threshold still leaves out the unrelated.
    near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise UnknownDeviceError(f"unknown device '{name}'; {hint}`shrinkfit devices` lists all")
