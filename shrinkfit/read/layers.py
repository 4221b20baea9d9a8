# SPDX-License-Identifier: Apache-2.0
"""One call of a Keras layer in, its nodes out."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

from shrinkfit.errors import UnsupportedLayerError
from shrinkfit.graph.ir import Padding
from shrinkfit.read.activations import FUNCTIONS, function_nodes, with_activation
from shrinkfit.read.calls import Call
from shrinkfit.read.nodes import Node

Reader: TypeAlias = Callable[[Call, tuple[Node, ...]], list[Node]]


def nodes_of(call: Call, inputs: tuple[Node, ...]) -> list[Node]:
    """The nodes of a call; the last one computes its output.

    Args:
        call: of a layer.
        inputs: the nodes that compute what it reads.
    Raises:
        UnsupportedLayerError: the layer, or one of its settings, cannot be handled.
    """
    # Operations have plain names, such as Exp, that a user's own layer may have too.
    of_keras = call.kind in FUNCTIONS and type(call.layer).__module__.partition(".")[0] == "keras"
    reader = READERS.get(call.kind) or (function_nodes if of_keras else None)
    if reader is None:
        raise UnsupportedLayerError(
            f"layer '{call.name}' ({call.kind}) is not supported; supported are {', '.join(sorted(READERS))}"
        )
    if getattr(call.layer, "data_format", None) == "channels_first":
        raise UnsupportedLayerError(f"layer '{call.name}': data_format is channels_first, expected channels_last")
    if None in call.shape:
        raise UnsupportedLayerError(
            f"layer '{call.name}': output shape {call.shape} is open; a microcontroller needs fixed sizes: "
            "give the Input its whole shape"
        )
    return reader(call, inputs)


def _node(
    call: Call,
    kind: str,
    inputs: tuple[Node, ...],
    attributes: dict[str, Any] | None = None,
    variables: dict[str, Any] | None = None,
) -> Node:
    names = tuple(node.name for node in inputs)
    return Node(call.name, kind, names, call.fixed_shape, call.layer, attributes or {}, variables or {})


def _plain(kind: str) -> Reader:
    return lambda call, inputs: [_node(call, kind, inputs)]


def _pair(value: Any) -> tuple[int, int]:
    """Keras's per-dimension setting as (height, width); one dimension lies along the width."""
    values = (value,) if isinstance(value, int) else tuple(value)
    return (1, *values) if len(values) == 1 else values


def _edges(value: Any, rank: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Keras's padding or cropping as ((top, bottom), (left, right))."""
    edges = value
    if rank == 2:
        edges = ((0, 0), value if isinstance(value, (tuple, list)) else (value, value))
    (top, bottom), (left, right) = edges
    return (top, bottom), (left, right)


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


def _weighted(layer: Any, kernel: str = "kernel") -> dict[str, Any]:
    return _variables(layer, kernel=kernel, kernel_limit="kernel_limit", bias="bias")


def _conv(call: Call, inputs: tuple[Node, ...]) -> list[Node]:
    layer = call.layer
    attributes = _window_attributes(layer) | {"groups": layer.groups}
    return with_activation(_node(call, "conv", inputs, attributes, _weighted(layer)), layer.activation)


def _conv_transpose(call: Call, inputs: tuple[Node, ...]) -> list[Node]:
    layer = call.layer
    attributes = _window_attributes(layer)
    output_padding = getattr(layer, "output_padding", None)
    if attributes["dilation"] != (1, 1) or output_padding is not None:
        raise UnsupportedLayerError(
            f"layer '{call.name}': dilation {attributes['dilation']} and output_padding {output_padding}, expected a "
            "transposed convolution with neither"
        )
    return with_activation(_node(call, "conv_transpose", inputs, attributes, _weighted(layer)), layer.activation)


def _depthwise(call: Call, inputs: tuple[Node, ...]) -> list[Node]:
    layer = call.layer
    # Keras 3 calls it kernel, tf_keras depthwise_kernel.
    variables = _weighted(layer, "kernel" if hasattr(layer, "kernel") else "depthwise_kernel")
    return with_activation(_node(call, "depthwise", inputs, _window_attributes(layer), variables), layer.activation)


def _separable(call: Call, inputs: tuple[Node, ...]) -> list[Node]:
    layer = call.layer
    width = layer.depthwise_kernel.shape[-1] * layer.depthwise_kernel.shape[-2]
    first = Node(
        f"{call.name}/depthwise",
        "depthwise",
        tuple(node.name for node in inputs),
        (*call.fixed_shape[:-1], width),
        layer,
        _window_attributes(layer),
        {"kernel": layer.depthwise_kernel},
    )
    ones = {"stride": (1, 1), "dilation": (1, 1), "padding": "valid", "window": (1, 1), "groups": 1}
    variables = _variables(layer, kernel="pointwise_kernel", bias="bias")
    return [first, *with_activation(_node(call, "conv", (first,), ones, variables), layer.activation)]


def _dense(call: Call, inputs: tuple[Node, ...]) -> list[Node]:
    layer = call.layer
    if getattr(layer, "quantization_mode", None) or getattr(layer, "lora_enabled", False):
        raise UnsupportedLayerError(
            f"layer '{call.name}' is already quantized or has LoRA weights; use the plain layer"
        )
    return with_activation(_node(call, "dense", inputs, {}, _weighted(layer)), layer.activation)


def _batch_norm(call: Call, inputs: tuple[Node, ...]) -> list[Node]:
    layer = call.layer
    axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
    if axis not in (-1, len(call.shape)):
        raise UnsupportedLayerError(f"layer '{call.name}': BatchNormalization over axis {axis}, expected the last one")
    variables = _variables(layer, gamma="gamma", beta="beta", mean="moving_mean", variance="moving_variance")
    return [_node(call, "batch_norm", inputs, {"epsilon": layer.epsilon}, variables)]


def _rescaling(call: Call, inputs: tuple[Node, ...]) -> list[Node]:
    width = call.fixed_shape[-1]
    settings = {"factor": call.layer.scale, "shift": call.layer.offset}
    line = {key: np.broadcast_to(np.asarray(value, np.float64), (width,)) for key, value in settings.items()}
    return [_node(call, "affine", inputs, line)]


def _normalization(call: Call, inputs: tuple[Node, ...]) -> list[Node]:
    """Keras's preprocessing layer, adapted or given its numbers: (x - mean) / deviation."""
    layer, width = call.layer, call.fixed_shape[-1]
    mean, variance = (np.asarray(value, np.float64).reshape(-1) for value in (layer.mean, layer.variance))
    if getattr(layer, "invert", False) or not {mean.size, variance.size} <= {1, width}:
        raise UnsupportedLayerError(f"layer '{call.name}': Normalization over axis {layer.axis}, expected the last one")
    # Keras's epsilon, which no configuration changes for this.
    factor = np.broadcast_to(1 / np.maximum(np.sqrt(variance), 1e-7), (width,))
    return [_node(call, "affine", inputs, {"factor": factor, "shift": -mean * factor})]


def _activation(call: Call, inputs: tuple[Node, ...]) -> list[Node]:
    return with_activation(_node(call, "identity", inputs), call.layer.activation)


def _prelu(call: Call, inputs: tuple[Node, ...]) -> list[Node]:
    return [_node(call, "prelu", inputs, {}, _variables(call.layer, alpha="alpha"))]


def _softmax(call: Call, inputs: tuple[Node, ...]) -> list[Node]:
    if call.layer.axis not in (-1, len(call.shape)):
        raise UnsupportedLayerError(f"layer '{call.name}': softmax over axis {call.layer.axis}, expected the last one")
    return [_node(call, "softmax", inputs)]


def _pool(kind: str) -> Reader:
    def read(call: Call, inputs: tuple[Node, ...]) -> list[Node]:
        layer = call.layer
        attributes = {"window": _pair(layer.pool_size), "stride": _pair(layer.strides), "padding": layer.padding}
        return [_node(call, kind, inputs, attributes)]

    return read


def _zero_pad(call: Call, inputs: tuple[Node, ...]) -> list[Node]:
    (top, bottom), (left, right) = _edges(call.layer.padding, len(call.shape))
    return [_node(call, "zero_pad", inputs, {"padding": Padding(top, bottom, left, right)})]


def _crop(call: Call, inputs: tuple[Node, ...]) -> list[Node]:
    (top, _), (left, _) = _edges(call.layer.cropping, len(call.shape))
    return [_node(call, "crop", inputs, {"begin": (top, left)})]


def _upsample(call: Call, inputs: tuple[Node, ...]) -> list[Node]:
    layer = call.layer
    how = getattr(layer, "interpolation", "nearest")
    if how not in ("nearest", "bilinear"):
        raise UnsupportedLayerError(f"layer '{call.name}': interpolation is '{how}', expected 'nearest' or 'bilinear'")
    return [_node(call, "upsample", inputs, {"factor": _pair(layer.size), "interpolation": how})]


def _permute(call: Call, inputs: tuple[Node, ...]) -> list[Node]:
    return [_node(call, "permute", inputs, {"permutation": tuple(int(d) for d in call.layer.dims)})]


def _needs_tensors(call: Call, inputs: tuple[Node, ...], least: int = 2) -> None:
    if len(inputs) < least or len({node.name for node in inputs}) != len(inputs):
        raise UnsupportedLayerError(
            f"layer '{call.name}': {call.kind} of {len(inputs)} tensors, expected {least} or more different ones"
        )


def _line(call: Call) -> dict[str, Any] | None:
    """Factor and shift of an operation of a tensor and a number, such as x + 3.0; None where it is none."""
    if sorted(argument is None for argument in call.arguments) != [False, True]:
        return None
    number = next(argument for argument in call.arguments if argument is not None)
    line = _line_of(call.kind, float(number), call.arguments[0] is None) if isinstance(number, Real) else None
    if line is None:
        return None
    values = zip(("factor", "shift"), line, strict=True)
    return {key: np.full(call.fixed_shape[-1], value) for key, value in values} | {"function": "line"}


def _line_of(kind: str, number: float, tensor_first: bool) -> tuple[float, float] | None:
    if kind == "Add":
        return 1.0, number
    if kind == "Multiply":
        return number, 0.0
    if kind == "Subtract":
        return (1.0, -number) if tensor_first else (-1.0, number)
    return (1 / number, 0.0) if "Divide" in kind and tensor_first and number else None


def _divide(call: Call, inputs: tuple[Node, ...]) -> list[Node]:
    line = _line(call)
    if line is None:
        raise UnsupportedLayerError(f"layer '{call.name}': only a tensor divided by a number other than 0 is supported")
    return [_node(call, "affine", inputs, line)]


def _merge(kind: str, link: str | None = None) -> Reader:
    """A layer that merges tensors; of more than two it is a chain of links and the kind itself at its end."""

    def read(call: Call, inputs: tuple[Node, ...]) -> list[Node]:
        """Of more than two tensors a chain, from left to right, as Keras computes them."""
        line = _line(call)
        if line is not None:
            return [_node(call, "affine", inputs, line)]
        _needs_tensors(call, inputs)
        if len(inputs) > 2 and len({node.shape for node in inputs}) != 1:
            shapes = ", ".join(str(node.shape) for node in inputs)
            raise UnsupportedLayerError(f"layer '{call.name}': {call.kind} of {shapes}, expected equal shapes")
        nodes, left = [], inputs[0]
        for index, right in enumerate(inputs[1:], 1):
            own, name = link or kind, f"{call.name}/{link or kind}_{index}"
            if index == len(inputs) - 1:
                own, name = kind, call.name
            left = Node(name, own, (left.name, right.name), call.fixed_shape, call.layer, {"count": len(inputs)})
            nodes.append(left)
        return nodes

    return read


def _concat(call: Call, inputs: tuple[Node, ...]) -> list[Node]:
    _needs_tensors(call, inputs)
    rank = len(call.shape)
    axis = call.layer.axis - 1 if call.layer.axis > 0 else call.layer.axis + rank
    if not 0 <= axis < rank:
        raise UnsupportedLayerError(f"layer '{call.name}': Concatenate over axis {call.layer.axis}, the batch")
    return [_node(call, "concat", inputs, {"axis": axis})]


READERS: dict[str, Reader] = {
    "InputLayer": _plain("input"),
    "Conv1D": _conv,
    "Conv2D": _conv,
    "Conv1DTranspose": _conv_transpose,
    "Conv2DTranspose": _conv_transpose,
    "DepthwiseConv1D": _depthwise,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv1D": _separable,
    "SeparableConv2D": _separable,
    "Dense": _dense,
    "BatchNormalization": _batch_norm,
    "Rescaling": _rescaling,
    "Normalization": _normalization,
    "ReLU": function_nodes,
    "LeakyReLU": function_nodes,
    "ELU": function_nodes,
    "PReLU": _prelu,
    "Activation": _activation,
    "Softmax": _softmax,
    "MaxPooling1D": _pool("max_pool"),
    "MaxPooling2D": _pool("max_pool"),
    "AveragePooling1D": _pool("average_pool"),
    "AveragePooling2D": _pool("average_pool"),
    "GlobalAveragePooling1D": _plain("global_average"),
    "GlobalAveragePooling2D": _plain("global_average"),
    "GlobalMaxPooling1D": _plain("global_max"),
    "GlobalMaxPooling2D": _plain("global_max"),
    "Flatten": _plain("reshape"),
    "Reshape": _plain("reshape"),
    "Permute": _permute,
    "ZeroPadding1D": _zero_pad,
    "ZeroPadding2D": _zero_pad,
    "Cropping1D": _crop,
    "Cropping2D": _crop,
    "UpSampling1D": _upsample,
    "UpSampling2D": _upsample,
    "Add": _merge("add"),
    "Subtract": _merge("subtract"),
    "Multiply": _merge("multiply"),
    "Divide": _divide,
    "TrueDivide": _divide,
    "Average": _merge("average", link="add"),
    "Maximum": _merge("maximum"),
    "Minimum": _merge("minimum"),
    "Concatenate": _concat,
    "Dropout": _plain("identity"),
    "SpatialDropout1D": _plain("identity"),
    "SpatialDropout2D": _plain("identity"),
    "GaussianNoise": _plain("identity"),
    "GaussianDropout": _plain("identity"),
    "QuantizeLayer": _plain("identity"),
}
