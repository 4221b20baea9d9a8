# SPDX-License-Identifier: Apache-2.0
"""Parts of an integer graph in, single costs out, each worked out when it is asked for: what a search over many graphs
needs, most of whose parts are those of others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from shrinkfit.device import Device
from shrinkfit.graph.ir import Graph
from shrinkfit.price.arena import plan
from shrinkfit.price.cost import constant_bytes, energy_uj, latency_ms
from shrinkfit.price.cycles import estimate
from shrinkfit.price.kernel import Choice
from shrinkfit.price.kernels import scratch_sizes
from shrinkfit.price.linked import Called, linked_code_bytes, stack_bytes, static_ram_bytes
from shrinkfit.price.listening import Image, Surroundings, listening_image


class Part:
    """Operators that run one after the other, and what they add to the figures of `price_graph`.

    Args:
        graph: the operators alone; no other part has their constants or variables.
        device: what they run on.
    """

    def __init__(self, graph: Graph, device: Device) -> None:
        self._graph, self._device = graph, device

    @cached_property
    def macs(self) -> int:
        """Of one run."""
        return self._graph.macs

    @cached_property
    def constant_bytes(self) -> int:
        """Flash for constants."""
        return constant_bytes(self._graph, self._device)

    @cached_property
    def called(self) -> Called:
        """What it calls."""
        return Called.of(self._graph, self._device)

    @cached_property
    def scratch_sizes(self) -> dict[str, int]:
        """Operator -> bytes of scratch."""
        return scratch_sizes(self._graph, Choice.of(self._device))

    @cached_property
    def cycles(self) -> int | None:
        """None where those of a kernel are not known."""
        return estimate(self._graph, self._device).total


@dataclass(frozen=True)
class _Memory:
    """What is left of a plan; live_bytes: while each layer runs."""

    arena_bytes: int
    state_bytes: int
    live_bytes: tuple[int, ...]


class Quote:
    """The figures of `price_graph`, but for the RAM, whose plan is a quick one: never smaller, seldom larger.

    Args:
        parts: of the integer graph, in their order.
        edges: how many inputs and outputs it has.
        graph: gives the whole graph; only RAM takes more than the parts.
        device: what it runs on.
        around: what a listener holds around it.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        edges: int,
        graph: Callable[[], Graph],
        device: Device,
        around: Surroundings | None = None,
    ) -> None:
        self._parts, self._edges, self._graph = parts, edges, graph
        self._device, self._around = device, around

    @cached_property
    def flops(self) -> int:
        """2 x MACs of one inference."""
        return 2 * sum(part.macs for part in self._parts)

    @cached_property
    def flash_bytes(self) -> int:
        """Constants and code."""
        constants = sum(part.constant_bytes for part in self._parts)
        if self._around is None:
            return constants + linked_code_bytes(self._called, self._device)
        return constants + self._image.code_bytes + self._around.constants_on(self._device)

    @cached_property
    def ram_bytes(self) -> int:
        """Arena, stack and static data, and what a listener keeps."""
        return self._network_bytes(self._memory.arena_bytes) + self._fixed_ram_bytes

    @property
    def live_ram_bytes(self) -> list[int]:
        """RAM in use while each layer runs."""
        return [self._network_bytes(n) + self._fixed_ram_bytes for n in self._memory.live_bytes]

    @property
    def latency_ms(self) -> float | None:
        """Milliseconds of one inference; None where the clock or a kernel's cycles are not known."""
        return latency_ms(self._cycles, self._device)

    @property
    def energy_uj(self) -> float | None:
        """Microjoules of one inference; None where current, clock or a kernel's cycles are not known."""
        return energy_uj(self._cycles, self._device)

    @cached_property
    def _memory(self) -> _Memory:
        graph = self._graph()
        scratch = {name: size for part in self._parts for name, size in part.scratch_sizes.items()}
        planned = plan(graph, scratch, quick=True)
        live = tuple([planned.live_bytes[op.name] for op in graph.ops if op.kind != "reshape"])
        return _Memory(planned.arena_bytes, planned.state_bytes, live)

    def _network_bytes(self, arena_bytes: int) -> int:
        """With a listener: at least what the features compute in."""
        return (
            arena_bytes if self._around is None else self._around.network_bytes(arena_bytes, self._memory.state_bytes)
        )

    @cached_property
    def _fixed_ram_bytes(self) -> int:
        if self._around is None:
            return stack_bytes(self._called, self._device) + static_ram_bytes(self._called, self._device)
        return self._around.kept_on(self._device) + self._image.stack_bytes + self._image.static_bytes

    @cached_property
    def _image(self) -> Image:
        second = None if self._around is None else self._around.second
        return listening_image(self._called, self._device, second)

    @cached_property
    def _called(self) -> Called:
        return Called.joined([part.called for part in self._parts], self._edges)

    @cached_property
    def _cycles(self) -> int | None:
        known = [part.cycles for part in self._parts if part.cycles is not None]
        return sum(known) if len(known) == len(self._parts) else None
