# SPDX-License-Identifier: Apache-2.0
"""Measures every C kernel on an emulated core, fits its cycles, and writes shrinkfit/price/cycles.json.

    python benchmarks/cycle_costs.py              # after any change in runtime_c/: some minutes
    python benchmarks/cycle_costs.py --kinds conv dense      # these of cycle_shapes.KINDS only; other rows stay
    python benchmarks/cycle_costs.py --check      # predicted against emulated, on whole networks; writes nothing

Per kernel the cycles are a sum over places in its loops: how often each is passed follows from the shapes
(price/cycles_*.py), what a pass takes is fitted here, by least squares of the relative errors with no number below 0.
The errors written are those on other layers than the fit saw. Cycles follow check/cycles.py for every core.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import zlib
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from cycle_networks import compare
from cycle_shapes import GOALS, KINDS, graph_of
from rich.console import Console
from rich.table import Table

from shrinkfit.check.build import FIRMWARE_FLAGS, build_firmware, find_tool
from shrinkfit.check.emulate import run_unicorn
from shrinkfit.check.exported import Exported
from shrinkfit.device import Device
from shrinkfit.graph.ir import Graph
from shrinkfit.price.cycles import COUNTS, PATH
from shrinkfit.price.cycles_listening import LISTENING
from shrinkfit.price.kernel import Choice
from shrinkfit.price.kernels import kernel_for
from shrinkfit.write.export import write_folder

# The keys of cycles.json. The memories are those of the emulator, so that many layers fit into one image.
DEVICES = {
    "cortex-m4+fp": Device("measured", core="cortex-m4", fpu=True),
    "cortex-m4": Device("measured", core="cortex-m4", fpu=False),
    "cortex-m3": Device("measured", core="cortex-m3", fpu=False),
}
FITTED, HELD_OUT = "fitted", "held out"
# A loop that the fit saw never turn has no cycles of its own, and a layer of a few cycles says little about it.
DIGITS = 3


@dataclass(frozen=True)
class Sample:
    """One layer: how often each place of its kernel is passed, and the cycles that the emulated core took."""

    counts: dict[str, int]
    cycles: int


def measure(graph: Graph, device: Device) -> dict[str, list[Sample]]:
    """Kernel -> its layers in this graph."""
    with tempfile.TemporaryDirectory() as place:
        write_folder(graph, Path(place) / "single", name="single", device=device)
        exported = Exported.read(Path(place) / "single")
        elf = build_firmware(exported.folder, Path(place), exported.target, stack_bytes=exported.stack_bytes)
        emulation = run_unicorn(elf, inputs_of(graph), exported.api, exported.target, count=1)
        layers = {layer.name: layer for layer in exported.layers(emulation.profiles[0], timed=True)}
    samples = defaultdict(list)
    for op in graph.ops:
        symbol = kernel_for(op, graph, Choice.of(device)).symbol
        if symbol and symbol not in COUNTS:
            raise SystemExit(f"kernel {symbol} has no row in COUNTS of price/cycles_*.py; write one")
        if symbol:
            samples[symbol].append(Sample(COUNTS[symbol](op, graph), layers[op.name].cycles))
    return samples


def inputs_of(graph: Graph) -> np.ndarray:
    """One run's inputs as int8 [1, bytes]: integers over their whole range, floats as data is once standardized."""
    rng, parts = np.random.default_rng(5), []
    for tensor in (graph.tensors[name] for name in graph.inputs):
        if tensor.dtype == "float32":
            values = rng.normal(size=tensor.shape).astype(np.float32)
        else:
            bounds = np.iinfo(tensor.dtype)
            values = rng.integers(bounds.min, bounds.max + 1, tensor.shape).astype(tensor.dtype)
        parts.append(values.tobytes())
    return np.frombuffer(b"".join(parts), np.int8)[None]


def fit(samples: list[Sample]) -> dict[str, float]:
    """Place -> cycles, none negative, with the least squared relative error."""
    places = list(dict.fromkeys(place for sample in samples for place in sample.counts))
    rows = np.array([[sample.counts.get(place, 0) / sample.cycles for place in places] for sample in samples])
    scale = np.linalg.norm(rows, axis=0)
    if not scale.all():
        raise SystemExit(f"no layer passes {[p for p, s in zip(places, scale, strict=True) if s == 0]}; draw others")
    solution = non_negative(rows / scale, np.ones(len(rows))) / scale
    return {place: round(float(cycles), DIGITS) for place, cycles in zip(places, solution, strict=True)}


def non_negative(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """argmin |a x - b| over x >= 0 (Lawson and Hanson, Solving Least Squares Problems, 1974, chapter 23)."""
    x, free = np.zeros(a.shape[1]), np.zeros(a.shape[1], bool)
    for _ in range(10 * a.shape[1]):
        gradient = np.where(free, -np.inf, a.T @ (b - a @ x))
        if gradient.max() < 1e-9:
            break
        free[gradient.argmax()] = True
        while True:
            trial = np.zeros_like(x)
            trial[free] = np.linalg.lstsq(a[:, free], b, rcond=None)[0]
            below = free & (trial <= 0)
            if not below.any():
                break
            step = np.min(x[below] / (x[below] - trial[below]))
            x = x + step * (trial - x)
            free &= x > 1e-12
            x[~free] = 0
        x = trial
    return x


def errors(cycles: dict[str, float], samples: list[Sample]) -> np.ndarray:
    """Relative errors in percent."""
    predicted = [sum(cycles[place] * n for place, n in sample.counts.items()) for sample in samples]
    measured = np.array([sample.cycles for sample in samples])
    return 100 * (np.array(predicted) - measured) / measured


def fitted_kernels(name: str, kinds: list[str]) -> dict[str, dict]:
    """Kernel -> its row in cycles.json, for one core; rows of other kinds as they are in the file."""
    samples = drawn(name, kinds)
    rows = json.loads(PATH.read_text(encoding="utf-8"))["cores"].get(name, {})
    if set(kinds) == set(KINDS):
        # What benchmarks/listening_costs.py measured stays.
        rows = {symbol: row for symbol, row in rows.items() if symbol in LISTENING}
    for symbol, own in sorted(samples[FITTED].items()):
        cycles = fit(own)
        off = np.abs(errors(cycles, samples[HELD_OUT][symbol]))
        rows[symbol] = {
            "cycles": cycles,
            "largest_error_percent": round(float(off.max()), 2),
            "mean_error_percent": round(float(off.mean()), 2),
            "fitted_on": len(own),
            "tested_on": len(off),
        }
    return dict(sorted(rows.items()))


def drawn(name: str, kinds: list[str]) -> dict[str, dict[str, list[Sample]]]:
    """Part -> kernel -> its layers, on one core: those to fit, and those to test the fit with."""
    samples = {part: defaultdict(list) for part in (FITTED, HELD_OUT)}
    for kind in kinds:
        device = DEVICES[name]
        if kind in GOALS:
            if not device.dsp:
                continue
            device = replace(device, optimize=GOALS[kind])
        for part, share in ((FITTED, 2), (HELD_OUT, 1)):
            seed = zlib.crc32(f"{part} {kind}".encode())
            for symbol, found in measure(graph_of(kind, share * KINDS[kind], seed), device).items():
                samples[part][symbol] += found
    return samples


def document(cores: dict[str, dict[str, dict]]) -> str:
    """The file's text: JSON with one line per kernel."""
    version = subprocess.run([find_tool("arm-none-eabi-gcc"), "-dumpfullversion"], capture_output=True, text=True)
    head = {
        "compiler": f"arm-none-eabi-gcc {version.stdout.strip()}",
        "flags": " ".join(FIRMWARE_FLAGS),
        "timings": "a Cortex-M4's (check/cycles.py) for every core, without flash wait states",
        "scalar_kernels": "those of cortex-m3, as gcc compiles them for it, run on an emulated Cortex-M3",
    }
    parts = []
    for name, rows in cores.items():
        lines = ",\n".join(f"  {json.dumps(symbol)}: {json.dumps(row)}" for symbol, row in rows.items())
        parts.append(f' "{name}": {{\n{lines}\n }}')
    heads = "\n".join(f"{json.dumps(key)}: {json.dumps(value)}," for key, value in head.items())
    return f'{{\n{heads}\n"cores": {{\n' + ",\n".join(parts) + "\n}\n}\n"


def kernel_table(cores: dict[str, dict[str, dict]]) -> Table:
    table = Table(title="cycles per kernel: error on layers that the fit did not see")
    for column in ("core", "kernel", "fitted on", "tested on", "largest %", "mean %"):
        table.add_column(column, justify="left" if column in ("core", "kernel") else "right")
    for name, rows in cores.items():
        for symbol, row in rows.items():
            figures = [row[key] for key in ("fitted_on", "tested_on", "largest_error_percent", "mean_error_percent")]
            table.add_row(name, symbol, *map(str, figures))
    return table


def write_whole(text: str) -> None:
    """The file as it was, or the new one."""
    beside = PATH.with_suffix(".json.new")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, PATH)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), metavar="KIND", help="measure these")
    parser.add_argument("--check", action="store_true", help="compare whole networks only; write nothing")
    args = parser.parse_args()
    console = Console(width=120)
    if not args.check:
        cores = {name: fitted_kernels(name, args.kinds) for name in DEVICES}
        write_whole(document(cores))
        console.print(kernel_table(cores))
        return 0
    return compare(console)


if __name__ == "__main__":
    sys.exit(main())
