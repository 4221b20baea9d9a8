# SPDX-License-Identifier: Apache-2.0
"""FitDevice: the Keras callback. Only schedule and state are here; the work is in the room's other files."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import keras
import numpy as np

from shrinkfit.device import Device, get_device
from shrinkfit.errors import BudgetError, ShrinkfitError, TrainingError
from shrinkfit.fit import prune as pruning
from shrinkfit.fit.channels import couple, slice_weights
from shrinkfit.fit.importance import magnitude
from shrinkfit.fit.instruments import Instruments, bake
from shrinkfit.fit.pricing import Pricer
from shrinkfit.fit.rebuild import smaller_model
from shrinkfit.fit.schedule import Schedule, at_least_one, share, window
from shrinkfit.fit.variables import FitVariables
from shrinkfit.graph.ir import Graph
from shrinkfit.graph.optimize import optimize
from shrinkfit.price.cost import Cost, price_graph
from shrinkfit.read.keras_model import lower
from shrinkfit.read.stages import fuse
from shrinkfit.read.topology import canonical_weights, read_topology

# What to do about a resource that is over its limit.
_ADVICE = {
    "ram_bytes": "make the input smaller, stride or pool earlier, or choose a part with more RAM",
    "flash_bytes": "use fewer or narrower layers, or choose a part with more flash",
    "flops": "stride or pool earlier, use fewer layers, lower inferences_per_second, or raise flops",
}


class FitDevice(keras.callbacks.Callback):
    """Makes a model fit a microcontroller while it trains.

    Pass it to `model.fit(callbacks=[...])`. Channels are masked epoch by epoch until RAM, flash and
    FLOPs are within the device's limits; then training goes on with the int8 arithmetic that the
    exported C has. The model given to fit() keeps its shape (pruned channels are zero);
    `fit.model` is the smaller one.

    Args:
        device: a catalogue name (`shrinkfit devices` lists them) or a Device.
        ram_bytes, flash_bytes, flops: limits for one inference; the device's own where None.
        inferences_per_second: shares the device's FLOP/s among inferences.
        prune: whether channels may go.
        importance: "taylor" (the default: how much the loss would change, to first order, over the last epoch's
            batches) or "magnitude" (the length of a channel's kernel).
        quantize: whether to train with fake quantization; without it, export needs calibration data.
        minimum_width: no layer gets narrower than this many channels.
        width_multiple: wide layers keep a multiple of this many channels.
        prune_epochs: (begin, end) as shares of the epochs: the limits tighten from the model's own
            costs to the budget between them, after tfmot's PolynomialDecay.
        quantize_from, freeze_from: shares of the epochs; from there on kernels and activations are
            fake quantized, and batch statistics stay as they are.
        verbose: 1 prints a line whenever channels go.
    Attributes:
        model: after fit(): the smaller, plain Keras model.
        graph: after fit(): the integer graph that export writes.
        history: one dict per epoch: epoch, phase, costs, limits (of that epoch), widths, pruned.
        budget: the limits at the end.
    Raises:
        BudgetError: a limit is not positive, or the model cannot meet it.
        UnsupportedLayerError: the model has a layer that cannot be fitted; from fit(), before it trains.
        TrainingError: the loss is NaN.
    """

    def __init__(
        self,
        device: str | Device,
        *,
        ram_bytes: int | None = None,
        flash_bytes: int | None = None,
        flops: float | None = None,
        inferences_per_second: float = 1.0,
        prune: bool = True,
        importance: str = "taylor",
        quantize: bool = True,
        minimum_width: int = 4,
        width_multiple: int = 2,
        prune_epochs: tuple[float, float] = (0.1, 0.35),
        quantize_from: float = 0.6,
        freeze_from: float = 0.85,
        verbose: int = 0,
    ) -> None:
        super().__init__()
        self.device = get_device(device)
        self.budget = self.device.budget(
            ram_bytes=ram_bytes, flash_bytes=flash_bytes, flops=flops, inferences_per_second=inferences_per_second
        )
        self.prune, self.quantize = prune, quantize
        self.importance = _one_of(importance, "importance", ("taylor", "magnitude"))
        self.minimum_width = at_least_one(minimum_width, "minimum_width")
        self.width_multiple = at_least_one(width_multiple, "width_multiple")
        self.prune_epochs = window(prune_epochs, "prune_epochs")
        self.quantize_from = share(quantize_from, "quantize_from")
        self.freeze_from = max(share(freeze_from, "freeze_from"), self.quantize_from)
        self.verbose = verbose
        self.history: list[dict[str, Any]] = []
        self._fitting: Any = None  # the model given to fit()
        self._small: Any = None
        self._graph: Graph | None = None
        self._instruments: Instruments | None = None

    # --- what the user reads afterwards ---

    @property
    def model(self) -> Any:
        """After fit(): the smaller, plain Keras model; while it trains, the model that was given."""
        return self._small if self._small is not None else self._fitting

    @property
    def graph(self) -> Graph:
        """The integer graph of the fitted model.

        Raises:
            ShrinkfitError: nothing was fitted yet, or quantize=False.
        """
        if self._graph is None:
            reason = "pass it to model.fit(callbacks=[...]) first"
            if self._small is not None:
                reason = "it ran with quantize=False; export fit.model with calibration data"
            raise ShrinkfitError(f"this FitDevice has no integer graph: {reason}")
        return self._graph

    @property
    def cost(self) -> Cost:
        """What the fitted model costs on the device."""
        if self._small is None:
            raise ShrinkfitError(
                "this FitDevice has not fitted a model yet: pass it to model.fit(callbacks=[...]) first"
            )
        return self._pricer.cost(self._widths) if self._graph is None else price_graph(self._graph, self.device)

    def predict(self, x: Any, batch_size: int = 32) -> np.ndarray:
        """What the masked, fake-quantized model answers: the float twin of the integer graph.

        Args:
            x: float [n, *input shape].
        Returns:
            float32 [n, *output shape].
        """
        if self._instruments is None or self._small is None:
            raise ShrinkfitError(
                "this FitDevice has not fitted a model yet: pass it to model.fit(callbacks=[...]) first"
            )
        with self._instruments.applied():
            return self._fitting.predict(x, batch_size=batch_size, verbose=0)

    # --- Keras hooks ---

    def set_model(self, model: Any) -> None:
        self._fitting = model

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self._release()
        self.history, self._small, self._graph = [], None, None
        epochs = max(int(self.params.get("epochs") or 1), 1)
        self._schedule = Schedule(
            epochs, self.prune_epochs, self.quantize_from if self.quantize else None, self.freeze_from
        )
        self._topology = read_topology(self._fitting)
        self._stages = fuse(self._topology)
        self._channels = couple(self._topology)
        self._pricer = Pricer(self._topology, self._stages, self._channels, self.device)
        self._alive = np.ones(self._channels.count, bool)
        self._widths = pruning.widths_of(self._channels, self._alive)
        self._first = self._pricer.costs(self._widths)
        self._refuse_the_impossible()
        variables = FitVariables(
            self._topology,
            self._stages,
            self._channels,
            quantize=self.quantize,
            tap=self.prune and self.importance == "taylor",
        )
        self._instruments = Instruments(self._fitting, self._topology, self._stages, variables)
        self._instruments.attach()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        limits = self._schedule.limits_at(epoch, self._first, self.budget.limits())
        records = self._narrow(limits) if self.prune else []
        self.history.append({"epoch": epoch, "limits": limits, "pruned": [asdict(r) for r in records]})
        self._enter_phase(self._schedule.phase_at(epoch))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs if logs is not None else {}
        self._refuse_nan(epoch, logs)
        costs = self._pricer.costs(self._widths)
        self.history[-1] |= {
            "phase": self._instruments.phase,
            "costs": {r: costs[r] for r in pruning.RESOURCES},
            "widths": {g.name: w for g, w in zip(self._channels.groups, self._widths, strict=True)},
            "metrics": {name: float(value) for name, value in logs.items()},
        }
        logs.update({name: float(costs[name]) for name in pruning.RESOURCES})

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self._instruments.detach()
        self._require_limits_met()  # before the masks are written: a failed fit takes no weight away
        bake(self._topology, self._channels, self._alive)
        self._small = smaller_model(self._fitting, self._topology, self._channels, self._alive)
        if self.quantize:
            weights = slice_weights(
                self._topology, self._channels, self._instruments.variables.trained_weights(), self._alive
            )
            ranges = self._instruments.variables.ranges()
            self._graph, _ = optimize(lower(self._topology, self._stages, weights, ranges, self._fitting.name))

    def _refuse_nan(self, epoch: int, logs: dict[str, float]) -> None:
        """A ReLU may turn NaN into 0 before the loss sees it, so the ranges are looked at too."""
        what = {"the loss": logs.get("loss", 0.0)}
        what |= {f"the range of '{key}'": sum(ends) for key, ends in self._instruments.variables.ranges().items()}
        bad = next((f"{name} is {value}" for name, value in what.items() if not np.isfinite(value)), None)
        if bad is not None:
            self._release()
            raise TrainingError(
                f"{bad} after epoch {epoch + 1}; look for NaN in the data, lower the learning rate or clip "
                "gradients (clipnorm=1.0); no model was kept"
            )

    # --- phases ---

    def _enter_phase(self, phase: str) -> None:
        if phase != self._instruments.phase:
            self._instruments.phase = phase
            self._instruments.attach()

    # --- pruning ---

    def _narrow(self, limits: dict[str, float]) -> list[pruning.Pruned]:
        worth = self._instruments.variables.take_importance()
        if not pruning.over(self._pricer.costs(self._widths), limits):
            return []
        if worth is None:  # asked for, or no step was taken yet
            weights = {node.name: canonical_weights(node) for node in self._topology.nodes.values()}
            worth = magnitude(self._stages, self._channels, weights)
        groups = self._channels.groups
        self._pricer.ram_limit = limits.get("ram_bytes")
        self._widths, records = pruning.narrow(
            groups,
            self._widths,
            worth,
            limits,
            self._pricer.costs,
            minimum=self.minimum_width,
            multiple=self.width_multiple,
        )
        self._alive = pruning.select(groups, self._widths, worth, self._alive)
        self._instruments.variables.set_alive(self._alive)
        if self.verbose:
            for r in records:
                print(f"\nshrinkfit: {r.group} {r.before} -> {r.after} channels, saves {r.saved:,.0f} {r.resource}")
        return records

    def _refuse_the_impossible(self) -> None:
        limits = self.budget.limits()
        groups = self._channels.groups
        least = pruning.least_widths(groups, self.minimum_width) if self.prune else self._widths
        excess = pruning.over(self._pricer.costs(least), limits)
        if not excess:
            return
        costs, resource = self._pricer.costs(least), max(excess, key=lambda r: excess[r] / limits[r])
        how = f"with every prunable layer at {self.minimum_width} channels" if self.prune else "with prune=False"
        cause = self._pricer.cause(least, resource)
        raise BudgetError(
            f"model '{self._fitting.name}' cannot fit {self.device.name}: {how} it needs "
            f"{costs[resource]:,.0f} {resource}, the limit is {limits[resource]:,.0f}. {cause} "
            f"To mend it, {_ADVICE[resource]}."
        )

    def _require_limits_met(self) -> None:
        costs, limits = self._pricer.costs(self._widths), self.budget.limits()
        excess = pruning.over(costs, limits)
        if excess:
            self._instruments = None
            got = ", ".join(f"{r} {self._first[r]:,.0f} -> {costs[r]:,.0f} (limit {limits[r]:,.0f})" for r in excess)
            raise BudgetError(
                f"training ended before model '{self._fitting.name}' fits {self.device.name}: {got} after "
                f"{len(self.history)} epochs; the limits hold from epoch {self._schedule.prune_end + 1} on: "
                "train longer, end the pruning earlier (prune_epochs) or let no other callback stop training before"
            )

    def _release(self) -> None:
        if self._instruments is not None:
            self._instruments.detach()
            self._instruments = None


def _one_of(value: str, what: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ShrinkfitError(f"{what} is {value!r}, expected {' or '.join(map(repr, known))}")
    return value
