# SPDX-License-Identifier: Apache-2.0
"""The forward pass of a layer while it is fitted: masked and fake-quantized kernels, and a quantizer on every stage
boundary, which are the tensors that the integer graph has.

Every pass over a whole activation costs as much as a ReLU does, so masks and bias corrections are put into the
normalization's gamma and beta, and a ReLU is left to the clamp of the fake quantization behind it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from numbers import Real
from typing import Any

from shrinkfit.fit.keras_versions import tensor_of
from shrinkfit.fit.tfmot import quantize_fixed
from shrinkfit.fit.variables import FitVariables
from shrinkfit.graph.ir import Padding
from shrinkfit.read.nodes import CONVOLUTIONS, WEIGHTED
from shrinkfit.read.stages import Stage
from shrinkfit.read.topology import Node

# Observes ranges only; fake-quantizes too; and also stops the batch statistics of normalization.
FLOAT, QUANTIZED, FROZEN = "float", "quantized", "frozen"
# Importance is gathered on one sample in so many: a quarter tells the channels apart as well as all do.
TAP_EVERY = 4
# What makes new values of old ones without a scale of its own.
ROUNDING = ("average_pool", "upsample")
# What a chain over more than two tensors is made of, each a function of TensorFlow's too.
LINKS = ("add", "multiply", "maximum", "minimum")


class Forward:
    """The patched `call` of every layer in one phase.

    Args:
        stages: of the model.
        variables: the fit's.
        phase: FLOAT, QUANTIZED or FROZEN.
        whole: whether probabilities that the model gives out are rounded too; training would take the logarithm of
            one rounded to 0.
        probe: watches a pass outside training, see settle.py.
    Attributes:
        training: how many training steps are being traced, 0 for none; layers such as Conv2D are not told.
    """

    def __init__(
        self,
        stages: tuple[Stage, ...],
        variables: FitVariables,
        *,
        phase: str = FLOAT,
        whole: bool = False,
        probe: Any = None,
    ) -> None:
        self.phase, self.training, self._probe = phase, 0, probe
        self._whole, self._variables = whole, variables
        self._observes = bool(variables.activations)
        self._by_key = {stage.key: stage for stage in stages}
        self._ending_at = {stage.last.name: stage for stage in stages}
        self._starting_at = {stage.head.name: stage for stage in stages}
        weighted = [stage for stage in stages if stage.kind in WEIGHTED]
        self._biased_at = {(stage.batch_norm or stage.head).name: stage for stage in weighted}
        relus = [stage.relu for stage in stages if stage.relu is not None and stage.key in variables.activations]
        self._clamped_at = {relu.name for relu in relus} if phase != FLOAT else set()
        # Replicas of a distributed step are traced by a thread each.
        self._turns = threading.local()

    def counting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """What takes the place of `model.call`: a layer's calls are told apart by their order within the model's."""

        def call(*args: Any, **kwargs: Any) -> Any:
            self._turns.of_layer = {}
            return original(*args, **kwargs)

        return call

    def _turn(self, layer: Any, calls: int) -> int:
        if calls == 1:
            return 0
        if not hasattr(self._turns, "of_layer"):
            self._turns.of_layer = {}
        turn = self._turns.of_layer.get(id(layer), 0)
        self._turns.of_layer[id(layer)] = turn + 1
        return turn % calls

    def call_of(self, layer: Any, nodes: list[Node]) -> Callable[..., Any]:
        """What takes the place of `layer.call`; nodes: the layer's, in their order, those of all its calls."""
        by_call: dict[str, list[Node]] = {}
        for node in nodes:
            by_call.setdefault(node.call, []).append(node)
        chains = list(by_call.values())

        def call(inputs: Any, *args: Any, **kwargs: Any) -> Any:
            chain = chains[self._turn(layer, len(chains))]
            own = {node.name for node in chain}
            if isinstance(inputs, Real):  # of an operation such as 1 - x
                inputs, args = args[0], (inputs, *args[1:])
            outside = [name for node in chain for name in node.inputs if name not in own]
            # A merging layer gets a list; an operation such as a + b gets one argument each.
            listed = isinstance(inputs, (list, tuple))
            given = list(inputs) if listed else [inputs, *args[: len(outside) - 1]]
            more = args if listed else args[len(given) - 1 :]

            def original(xs: list[Any], owner: Any = layer, **changed: Any) -> Any:
                return type(layer).call(owner, *([xs] if listed else xs), *more, **(kwargs | changed))

            values = dict(zip(outside, given, strict=True))
            self._sample(chain, values)
            for node in chain:
                xs = self._quantized_model_inputs(node, [values[name] for name in node.inputs])
                value = self._compute(node, xs, original, len(chain) == 1)
                stage = self._ending_at.get(node.name)
                if self._probe is not None:
                    value = self._probed(node, stage, value)
                if stage is not None:
                    value = self._boundary(stage, self._tapped(stage, value))
                values[node.name] = value
            return values[chain[-1].name]

        return call

    def _sample(self, chain: list[Node], values: dict[str, Any]) -> None:
        """Keep some of the model inputs among the values that a layer reads."""
        if not self.training or self.phase == FLOAT or self._variables.samples is None:
            return
        for node in chain:
            for name in node.inputs:
                if name in values:
                    self._variables.samples.take(node.name, name, values[name])

    def _probed(self, node: Node, stage: Stage | None, value: Any) -> Any:
        value = self._probe.computed(node, value)
        if stage is not None:
            self._probe.ended(stage, value)
        return value

    def _compute(self, node: Node, xs: list[Any], original: Callable[..., Any], alone: bool) -> Any:
        import tensorflow as tf

        if node.kind in WEIGHTED:
            return self._weighted(node, xs[0])
        if node.kind == "batch_norm":
            return self._normalized(node, xs[0], original)
        if node.kind == "prelu":
            return self._sloped(node, xs[0])
        if node.name in self._clamped_at:
            return xs[0]
        if node.attributes.get("function") == "line":
            factor, shift = (float(node.attributes[key][0]) for key in ("factor", "shift"))
            return xs[0] * factor + shift
        if alone:
            return original(xs)
        if node.kind == "average":  # the end of a chain
            return (xs[0] + xs[1]) / node.attributes["count"]
        if node.kind in LINKS:
            return getattr(tf, node.kind)(*xs)
        if node.kind == "identity":
            return xs[0]
        if node.kind == "table" and node.part:  # silu's gate
            return tf.nn.sigmoid(xs[0])
        return node.layer.activation(xs[0])

    # --- kernels ---

    def _weighted(self, node: Node, x: Any) -> Any:
        from keras import ops

        kernel = self._kernel(node, x)
        if node.kind == "dense":
            y = ops.matmul(x, kernel)
        else:
            x, settings = _window(node, x)
            apply = {"conv": ops.conv, "conv_transpose": ops.conv_transpose, "depthwise": ops.depthwise_conv}[node.kind]
            kernel = _with_output_last(node, kernel)  # back to Keras's axes
            y = apply(x, kernel, data_format="channels_last", **settings)
        bias = node.variables.get("bias")
        error = self._bias_error(node)
        if bias is None:
            return y if error is None else y + _cast(error, y)
        bias = ops.convert_to_tensor(bias, dtype="float32") * self._variables.masks[node.name]
        return y + _cast(bias if error is None else bias + error, y)

    def _kernel(self, node: Node, x: Any) -> Any:
        import tensorflow as tf
        from keras import ops

        kernel = ops.convert_to_tensor(node.variables["kernel"], dtype=x.dtype)
        kernel = _with_output_last(node, self._variables.sparse_kernel(node.name, kernel))
        if self.phase != FLOAT and node.name in self._variables.kernels:
            kernel = self._variables.kernels[node.name].quantize(kernel)
        mask = _cast(self._variables.masks[node.name], kernel)
        # A depthwise kernel's last two axes together are the output channels.
        return kernel * (tf.reshape(mask, kernel.shape[-2:]) if node.kind == "depthwise" else mask)

    def _bias_error(self, node: Node) -> Any:
        """What rounding to the int32 grid adds to the stage's bias, or None where the bias is not the one that ships.

        Half a step of the bias is little, but over some layers it is what sets Keras and the C apart.
        """
        import tensorflow as tf

        stage = self._biased_at.get(node.name)
        if stage is None or self.phase == FLOAT or stage.head.name not in self._variables.kernels:
            return None
        if stage.batch_norm is not None and self.phase != FROZEN and self.training:
            return None
        factor, bias = _affine(stage)
        step, wanted = self._accumulator_step(stage, factor), bias
        if node.name in self._variables.corrections:
            wanted = bias + self._variables.corrections[node.name]
        rounded = tf.where(step > 0, tf.round(wanted / tf.where(step > 0, step, 1.0)) * step, wanted)
        return tf.stop_gradient((rounded - bias) * self._variables.masks[stage.head.name])

    def _accumulator_step(self, stage: Stage, factor: Any) -> Any:
        """What one step of the stage's int32 sum is worth, float32 [channels]; 0 where the kernel is."""
        import tensorflow as tf

        kernel = tf.cast(tensor_of(stage.head.variables["kernel"]), tf.float32)
        kernel = _with_output_last(stage.head, self._variables.sparse_kernel(stage.head.name, kernel))
        kernel = tf.reshape(kernel, (-1, factor.shape[0]))
        return self._scale(stage.inputs[0]) * tf.reduce_max(tf.abs(kernel), axis=0) / 127 * tf.abs(factor)

    def _rounded_twice(self, stage: Stage, value: Any) -> Any:
        """Rounded as the integer kernels do it: first to a power of two below the output's step, then to the step.

        One output in 2**shift lies on the tie that the first rounding makes, and goes the other way than once rounded.
        Training does without: it would be two more passes over the activations for a hundredth of a step.
        """
        import tensorflow as tf

        shift = None if self.training or self.phase == FLOAT else self._first_shift(stage)
        if shift is None:
            return value
        target, unit = self._scale(stage.key), 2.0 ** tf.maximum(shift, 0.0)
        first = tf.floor(tf.cast(value, tf.float32) / target * unit + 0.5)
        second = tf.sign(first) * tf.floor(tf.abs(first) / unit + 0.5)
        return tf.cast(second * target, value.dtype)

    def _first_shift(self, stage: Stage) -> Any:
        """By how many bits the second rounding shifts to the right; None where there is one rounding only."""
        import tensorflow as tf

        if stage.kind == "global_average":
            # Its division is folded into the multiplier, which is as long as it can be (graph/multipliers.py).
            count = math.prod(self._by_key[stage.inputs[0]].last.shape[:-1])
            return count.bit_length() - 1 - _exponent(self._scale(stage.inputs[0]) / self._scale(stage.key))
        if stage.kind not in CONVOLUTIONS or stage.head.name not in self._variables.kernels:
            return None
        step = self._accumulator_step(stage, _affine(stage)[0])
        return -_exponent(tf.where(step > 0, step / self._scale(stage.key), 1.0))

    def _sloped(self, node: Node, x: Any) -> Any:
        """PReLU with its slopes masked, so that they round on the scale of those that stay, and on the int8 grid."""
        import tensorflow as tf

        alpha = tf.cast(tensor_of(node.variables["alpha"]), tf.float32)
        if alpha.shape[-1] == node.shape[-1]:
            alpha = alpha * self._variables.masks[node.name]
        if self.phase != FLOAT and self._observes:
            largest = tf.reduce_max(tf.abs(alpha))
            step = tf.where(largest > 0, largest, 1.0) / 127
            alpha = alpha + tf.stop_gradient(tf.round(alpha / step) * step - alpha)
        return tf.nn.relu(x) - _cast(alpha, x) * tf.nn.relu(-x)

    # --- normalization ---

    def _normalized(self, node: Node, x: Any, original: Callable[..., Any]) -> Any:
        mask, error = self._variables.masks[node.name], self._bias_error(node)
        frozen = {"training": False} if self.phase == FROZEN else {}
        owner = _masked_line(node, mask, error)
        if owner is not None:
            return original([x], owner, **frozen)
        y = original([x], **frozen)
        y = y * _cast(mask, y)
        return y if error is None else y + _cast(error, y)

    # --- boundaries ---

    def _tapped(self, stage: Stage, value: Any) -> Any:
        """The same value; its way back leaves (value * gradient summed over the channel)^2 in the stage's tap."""
        import tensorflow as tf

        tap = self._variables.taps.get(stage.key)
        if tap is None or not self.training or self.phase != FLOAT:
            return value

        def through(x: Any) -> Any:
            def gradient(upstream: Any) -> Any:
                count = (tf.shape(x)[0] + TAP_EVERY - 1) // TAP_EVERY
                share = tf.cast(x[:count], tf.float32) * tf.cast(upstream[:count], tf.float32)
                share = tf.reduce_sum(share, axis=list(range(1, len(x.shape) - 1)))
                # Loss scaling of mixed precision overflows in its first steps.
                worth = tf.reduce_sum(share**2, axis=0)
                tap.assign_add(tf.where(tf.math.is_finite(worth), worth, 0.0))
                return upstream

            return tf.identity(x), gradient

        return tf.custom_gradient(through)(value)

    def _boundary(self, stage: Stage, value: Any) -> Any:
        """What the integer graph does to this tensor: its own range, LiteRT's own scale, its input's, or none."""
        if self._observes:
            value = self._rounded_twice(stage, value)
        if stage.fixed is not None:
            wanted = self._whole if stage.ends_model else self._observes and self.phase != FLOAT
            return quantize_fixed(value, *stage.fixed) if wanted else value
        if not self._observes:
            return value
        if stage.has_range:
            return self._through(stage.key, value)
        if stage.kind in ROUNDING and self.phase != FLOAT:
            return self._quantized_as(stage, value)
        return value

    def _through(self, key: str, value: Any) -> Any:
        quantizer = self._variables.activations[key]
        if self.training:
            quantizer.observe(value)
        return value if self.phase == FLOAT else quantizer.quantize(value)

    def _quantized_as(self, stage: Stage, value: Any) -> Any:
        """Rounded to the scale that the stage's output has from another one."""
        source = self._by_key[stage.scale_from]
        if source.fixed is not None:
            return quantize_fixed(value, *source.fixed)
        return self._variables.activations[source.key].quantize(value)

    def _scale(self, key: str) -> Any:
        """The int8 scale of a stage's output."""
        source = self._by_key[self._by_key[key].scale_from]
        return source.fixed[0] if source.fixed is not None else self._variables.activations[source.key].scale()

    def _quantized_model_inputs(self, node: Node, xs: list[Any]) -> list[Any]:
        """An InputLayer computes nothing, so its boundary is put where the input is read."""
        stage = self._starting_at.get(node.name)
        if not self._observes or stage is None:
            return xs
        sources = [self._by_key[key] for key in stage.inputs]
        return [
            self._through(source.key, x) if source.kind == "input" and source.has_range else x
            for source, x in zip(sources, xs, strict=True)
        ]


class _MaskedLine:
    """A normalization layer as its own `call` sees it, but with another gamma and beta.

    Setting them on the layer for the time of the call would meet the other replicas of a distributed step.
    """

    def __init__(self, layer: Any, gamma: Any, beta: Any) -> None:
        self.gamma, self.beta, self._layer = gamma, beta, layer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)


def _masked_line(node: Node, mask: Any, error: Any) -> _MaskedLine | None:
    """The layer with masked gamma and beta, the bias's error in beta; None where it has not both or is no plain one."""
    import keras
    import tensorflow as tf

    gamma, beta = (node.variables.get(role) for role in ("gamma", "beta"))
    if type(node.layer) is not keras.layers.BatchNormalization or gamma is None or beta is None:
        return None
    gamma, beta = (tf.cast(tensor_of(v), tf.float32) * mask for v in (gamma, beta))
    return _MaskedLine(node.layer, gamma, beta if error is None else beta + error)


def _exponent(ratio: Any) -> Any:
    """frexp's: ratio = fraction * 2**exponent with a fraction from 1/2 to 1."""
    import tensorflow as tf

    return tf.floor(tf.math.log(ratio) / math.log(2)) + 1


def _affine(stage: Stage) -> tuple[Any, Any]:
    """(factor, bias) of a stage with its normalization folded in, float32 [channels]."""
    import tensorflow as tf

    zeros = tf.zeros(stage.head.shape[-1])
    own = {role: tf.cast(tensor_of(v), tf.float32) for role, v in stage.head.variables.items()}
    bias = own.get("bias", zeros)
    if stage.batch_norm is None:
        return zeros + 1.0, bias
    norm = {role: tf.cast(tensor_of(v), tf.float32) for role, v in stage.batch_norm.variables.items()}
    factor = norm.get("gamma", 1.0) / tf.sqrt(norm["variance"] + stage.batch_norm.attributes["epsilon"])
    return factor, (bias - norm["mean"]) * factor + norm.get("beta", 0.0)


def _window(node: Node, x: Any) -> tuple[Any, dict[str, Any]]:
    from keras import ops

    rank = len(node.shape) - 1
    padding = node.attributes["padding"]
    if isinstance(padding, Padding):  # causal
        x, padding = ops.pad(x, ((0, 0), (padding.left, padding.right), (0, 0))), "valid"
    stride, dilation = node.attributes["stride"][-rank:], node.attributes["dilation"][-rank:]
    return x, {"strides": stride, "dilation_rate": dilation, "padding": padding}


def _with_output_last(node: Node, kernel: Any) -> Any:
    """Keras has a transposed convolution's output channels before its input channels: swap them, or swap them back."""
    import tensorflow as tf

    return tf.linalg.matrix_transpose(kernel) if node.kind == "conv_transpose" else kernel


def _cast(x: Any, like: Any) -> Any:
    import tensorflow as tf

    return tf.cast(x, like.dtype)
