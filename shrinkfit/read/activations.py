# SPDX-License-Identifier: Apache-2.0
"""Keras's activation functions in, the integer graph's out: what kind of node each one is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from shrinkfit.errors import UnsupportedLayerError
from shrinkfit.read.calls import Call
from shrinkfit.read.nodes import Node

# Functions of one value that the integer graph does by table: Keras's name -> (the graph's name, its alpha).
TABLES = {
    "sigmoid": ("logistic", 0.0),
    "tanh": ("tanh", 0.0),
    "hard_silu": ("hard_swish", 0.0),
    "hard_swish": ("hard_swish", 0.0),
    "leaky_relu": ("leaky_relu", 0.2),
    "elu": ("elu", 1.0),
    "celu": ("celu", 1.0),
    "squareplus": ("squareplus", 4.0),
    "hard_shrink": ("hard_shrink", 0.5),
    "soft_shrink": ("soft_shrink", 0.5),
    **{name: (name, 0.0) for name in ("selu", "gelu", "softplus", "softsign", "exponential", "mish", "log_sigmoid")},
    **{name: (name, 0.0) for name in ("hard_tanh", "tanh_shrink", "sparse_plus", "sparse_sigmoid")},
}
SUPPORTED = ("linear", "relu", "relu6", "softmax", *TABLES, "hard_sigmoid", "silu", "swish")
# Functions whose value at 0 is not 0: a channel that is pruned before them is not zero behind them.
NOT_ZERO_AT_ZERO = (
    *("logistic", "hard_sigmoid", "softplus", "exponential", "log_sigmoid"),
    *("squareplus", "sparse_plus", "sparse_sigmoid"),
)


# Keras 3's operations that are one of them: what keras.ops and keras.activations make of a model's tensors.
OPERATIONS = {
    **{"Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid", "Tanh": "tanh", "Silu": "silu", "HardSilu": "hard_silu"},
    **{"HardSigmoid": "hard_sigmoid", "HardTanh": "hard_tanh", "LogSigmoid": "log_sigmoid", "Exp": "exponential"},
    **{"Selu": "selu", "Softplus": "softplus", "Softsign": "softsign", "TanhShrink": "tanh_shrink"},
    **{"SparsePlus": "sparse_plus", "SparseSigmoid": "sparse_sigmoid"},
}
# Layers and operations with a number of their own: class -> (the graph's function, the names of that number).
_NUMBERED = {
    "LeakyReLU": ("leaky_relu", ("negative_slope", "alpha")),  # tf_keras calls it alpha
    "LeakyRelu": ("leaky_relu", ("negative_slope",)),
    "ELU": ("elu", ("alpha",)),
    "Elu": ("elu", ("alpha",)),
    "Celu": ("celu", ("alpha",)),
    "Squareplus": ("squareplus", ("b",)),
    "HardShrink": ("hard_shrink", ("threshold",)),
    "SoftShrink": ("soft_shrink", ("threshold",)),
}
_WITH_SETTINGS = ("ReLU", "Gelu", *_NUMBERED)
FUNCTIONS = (*_WITH_SETTINGS, *OPERATIONS)


def function_nodes(call: Call, inputs: tuple[Node, ...]) -> list[Node]:
    """The nodes of a layer or operation that is a function of one value: one of FUNCTIONS."""
    node = Node(call.name, "identity", tuple(node.name for node in inputs), call.fixed_shape, call.layer)
    name = OPERATIONS.get(call.kind, "")
    if name == "silu":
        return _gated(node)
    kind, attributes = _kind_of(node, name) if name else _settings_of(node, call.kind, call.layer)
    return [replace(node, kind=kind, attributes=attributes)]


def with_activation(node: Node, activation: Any) -> list[Node]:
    """The node, and behind it the layer's own activation: a function, or a layer such as LeakyReLU.

    Raises:
        UnsupportedLayerError: the integer graph does not have it.
    """
    name = getattr(activation, "__name__", None) or getattr(activation, "name", None) or str(activation)
    if activation is None or name == "linear":
        return [node]
    if name in ("silu", "swish"):
        return _gated(node)
    if type(activation).__name__ in _WITH_SETTINGS:
        kind, attributes = _settings_of(node, type(activation).__name__, activation)
    else:
        kind, attributes = _kind_of(node, name, getattr(activation, "__module__", ""))
    head = replace(node, name=f"{node.name}/{node.kind}")
    return [head, Node(node.name, kind, (head.name,), node.shape, node.layer, attributes)]


def _gated(node: Node) -> list[Node]:
    """x times sigmoid(x), which LiteRT has no operator for."""
    head = replace(node, name=f"{node.name}/{node.kind}")
    attributes = {"function": "logistic", "alpha": 0.0}
    gate = Node(f"{node.name}/sigmoid", "table", (head.name,), node.shape, node.layer, attributes)
    return [head, gate, Node(node.name, "multiply", (head.name, gate.name), node.shape, node.layer)]


def _kind_of(node: Node, name: str, module: str = "") -> tuple[str, dict[str, Any]]:
    if name in ("relu", "relu6"):
        return "relu", {"max_value": 6.0 if name == "relu6" else None}
    if name == "softmax":
        return "softmax", {}
    if name == "hard_sigmoid":
        # A line of which int8 at the sigmoid's scale keeps what lies between 0 and 1; tf_keras's is steeper.
        factor = 0.2 if module.startswith("tf_keras") else 1 / 6
        line = {key: np.full(node.shape[-1], value) for key, value in (("factor", factor), ("shift", 0.5))}
        return "affine", {"function": name} | line
    if name not in TABLES:
        raise UnsupportedLayerError(
            f"layer '{node.name}': activation '{name}' is not supported; use one of {', '.join(SUPPORTED)}"
        )
    return _table(*TABLES[name])


def _table(function: str, alpha: float = 0.0) -> tuple[str, dict[str, Any]]:
    return "table", {"function": function, "alpha": float(alpha)}


def _settings_of(node: Node, kind: str, owner: Any) -> tuple[str, dict[str, Any]]:
    """What a layer or operation does, by its class's name and its settings."""
    if kind == "ReLU":
        return _relu(node, owner)
    if kind == "Gelu":
        return _table("gelu_tanh" if owner.approximate else "gelu")
    function, names = _NUMBERED[kind]
    alpha = next(getattr(owner, name) for name in names if hasattr(owner, name))
    if function == "celu" and not alpha > 0:
        raise UnsupportedLayerError(f"layer '{node.name}': celu with alpha {alpha}, expected one above 0")
    return _table(function, alpha)


def _relu(node: Node, owner: Any) -> tuple[str, dict[str, Any]]:
    max_value, slope = getattr(owner, "max_value", None), float(getattr(owner, "negative_slope", 0) or 0)
    threshold = getattr(owner, "threshold", 0)
    if threshold or (slope and max_value is not None) or (max_value is not None and not max_value > 0):
        raise UnsupportedLayerError(
            f"layer '{node.name}': ReLU has either a max_value above 0 or a negative_slope, and no threshold; got "
            f"max_value={max_value}, negative_slope={slope}, threshold={threshold}"
        )
    return _table("leaky_relu", slope) if slope else ("relu", {"max_value": max_value and float(max_value)})
