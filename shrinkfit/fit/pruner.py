# SPDX-License-Identifier: Apache-2.0
"""One model and one budget in; which channels are left, what that costs, and which go next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from shrinkfit.device import Budget, Device
from shrinkfit.errors import BudgetError
from shrinkfit.fit import floors as flooring
from shrinkfit.fit import prune as pruning
from shrinkfit.fit import records as recording
from shrinkfit.fit.channels import couple
from shrinkfit.fit.importance import Measure, measure
from shrinkfit.fit.pricing import MEMORIES, Pricer, shown
from shrinkfit.fit.prune import Limits
from shrinkfit.fit.zeros import alive_in_weights
from shrinkfit.graph.ir import Graph
from shrinkfit.graph.streaming import Streaming
from shrinkfit.price.cost import Cost
from shrinkfit.price.listening import Listens
from shrinkfit.read.stages import fuse
from shrinkfit.read.topology import canonical_weights, read_topology

# Widths that the kernels like: they read a kernel's inputs and compute output channels by fours.
KERNEL_WIDTH = 4
# What to do about a resource that is over its limit.
_ADVICE = {
    "ram_bytes": "make the input smaller, stride or pool earlier, or choose a part with more RAM",
    "flash_bytes": "use fewer or narrower layers, or choose a part with more flash",
    "flops": "stride or pool earlier, use fewer layers, lower inferences_per_second, or raise flops",
    "latency_ms": "stride or pool earlier, use fewer layers, or choose a faster part",
    "energy_uj": "stride or pool earlier, use fewer layers, or choose a part that takes less current",
}


class Pruner:
    """The channels of one model in one fit(). It decides and counts; it touches no weight.

    Args:
        model: the Keras model.
        device, budget: what it has to fit.
        prune: whether channels may go.
        importance, exclude, minimum_width, width_multiple: see FitDevice.
        stream: gives the streamed form of a graph, where that is what ships.
        listener: what listens around the network, where that is what ships.
    Attributes:
        topology, stages, channels: of the model.
        alive: bool [units].
        widths: channels that each group keeps.
        first: the costs that the limits tighten from.
    Raises:
        BudgetError: the narrowest that it may get is still over a limit, or a limited cost cannot be told.
        UnsupportedLayerError: the model has a layer that cannot be fitted.
        ExportError: the model and the listener do not go together.
    """

    def __init__(
        self,
        model: Any,
        device: Device,
        budget: Budget,
        *,
        prune: bool,
        importance: str | Measure,
        exclude: tuple[str, ...],
        minimum_width: int | Mapping[str, int],
        width_multiple: int,
        stream: Callable[[Graph], Streaming] | None = None,
        listener: Listens | None = None,
    ) -> None:
        self._model, self._device, self._limits, self._prune = model, device, budget.limits(), prune
        self._importance, self._exclude = importance, exclude
        self._minimum_width, self._width_multiple = minimum_width, width_multiple
        self._listens = listener is not None
        self.topology = read_topology(model)
        self.stages = fuse(self.topology)
        self.channels = couple(self.topology)
        self._pricer = Pricer(self.topology, self.stages, self.channels, device, stream, listener)
        self.take_from_weights()
        self.first = self._pricer.costs(self.widths)
        self._floors = flooring.floors(self.topology, self.channels, exclude, minimum_width)
        self._refuse_the_impossible()

    def take(self, alive: np.ndarray) -> None:
        """Go on with these units; bool [units]."""
        self.alive = alive
        self.widths = pruning.widths_of(self.channels, alive)

    def take_from_weights(self) -> None:
        """Go on with the units that the model's weights say are left."""
        self.take(alive_in_weights(self.topology, self.channels))

    @property
    def cost(self) -> Cost:
        """What the model costs with the channels that are left."""
        return self._pricer.cost(self.widths)

    def costs(self) -> dict[str, float]:
        """Resource -> cost, of all that can be told."""
        return dict(self.cost.as_costs())

    def width_of_groups(self) -> dict[str, int]:
        """Group name -> channels that it keeps."""
        return {g.name: w for g, w in zip(self.channels.groups, self.widths, strict=True)}

    def narrow(self, epoch: int, limits: Limits, taps: dict[str, np.ndarray] | None, *, final: bool) -> dict[str, Any]:
        """Take channels away until the limits hold or none may go.

        Args:
            epoch: for the records.
            limits: of this epoch.
            taps: first-order importance by stage key, or None where no step was taken.
            final: whether the whole budget holds from now on, and widths may move to what the kernels like.
        Returns:
            pruned, held and instead, as history has them; empty where the limits hold already.
        """
        # What fits by a quick price fits.
        if not self._prune or not pruning.over(self._pricer.quick(self.widths, limits), limits):
            return {}
        if "ram_bytes" in limits and not pruning.over(self._pricer.costs(self.widths), limits):
            return {}
        weights = {node.name: canonical_weights(node) for node in self.topology.nodes.values()}
        worth, instead = measure(self._importance, self.stages, self.channels, weights, taps, self.alive)
        self._pricer.ram_limit = limits.get("ram_bytes")
        groups, before = self.channels.groups, self.alive
        widths, pruned = pruning.narrow(
            groups,
            self.widths,
            worth,
            limits,
            lambda widths: self._pricer.quick(widths, limits),
            recorded=self._recorded,
            minimum=self._least(),
            multiple=self._width_multiple,
            prefer=KERNEL_WIDTH if final else 1,
        )
        self.alive, self.widths = pruning.select(groups, widths, worth, before), widths
        return {
            "pruned": recording.narrowings(pruned, epoch, self.topology, self.channels, worth, before, self.alive),
            "held": recording.held(groups, widths, self._floors),
            "instead": instead,
        }

    def _recorded(self, widths: pruning.Widths, is_end: bool) -> pruning.Costs:
        """In between a quick price will do: what was saved adds up all the same."""
        return self._pricer.costs(widths) if is_end else self._pricer.quick(widths, self.first)

    def records(self, history: list[dict[str, Any]]) -> dict[str, Any]:
        """See FitDevice.records."""
        before, after = self._pricer.cost(self._pricer.whole), self.cost
        held = recording.held(self.channels.groups, self.widths, self._floors)
        layers = recording.layer_records(self.topology, self.channels, before, after, self.alive, held, history)
        return {
            "model": self._model.name,
            "device": self._device.name,
            "epochs": len(history),
            "layers": layers,
            "before": before.as_costs(),
            "after": after.as_costs(),
            "limits": self._limits,
            "sparsity": history[-1]["sparsity"],
            "streaming": self._pricer.streaming(self.widths),
            "listener": self._pricer.added(self.widths) or None,
        }

    def require_limits_met(self, epochs: int, prune_end: int) -> None:
        """Raise BudgetError where training has ended before the budget holds.

        Args:
            epochs: that were trained.
            prune_end: the first epoch in which the whole budget holds.
        """
        costs, limits = self._pricer.costs(self.widths), self._limits
        excess = pruning.over(costs, limits)
        if excess:
            got = ", ".join(
                f"{r}{self._with_listener(r)} {shown(self.first[r])} -> {shown(costs[r])} (limit {shown(limits[r])})"
                for r in excess
            )
            raise BudgetError(
                f"training ended before model '{self._model.name}' fits {self._device.name}: {got} after "
                f"{epochs} epoch{'s' if epochs != 1 else ''}; the limits hold from epoch {prune_end + 1} on: "
                "train longer, end the pruning earlier (prune_epochs) or let no other callback stop training before"
            )

    def _least(self) -> tuple[int, ...]:
        return tuple(floor.width for floor in self._floors)

    def _refuse_the_impossible(self) -> None:
        limits = self._limits
        self._pricer.require_known(tuple(limits))
        least = self._least() if self._prune else self.widths
        costs = self._pricer.costs(least)
        excess = pruning.over(costs, limits)
        if not excess:
            return
        resource = max(excess, key=lambda r: excess[r] / limits[r])
        needs = f"{shown(costs[resource])} {resource}{self._with_listener(resource)}"
        raise BudgetError(
            f"model '{self._model.name}' cannot fit {self._device.name}: {self._how_narrow()} it needs "
            f"{needs}, the limit is {shown(limits[resource])}. "
            f"{self._pricer.cause(least, resource)} To mend it, {_ADVICE[resource]}."
        )

    def _with_listener(self, resource: str) -> str:
        return " with its listener" if self._listens and resource in MEMORIES else ""

    def _how_narrow(self) -> str:
        if not self._prune:
            return "with prune=False"
        plain = isinstance(self._minimum_width, int) and not self._exclude
        how = f"at {self._minimum_width} channels" if plain else "as narrow as minimum_width and exclude allow"
        return f"with every prunable layer {how}"
