# SPDX-License-Identifier: Apache-2.0
"""A built Keras model in, frozen nodes out: one node per computation, in an order in which they can run.

A layer that computes several things (an activation argument, a separable convolution) becomes several nodes, so that
reading, channel coupling and fake quantization see one small vocabulary (nodes.py); so does a layer that is called
several times.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from shrinkfit.errors import UnsupportedLayerError
from shrinkfit.read.calls import Call, Range, read_calls
from shrinkfit.read.layers import nodes_of
from shrinkfit.read.nodes import Node, canonical, canonical_weights, keras_value, resolve_padding

__all__ = ["Node", "Topology", "canonical", "canonical_weights", "keras_value", "read_topology", "resolve_padding"]


@dataclass(frozen=True, eq=False)
class Topology:
    """A model's nodes.

    Args:
        name: the model's name.
        nodes: name -> Node, each after its inputs.
        inputs, outputs: node names in the model's order.
        calls: name -> Call, in the order in which Keras makes them.
        ranges: node name -> (smallest, largest) of its output, where the training learned one.
    """

    name: str
    nodes: dict[str, Node]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    calls: dict[str, Call] = field(default_factory=dict)
    ranges: dict[str, Range] = field(default_factory=dict)

    def readers(self, name: str) -> tuple[Node, ...]:
        """The nodes that read a node's output."""
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
    made_by: dict[str, Node] = {}
    ranges: dict[str, Range] = {}
    for call in found.calls:
        made = [replace(node, call=call.name) for node in nodes_of(call, tuple(made_by[n] for n in call.inputs))]
        for node in made:
            if node.name in nodes:
                raise UnsupportedLayerError(f"two layers have a part named '{node.name}'; rename one of them")
            nodes[node.name] = node
        made_by[call.name] = made[-1]
        learned = ((made[-1], call.output_range), (made[-2] if len(made) > 1 else None, call.inner_range))
        ranges |= {node.name: values for node, values in learned if node is not None and values is not None}
    return Topology(
        name=model.name,
        nodes=nodes,
        inputs=tuple(made_by[name].name for name in found.inputs),
        outputs=tuple(made_by[name].name for name in found.outputs),
        calls={call.name: call for call in found.calls},
        ranges=ranges,
    )
