# SPDX-License-Identifier: Apache-2.0
"""Integer graph in, single costs out, each worked out when it is asked for: what a search over many graphs needs."""

from __future__ import annotations

from functools import cached_property

from shrinkfit.device import Device
from shrinkfit.graph.ir import Graph
from shrinkfit.price.arena import Plan, plan
from shrinkfit.price.cost import constant_bytes, energy_uj, latency_ms
from shrinkfit.price.cycles import estimate
from shrinkfit.price.kernel import Choice
from shrinkfit.price.kernels import linked_code_bytes, scratch_sizes, stack_bytes, static_ram_bytes


class Quote:
    """The figures of `price_graph`, but for the RAM, whose plan is a quick one: never smaller, seldom larger.

    Args:
        graph: the integer graph.
        device: what it runs on.
    """

    def __init__(self, graph: Graph, device: Device) -> None:
        self._graph, self._device = graph, device

    @cached_property
    def flops(self) -> int:
        """2 x MACs of one inference."""
        return 2 * self._graph.macs

    @cached_property
    def flash_bytes(self) -> int:
        """Constants and code."""
        return constant_bytes(self._graph, self._device) + linked_code_bytes(self._graph, self._device)

    @cached_property
    def ram_bytes(self) -> int:
        """Arena, stack and static data."""
        return self._plan.arena_bytes + self._fixed_ram_bytes

    @property
    def live_ram_bytes(self) -> list[int]:
        """RAM in use while each layer runs."""
        kinds = {op.name: op.kind for op in self._graph.ops}
        live = self._plan.live_bytes.items()
        return [n + self._fixed_ram_bytes for name, n in live if kinds[name] != "reshape"]

    @property
    def latency_ms(self) -> float | None:
        """Milliseconds of one inference; None where the clock or a kernel's cycles are not known."""
        return latency_ms(self._cycles, self._device)

    @property
    def energy_uj(self) -> float | None:
        """Microjoules of one inference; None where current, clock or a kernel's cycles are not known."""
        return energy_uj(self._cycles, self._device)

    @cached_property
    def _plan(self) -> Plan:
        return plan(self._graph, scratch_sizes(self._graph, Choice.of(self._device)), quick=True)

    @cached_property
    def _fixed_ram_bytes(self) -> int:
        return stack_bytes(self._graph, self._device) + static_ram_bytes(self._graph, self._device)

    @cached_property
    def _cycles(self) -> int | None:
        return estimate(self._graph, self._device).total
