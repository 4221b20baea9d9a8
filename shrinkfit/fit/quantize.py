# SPDX-License-Identifier: Apache-2.0
"""Channel masks and int8 fake quantization inside the layers of a Keras model, in place and reversible.

Each layer's `call` is replaced by one that computes the layer's nodes with masked, fake-quantized
kernels and puts a quantizer on every stage boundary: the tensors that the integer graph has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from shrinkfit.fit.channels import MAKERS, Channels
from shrinkfit.fit.tfmot import ActivationQuantizer, KernelQuantizer, quantize_probabilities
from shrinkfit.graph.ir import Padding
from shrinkfit.read.stages import Stage
from shrinkfit.read.topology import Node, Topology, canonical, canonical_weights, keras_value

FLOAT, QUANTIZED, FROZEN = "float", "quantized", "frozen"


class Instruments:
    """Masks, quantizers and patched layers of one model.

    Args:
        model: the Keras model, patched while `attached`.
        topology, stages, channels: of that model.
        quantize: whether activations are observed and fake quantization happens at all.
        tap: whether to gather the first-order importance of channels while training.
    Attributes:
        phase: "float" observes ranges only, "quantized" fake-quantizes, "frozen" also stops the
            batch statistics of normalization. A change takes effect with the next `attach`.
        taps: stage key -> float32 [channels], importance gathered since the last `take_importance`.
    """

    def __init__(
        self, model: Any, topology: Topology, stages: tuple[Stage, ...], channels: Channels, quantize: bool, tap: bool
    ) -> None:
        self.model, self.topology, self.stages, self.channels = model, topology, stages, channels
        self.observes = quantize
        self.phase = FLOAT
        self._training = False
        self._whole = False  # training would take the logarithm of a probability rounded to 0
        self._saved: dict[tuple[Any, str], Any] = {}  # what the instance had there itself, mostly nothing
        self._stage_ending_at = {stage.last.name: stage for stage in stages}
        self._stage_biased_at = {
            (stage.batch_norm or stage.head).name: stage for stage in stages if stage.kind in (*MAKERS, "depthwise")
        }
        self._stage_starting_at = {stage.head.name: stage for stage in stages}
        self._by_key = {stage.key: stage for stage in stages}
        self._make_variables(quantize, tap)

    def _make_variables(self, quantize: bool, tap: bool) -> None:
        import tensorflow as tf

        self.masks = {
            node.name: tf.Variable(np.ones(node.shape[-1], np.float32), trainable=False, name="mask")
            for node in self.topology.nodes.values()
            if node.variables
        }
        ranged = [stage.key for stage in self.stages if stage.has_range] if quantize else []
        self.activations = {key: ActivationQuantizer(key) for key in ranged}
        heads = [stage.head for stage in self.stages if "kernel" in stage.head.variables] if quantize else []
        self.kernels = {node.name: KernelQuantizer(node.name, node.shape[-1]) for node in heads}
        made = [stage for stage in self.stages if stage.kind in MAKERS] if tap else []
        self.taps = {s.key: tf.Variable(tf.zeros(s.last.shape[-1]), trainable=False, name="importance") for s in made}

    def set_alive(self, alive: np.ndarray) -> None:
        """Mask the channels whose unit is not alive; bool [units]."""
        for name, mask in self.masks.items():
            mask.assign(alive[self.channels.of_node[name]].astype(np.float32))

    def take_importance(self) -> np.ndarray | None:
        """First-order importance per unit, float64 [units], and start anew; None where no step was taken since."""
        worth = np.zeros(self.channels.count)
        for key, tap in self.taps.items():
            np.add.at(worth, self.channels.of_node[key], tap.numpy().astype(np.float64))
            tap.assign(np.zeros(tap.shape, np.float32))
        return worth if worth.any() else None

    def ranges(self) -> dict[str, tuple[float, float]]:
        """Ranged stage key -> (smallest, largest) as learned."""
        return {key: quantizer.range() for key, quantizer in self.activations.items()}

    def trained_weights(self) -> dict[str, dict[str, np.ndarray]]:
        """Node name -> role -> canonical array, kernels on the int8 grid that training rounded them to.

        Rounding them once more gives the same steps; rounding the raw ones would flip a few that lie near a tie.
        """
        weights = {node.name: canonical_weights(node) for node in self.topology.nodes.values()}
        for name in self.kernels:
            node = self.topology.nodes[name]
            weights[name]["kernel"] = canonical(
                node, "kernel", self._rounded(node, node.variables["kernel"].value).numpy()
            )
        return weights

    # --- in and out of the model ---

    @property
    def attached(self) -> bool:
        return bool(self._saved)

    def attach(self) -> None:
        """Patch the model for the present phase and have Keras trace its functions anew."""
        self.detach(retrace=False)
        for layer, nodes in self._nodes_by_layer().items():
            self._patch(layer, "call", self._forward(layer, nodes))
        self._patch(self.model, "train_step", self._training_step(self.model.train_step))
        self._retrace()

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
    def applied(self) -> Iterator[None]:
        """Attach for a while, for a prediction with the masks and ranges as they are, softmax in steps of 1/256 too."""
        self._whole = self.observes and self.phase != FLOAT
        self.attach()
        try:
            yield
        finally:
            self._whole = False
            self.detach()

    def _patch(self, owner: Any, name: str, method: Any) -> None:
        # Past Keras's __setattr__, which would track what it is given as part of the model.
        self._saved[owner, name] = owner.__dict__.get(name)
        owner.__dict__[name] = method

    def _retrace(self) -> None:
        self.model.predict_function = None
        if self.model.compiled:
            self.model.make_train_function(force=True)
            self.model.make_test_function(force=True)

    def _training_step(self, original: Any) -> Any:
        """Layers such as Conv2D are not told the phase; while the training step is traced, this flag is up."""

        def train_step(*args: Any, **kwargs: Any) -> Any:
            self._training = True
            try:
                return original(*args, **kwargs)
            finally:
                self._training = False

        return train_step

    # --- the patched forward pass ---

    def _nodes_by_layer(self) -> dict[Any, list[Node]]:
        layers: dict[Any, list[Node]] = {}
        for node in self.topology.nodes.values():
            if node.kind != "input":
                layers.setdefault(node.layer, []).append(node)
        return layers

    def _forward(self, layer: Any, nodes: list[Node]) -> Any:
        original = type(layer).call.__get__(layer)

        def call(inputs: Any, *args: Any, **kwargs: Any) -> Any:
            value = self._quantized_model_inputs(nodes[0], inputs)
            for node in nodes:
                whole = len(nodes) == 1
                value = self._compute(node, value, lambda x: original(x, *args, **kwargs), whole)
                biased = self._stage_biased_at.get(node.name)
                if biased is not None:
                    value = self._with_rounded_bias(biased, value)
                stage = self._stage_ending_at.get(node.name)
                if stage is not None:
                    value = self._boundary(stage, self._tapped(stage, value))
            return value

        return call

    def _compute(self, node: Node, x: Any, original: Any, whole: bool) -> Any:
        if node.kind in ("conv", "depthwise", "dense"):
            return self._weighted(node, x)
        if node.kind == "batch_norm":
            frozen = self.phase == FROZEN
            y = type(node.layer).call(node.layer, x, training=False) if frozen else original(x)
            return y * self._cast(self.masks[node.name], y)
        return original(x) if whole else node.layer.activation(x)

    def _weighted(self, node: Node, x: Any) -> Any:
        from keras import ops

        kernel = self._kernel(node, x)
        if node.kind == "dense":
            y = ops.matmul(x, kernel)
        else:
            x, settings = self._window(node, x)
            apply = ops.depthwise_conv if node.kind == "depthwise" else ops.conv
            y = apply(x, kernel, data_format="channels_last", **settings)
        bias = node.variables.get("bias")
        if bias is None:
            return y
        return y + ops.convert_to_tensor(bias, dtype=y.dtype) * self._cast(self.masks[node.name], y)

    def _kernel(self, node: Node, x: Any) -> Any:
        import tensorflow as tf
        from keras import ops

        kernel = ops.convert_to_tensor(node.variables["kernel"], dtype=x.dtype)
        if self.phase != FLOAT and node.name in self.kernels:
            kernel = self._rounded(node, kernel)
        mask = self._cast(self.masks[node.name], kernel)
        # A depthwise kernel's last two axes together are the output channels.
        return kernel * (tf.reshape(mask, kernel.shape[-2:]) if node.kind == "depthwise" else mask)

    def _rounded(self, node: Node, kernel: Any) -> Any:
        import tensorflow as tf

        channels = node.shape[-1]
        return tf.reshape(self.kernels[node.name](tf.reshape(kernel, (-1, channels))), kernel.shape)

    def _with_rounded_bias(self, stage: Stage, value: Any) -> Any:
        """The value with the stage's bias on the int32 grid, where the bias is the one that will ship.

        Half a step of the bias is little, but over some layers it is what sets Keras and the C apart.
        """
        import tensorflow as tf

        batch_statistics = stage.batch_norm is not None and self.phase != FROZEN and self._training
        if stage.head.name not in self.kernels or self.phase == FLOAT or batch_statistics:
            return value
        factor, bias = self._affine(stage)
        kernel = tf.reshape(tf.cast(stage.head.variables["kernel"].value, tf.float32), (-1, bias.shape[0]))
        step = self._scale(stage.inputs[0]) * tf.reduce_max(tf.abs(kernel), axis=0) / 127 * tf.abs(factor)
        rounded = tf.where(step > 0, tf.round(bias / tf.where(step > 0, step, 1.0)) * step, bias)
        error = tf.stop_gradient((rounded - bias) * self.masks[stage.head.name])
        return value + self._cast(error, value)

    def _affine(self, stage: Stage) -> tuple[Any, Any]:
        """(factor, bias) of a stage with its normalization folded in, float32 [channels]."""
        import tensorflow as tf

        zeros = tf.zeros(stage.head.shape[-1])
        own = {role: tf.cast(v.value, tf.float32) for role, v in stage.head.variables.items()}
        bias = own.get("bias", zeros)
        if stage.batch_norm is None:
            return zeros + 1.0, bias
        norm = {role: tf.cast(v.value, tf.float32) for role, v in stage.batch_norm.variables.items()}
        factor = norm.get("gamma", 1.0) / tf.sqrt(norm["variance"] + stage.batch_norm.attributes["epsilon"])
        return factor, (bias - norm["mean"]) * factor + norm.get("beta", 0.0)

    def _scale(self, key: str) -> Any:
        """The int8 scale of a stage's output."""
        stage = self._by_key[key]
        while not stage.has_range:
            if stage.kind == "softmax":
                return 1 / 256
            stage = self._by_key[stage.inputs[0]]
        return self.activations[stage.key].scale()

    def _window(self, node: Node, x: Any) -> tuple[Any, dict[str, Any]]:
        from keras import ops

        rank = len(node.shape) - 1
        padding = node.attributes["padding"]
        if isinstance(padding, Padding):  # causal
            x, padding = ops.pad(x, ((0, 0), (padding.left, padding.right), (0, 0))), "valid"
        stride, dilation = node.attributes["stride"][-rank:], node.attributes["dilation"][-rank:]
        return x, {"strides": stride, "dilation_rate": dilation, "padding": padding}

    def _tapped(self, stage: Stage, value: Any) -> Any:
        """The same value; its way back leaves (value * gradient summed over the channel)^2 in the stage's tap."""
        import tensorflow as tf

        tap = self.taps.get(stage.key)
        if tap is None or not self._training or self.phase != FLOAT:
            return value

        @tf.custom_gradient
        def through(x: Any) -> Any:
            def gradient(upstream: Any) -> Any:
                share = tf.cast(x, tf.float32) * tf.cast(upstream, tf.float32)
                share = tf.reduce_sum(share, axis=list(range(1, len(x.shape) - 1)))
                tap.assign_add(tf.reduce_sum(share**2, axis=0))
                return upstream

            return tf.identity(x), gradient

        return through(value)

    def _boundary(self, stage: Stage, value: Any) -> Any:
        """What the integer graph does to this tensor: its own range, its input's, or none."""
        if stage.kind == "softmax" and self._whole:
            return quantize_probabilities(value)
        if not self.observes or stage.kind in ("softmax", "reshape", "zero_pad", "max_pool", "global_max"):
            return value
        if stage.kind == "average_pool":
            return value if self.phase == FLOAT else self.activations[self._range_key(stage)].quantize(value)
        return self._through(stage.key, value)

    def _through(self, key: str, value: Any) -> Any:
        quantizer = self.activations[key]
        quantized = quantizer.observe(value) if self._training else quantizer.quantize(value)
        return value if self.phase == FLOAT else quantized

    def _range_key(self, stage: Stage) -> str:
        while not stage.has_range:
            stage = self._by_key[stage.inputs[0]]
        return stage.key

    def _quantized_model_inputs(self, node: Node, inputs: Any) -> Any:
        """An InputLayer computes nothing, so its boundary is put where the input is read."""
        stage = self._stage_starting_at.get(node.name)
        if not self.observes or stage is None or not any(self._by_key[key].kind == "input" for key in stage.inputs):
            return inputs
        values = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        values = [
            self._through(key, v) if self._by_key[key].kind == "input" else v
            for key, v in zip(stage.inputs, values, strict=True)
        ]
        return values if isinstance(inputs, (list, tuple)) else values[0]

    @staticmethod
    def _cast(mask: Any, like: Any) -> Any:
        import tensorflow as tf

        return tf.cast(mask, like.dtype)


def bake(topology: Topology, channels: Channels, alive: np.ndarray) -> None:
    """Write the masks into the model's own weights: pruned channels become zero."""
    for node in topology.nodes.values():
        keep = alive[channels.of_node[node.name]]
        for role, variable in node.variables.items():
            if role in ("kernel", "bias", "gamma", "beta"):
                variable.assign(_zeroed(node, role, keras_value(variable), keep))


def _zeroed(node: Node, role: str, value: np.ndarray, keep: np.ndarray) -> np.ndarray:
    if node.kind == "depthwise" and role == "kernel":
        return value * keep.reshape(value.shape[-2:])
    return value * keep


def keras_weights(topology: Topology) -> Mapping[str, dict[str, np.ndarray]]:
    """Node name -> role -> the variable's value with Keras's own axes."""
    return {node.name: {r: keras_value(v) for r, v in node.variables.items()} for node in topology.nodes.values()}
