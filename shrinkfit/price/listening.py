# SPDX-License-Identifier: Apache-2.0
"""A graph with a listener around it in; the flash, RAM and stack of the firmware image that listens out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

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

if TYPE_CHECKING:
    from shrinkfit.price.second import Second

# What NAME_listen and NAME_listen_reset call, besides the model's own functions.
LISTEN_CALLS: tuple[str, ...] = ("sf_features_take", "sf_frames_take", "sf_detect")
RESET_CALLS: tuple[str, ...] = ("sf_features_reset", "sf_frames_reset", "sf_detect_reset")
# With a verifier, too.
VERIFY_CALLS = (
    "sf_verify_keep", "sf_verify_due", "sf_verify_first", "sf_verify_input", "sf_detect_with", "sf_detect_nothing",
)  # fmt: skip
VERIFY_RESET_CALLS = ("sf_verify_reset",)
# What the compiler makes of the two; tests compare it with linked images.
CODE_BYTES, FRAME_BYTES, V6M_FRAME_BYTES = 280, 72, 76
# With a verifier: more of both, and what the port's main does with its scores.
VERIFY_CODE_BYTES, VERIFY_FRAME_BYTES = 220, 16


@dataclass(frozen=True)
class Surroundings:
    """What a listener holds around a network. It follows from the network's input and output: networks that differ in
    between, as candidates do while a model is fitted, have the same.

    Args:
        frame_bytes: that features compute in between two runs: in the arena, behind what the network keeps.
        kept_bytes: what is kept of the sound, behind the arena.
        table_bytes: constants.
        second: the verifier's network; None without one.
    """

    frame_bytes: int
    kept_bytes: int
    table_bytes: int
    second: Second | None = None

    def network_bytes(self, arena_bytes: int, state_bytes: int) -> int:
        """The part of the memory that the network and the features take in turn.

        Args:
            arena_bytes, state_bytes: of the network's plan.
        """
        return _aligned(max(arena_bytes, state_bytes + self.frame_bytes))

    def kept_on(self, device: Device) -> int:
        """What lies behind that part: what is kept of the sound, and the arena of a second network."""
        return self.kept_bytes + (0 if self.second is None else _aligned(self.second.on(device).cost.arena_bytes))

    def constants_on(self, device: Device) -> int:
        """All constants but the network's own."""
        return self.table_bytes + (0 if self.second is None else self.second.on(device).cost.weight_bytes)


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


def listening_image(network: Graph | Called, device: Device, second: Second | None = None) -> Image:
    """Price the code around a network's constants.

    Args:
        network: its graph, or what it calls.
        device: what it runs on.
        second: the verifier's network; None without one.
    """
    name = variant(device.core, bool(device.dsp), bool(device.fpu))
    plain, listening, model = load(name), load_listening(name), linked_symbols(network, device)
    calls, resets, networks = LISTEN_CALLS, RESET_CALLS, [network]
    own = model_code_bytes(network, device) + CODE_BYTES
    call = V6M_FRAME_BYTES if name.startswith("cortex-m0") else FRAME_BYTES
    if second is not None:
        other = second.on(device).called
        calls, resets, networks = calls + VERIFY_CALLS, resets + VERIFY_RESET_CALLS, [network, other]
        own, call = own + model_code_bytes(other, device) + VERIFY_CODE_BYTES, call + VERIFY_FRAME_BYTES
        model = (*model, *linked_symbols(other, device))
    symbols = tuple(sorted({*model, *calls, *resets}))
    below = (run_stack_bytes(one, device) for one in networks)
    call += max(*below, *(plain.stack_bytes(s) for s in (*calls, *resets)))
    frame = EXCEPTION_FRAME_FP_BYTES if device.fpu else EXCEPTION_FRAME_BYTES
    deepest = listening.stack_bytes("Reset_Handler", call) + frame + listening.stack_bytes("Fault_Handler")
    return Image(listening.flash_bytes(symbols) + own, listening.ram_bytes(symbols), call, -(-deepest // 8) * 8)


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // ALIGNMENT) * ALIGNMENT
