# SPDX-License-Identifier: Apache-2.0
"""What skipping zero blocks saves: a dense layer 256 -> 128 by the share of its blocks of four weights that are zero.

    python benchmarks/sparse.py            # exits with status 1 where 75 % save less than 1.8 x cycles or 2.5 x flash

Each output keeps blocks of its own, at random places. Cycles are an emulated Cortex-M4's (check/cycles.py), flash is
the layer's constants. The first row is the dense kernel that the exporter takes where no block is zero.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from shrinkfit.check.build import build_firmware
from shrinkfit.check.emulate import run_unicorn
from shrinkfit.check.exported import Exported
from shrinkfit.device import get_device
from shrinkfit.errors import ShrinkfitError
from shrinkfit.graph import ir, simulate
from shrinkfit.price.kernels import kernel_for
from shrinkfit.write.export import write_folder

INPUTS, OUTPUTS, BLOCK = 256, 128, 4
SHARES = (0.0, 0.25, 0.5, 0.625, 0.75, 0.875)
# At this share of zero blocks: how many times fewer cycles and less flash at least.
PROMISED_SHARE, PROMISED_CYCLES, PROMISED_FLASH = 0.75, 1.8, 2.5


def layer(share: float, seed: int = 1) -> ir.Graph:
    """Random weights, none of them 0 but in zero blocks."""
    rng = np.random.default_rng(seed)
    kernel = (rng.integers(1, 128, (OUTPUTS, INPUTS)) * rng.choice((-1, 1), (OUTPUTS, INPUTS))).astype(np.int8)
    blocks = OUTPUTS * INPUTS // BLOCK
    zero = rng.permutation(blocks)[: round(share * blocks)]
    kernel.reshape(blocks, BLOCK)[zero] = 0
    fields = {"kernel": kernel, "bias": rng.integers(-5000, 5000, OUTPUTS).astype(np.int32)}
    fields["kernel_scales"] = np.full(OUTPUTS, 0.001, np.float32)
    tensors = {"x": ir.Tensor("x", (1, INPUTS), 0.05, -5), "y": ir.Tensor("y", (1, OUTPUTS), 0.05, 3)}
    op = ir.Dense(name="op", inputs=("x",), outputs=("y",), **fields)
    return ir.Graph("layer", tensors, (op,), ("x",), ("y",))


def measure(graph: ir.Graph) -> tuple[str, int, int]:
    """Kernel, cycles, bytes of constants; the outputs are compared with the simulator's."""
    device, (op,) = get_device("efm32"), graph.ops
    inputs = np.random.default_rng(2).integers(-128, 128, (1, INPUTS)).astype(np.int8)
    with tempfile.TemporaryDirectory() as place:
        write_folder(graph, Path(place) / "layer", name="layer", device=device)
        exported = Exported.read(Path(place) / "layer")
        elf = build_firmware(exported.folder, Path(place), exported.target, stack_bytes=exported.stack_bytes)
        emulation = run_unicorn(elf, inputs, exported.api, exported.target, count=1)
        (cost,) = exported.layers(emulation.profiles[0], timed=True)
    if not np.array_equal(emulation.outputs, simulate.trace(graph, {"x": inputs})["y"]):
        raise ShrinkfitError("the emulated core's outputs differ from the simulator's")
    kernel = kernel_for(op, graph, bool(device.dsp))
    return kernel.symbol, cost.cycles, kernel.data_bytes


def main() -> int:
    table = Table(title=f"dense {INPUTS} -> {OUTPUTS}, blocks of {BLOCK}")
    for column in ("zero blocks", "kernel", "cycles", "fewer", "flash", "less"):
        table.add_column(column, justify="left" if column == "kernel" else "right")
    _, dense_cycles, dense_bytes = measure(layer(0.0))
    held = False
    for share in SHARES:
        symbol, cycles, data_bytes = measure(layer(share))
        fewer, less = dense_cycles / cycles, dense_bytes / data_bytes
        table.add_row(f"{share:.1%}", symbol, f"{cycles:,}", f"{fewer:.2f} x", f"{data_bytes:,}", f"{less:.2f} x")
        held = held or (share == PROMISED_SHARE and fewer >= PROMISED_CYCLES and less >= PROMISED_FLASH)
    Console(width=100).print(table)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
