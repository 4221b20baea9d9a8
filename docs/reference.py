# SPDX-License-Identifier: Apache-2.0
"""Writes docs/operators.md and docs/devices.md from the code, so that they cannot say what is not so.

python docs/reference.py            # after a change to readers, kernels or the catalogue
python docs/reference.py --check    # exit status 1 where a page is out of date; writes nothing
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from shrinkfit.device import Device, devices
from shrinkfit.read import activations, layers, tflite_operators
from shrinkfit.report.table import device_row

# Keras's and tfmot's own, which no user writes.
PLUMBING = ("InputLayer", "QuantizeLayer", "Divide", "TrueDivide")
FOLDER = Path(__file__).parent
HEAD = "<!-- SPDX-License-Identifier: Apache-2.0. Written by docs/reference.py; change the code, then run it. -->\n"


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


def operators_page() -> str:
    """What can be read."""
    operators = ", ".join(f"`{name}`" for name in sorted(tflite_operators.READERS))
    known = sorted(name for name in layers.READERS if name not in PLUMBING)
    functions = ", ".join(f"`{name}`" for name in sorted(activations.SUPPORTED))
    return (
        f"{HEAD}# Supported layers and operators\n\nAnything else is refused by name, before anything is trained or"
        " written.\n\n"
        f"## Operators of int8 .tflite files ({len(tflite_operators.READERS)})\n\n{operators}.\n\nEach gives the bytes"
        " of LiteRT's reference kernels; `rounding.md` says how each rounds and how that was found out.\n\n"
        f"## Keras layers ({len(known)})\n\n{', '.join(f'`{name}`' for name in known)}.\n\nThe same for Keras 3 and"
        " tf_keras: Functional and Sequential models, shared layers, several inputs and outputs. `FitDevice` trains"
        " them with the integers' rounding, and what it exports gives the simulator's bytes.\n\n"
        f"## Activations ({len(activations.SUPPORTED)})\n\n{functions}; as a layer or as a layer's argument.\n"
    )


def devices_page() -> str:
    """The catalogue, and where each figure was read."""
    rows = [device_row(device) for device in devices()]
    headers = ("name", "part", "core", "DSP", "FPU", "MHz", "flash KB", "RAM KB", "µA/MHz", "MFLOP/s")
    sections = "".join(_sources(device) for device in devices())
    return (
        f"{HEAD}# Devices\n\nWhat `shrinkfit devices` lists. ? is a figure that was not found; none is guessed. RAM:"
        f" the largest run of consecutive addresses, of all where that is more.\n\n{table(headers, rows)}\n"
        f"## Where each figure was read\n{sections}"
    )


def _sources(device: Device) -> str:
    by_source: dict[str, list[str]] = {}
    for figure, source in device.sources.items():
        by_source.setdefault(source, []).append(f"`{figure}`")
    lines = "".join(f"- {', '.join(figures)}: {source}\n" for source, figures in by_source.items())
    return f"\n### {device.name}\n\n{lines}" + (f"\n{device.notes}\n" if device.notes else "")


PAGES = {"operators.md": operators_page, "devices.md": devices_page}


def main() -> int:
    """Write the pages, or compare them; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args().check
    stale = [name for name, make in PAGES.items() if _text(name) != make()]
    for name in stale:
        if check:
            print(f"docs/{name} is out of date: run docs/reference.py")
        else:
            (FOLDER / name).write_text(PAGES[name](), encoding="utf-8")
    return int(check and bool(stale))


def _text(name: str) -> str:
    path = FOLDER / name
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main())
