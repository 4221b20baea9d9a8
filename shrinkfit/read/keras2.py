# SPDX-License-Identifier: Apache-2.0
"""tf_keras (Keras 2) models: their calls, with tfmot's wrappers taken off, and a way to run them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from shrinkfit.read.calls import Call, Calls, Names, no_input_shape, ordered_nodes, single_output, subclassed
from shrinkfit.read.tfmot_wrappers import unwrap


def read_calls(model: Any) -> Calls:
    """The calls of a built Sequential or Functional tf_keras model."""
    import tensorflow as tf

    if not getattr(model, "_is_graph_network", False):
        sequential = any(cls.__name__ == "Sequential" for cls in type(model).__mro__)
        raise no_input_shape(model) if sequential else subclassed(model)
    nodes = ordered_nodes(model._nodes_by_depth)
    plain = {id(node.layer): unwrap(node.layer) for node in nodes}
    names = Names()
    made: dict[tuple[int, int], str] = {}

    def maker(tensor: Any) -> str:
        layer, index, _ = tensor._keras_history
        return made[id(layer), index]

    def call(node: Any) -> Call:
        output = single_output(node.layer, tf.nest.flatten(node.outputs))
        sources = () if node.is_input else tuple(tf.nest.flatten(node.keras_inputs))
        found = plain[id(node.layer)]
        name = names.unique(found.layer.name)
        made[id(node.layer), output._keras_history[1]] = name
        return Call(
            name=name,
            kind=found.kind,
            layer=found.layer,
            inputs=tuple(maker(t) for t in sources),
            shape=tuple(output.shape[1:]),
            runs=node.layer,
            output_range=found.output_range,
            inner_range=found.inner_range,
        )

    calls = tuple(call(node) for node in nodes)
    return Calls(calls, *(tuple(maker(t) for t in tf.nest.flatten(ends)) for ends in (model.inputs, model.outputs)))


def run(model: Any, batch: Sequence[np.ndarray]) -> None:
    """Run a model eagerly, at inference; batch: one array per input, in the model's order."""
    import tensorflow as tf

    model(tf.nest.pack_sequence_as(model._nested_inputs, [tf.constant(x) for x in batch]), training=False)
