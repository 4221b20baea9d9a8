# SPDX-License-Identifier: Apache-2.0
"""A built Keras model in, frozen nodes out: one node per computation, in an order in which they can run.

A layer that computes several things (an activation argument, a separable convolution) becomes
several nodes, so that reading, channel coupling and fake quantization see one small vocabulary:
input, conv, depthwise, dense, batch_norm, relu, softmax, max_pool, average_pool, global_average,
global_max, reshape, zero_pad, identity, add.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shrinkfit.errors import UnsupportedLayerError
from shrinkfit.graph.ir import Padding, same_padding
from shrinkfit.read.calls import Call, Range, read_calls


@dataclass(frozen=True, eq=False)
class Node:
    """One computation.

    Args:
        name: unique; the layer's name, with "/part" behind it for all but the last part of a layer.
        kind: a word of this module's vocabulary.
        inputs: names of nodes.
        shape: output shape without the batch, as Keras has it.
        layer: the Keras layer that computes it.
        attributes: per kind: stride, dilation, padding ("valid", "same" or Padding), window, max_value, epsilon.
        variables: role -> Keras variable: kernel, bias, gamma, beta, mean, variance; and kernel_limit, the largest
            magnitude that tfmot quantized the kernel with, where it did.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    layer: Any
    attributes: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Topology:
    """A model's nodes.

    Args:
        name: the model's name.
        nodes: name -> Node, each after its inputs.
        inputs, outputs: node names in the model's order.
        calls: layer name -> the call that it was read from.
        ranges: node name -> (smallest, largest) of its output, where the training learned one.
    """

    name: str
    nodes: dict[str, Node]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    calls: dict[str, Call] = field(default_factory=dict)
    ranges: dict[str, Range] = field(default_factory=dict)

    def readers(self, name: str) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes.values() if name in node.inputs)

    def only_reader(self, name: str) -> Node | None:
        """The node that alone reads this one, or None where several do or the model gives it out."""
        readers = self.readers(name)
        return readers[0] if len(readers) == 1 and name not in self.outputs else None


def read_topology(model: Any) -> Topology:
    """Read a built Sequential or Functional model of Keras 3 or tf_keras.

    Raises:
        UnsupportedLayerError: the model is subclassed or not built, or a layer cannot be handled.
    """
    found = read_calls(model)
    nodes: dict[str, Node] = {}
    made_by: dict[str, str] = {}
    ranges: dict[str, Range] = {}
    for call in found.calls:
        made = _nodes_of(call, tuple(made_by[name] for name in call.inputs))
        for node in made:
            if node.name in nodes:
                raise UnsupportedLayerError(f"two layers have a part named '{node.name}'; rename one of them")
            nodes[node.name] = node
        made_by[call.name] = made[-1].name
        learned = ((made[-1], call.output_range), (made[-2] if len(made) > 1 else None, call.inner_range))
        ranges |= {node.name: values for node, values in learned if node is not None and values is not None}
    return Topology(
        name=model.name,
        nodes=nodes,
        inputs=tuple(made_by[name] for name in found.inputs),
        outputs=tuple(made_by[name] for name in found.outputs),
        calls={call.name: call for call in found.calls},
        ranges=ranges,
    )


def _nodes_of(call: Call, inputs: tuple[str, ...]) -> list[Node]:
    layer = call.layer
    reader = _READERS.get(call.kind)
    if reader is None:
        raise UnsupportedLayerError(
            f"layer '{call.name}' ({call.kind}) is not supported; supported are {', '.join(sorted(_READERS))}"
        )
    if getattr(layer, "data_format", None) == "channels_first":
        raise UnsupportedLayerError(f"layer '{call.name}': data_format is channels_first, expected channels_last")
    if None in call.shape:
        raise UnsupportedLayerError(
            f"layer '{call.name}': output shape {call.shape} is open; a microcontroller needs fixed sizes: "
            "give the Input its whole shape"
        )
    return reader(layer, inputs, call.shape)


def _input(layer, inputs, shape) -> list[Node]:
    return [Node(layer.name, "input", (), shape, layer)]


def _identity(layer, inputs, shape) -> list[Node]:
    return [Node(layer.name, "identity", inputs, shape, layer)]


def _with_activation(node: Node, activation: Any) -> list[Node]:
    """The node, and behind it the layer's own activation."""
    name = getattr(activation, "__name__", str(activation))
    if activation is None or name == "linear":
        return [node]
    if name not in ("relu", "relu6", "softmax"):
        raise UnsupportedLayerError(
            f"layer '{node.name}': activation '{name}' is not supported yet; use linear, relu, relu6 or softmax"
        )
    head = Node(f"{node.name}/{node.kind}", *_rest(node))
    attributes = {"max_value": 6.0 if name == "relu6" else None} if name != "softmax" else {}
    kind = "softmax" if name == "softmax" else "relu"
    return [head, Node(node.name, kind, (head.name,), node.shape, node.layer, attributes)]


def _rest(node: Node) -> tuple:
    return node.kind, node.inputs, node.shape, node.layer, node.attributes, node.variables


def _pair(value: Any) -> tuple[int, int]:
    """Keras's per-dimension setting as (height, width); one dimension lies along the width."""
    values = (value,) if isinstance(value, int) else tuple(value)
    return (1, *values) if len(values) == 1 else values


def _window_attributes(layer: Any) -> dict[str, Any]:
    padding = layer.padding
    stride, dilation = _pair(layer.strides), _pair(layer.dilation_rate)
    if padding == "causal":
        padding = Padding(left=(layer.kernel_size[0] - 1) * dilation[1])
    return {"stride": stride, "dilation": dilation, "padding": padding, "window": _pair(layer.kernel_size)}


def _variables(layer: Any, **roles: str) -> dict[str, Any]:
    """role -> variable, for those attributes that the layer has."""
    found = {role: getattr(layer, attribute, None) for role, attribute in roles.items()}
    return {role: variable for role, variable in found.items() if variable is not None}


def _conv(layer, inputs, shape) -> list[Node]:
    if layer.groups != 1:
        raise UnsupportedLayerError(f"layer '{layer.name}': groups is {layer.groups}, only 1 is supported yet")
    variables = _variables(layer, kernel="kernel", kernel_limit="kernel_limit", bias="bias")
    node = Node(layer.name, "conv", inputs, shape, layer, _window_attributes(layer), variables)
    return _with_activation(node, layer.activation)


def _depthwise(layer, inputs, shape) -> list[Node]:
    # Keras 3 calls it kernel, tf_keras depthwise_kernel.
    kernel = "kernel" if hasattr(layer, "kernel") else "depthwise_kernel"
    variables = _variables(layer, kernel=kernel, kernel_limit="kernel_limit", bias="bias")
    node = Node(layer.name, "depthwise", inputs, shape, layer, _window_attributes(layer), variables)
    return _with_activation(node, layer.activation)


def _separable(layer, inputs, shape) -> list[Node]:
    first = Node(
        f"{layer.name}/depthwise",
        "depthwise",
        inputs,
        (*shape[:-1], layer.depthwise_kernel.shape[-1] * layer.depthwise_kernel.shape[-2]),
        layer,
        _window_attributes(layer),
        {"kernel": layer.depthwise_kernel},
    )
    ones = {"stride": (1, 1), "dilation": (1, 1), "padding": "valid", "window": (1, 1)}
    variables = _variables(layer, kernel="pointwise_kernel", bias="bias")
    second = Node(layer.name, "conv", (first.name,), shape, layer, ones, variables)
    return [first, *_with_activation(second, layer.activation)]


def _dense(layer, inputs, shape) -> list[Node]:
    if getattr(layer, "quantization_mode", None) or getattr(layer, "lora_enabled", False):
        raise UnsupportedLayerError(
            f"layer '{layer.name}' is already quantized or has LoRA weights; use the plain layer"
        )
    variables = _variables(layer, kernel="kernel", kernel_limit="kernel_limit", bias="bias")
    node = Node(layer.name, "dense", inputs, shape, layer, {}, variables)
    return _with_activation(node, layer.activation)


def _batch_norm(layer, inputs, shape) -> list[Node]:
    axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
    if axis not in (-1, len(shape)):
        raise UnsupportedLayerError(f"layer '{layer.name}': BatchNormalization over axis {axis}, expected the last one")
    variables = _variables(layer, gamma="gamma", beta="beta", mean="moving_mean", variance="moving_variance")
    return [Node(layer.name, "batch_norm", inputs, shape, layer, {"epsilon": layer.epsilon}, variables)]


def _relu(layer, inputs, shape) -> list[Node]:
    max_value = getattr(layer, "max_value", None)
    if getattr(layer, "negative_slope", 0) or getattr(layer, "threshold", 0) or max_value not in (None, 6, 6.0):
        raise UnsupportedLayerError(
            f"layer '{layer.name}': only ReLU and ReLU with max_value=6 are supported, got max_value={max_value}, "
            f"negative_slope={layer.negative_slope}, threshold={layer.threshold}"
        )
    return [Node(layer.name, "relu", inputs, shape, layer, {"max_value": max_value})]


def _activation(layer, inputs, shape) -> list[Node]:
    return _with_activation(Node(layer.name, "identity", inputs, shape, layer), layer.activation)


def _softmax(layer, inputs, shape) -> list[Node]:
    if layer.axis not in (-1, len(shape)):
        raise UnsupportedLayerError(f"layer '{layer.name}': softmax over axis {layer.axis}, expected the last one")
    return [Node(layer.name, "softmax", inputs, shape, layer)]


def _pool(kind: str) -> Callable:
    def read(layer, inputs, shape) -> list[Node]:
        attributes = {"window": _pair(layer.pool_size), "stride": _pair(layer.strides), "padding": layer.padding}
        return [Node(layer.name, kind, inputs, shape, layer, attributes)]

    return read


def _global(kind: str) -> Callable:
    return lambda layer, inputs, shape: [Node(layer.name, kind, inputs, shape, layer)]


def _reshape(layer, inputs, shape) -> list[Node]:
    return [Node(layer.name, "reshape", inputs, shape, layer)]


def _zero_pad(layer, inputs, shape) -> list[Node]:
    edges = layer.padding
    if len(shape) == 2:
        edges = ((0, 0), edges if isinstance(edges, (tuple, list)) else (edges, edges))
    (top, bottom), (left, right) = edges
    return [Node(layer.name, "zero_pad", inputs, shape, layer, {"padding": Padding(top, bottom, left, right)})]


def _add(layer, inputs, shape) -> list[Node]:
    if len(inputs) != 2 or len(set(inputs)) != 2:
        raise UnsupportedLayerError(f"layer '{layer.name}': Add of {len(inputs)} tensors, expected two different ones")
    return [Node(layer.name, "add", inputs, shape, layer)]


_READERS: dict[str, Callable] = {
    "InputLayer": _input,
    "Conv1D": _conv,
    "Conv2D": _conv,
    "DepthwiseConv1D": _depthwise,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv1D": _separable,
    "SeparableConv2D": _separable,
    "Dense": _dense,
    "BatchNormalization": _batch_norm,
    "ReLU": _relu,
    "Activation": _activation,
    "Softmax": _softmax,
    "MaxPooling1D": _pool("max_pool"),
    "MaxPooling2D": _pool("max_pool"),
    "AveragePooling1D": _pool("average_pool"),
    "AveragePooling2D": _pool("average_pool"),
    "GlobalAveragePooling1D": _global("global_average"),
    "GlobalAveragePooling2D": _global("global_average"),
    "GlobalMaxPooling1D": _global("global_max"),
    "GlobalMaxPooling2D": _global("global_max"),
    "Flatten": _reshape,
    "Reshape": _reshape,
    "ZeroPadding1D": _zero_pad,
    "ZeroPadding2D": _zero_pad,
    "Add": _add,
    "Dropout": _identity,
    "SpatialDropout1D": _identity,
    "SpatialDropout2D": _identity,
    "GaussianNoise": _identity,
    "GaussianDropout": _identity,
    "QuantizeLayer": _identity,
}


def canonical_weights(node: Node) -> dict[str, np.ndarray]:
    """A node's variables as float64 arrays with fixed axes.

    Returns:
        role -> array: conv kernel [height, width, input, output], depthwise kernel [height, width,
        channels, multiplier], dense kernel [input, output], kernel_limit [] or [last axis], all else [channels].
    """
    return {role: canonical(node, role, keras_value(v)) for role, v in node.variables.items()}


def keras_value(variable: Any) -> np.ndarray:
    """A variable of either Keras as an array; np.asarray and Keras 3's own conversion both warn under NumPy 2."""
    value = getattr(variable, "value", None)
    # Keras 3's value is a tensor, TensorFlow's a method.
    return variable.numpy() if value is None or callable(value) else value.numpy()


def canonical(node: Node, role: str, value: np.ndarray) -> np.ndarray:
    value = np.asarray(value, np.float64)
    if role == "kernel" and node.kind in ("conv", "depthwise") and value.ndim == 3:
        return value[np.newaxis]
    return value


def resolve_padding(padding: Any, size, window, stride, dilation=(1, 1)) -> Padding:
    """Keras's padding word, or explicit Padding, as explicit Padding for this input size."""
    if isinstance(padding, Padding):
        return padding
    return same_padding(size, window, stride, dilation) if padding == "same" else Padding()
