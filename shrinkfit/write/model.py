# SPDX-License-Identifier: Apache-2.0
"""All that the C files of one model say, with every name in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from shrinkfit.graph import ir
from shrinkfit.graph.stream_report import StreamReport
from shrinkfit.price.arena import Plan
from shrinkfit.price.calls import Argument, flash_tensors, is_filled, roots
from shrinkfit.price.kernel import Kernel
from shrinkfit.write.api import Api, identifier_part, unique
from shrinkfit.write.packed import Packed


@dataclass(frozen=True)
class Layer:
    """One call of the C: an operator, or a piece of one that joins or cuts.

    Args:
        op: the operator.
        kernel: what runs it.
        packed: the call's constants.
        arguments: what the call is given.
        identifier: prefix of the constants' names in C.
        arrays: prefix of its arrays' names: its own, or an earlier layer's that has the same ones.
    """

    op: ir.Op
    kernel: Kernel
    packed: Packed
    arguments: tuple[Argument, ...]
    identifier: str
    arrays: str


@dataclass(frozen=True)
class Model:
    """All that the C files of one model say.

    Args:
        name: C identifier.
        graph: the integer graph.
        api: names of its inputs and outputs.
        plan: offsets in the arena.
        layers: without those that cost nothing, in their order.
        format_version: SF_FORMAT_VERSION of the runtime.
        dsp: whether the plan has room for the DSP kernels' scratch.
        stack_bytes: what a call of run takes at most.
        labels: names of the outputs, or empty.
        stream: what a streamed graph computes; None for others.
    """

    name: str
    graph: ir.Graph
    api: Api
    plan: Plan
    layers: tuple[Layer, ...]
    format_version: int
    dsp: bool
    stack_bytes: int
    labels: tuple[str, ...] = field(default=())
    stream: StreamReport | None = None

    @property
    def prefix(self) -> str:
        """What the model's macros begin with."""
        return self.name.upper()

    @property
    def keeps_state(self) -> bool:
        """Whether it has a reset."""
        return bool(self.graph.variables)

    @cached_property
    def flash_names(self) -> dict[str, str]:
        """Constant of the graph -> the name of its array in C."""
        return _array_names(f"{self.name}_constant", flash_tensors(self.graph), self._taken)

    @cached_property
    def state_names(self) -> dict[str, str]:
        """Variable -> prefix of its initial values' names in C, where a reset needs an array."""
        needed = (name for name, variable in self.graph.variables.items() if not is_filled(variable))
        return _array_names(f"{self.name}_state", needed, self._taken)

    @property
    def _taken(self) -> set[str]:
        taken = set(self.api.names)
        for layer in self.layers:
            taken |= _objects(layer.identifier, layer.packed)
        return taken

    @cached_property
    def roots(self) -> dict[str, str]:
        """Tensor -> the tensor whose bytes it uses."""
        return roots(self.graph)


def _array_names(prefix: str, names: Iterable[str], taken: set[str]) -> dict[str, str]:
    found = {}
    for name in names:
        stem = f"{prefix}_{identifier_part(name, 'values')}"
        used = taken | {other.removesuffix("_initial") for other in taken}
        found[name] = unique(stem, used)
        taken |= {found[name], f"{found[name]}_initial"}
    return found


def layer_identifiers(name: str, taken: frozenset[str], packed: list[tuple[str, Packed]]) -> list[str]:
    """A C identifier for each (operator name, constants), so that no two objects of the model share a name.

    Args:
        name: the model's name.
        taken: names that are not free.
        packed: calls in their order.
    """
    used = set(taken)
    identifiers = []
    for op_name, constants in packed:
        stem = identifier_part(op_name, "layer")
        candidate, count = f"{name}_{stem}", 1
        while used & _objects(candidate, constants):
            count += 1
            candidate = f"{name}_{stem}_{count}"
        used |= _objects(candidate, constants)
        identifiers.append(candidate)
    return identifiers


def _objects(identifier: str, packed: Packed) -> set[str]:
    return {identifier} | {f"{identifier}_{array}" for array in packed.arrays}
