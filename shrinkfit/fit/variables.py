# SPDX-License-Identifier: Apache-2.0
"""What a fit keeps beside the model while it trains: channel masks, quantizers with their ranges, importance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from shrinkfit.fit.channels import MAKERS, Channels
from shrinkfit.fit.samples import Samples
from shrinkfit.fit.tfmot import ActivationQuantizer, KernelQuantizer
from shrinkfit.read.stages import Stage
from shrinkfit.read.topology import Node, Topology, canonical_weights


class FitVariables:
    """TensorFlow variables that belong to the fit, not to the model: no checkpoint of the model holds them.

    Made in the scope of a tf.distribute strategy they are one value on all replicas: a range moves by the mean of the
    replicas' batch extremes; importance is gathered on each replica and summed when it is read.

    Args:
        topology, stages, channels: of one model.
        quantize: whether ranges are observed and kernels quantized at all.
        tap: whether to gather the first-order importance of channels.
        sparse: nodes whose kernels get zero blocks.
    Attributes:
        masks: node name -> float32 [channels], 1 or 0.
        activations: key of a stage with a range -> its quantizer.
        kernels: node name -> its kernel's quantizer.
        kernel_masks: node name -> float32 in the kernel's shape, 0 in its zero blocks.
        taps: stage key -> float32 [channels], importance gathered since the last `take_taps`.
        corrections: name of the node that ends a stage's sums -> float32 [channels], what its bias ships with beyond
            what was trained; zeros while it trains (settle.py).
        samples: recent inputs; None where nothing is quantized.
    """

    def __init__(
        self,
        topology: Topology,
        stages: tuple[Stage, ...],
        channels: Channels,
        *,
        quantize: bool,
        tap: bool,
        sparse: Sequence[Node] = (),
    ) -> None:
        import tensorflow as tf

        self._topology, self._channels = topology, channels
        same = tf.VariableAggregation.ONLY_FIRST_REPLICA
        self.masks = {
            node.name: tf.Variable(np.ones(node.shape[-1], np.float32), trainable=False, name="mask", aggregation=same)
            for node in topology.nodes.values()
            if node.variables
        }
        ranged = [stage for stage in stages if stage.has_range] if quantize else []
        self.activations = {stage.key: _activation_quantizer(stage) for stage in ranged}
        heads = [stage.head for stage in stages if "kernel" in stage.head.variables] if quantize else []
        self.kernels = {node.name: KernelQuantizer(node.name, node.shape[-1]) for node in heads}
        corrected = corrected_nodes(topology, stages) if quantize else []
        self.corrections = {
            node.name: tf.Variable(tf.zeros(node.shape[-1]), trainable=False, name="correction", aggregation=same)
            for node in corrected
        }
        self.samples = Samples(topology) if quantize else None
        made = [stage for stage in stages if stage.kind in MAKERS] if tap else []
        self.taps = {stage.key: _tap(stage.last.shape[-1]) for stage in made}

        self.kernel_masks = {
            node.name: tf.Variable(
                tf.ones(node.variables["kernel"].shape), trainable=False, name="blocks", aggregation=same
            )
            for node in sparse
        }

    def sparse_kernel(self, name: str, kernel: Any) -> Any:
        """The kernel tensor of a node with zeros in its zero blocks."""
        import tensorflow as tf

        mask = self.kernel_masks.get(name)
        return kernel if mask is None else kernel * tf.cast(mask, kernel.dtype)

    def set_alive(self, alive: np.ndarray) -> None:
        """Mask the channels whose unit is not alive; bool [units]."""
        for name, mask in self.masks.items():
            mask.assign(alive[self._channels.of_node[name]].astype(np.float32))

    def forget_corrections(self) -> None:
        """Set every bias back to what training made of it."""
        for correction in self.corrections.values():
            correction.assign(np.zeros(correction.shape, np.float32))

    def take_taps(self) -> dict[str, np.ndarray] | None:
        """First-order importance by stage key, float64 [channels], and start anew; None where no step was taken."""
        taken = {key: tap.numpy().astype(np.float64) for key, tap in self.taps.items()}
        for tap in self.taps.values():
            tap.assign(np.zeros(tap.shape, np.float32))
        return taken if any(values.any() for values in taken.values()) else None

    def state(self) -> dict[str, Any]:
        """Ranges and importance as plain numbers for JSON, which keeps every bit of them; masks belong to the fit.

        In the model's order, since a layer that the user gave no name has another one in the next run.
        """
        return {
            "ranges": [quantizer.state() for quantizer in self.activations.values()],
            "importance": [tap.numpy().tolist() for tap in self.taps.values()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take what `state` gave; what this fit does not observe, or that one did not, is left alone."""
        if len(state["ranges"]) == len(self.activations):
            for quantizer, values in zip(self.activations.values(), state["ranges"], strict=True):
                quantizer.restore(values)
        if len(state["importance"]) == len(self.taps):
            for tap, values in zip(self.taps.values(), state["importance"], strict=True):
                tap.assign(np.array(values, np.float32))

    def ranges(self) -> dict[str, tuple[float, float]]:
        """Ranged stage key -> (smallest, largest) as learned."""
        return {key: quantizer.range() for key, quantizer in self.activations.items()}

    def trained_weights(self) -> dict[str, dict[str, np.ndarray]]:
        """Node name -> role -> canonical array: biases corrected, kernels on the int8 grid that training rounded to.

        Rounding them once more gives the same steps; rounding the raw ones would flip a few that lie near a tie.
        """
        import tensorflow as tf

        weights = {node.name: canonical_weights(node) for node in self._topology.nodes.values()}
        for name, quantizer in self.kernels.items():
            weights[name]["kernel"] = quantizer.quantize(tf.constant(weights[name]["kernel"], tf.float32)).numpy()
        for name, correction in self.corrections.items():
            role = "beta" if self._topology.nodes[name].kind == "batch_norm" else "bias"
            weights[name] = weights[name] | {role: weights[name].get(role, 0.0) + correction.numpy()}
        return weights


def corrected_nodes(topology: Topology, stages: tuple[Stage, ...]) -> list[Node]:
    """The node where the sums of each stage with a kernel are complete; none of layers that are called several times,
    whose calls ship one bias.
    """
    calls = Counter(id(call.layer) for call in topology.calls.values())
    with_kernel = [stage for stage in stages if "kernel" in stage.head.variables]
    return [stage.batch_norm or stage.head for stage in with_kernel if calls[id(stage.head.layer)] == 1]


def _tap(channels: int) -> Any:
    import tensorflow as tf

    return tf.Variable(
        tf.zeros(channels),
        trainable=False,
        name="importance",
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.SUM,
    )


def _activation_quantizer(stage: Stage) -> ActivationQuantizer:
    relu = stage.relu or (stage.head if stage.kind == "relu" else None)
    if relu is None:
        return ActivationQuantizer(stage.key)
    return ActivationQuantizer(stage.key, rectified=True, top=relu.attributes["max_value"])
