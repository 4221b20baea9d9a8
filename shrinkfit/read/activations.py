# SPDX-License-Identifier: Apache-2.0
"""Keras's activation functions in, the integer graph's out: what kind of node each one is."""

from __future__ import annotations

from typing import Any

from shrinkfit.errors import UnsupportedLayerError
from shrinkfit.read.nodes import Node

# Functions of one value that the integer graph does by table: Keras's name -> (the graph's name, its alpha).
_TABLES = {
    "sigmoid": ("logistic", 0.0),
    "tanh": ("tanh", 0.0),
    "hard_sigmoid": ("hard_sigmoid", 0.0),
    "silu": ("silu", 0.0),
    "swish": ("silu", 0.0),
    "hard_silu": ("hard_swish", 0.0),
    "hard_swish": ("hard_swish", 0.0),
    "gelu": ("gelu", 0.0),
    "elu": ("elu", 1.0),
    "selu": ("selu", 0.0),
    "softplus": ("softplus", 0.0),
    "softsign": ("softsign", 0.0),
    "leaky_relu": ("leaky_relu", 0.2),
}
SUPPORTED = ("linear", "relu", "relu6", "softmax", *_TABLES)
# Functions whose value at 0 is not 0: a channel that is pruned before them is not zero behind them.
NOT_ZERO_AT_ZERO = ("logistic", "hard_sigmoid", "softplus")


def table_node(call: Any, inputs: tuple[str, ...], function: str, alpha: float = 0.0) -> Node:
    """An activation that the integer graph does by table."""
    return Node(call.name, "table", inputs, call.shape, call.layer, {"function": function, "alpha": float(alpha)})


def with_activation(node: Node, activation: Any) -> list[Node]:
    """The node, and behind it the layer's own activation.

    Raises:
        UnsupportedLayerError: the integer graph does not have it.
    """
    name = getattr(activation, "__name__", None) or getattr(activation, "name", None) or str(activation)
    if activation is None or name == "linear":
        return [node]
    kind, attributes = _kind_of(node.name, name, getattr(activation, "__module__", ""))
    head = Node(f"{node.name}/{node.kind}", *_rest(node))
    return [head, Node(node.name, kind, (head.name,), node.shape, node.layer, attributes)]


def _kind_of(layer: str, name: str, module: str) -> tuple[str, dict[str, Any]]:
    if name in ("relu", "relu6"):
        return "relu", {"max_value": 6.0 if name == "relu6" else None}
    if name == "softmax":
        return "softmax", {}
    # tf_keras's hard_sigmoid is another function, clip(0.2 x + 0.5).
    if name not in _TABLES or (name == "hard_sigmoid" and module.startswith("tf_keras")):
        raise UnsupportedLayerError(
            f"layer '{layer}': activation '{name}' is not supported; use one of {', '.join(SUPPORTED)}"
        )
    function, alpha = _TABLES[name]
    return "table", {"function": function, "alpha": alpha}


def _rest(node: Node) -> tuple:
    return node.kind, node.inputs, node.shape, node.layer, node.attributes, node.variables
