# SPDX-License-Identifier: Apache-2.0
"""Integer graph and device in, a Cortex-M4's cycles per layer out, without a compiler or an emulator.

cycles.json holds what benchmarks/cycle_costs.py fitted on an emulated core: per C kernel the cycles of every place
that the other cycles_*.py count, and how far off the sum was on layers that it was not fitted on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from shrinkfit.device import Device
from shrinkfit.graph.ir import Graph, Op
from shrinkfit.graph.memo import by_tensors
from shrinkfit.price import (
    cycles_3x3,
    cycles_arithmetic,
    cycles_compact,
    cycles_depthwise,
    cycles_time,
    cycles_weighted,
)
from shrinkfit.price.kernel import Choice
from shrinkfit.price.kernels import kernel_for

PATH = Path(__file__).with_name("cycles.json")
COUNTS = (
    cycles_weighted.COUNTS
    | cycles_3x3.COUNTS
    | cycles_compact.COUNTS
    | cycles_depthwise.COUNTS
    | cycles_arithmetic.COUNTS
    | cycles_time.COUNTS
)
# The scalar kernels are measured as compiled for a Cortex-M3, which has a Cortex-M4's instructions but for DSP's.
SCALAR_CORE = "cortex-m3"


@dataclass(frozen=True)
class KernelCycles:
    """What one C kernel takes.

    Args:
        cycles: place in its loops -> cycles each time it is passed.
        error_percent: the largest error on layers that it was not fitted on.
    """

    cycles: dict[str, float]
    error_percent: float

    def of(self, counts: Mapping[str, float]) -> int | None:
        """None where other places were fitted than these: the kernel has changed and was not measured again."""
        if not counts.keys() <= self.cycles.keys():
            return None
        return round(sum(self.cycles[name] * count for name, count in counts.items()))


@dataclass(frozen=True)
class Cycles:
    """What one inference takes.

    Args:
        layers: operator name -> cycles; None where its kernel was not measured.
        total: of all layers; None where one is None.
        source: where the total comes from, or what is missing.
    """

    layers: dict[str, int | None]
    total: int | None
    source: str


def variant(device: Device) -> str:
    """The key of cycles.json whose kernels a device runs."""
    if not Choice.of(device).dsp:
        return SCALAR_CORE
    return "cortex-m4+fp" if device.fpu else "cortex-m4"


def estimate(graph: Graph, device: Device) -> Cycles:
    """Cycles of a Cortex-M4 without flash wait states; they depend on shapes only.

    Args:
        graph: the integer graph.
        device: says which kernels run.
    """
    table, choice = load(variant(device)), Choice.of(device)
    layers: dict[str, int | None] = {}
    total, errors, missing = 0, 0.0, ""
    for op in graph.ops:
        symbol = kernel_for(op, graph, choice).symbol
        cycles = layers[op.name] = _layer(op, graph, symbol, table)
        if cycles is None:
            missing = missing or f"kernel {symbol} of layer '{op.name}' has no measured cycles"
        elif symbol:
            total += cycles
            errors += cycles * table[symbol].error_percent
    if missing:
        return Cycles(layers, None, missing)
    return Cycles(layers, total, _source(device, errors / max(total, 1)))


def _layer(op: Op, graph: Graph, symbol: str, table: dict[str, KernelCycles]) -> int | None:
    if not symbol:
        return 0
    return table[symbol].of(_counts(op, graph, symbol)) if symbol in table and symbol in COUNTS else None


@by_tensors
def _counts(op: Op, graph: Graph, symbol: str) -> dict[str, int]:
    return COUNTS[symbol](op, graph)


def _source(device: Device, error_percent: float) -> str:
    """error_percent: were every layer off by its kernel's largest error, and all in the same direction."""
    error = f"at most {error_percent:.1f} % off where it was tested"
    if device.core == "cortex-m4":
        return f"model fitted to an emulated Cortex-M4, {error}"
    kernels = "" if Choice.of(device).dsp else " running the scalar kernels"
    return f"an estimate: a Cortex-M4's cycles{kernels} stand for a {device.core}'s"


@cache
def load(name: str) -> dict[str, KernelCycles]:
    """Kernel -> its cycles, of one variant."""
    table: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))["cores"].get(name, {})
    return {symbol: KernelCycles(row["cycles"], row["largest_error_percent"]) for symbol, row in table.items()}
