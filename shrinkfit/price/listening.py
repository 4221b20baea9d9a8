# SPDX-License-Identifier: Apache-2.0
"""A graph with a listener around it in; the flash, RAM and stack of the firmware image that listens out."""

from __future__ import annotations

from dataclasses import dataclass

from shrinkfit.device import Device
from shrinkfit.graph.ir import Graph
from shrinkfit.price.code_sizes import load, load_listening, variant
from shrinkfit.price.kernels import (
    EXCEPTION_FRAME_BYTES,
    EXCEPTION_FRAME_FP_BYTES,
    linked_code_bytes,
    linked_symbols,
    run_stack_bytes,
)

# What NAME_listen and NAME_listen_reset call, besides the model's own functions.
LISTEN_CALLS = ("sf_features_take", "sf_frames_take", "sf_detect")
RESET_CALLS = ("sf_features_reset", "sf_frames_reset", "sf_detect_reset")
# What the compiler makes of the two; tests compare it with linked images.
CODE_BYTES, FRAME_BYTES = 280, 72


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


def listening_image(graph: Graph, device: Device) -> Image:
    """Price the code around a network's constants.

    Args:
        graph: the network.
        device: what it runs on.
    """
    name = variant(device.core, bool(device.dsp), bool(device.fpu))
    plain, listening, model = load(name), load_listening(name), linked_symbols(graph, device)
    symbols = tuple(sorted({*model, *LISTEN_CALLS, *RESET_CALLS}))
    own = linked_code_bytes(graph, device) - plain.flash_bytes(model) + CODE_BYTES
    below = max(run_stack_bytes(graph, device), *(plain.stack_bytes(s) for s in (*LISTEN_CALLS, *RESET_CALLS)))
    call = FRAME_BYTES + below
    frame = EXCEPTION_FRAME_FP_BYTES if device.fpu else EXCEPTION_FRAME_BYTES
    deepest = listening.stack_bytes("Reset_Handler", call) + frame + listening.stack_bytes("Fault_Handler")
    return Image(listening.flash_bytes(symbols) + own, listening.ram_bytes(symbols), call, -(-deepest // 8) * 8)
