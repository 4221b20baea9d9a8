# SPDX-License-Identifier: Apache-2.0
"""A graph in; the functions that its image links, the code that calls them and the depth of its stack out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shrinkfit.device import Device
from shrinkfit.graph import ir
from shrinkfit.price import kernels_layout
from shrinkfit.price.arena import reset_fills
from shrinkfit.price.calls import calls, is_cut, is_filled, is_free
from shrinkfit.price.code_sizes import CodeSizes, load, variant
from shrinkfit.price.kernel import Choice, Kernel, word
from shrinkfit.price.kernels import kernel_for

# What the compiler makes of the generated run function; tests compare it with linked images.
MODEL_CODE_BYTES = 40
CALL_BYTES, ARGUMENT_BYTES = 2, 4
# Where layers run in stripes each call loads the arena's address.
CUT_CALL_BYTES = 6
# NAME_run's own frame: a chain of layers needs few registers; where tensors are read again, more addresses stay in
# registers, and in long models without stripes some on the stack. A fifth argument goes over the stack too.
CHAIN_FRAME_BYTES, BRANCHED_FRAME_BYTES, LONG_FRAME_BYTES, STACK_ARGUMENT_BYTES = 24, 40, 64, 8
LONG_MODEL_CALLS, REGISTER_ARGUMENTS = 50, 4
# Every input and output but the first of each: a function of the model, and its use in the port's main.
EDGE_BYTES = 32
# NAME_reset: main's call of it, and what it does for each fill and each copy.
RESET_BYTES, RESET_FILL_BYTES, RESET_COPY_BYTES = 4, 12, 24
# Armv7-M Architecture Reference Manual, B1.5.7: registers pushed on entry to an exception, with alignment.
EXCEPTION_FRAME_BYTES = 36
EXCEPTION_FRAME_FP_BYTES = 108


@dataclass(frozen=True)
class Called:
    """What a model's functions call. Of operators that run one after the other it can be worked out in parts.

    Args:
        symbols: the runtime's functions.
        call_bytes: code of the calls in NAME_run.
        calls: how many those are.
        most_arguments: of one of them.
        is_chain: whether every operator makes one tensor of one, and nothing is kept.
        is_cut: whether layers run in stripes.
        edges: the model's inputs and outputs.
        reset_bytes: code for NAME_reset.
    """

    symbols: frozenset[str]
    call_bytes: int
    calls: int
    most_arguments: int
    is_chain: bool
    is_cut: bool
    edges: int
    reset_bytes: int = 0

    @classmethod
    def of(cls, given: ir.Graph | Called, device: Device) -> Called:
        """By a graph; what is one already stays as it is."""
        return given if isinstance(given, Called) else _called(given, Choice.of(device))

    @classmethod
    def joined(cls, parts: Sequence[Called], edges: int) -> Called:
        """By parts one behind the other; edges: of all together."""
        return cls(
            symbols=frozenset().union(*(part.symbols for part in parts)),
            call_bytes=sum(part.call_bytes for part in parts),
            calls=sum(part.calls for part in parts),
            most_arguments=max(part.most_arguments for part in parts),
            is_chain=all(part.is_chain for part in parts),
            is_cut=any(part.is_cut for part in parts),
            edges=edges,
            reset_bytes=sum(part.reset_bytes for part in parts),
        )


def _called(graph: ir.Graph, choice: Choice) -> Called:
    kernels = [kernel_for(op, graph, choice) for op in graph.ops]
    made = [arguments for op in graph.ops if not is_free(op) for arguments in calls(op)]
    cut = is_cut(graph)
    return Called(
        symbols=frozenset({kernel.symbol for kernel in kernels} - {""} | set(kernels_layout.reset_symbols(graph))),
        call_bytes=sum(_call_bytes(op, kernel, cut) for op, kernel in zip(graph.ops, kernels, strict=True)),
        calls=len(made),
        most_arguments=max(map(len, made), default=0),
        is_chain=not graph.variables and all(len(op.inputs) == len(op.outputs) == 1 for op in graph.ops),
        is_cut=cut,
        edges=len(graph.inputs) + len(graph.outputs),
        reset_bytes=_reset_code_bytes(graph),
    )


def _call_bytes(op: ir.Op, kernel: Kernel, cut: bool) -> int:
    """Addresses of structs and tensors into registers, then a call."""
    if not kernel.function:
        return 0
    counts = [1 + len(arguments) + int(kernel.takes_scratch) for arguments in calls(op)]
    return (CUT_CALL_BYTES if cut else CALL_BYTES) * len(counts) + ARGUMENT_BYTES * sum(counts)


def linked_code_bytes(model: ir.Graph | Called, device: Device) -> int:
    """Flash of the linked image without the layers' constants: start-up, main, kernels, the model's functions."""
    return _sizes(device).flash_bytes(linked_symbols(model, device)) + model_code_bytes(model, device)


def static_ram_bytes(model: ir.Graph | Called, device: Device) -> int:
    """.data and .bss of the linked image, without the arena."""
    return _sizes(device).ram_bytes(linked_symbols(model, device))


def run_stack_bytes(model: ir.Graph | Called, device: Device) -> int:
    """The deepest stack below a call of the model's run function."""
    sizes, called = _sizes(device), Called.of(model, device)
    return _run_frame_bytes(called) + max((sizes.stack_bytes(s) for s in called.symbols), default=0)


def _run_frame_bytes(called: Called) -> int:
    """A bound on the stack frame of the model's run function itself."""
    frame = CHAIN_FRAME_BYTES if called.is_chain else BRANCHED_FRAME_BYTES
    is_long = called.calls > LONG_MODEL_CALLS and not called.is_chain and not called.is_cut
    frame = LONG_FRAME_BYTES if is_long else frame
    return frame + (STACK_ARGUMENT_BYTES if called.most_arguments + 1 > REGISTER_ARGUMENTS else 0)


def stack_bytes(model: ir.Graph | Called, device: Device) -> int:
    """The stack that the firmware image sets aside: its deepest path of calls, and one exception on top of it."""
    deepest = _sizes(device).stack_bytes("Reset_Handler", run_stack_bytes(model, device))
    frame = EXCEPTION_FRAME_FP_BYTES if device.fpu else EXCEPTION_FRAME_BYTES
    return -(-(deepest + frame + _sizes(device).stack_bytes("Fault_Handler")) // 8) * 8


def _sizes(device: Device) -> CodeSizes:
    return load(variant(device.core, bool(device.dsp), bool(device.fpu)))


def linked_symbols(model: ir.Graph | Called, device: Device) -> tuple[str, ...]:
    """The runtime's functions that the model's own call."""
    return tuple(sorted(Called.of(model, device).symbols))


def model_code_bytes(model: ir.Graph | Called, device: Device) -> int:
    """NAME_run, NAME_input, NAME_output, NAME_reset."""
    called = Called.of(model, device)
    return word(MODEL_CODE_BYTES + called.call_bytes) + EDGE_BYTES * (called.edges - 2) + called.reset_bytes


def _reset_code_bytes(graph: ir.Graph) -> int:
    if not graph.variables:
        return 0
    copied = sum(not is_filled(variable) for variable in graph.variables.values())
    return RESET_BYTES + RESET_FILL_BYTES * len(reset_fills(graph)) + RESET_COPY_BYTES * copied
