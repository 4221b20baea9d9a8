# SPDX-License-Identifier: Apache-2.0
"""A trained, fake-quantized model and recent inputs in; int8 arithmetic that answers as the float model does out.

Rounding shifts the mean of a layer's sums (kernels by what their steps are off, activations where many values lie
below half a step), and such shifts add up over layers and outlast a global average, while noise does not. So each
channel's bias gets what its mean lacks (Nagel et al. 2019, arXiv:1906.04721, section 4.2), layer by layer, each with
what the layers before it were given. The ranges that training does not lead to the best place are set too: that of a
model input to the ends of bounded data, and that of what a softmax reads to where probabilities change the least.
Training saw none of it: the steps it trained with are so little off that it would change nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from shrinkfit.fit.forward import FLOAT
from shrinkfit.fit.instruments import Instruments
from shrinkfit.fit.variables import FitVariables
from shrinkfit.read.calls import generation
from shrinkfit.read.stages import Stage
from shrinkfit.read.steps import activation_quantization
from shrinkfit.read.topology import Node, Topology

# An input's extremes are taken for its range if they are this near to the mean of the batches': bounded data.
NEAR = 0.1
# Shares of the learned range's ends that a softmax's input may have. Low ends give probabilities near 0 anyway.
LOW_SHARES, HIGH_SHARES = np.linspace(1, 0.1, 19), np.linspace(1.1, 0.5, 13)


def settle(instruments: Instruments, topology: Topology, stages: tuple[Stage, ...]) -> None:
    """Set what is left to set once the weights are final: see above. Does nothing where no step was quantized.

    Args:
        instruments: of the fit, not attached; its variables' ranges as they were learned with these weights.
        topology, stages: of its model.
    """
    variables = instruments.variables
    variables.forget_corrections()
    arrays = variables.samples.arrays() if variables.samples else {}
    if not arrays or set(arrays) != set(topology.inputs) or instruments.phase == FLOAT:
        return
    for name, array in arrays.items():
        _bound(variables, name, array)
    batch = [arrays[name] for name in topology.inputs]
    wanted = _Means(variables.corrections)
    with instruments.applied(phase=FLOAT, probe=wanted):
        generation(instruments.model).run(instruments.model, batch)
    with instruments.applied(probe=_Settling(variables, stages, wanted.means)):
        generation(instruments.model).run(instruments.model, batch)


def _bound(variables: FitVariables, name: str, array: np.ndarray) -> None:
    """Give a model input of bounded data its ends: whatever lies on 256 steps between them is then exact."""
    quantizer = variables.activations.get(name)
    if quantizer is None:
        return
    learned, found = quantizer.range(), (min(float(array.min()), 0.0), max(float(array.max()), 0.0))
    near = NEAR * (learned[1] - learned[0])
    quantizer.set_range(*(f if abs(f - end) <= near else end for f, end in zip(found, learned, strict=True)))


class _Means:
    """Watches a pass: the mean of each channel's sums, by the name of the node that ends them."""

    def __init__(self, nodes: Iterable[str]) -> None:
        self.means: dict[str, np.ndarray] = {}
        self._nodes = set(nodes)

    def computed(self, node: Node, value: Any) -> Any:
        if node.name in self._nodes:
            self.means[node.name] = _mean(value)
        return value

    def ended(self, stage: Stage, value: Any) -> None: ...


class _Settling:
    """Watches a quantized pass, and mends each layer before the next one runs."""

    def __init__(self, variables: FitVariables, stages: tuple[Stage, ...], means: dict[str, np.ndarray]) -> None:
        self._variables, self._means = variables, means
        self._before_softmax = {stage.inputs[0] for stage in stages if stage.kind == "softmax"}
        read = Counter(key for stage in stages for key in stage.inputs)
        self._before_softmax -= {stage.key for stage in stages if stage.ends_model or read[stage.key] > 1}

    def computed(self, node: Node, value: Any) -> Any:
        import tensorflow as tf

        correction = self._variables.corrections.get(node.name)
        if correction is None:
            return value
        correction.assign((self._means[node.name] - _mean(value)) * self._variables.masks[node.name].numpy())
        return value + tf.cast(correction, value.dtype)

    def ended(self, stage: Stage, value: Any) -> None:
        quantizer = self._variables.activations.get(stage.key)
        if stage.key in self._before_softmax and quantizer is not None:
            quantizer.set_range(*softmax_range(np.asarray(value), *quantizer.range()))


def _mean(value: Any) -> np.ndarray:
    """float32 [channels] of [..., channels]."""
    value = np.asarray(value)
    return value.reshape(-1, value.shape[-1]).mean(axis=0, dtype=np.float64).astype(np.float32)


def softmax_range(logits: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """The range with which int8 logits give the probabilities of the float ones best, by KL divergence.

    Args:
        logits: float [..., classes].
        low, high: of the learned range.
    """
    logits = logits.reshape(-1, logits.shape[-1]).astype(np.float64)
    wanted = np.exp(_log_softmax(logits))
    tries = {(low * a, high * b): None for a in LOW_SHARES for b in HIGH_SHARES}
    return min(tries, key=lambda ends: _divergence(wanted, _rounded(logits, *ends)))


def _rounded(x: np.ndarray, low: float, high: float) -> np.ndarray:
    scale, zero_point = activation_quantization(low, high)
    return (np.clip(np.rint(x / scale) + zero_point, -128, 127) - zero_point) * scale


def _divergence(wanted: np.ndarray, logits: np.ndarray) -> float:
    """KL but for a constant."""
    return float(-(wanted * _log_softmax(logits)).sum(axis=-1).mean())


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
