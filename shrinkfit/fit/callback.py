# SPDX-License-Identifier: Apache-2.0
"""FitDevice: the Keras callback. Only schedule and state are here; the work is in the room's other files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np

from shrinkfit.device import Device, get_device
from shrinkfit.device.budget import Limit
from shrinkfit.errors import BudgetError, ShrinkfitError, TrainingError
from shrinkfit.fit import floors as flooring
from shrinkfit.fit.auxiliary import checked_auxiliary, shipped_part
from shrinkfit.fit.average import WeightMean
from shrinkfit.fit.backup import Backups, digest
from shrinkfit.fit.beside import Beside, find_beside
from shrinkfit.fit.channels import slice_weights
from shrinkfit.fit.distill import Distiller, checked_distill
from shrinkfit.fit.forward import FLOAT
from shrinkfit.fit.importance import Measure, checked_measure
from shrinkfit.fit.instruments import Instruments, bake
from shrinkfit.fit.keras_versions import is_tf_keras, scope_of
from shrinkfit.fit.pricing import shown
from shrinkfit.fit.pruner import Pruner
from shrinkfit.fit.rebuild import smaller_model
from shrinkfit.fit.schedule import Schedule, at_least_one, share, window
from shrinkfit.fit.settle import settle
from shrinkfit.fit.slots import zero_slots
from shrinkfit.fit.sparsity import BlockSparsity, checked_sparsity, sparse_nodes
from shrinkfit.fit.variables import FitVariables
from shrinkfit.fit.views import Views
from shrinkfit.graph.ir import Graph
from shrinkfit.graph.optimize import optimize
from shrinkfit.graph.streaming import to_streaming
from shrinkfit.graph.timeline import checked_frames
from shrinkfit.price.cost import Cost, hop_of, price_graph
from shrinkfit.price.listening import Listens
from shrinkfit.read.keras_model import lower
from shrinkfit.read.quantization import QuantizationError, quantization_error


class FitDevice(Views, keras.callbacks.Callback):
    """Makes a model fit a microcontroller while it trains.

    Pass it to `model.fit(callbacks=[...])`. Channels are masked epoch by epoch until RAM, flash and
    FLOPs are within the device's limits; then training goes on with the int8 arithmetic that the
    exported C has. The model given to fit() keeps its shape (pruned channels are zero);
    `fit.model` is the smaller one.

    Args:
        device: a catalogue name (`shrinkfit devices` lists them), a .toml file (`get_device`) or a Device.
        ram_bytes, flash_bytes, flops: limits for one inference; the device's own where None. Every limit but energy_uj
            may also be text such as "50%", of what the device has left for the model.
        latency_ms, energy_uj: limits for one inference by the cycle model of the C kernels (price/cycles.py); none
            where None. `fit.cost.cycles_source` says what the figures rest on.
        reserve_ram_bytes, reserve_flash_bytes: what the application keeps of the device for itself.
        inferences_per_second: shares the device's FLOP/s among inferences.
        streaming: whether the model will be exported as one that takes new frames alone (`graph.streaming`): then an
            inference is a call of that, and all limits are on it.
        frames_per_call: new frames of a call, which switches streaming on; None for the listener's hop_frames, or the
            fewest that the strides in time allow.
        listener: a `shrinkfit.Listener`, where the model will be exported with one, streaming or not: all that is said
            of RAM and flash is then of the whole image that listens: its limits, the costs in `history`, in the
            progress bar and in `cost`. Until the end flash has the 256 bytes of the table that brings features to the
            input's scale; export leaves them out where the two are equal. flops, latency_ms and energy_uj stay those
            of one run of the network. `export` writes this listener unless it is given another.
        prune: whether channels may go.
        importance: "taylor" (the default: how much the loss would change, to first order, over the last epoch's
            batches), "magnitude" (the length of a channel's kernel), "batch_norm" (|gamma| of the normalization behind
            it; magnitude where there is none) or a function of a `fit.importance.LayerView` that returns an array
            [channels] of numbers of at least 0, compared across layers.
        exclude: names of layers, or patterns such as "stem*", that keep all their channels, and with them the layers
            that are coupled with them.
        quantize: whether to train with fake quantization; without it, export needs calibration data.
        minimum_width: no layer gets narrower than this many channels; or layer name or pattern -> its own minimum.
        width_multiple: wide layers keep a multiple of this many channels, and end on a multiple of 4 where that costs
            next to no importance: the kernels take inputs by fours.
        prune_epochs: (begin, end) as shares of the epochs: the limits tighten from the model's own
            costs to the budget between them, after tfmot's PolynomialDecay.
        quantize_from, freeze_from: shares of the epochs; from there on kernels and activations are
            fake quantized, and batch statistics stay as they are.
        average: whether the fitted model gets the mean of the weights that each epoch since all limits hold has ended
            with, instead of the last one's (stochastic weight averaging, `fit.average`). The model given to fit() gets
            it too, and what EarlyStopping puts back in the end stands.
        distill: share of a teacher in the training loss, 0 to 1; see `fit.distill.Distiller`. Evaluation keeps the
            model's own loss.
        teacher: a trained Keras model with the same input and output; None for a copy of the model as it is when
            pruning begins.
        temperature: of the softmax that distillation compares.
        block_sparsity: share of the blocks of four input channels that becomes zero in dense layers and 1x1
            convolutions, from the end of pruning on. Export takes kernels that skip them where that is faster; prices
            while training count them like others.
        sparsity_layers: names or patterns of these layers; None for all.
        auxiliary: names of outputs that help to train and do not ship: they have no price, and `model`, `predict` and
            export leave them out, with the layers that lead to nothing else. What such an output needs counts in the
            choice of channels. Not together with `distill`.
        verbose: 1 prints a line whenever channels go.
    Attributes:
        model: after fit(): the smaller, plain Keras model.
        graph: after fit(): the integer graph that export writes.
        history: one dict per epoch: epoch, phase, costs, limits (of that epoch), widths, metrics; pruned (a record per
            group that was narrowed: see `fit.records.narrowings`), held (group -> why it gives no more) and instead
            (layer -> why another importance than the one asked for was used) of that epoch's narrowing;
            sparsity (layer -> blocks, zero, share) and distill, where they are on.
        budget: the limits at the end.
    Raises:
        UnknownDeviceError: no such device; the message lists near matches.
        BudgetError: a limit is not positive, or the model cannot meet it.
        UnsupportedLayerError: the model has a layer that cannot be fitted; from fit(), before it trains.
        ExportError: the model and the listener do not go together; from fit(), before it trains.
        ShrinkfitError: listener is something else.
        TrainingError: the loss is NaN, or there was no batch to train on.
    """

    def __init__(
        self,
        device: str | Device,
        *,
        ram_bytes: Limit | None = None,
        flash_bytes: Limit | None = None,
        flops: Limit | None = None,
        latency_ms: Limit | None = None,
        energy_uj: float | None = None,
        reserve_ram_bytes: int = 0,
        reserve_flash_bytes: int = 0,
        inferences_per_second: float = 1.0,
        streaming: bool = False,
        frames_per_call: int | None = None,
        listener: Listens | None = None,
        prune: bool = True,
        importance: str | Measure = "taylor",
        exclude: Sequence[str] | None = (),
        quantize: bool = True,
        minimum_width: int | Mapping[str, int] = flooring.MINIMUM_WIDTH,
        width_multiple: int = 2,
        prune_epochs: tuple[float, float] = (0.1, 0.35),
        quantize_from: float = 0.6,
        freeze_from: float = 0.85,
        average: bool = False,
        distill: float = 0.0,
        teacher: Any = None,
        temperature: float = 4.0,
        block_sparsity: float = 0.0,
        sparsity_layers: Sequence[str] | None = None,
        auxiliary: Sequence[str] = (),
        verbose: int = 0,
    ) -> None:
        super().__init__()
        self.device = get_device(device)
        self.budget = self.device.budget(
            ram_bytes=ram_bytes,
            flash_bytes=flash_bytes,
            flops=flops,
            latency_ms=latency_ms,
            energy_uj=energy_uj,
            reserve_ram_bytes=reserve_ram_bytes,
            reserve_flash_bytes=reserve_flash_bytes,
            inferences_per_second=inferences_per_second,
        )
        hop, frames_per_call = hop_of(listener), checked_frames(frames_per_call)
        self.streaming, self.listener = bool(streaming or frames_per_call), listener
        self.frames_per_call = frames_per_call or (hop if self.streaming else None)
        self.prune, self.quantize = prune, quantize
        self.importance = checked_measure(importance)
        self.exclude = flooring.checked_exclude(exclude)
        self.minimum_width = flooring.checked_minimum(minimum_width)
        self.width_multiple = at_least_one(width_multiple, "width_multiple")
        self.prune_epochs = window(prune_epochs, "prune_epochs")
        self.quantize_from = share(quantize_from, "quantize_from")
        self.freeze_from = max(share(freeze_from, "freeze_from"), self.quantize_from)
        self.average = average
        self.distill, self.temperature = checked_distill(distill, temperature)
        self.teacher = teacher
        self.block_sparsity = checked_sparsity(block_sparsity)
        self.sparsity_layers = (
            None if sparsity_layers is None else flooring.checked_exclude(sparsity_layers, "sparsity_layers")
        )
        self.auxiliary = checked_auxiliary(auxiliary, self.distill)
        self.verbose = verbose
        self.history: list[dict[str, Any]] = []
        self._fitting: Any = None  # the model given to fit()
        self._shipped: Any = None  # the part of it that goes onto the device, of the same layers
        self._small: Any = None
        self._graph: Graph | None = None
        self._instruments: Instruments | None = None
        self._mean = WeightMean()
        self._beside = Beside(self, None)
        self._backups = Backups(None, [], self._state)

    # --- what the user reads afterwards ---

    @property
    def model(self) -> Any:
        """After fit(): the smaller, plain Keras model; while it trains, the model that was given."""
        return self._small if self._small is not None else self._fitting

    @property
    def graph(self) -> Graph:
        """The integer graph of the fitted model, for whole windows.

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
        """What the fitted model costs on the device; one call of it, with streaming; with a listener, RAM and flash of
        the image that listens."""
        if self._small is None:
            raise ShrinkfitError(
                "this FitDevice has not fitted a model yet: pass it to model.fit(callbacks=[...]) first"
            )
        if self._graph is None:
            return self._pruner.cost
        graph = to_streaming(self._graph, self.frames_per_call).graph if self.streaming else self._graph
        around = None if self.listener is None else self.listener.surroundings(graph)
        return price_graph(graph, self.device, around=around)

    def predict(self, x: Any, batch_size: int = 32) -> np.ndarray:
        """What the masked, fake-quantized model answers: the float twin of the integer graph.

        Args:
            x: float [n, *input shape].
            batch_size: inputs that Keras takes at a time.
        Returns:
            float32 [n, *output shape].
        Raises:
            ShrinkfitError: nothing was fitted yet.
        """
        if self._instruments is None or self._small is None:
            raise ShrinkfitError(
                "this FitDevice has not fitted a model yet: pass it to model.fit(callbacks=[...]) first"
            )
        with self._instruments.applied():
            self._shipped.predict_function = None  # traced with the layers as they were
            return self._shipped.predict(x, batch_size=batch_size, verbose=0)

    def quantization_error(self, x: Any = None) -> QuantizationError:
        """How far the tensors of the integer graph are from those of the float `model`.

        Args:
            x: float [n, *input shape]; None for some of the last epoch's inputs, which the fit has kept.
        Returns:
            the error of each tensor that a layer computes.
        Raises:
            ShrinkfitError: there is no integer graph, or x is None and no inputs were kept.
        """
        _ = self.graph
        if x is None:
            kept = self._in_use.variables.samples
            samples = {} if kept is None else kept.arrays()
            x = [samples[name] for name in self._pruner.topology.inputs if name in samples]
            if len(x) != len(self._pruner.topology.inputs):
                raise ShrinkfitError("the fit kept no inputs, as it never trained in int8 arithmetic; give it some")
            x = x if len(x) > 1 else x[0]
        return quantization_error(self._small, self._lowered, x)

    def records(self) -> dict[str, Any]:
        """What the fit did, in plain numbers, strings, lists and dicts.

        Returns:
            model, device: names; epochs: how many; layers: see `fit.records.layer_records`; before, after: costs by
            resource, of the model as it was given and as it is now; limits: at the end; sparsity: layer -> blocks,
            zero, share; streaming: with it, what a call computes (see `graph.stream_report`), and costs are a call's;
            listener: with it, how much of RAM and flash is its own.
        Raises:
            ShrinkfitError: no model was given to fit() yet.
        """
        if not self.history:
            raise ShrinkfitError("this FitDevice has no records: pass it to model.fit(callbacks=[...]) first")
        return self._pruner.records(self.history)

    # --- Keras hooks; fit/beside.py puts them before all other callbacks', and those named after_... behind them ---

    def set_model(self, model: Any) -> None:
        """Keras hands over the model that it will train."""
        self._fitting = model
        self._beside = find_beside(self)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Read the model, price it and patch its layers.

        Raises:
            BudgetError: the model cannot meet a limit; none of its weights has changed.
            UnsupportedLayerError: it has a layer that cannot be fitted.
            ShrinkfitError: it has no such auxiliary output.
        """
        self._release()
        self._beside.begin()
        self.history, self._small, self._graph = [], None, None
        self._next_epoch, self._finished = 0, ""
        self._begun_with = ""  # digest of the weights before the first batch
        self._mean.begin()
        self._remembered: dict[str, dict[str, Any]] = {}  # digest of the weights -> the state of their epoch
        epochs = max(int(self.params.get("epochs") or 1), 1)
        self._schedule = Schedule(
            epochs, self.prune_epochs, self.quantize_from if self.quantize else None, self.freeze_from
        )
        with scope_of(self._fitting):
            self._shipped = shipped_part(self._fitting, self.auxiliary)
        self._pruner = Pruner(
            self._shipped,
            self.device,
            self.budget,
            prune=self.prune,
            importance=self.importance,
            exclude=self.exclude,
            minimum_width=self.minimum_width,
            width_multiple=self.width_multiple,
            stream=partial(to_streaming, frames_per_call=self.frames_per_call) if self.streaming else None,
            listener=self.listener,
        )
        self._instrument()
        self._backups = Backups(self._fitting, list(self._beside.backups()), self._state)
        self._in_use.attach()
        self._backups.begin()
        self._put_zeros()

    @property
    def _in_use(self) -> Instruments:
        """The instruments of the fit() that runs."""
        if self._instruments is None:
            raise ShrinkfitError(
                "no fit() runs with this FitDevice: its hooks are model.fit()'s to call, in their order"
            )
        return self._instruments

    def _instrument(self) -> None:
        """Make what lies beside the model while it trains."""
        topology, stages, channels = self._pruner.topology, self._pruner.stages, self._pruner.channels
        sparse = sparse_nodes(topology, self.sparsity_layers) if self.block_sparsity else ()
        with scope_of(self._fitting):
            variables = FitVariables(
                topology,
                stages,
                channels,
                quantize=self.quantize,
                tap=self.prune and (self.importance == "taylor" or callable(self.importance)),
                sparse=sparse,
            )
        self._sparsity = BlockSparsity(
            stages,
            channels,
            sparse,
            variables.kernel_masks,
            final=self.block_sparsity,
            begin=self._schedule.prune_end,
            end=self._schedule.last_change,
        )
        distiller = self._distiller()
        running = self._beside.running
        self._instruments = Instruments(
            self._fitting, topology, stages, variables, distiller=distiller, running=running
        )

    def after_train_begin(self) -> None:
        """BackupAndRestore has put back what it had: go on from there."""
        state = self._backups.load()
        self._resumed = state is not None
        if state is not None:
            self._restore(state)
        else:
            self._pruner.take_from_weights()
        self._put_zeros()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Narrow the model to this epoch's limits, and enter its phase."""
        self._next_epoch = epoch
        limits = self._schedule.limits_at(epoch, self._pruner.first, self.budget.limits())
        self._take_teacher(epoch)
        record: dict[str, Any] = {"epoch": epoch, "limits": limits, "pruned": [], "held": {}, "instead": {}}
        record |= self._narrow(epoch, limits)
        narrowed = bool(record["pruned"])
        again = [h for h in self.history if h["epoch"] == epoch]  # begun, and resumed from a backup
        record["pruned"] = [r for h in again for r in h["pruned"]] + record["pruned"]
        self.history = [h for h in self.history if h["epoch"] < epoch] + [record]
        record["sparsity"] = self._sparsity.update(epoch, self._pruner.alive)
        phase = self._schedule.phase_at(epoch)
        sparser = self._sparsity.share_at(epoch) > self._sparsity.share_at(epoch - 1)
        if narrowed or sparser or (phase != FLOAT and self._in_use.phase == FLOAT):
            self._beside.start_anew()
        if narrowed or sparser:
            self._mean.begin()
        self._enter_phase(phase)
        if self._in_use.variables.samples is not None:
            self._in_use.variables.samples.forget()
        self._begun_with = self._begun_with or digest(self._fitting)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Put the costs into history, and into logs for all other callbacks.

        Raises:
            TrainingError: there was no batch, or the loss or a range is NaN.
        """
        logs = logs if logs is not None else {}
        self._refuse_no_batches(logs)
        self._refuse_nan(epoch, logs)
        # Whatever other callbacks have put there.
        bake(self._pruner.topology, self._pruner.channels, self._pruner.alive)
        self._sparsity.bake()  # momentum has moved what is masked
        if self._in_use.distiller is not None:
            self._require_teaching(self._in_use.distiller)
        costs = self._pruner.costs()
        self.history[-1] |= {
            "phase": self._in_use.phase,
            "costs": costs,
            "widths": self._pruner.width_of_groups(),
            "metrics": {name: float(value) for name, value in logs.items()},
        }
        logs.update({name: float(value) for name, value in costs.items()})
        self._next_epoch = epoch + 1
        if self.average and epoch >= max(self._schedule.prune_end, self._sparsity.end):
            self._mean.add(self._fitting)
        self._remembered[digest(self._fitting)] = self._in_use.variables.state()

    def after_epoch_end(self, epoch: int) -> None:
        """EarlyStopping does not stop before the limits hold and the arithmetic is the one that ships.

        Args:
            epoch: that has ended, from 0.
        """
        if epoch < max(self._schedule.settled, self._sparsity.end) and self._beside.take_back_stop(epoch):
            self._fitting.stop_training = False

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Take the patches off, and make the smaller model and its integer graph.

        Raises:
            BudgetError: training ended before the model met its limits.
        """
        self._backups.end()
        self._in_use.detach()
        try:
            self._pruner.require_limits_met(len(self.history), self._schedule.prune_end)
        except BudgetError:
            self._instruments = None
            raise
        self._mean.put(self._fitting)
        self._finish()

    def after_train_end(self) -> None:
        """EarlyStopping may have put back the weights of its best epoch."""
        if digest(self._fitting) != self._finished:
            self._finish()
        self._backups.delete()
        if self._resumed and not is_tf_keras(self._fitting):
            self._fitting._initial_epoch = None  # Keras would begin every later fit() there

    def _finish(self) -> None:
        """Make the smaller model and the graph from the weights as they are, with the ranges of their epoch."""
        remembered = self._remembered.get(digest(self._fitting))
        if remembered is not None:
            self._in_use.variables.restore(remembered)
        self._put_zeros()
        self._finished = digest(self._fitting)
        topology, channels, alive = self._pruner.topology, self._pruner.channels, self._pruner.alive
        self._small = smaller_model(self._shipped, topology, channels, alive)
        if self.quantize:
            settle(self._in_use, topology, self._pruner.stages)
            learned = self._in_use.variables
            weights = slice_weights(topology, channels, learned.trained_weights(), alive)
            self._lowered = lower(topology, self._pruner.stages, weights, learned.ranges(), self._fitting.name)
            self._graph, _ = optimize(self._lowered)

    # --- what a backup keeps ---

    def _state(self) -> dict[str, Any]:
        return {
            "epoch": self._next_epoch,
            "alive": self._pruner.alive.astype(int).tolist(),
            "first": self._pruner.first,
            "history": self.history,
            "teacher": self._in_use.distiller.state() if self._in_use.distiller else None,
            "mean": self._mean.state() if self._mean.epochs else None,
            **self._in_use.variables.state(),
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self._pruner.take(np.array(state["alive"], bool))
        self._pruner.first, self.history = state["first"], state["history"]
        self._in_use.variables.restore(state)
        if state["mean"] is not None:
            self._mean.restore(state["mean"])
        if state["teacher"] is not None and self._in_use.distiller is not None:
            self._in_use.distiller.restore(self._fitting, state["teacher"])
            self._in_use.attach()
        if not is_tf_keras(self._fitting):  # there the epoch is in the checkpoint itself
            self._fitting._initial_epoch = state["epoch"]

    def _put_zeros(self) -> None:
        """What is masked is zero in the model itself too, so that any checkpoint of it computes the same."""
        alive = self._pruner.alive
        self._in_use.variables.set_alive(alive)
        bake(self._pruner.topology, self._pruner.channels, alive)
        self._sparsity.bake()
        zero_slots(self._fitting.optimizer, self._pruner.topology, self._pruner.channels, alive)

    def _refuse_no_batches(self, logs: dict[str, float]) -> None:
        """Keras 3 has no logs before the first batch, though its optimizer may have counted a step.

        A loop of the user's own that calls the hooks may give none at all, but it changes weights.
        """
        if all(name.startswith("val_") for name in logs) and digest(self._fitting) == self._begun_with:
            self._release()
            raise TrainingError(
                "training ended an epoch without a single batch, so nothing was learned; look whether the data given "
                "to fit() is empty (x has no examples, or a generator or data set is used up); no model was kept"
            )

    def _refuse_nan(self, epoch: int, logs: dict[str, float]) -> None:
        """A ReLU may turn NaN into 0 before the loss sees it, so the ranges are looked at too."""
        what = {"the loss": logs.get("loss", 0.0)}
        what |= {f"the range of '{key}'": sum(ends) for key, ends in self._in_use.variables.ranges().items()}
        bad = next((f"{name} is {value}" for name, value in what.items() if not np.isfinite(value)), None)
        if bad is not None:
            self._release()
            raise TrainingError(
                f"{bad} after epoch {epoch + 1}; look for NaN in the data, lower the learning rate or clip "
                "gradients (clipnorm=1.0); no model was kept"
            )

    # --- phases ---

    def _enter_phase(self, phase: str) -> None:
        if phase != self._in_use.phase:
            self._in_use.phase = phase
            self._in_use.attach()

    # --- the teacher ---

    def _distiller(self) -> Distiller | None:
        if not self.distill:
            return None
        settings = {"share": self.distill, "temperature": self.temperature, "teacher": self.teacher}
        return Distiller(self._fitting, self._pruner.topology, self._pruner.stages, **settings)

    def _take_teacher(self, epoch: int) -> None:
        distiller = self._in_use.distiller
        if distiller is not None and distiller.teacher is None and epoch >= self._schedule.prune_begin:
            distiller.take_copy(self._fitting)
            self._in_use.attach()

    def _require_teaching(self, distiller: Distiller) -> None:
        try:
            distiller.require_used()
        except ShrinkfitError:
            self._release()
            raise
        if distiller.teacher is not None:
            self.history[-1]["distill"] = distiller.record

    # --- pruning ---

    def _narrow(self, epoch: int, limits: dict[str, float]) -> dict[str, Any]:
        """Take channels away until the limits hold; what history says about it."""
        taps = self._in_use.variables.take_taps()
        found = self._pruner.narrow(epoch, limits, taps, final=epoch >= self._schedule.prune_end)
        if found:
            self._put_zeros()
        if self.verbose:
            for r in found.get("pruned", ()):
                saved = f"{shown(r['saved'][r['resource']])} {r['resource']}"
                print(f"\nshrinkfit: {r['group']} {r['before']} -> {r['after']} channels, saves {saved}")
        return found

    def _release(self) -> None:
        self._backups.end()
        if self._instruments is not None:
            self._instruments.detach()
            self._instruments = None

    # tf_keras asks every callback these.

    def _implements_train_batch_hooks(self) -> bool:
        return False

    _implements_test_batch_hooks = _implements_predict_batch_hooks = _implements_train_batch_hooks
