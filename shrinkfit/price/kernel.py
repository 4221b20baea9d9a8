# SPDX-License-Identifier: Apache-2.0
"""What every family of kernels says about itself; `kernels` gathers the families."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from shrinkfit.device import Device
from shrinkfit.errors import UnsupportedLayerError
from shrinkfit.graph import ir
from shrinkfit.graph.base import OpOfKind

UINT16_MAX = 2**16 - 1
# SF_GATHER_SLACK in sf_widen.h.
GATHER_SLACK_BYTES = 4


@dataclass(frozen=True)
class Kernel:
    """What it takes to run one operator.

    Args:
        function: name in the generated C; where a DSP variant exists, sf_select.h maps it.
        symbol: the function that is linked.
        params: name of its parameter struct.
        sources: the runtime's files that hold the scalar and the DSP variant, and headers that only these need.
        takes_scratch: whether the function has an argument for scratch, needed or not.
        scratch_bytes: RAM that it needs besides its tensors, aligned to 4.
        data_bytes: packed weights, bias, multipliers, shifts and the structs of all its calls, in flash.
    """

    function: str
    symbol: str
    params: str
    sources: tuple[str, ...]
    takes_scratch: bool
    scratch_bytes: int
    data_bytes: int


# (operator, graph, whether there are DSP instructions) -> its kernel.
KernelOf: TypeAlias = Callable[[OpOfKind, ir.Graph, bool], Kernel]

NO_KERNEL = Kernel("", "", "", (), False, 0, 0)


def word(n: int) -> int:
    """Rounded up to whole 32-bit words, as the compiler and linker place constants."""
    return -(-n // 4) * 4


def supported(condition: bool, message: str) -> None:
    """Raise UnsupportedLayerError where the condition does not hold."""
    if not condition:
        raise UnsupportedLayerError(message)


@dataclass(frozen=True)
class Choice:
    """What kernels there are to choose from.

    Args:
        dsp: those for DSP instructions, or the scalar ones only.
        speed: also those that trade flash for cycles.
        small: those with little code, which are not the fastest.
    """

    dsp: bool
    speed: bool = False
    small: bool = False

    @classmethod
    def of(cls, given: Choice | bool | Device) -> Choice:
        """Of a device, or of whether there are DSP instructions."""
        if isinstance(given, Choice):
            return given
        if isinstance(given, Device):
            return cls(bool(given.dsp), given.optimize == "speed", given.optimize == "size")
        return cls(bool(given))
