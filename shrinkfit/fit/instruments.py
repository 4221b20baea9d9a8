# SPDX-License-Identifier: Apache-2.0
"""A Keras model in, the same model with patched layers out, and back: in place and reversible."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from shrinkfit.fit.channels import Channels, kept
from shrinkfit.fit.distill import Distiller
from shrinkfit.fit.forward import FLOAT, Forward
from shrinkfit.fit.variables import FitVariables
from shrinkfit.read.nodes import canonical, keras_axes, keras_value
from shrinkfit.read.stages import Stage
from shrinkfit.read.topology import Node, Topology

# What makes a channel; a normalization without gamma would give (0 - mean) / deviation.
# A dead slope does nothing, but the scale of those that stay must not be its.
ZEROED = ("kernel", "bias", "gamma", "beta", "mean", "alpha")
_MAKERS = ("make_train_function", "make_test_function", "make_predict_function")


class Instruments:
    """The patched layers of one model.

    Args:
        model: the Keras model, patched while `attached`.
        topology, stages: of that model.
        variables: of this fit.
        distiller: mixes a teacher into the loss, if it has one.
        running: whether the training that these instruments belong to still runs. Keras tells nobody when a fit()
            ends by an exception; the first use of the model after that takes the patches off.
    Attributes:
        phase: see forward.py; a change takes effect with the next `attach`.
    """

    def __init__(
        self,
        model: Any,
        topology: Topology,
        stages: tuple[Stage, ...],
        variables: FitVariables,
        distiller: Distiller | None = None,
        running: Callable[[], bool] = lambda: True,
    ) -> None:
        self.model, self.variables, self.distiller = model, variables, distiller
        self.phase = FLOAT
        self._topology, self._stages = topology, stages
        self._running = running
        self._saved: dict[tuple[Any, str], Any] = {}  # what the instance had there itself, mostly nothing

    @property
    def attached(self) -> bool:
        """Whether the model is patched now."""
        return bool(self._saved)

    def attach(self, *, phase: str | None = None, whole: bool = False, probe: Any = None) -> None:
        """Patch the model for the present phase and have Keras trace its functions anew."""
        self.detach(retrace=False)
        forward = Forward(self._stages, self.variables, phase=phase or self.phase, whole=whole, probe=probe)
        for layer, nodes in self._nodes_by_layer().items():
            self._patch(layer, "call", _unconverted(forward.call_of(layer, nodes)))
        self._patch(self.model, "call", _unconverted(forward.counting(self.model.call)))
        self._patch(self.model, "train_step", _telling(forward, self.model.train_step))
        if self.distiller is not None and self.distiller.teacher is not None:
            loss = self.distiller.loss_of(self.model.compute_loss, lambda: bool(forward.training))
            self._patch(self.model, "compute_loss", loss)
        self._retrace()
        for name in _MAKERS:
            self._patch(self.model, name, getattr(self.model, name))

    def detach(self, retrace: bool = True) -> None:
        """Give the model its own methods back."""
        attached = self.attached
        for (owner, name), before in self._saved.items():
            if before is None:
                owner.__dict__.pop(name, None)
            else:
                owner.__dict__[name] = before
        self._saved = {}
        if attached and retrace:
            self._retrace()

    @contextmanager
    def applied(self, phase: str | None = None, probe: Any = None) -> Iterator[None]:
        """Attach for a while, for a prediction with the masks and ranges as they are, softmax in steps of 1/256 too.

        Args:
            phase: the present one where None.
            probe: see Forward.
        """
        running, self._running = self._running, lambda: True
        phase = phase or self.phase
        self.attach(phase=phase, whole=bool(self.variables.activations) and phase != FLOAT, probe=probe)
        try:
            yield
        finally:
            self.detach()
            self._running = running

    def _nodes_by_layer(self) -> dict[Any, list[Node]]:
        layers: dict[Any, list[Node]] = {}
        for node in self._topology.nodes.values():
            if node.kind != "input":
                layers.setdefault(node.layer, []).append(node)
        return layers

    def _patch(self, owner: Any, name: str, method: Any) -> None:
        def patched(*args: Any, **kwargs: Any) -> Any:
            if self._running():
                return method(*args, **kwargs)
            self.detach()
            return getattr(owner, name)(*args, **kwargs)

        # Past Keras's __setattr__, which would track what it is given as part of the model.
        self._saved[owner, name] = owner.__dict__.get(name)
        owner.__dict__[name] = _unconverted(patched)

    def _retrace(self) -> None:
        self.model.predict_function = None
        if _is_compiled(self.model):
            self.model.make_train_function(force=True)
            self.model.make_test_function(force=True)


def _is_compiled(model: Any) -> bool:
    return bool(getattr(model, "compiled", False) or getattr(model, "_is_compiled", False))


def _unconverted(method: Callable[..., Any]) -> Callable[..., Any]:
    """tf_keras has AutoGraph rewrite the methods that it calls; closures such as ours it could not."""
    import tensorflow as tf

    return tf.autograph.experimental.do_not_convert(method)


def _telling(forward: Forward, original: Any) -> Any:
    """A train_step that tells the forward passes, while it is traced, that this is training."""

    def train_step(*args: Any, **kwargs: Any) -> Any:
        # Counted, because the replicas of a distributed step are traced in turns.
        forward.training += 1
        try:
            return original(*args, **kwargs)
        finally:
            forward.training -= 1

    return train_step


def bake(topology: Topology, channels: Channels, alive: np.ndarray) -> None:
    """Write the masks into the model's own weights: pruned channels become zero, and what kernels would read of them.

    Those rows of a kernel meet only zeros, but the scale of an int8 kernel is that of its largest weight, and what is
    sliced away must not have been that.
    """
    for node in topology.nodes.values():
        incoming, outgoing = kept(node, channels, alive)
        if incoming.all() and outgoing.all():
            continue
        for role, variable in node.variables.items():
            if role in ZEROED:
                before = keras_value(variable)
                after = zeroed(node, role, before, incoming, outgoing)
                if not np.array_equal(before, after):
                    variable.assign(after)


def zeroed(node: Node, role: str, value: np.ndarray, incoming: np.ndarray, outgoing: np.ndarray) -> np.ndarray:
    """A variable's value (or that of anything of its shape) with zeros in the channels that do not stay.

    Args:
        node, role: of the variable.
        value: with Keras's axes.
        incoming, outgoing: bool [channels], which of the node's inputs and outputs stay.
    """
    fixed = canonical(node, role, value)
    keep = outgoing
    if role == "kernel" and node.kind == "depthwise":
        keep = outgoing.reshape(fixed.shape[-2:])
    elif role == "kernel":
        # A grouped convolution's kernel has the input channels of one group; all groups keep the same ones.
        keep = outgoing & incoming[: fixed.shape[-2], np.newaxis]
    elif fixed.shape[-1] != len(outgoing):
        return value  # one for all channels
    # A product would keep NaN and the sign of zero.
    return keras_axes(node, role, np.where(keep, fixed, 0.0)).astype(value.dtype)
