# SPDX-License-Identifier: Apache-2.0
"""A graph with a listener around it in; the flash, RAM and stack of the firmware image that listens out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from shrinkfit.device import Device
from shrinkfit.errors import ShrinkfitError
from shrinkfit.graph.ir import Graph
from shrinkfit.price.arena import ALIGNMENT
from shrinkfit.price.code_sizes import load, load_listening, variant
from shrinkfit.price.linked import (
    EXCEPTION_FRAME_BYTES,
    EXCEPTION_FRAME_FP_BYTES,
    Called,
    linked_symbols,
    model_code_bytes,
    run_stack_bytes,
)

# What NAME_listen and NAME_listen_reset call, besides the model's own functions.
LISTEN_CALLS = ("sf_features_take", "sf_frames_take", "sf_detect")
RESET_CALLS = ("sf_features_reset", "sf_frames_reset", "sf_detect_reset")
# What the compiler makes of the two; tests compare it with linked images.
CODE_BYTES, FRAME_BYTES = 280, 72


@dataclass(frozen=True)
class Surroundings:
    """What a listener holds around a network. It follows from the network's input and output: networks that differ in
    between, as candidates do while a model is fitted, have the same.

    Args:
        frame_bytes: that features compute in between two runs: in the arena, behind what the network keeps.
        kept_bytes: what is kept of the sound, behind the arena.
        table_bytes: constants.
    """

    frame_bytes: int
    kept_bytes: int
    table_bytes: int

    def network_bytes(self, arena_bytes: int, state_bytes: int) -> int:
        """The part of the memory that the network and the features take in turn.

        Args:
            arena_bytes, state_bytes: of the network's plan.
        """
        return _aligned(max(arena_bytes, state_bytes + self.frame_bytes))


class Listens(Protocol):
    """What listens around a network, such as audio.listener.Listener."""

    @property
    def hop_frames(self) -> int | None:
        """How many frames a streamed model is to take at each run, where the caller does not say."""

    def surroundings(self, graph: Graph) -> Surroundings:
        """What it holds around a network.

        Args:
            graph: the network, as it runs: streamed, where it is.
        Raises:
            ShrinkfitError: the two do not go together.
        """


def checked_listener(listener: Any) -> Any:
    """What was given as listener, which may be None.

    Raises:
        ShrinkfitError: it is something else.
    """
    if listener is None or (callable(getattr(listener, "surroundings", None)) and not isinstance(listener, type)):
        return listener
    came = f"the class {listener.__name__}" if isinstance(listener, type) else f"a {type(listener).__name__}"
    raise ShrinkfitError(f"listener is {came}, expected a shrinkfit.Listener(features=..., detector=...)")


@dataclass(frozen=True)
class Image:
    """The image without its constants and without the listener's memory.

    Args:
        code_bytes: flash.
        static_bytes: RAM: .data and .bss, the buffer that a microphone would fill among them.
        listen_stack_bytes: what a call of NAME_listen takes at most.
        stack_bytes: what the image sets aside.
    """

    code_bytes: int
    static_bytes: int
    listen_stack_bytes: int
    stack_bytes: int


def listening_image(network: Graph | Called, device: Device) -> Image:
    """Price the code around a network's constants.

    Args:
        network: its graph, or what it calls.
        device: what it runs on.
    """
    name = variant(device.core, bool(device.dsp), bool(device.fpu))
    plain, listening, model = load(name), load_listening(name), linked_symbols(network, device)
    symbols = tuple(sorted({*model, *LISTEN_CALLS, *RESET_CALLS}))
    own = model_code_bytes(network, device) + CODE_BYTES
    below = max(run_stack_bytes(network, device), *(plain.stack_bytes(s) for s in (*LISTEN_CALLS, *RESET_CALLS)))
    call = FRAME_BYTES + below
    frame = EXCEPTION_FRAME_FP_BYTES if device.fpu else EXCEPTION_FRAME_BYTES
    deepest = listening.stack_bytes("Reset_Handler", call) + frame + listening.stack_bytes("Fault_Handler")
    return Image(listening.flash_bytes(symbols) + own, listening.ram_bytes(symbols), call, -(-deepest // 8) * 8)


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // ALIGNMENT) * ALIGNMENT
