# SPDX-License-Identifier: Apache-2.0
"""Keras's activation functions in, the integer graph's out: what kind of node each one is."""

from __future__ import annotations

from typing import Any

import numpy as np

from shrinkfit.errors import UnsupportedLayerError
from shrinkfit.read.nodes import Node

# Functions of one value that the integer graph does by LiteRT's tables: Keras's name -> (the graph's name, its alpha).
_TABLES = {
    "sigmoid": ("logistic", 0.0),
    "tanh": ("tanh", 0.0),
    "hard_silu": ("hard_swish", 0.0),
    "hard_swish": ("hard_swish", 0.0),
    "leaky_relu": ("leaky_relu", 0.2),
}
SUPPORTED = ("linear", "relu", "relu6", "softmax", *_TABLES, "hard_sigmoid", "silu", "swish")
# Functions whose value at 0 is not 0: a channel that is pruned before them is not zero behind them.
NOT_ZERO_AT_ZERO = ("logistic", "hard_sigmoid")


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
    head = Node(f"{node.name}/{node.kind}", *_rest(node))
    if name in ("silu", "swish"):
        function = {"function": "logistic", "alpha": 0.0}
        gate = Node(f"{node.name}/sigmoid", "table", (head.name,), node.shape, node.layer, function)
        return [head, gate, Node(node.name, "multiply", (head.name, gate.name), node.shape, node.layer)]
    kind, attributes = _kind_of(node, name, getattr(activation, "__module__", ""))
    return [head, Node(node.name, kind, (head.name,), node.shape, node.layer, attributes)]


def _kind_of(node: Node, name: str, module: str) -> tuple[str, dict[str, Any]]:
    if name in ("relu", "relu6"):
        return "relu", {"max_value": 6.0 if name == "relu6" else None}
    if name == "softmax":
        return "softmax", {}
    # tf_keras's hard_sigmoid is another function, clip(0.2 x + 0.5).
    if name == "hard_sigmoid" and not module.startswith("tf_keras"):
        # A line of which int8 at the sigmoid's scale keeps what lies between 0 and 1.
        line = {key: np.full(node.shape[-1], value) for key, value in (("factor", 1 / 6), ("shift", 0.5))}
        return "affine", {"function": name} | line
    if name not in _TABLES:
        raise UnsupportedLayerError(
            f"layer '{node.name}': activation '{name}' is not supported; use one of {', '.join(SUPPORTED)}"
        )
    function, alpha = _TABLES[name]
    return "table", {"function": function, "alpha": alpha}


def _rest(node: Node) -> tuple:
    return node.kind, node.inputs, node.shape, node.layer, node.attributes, node.variables
