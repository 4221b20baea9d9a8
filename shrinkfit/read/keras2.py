# SPDX-License-Identifier: Apache-2.0
"""tf_keras (Keras 2) models: their calls, with tfmot's wrappers taken off, and values of their tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from shrinkfit.read.calls import (
    Call,
    Calls,
    check_called_once,
    no_input_shape,
    ordered_nodes,
    single_output,
    subclassed,
)
from shrinkfit.read.tfmot_wrappers import unwrap


def read_calls(model: Any) -> Calls:
    """The calls of a built Sequential or Functional tf_keras model."""
    import tensorflow as tf

    if not getattr(model, "_is_graph_network", False):
        sequential = any(cls.__name__ == "Sequential" for cls in type(model).__mro__)
        raise no_input_shape(model) if sequential else subclassed(model)
    nodes = ordered_nodes(model._nodes_by_depth)
    check_called_once(node.layer for node in nodes)
    plain = {id(node.layer): unwrap(node.layer) for node in nodes}

    def maker(tensor: Any) -> str:
        return plain[id(tensor._keras_history[0])].layer.name

    def call(node: Any) -> Call:
        output = single_output(node.layer, tf.nest.flatten(node.outputs))
        sources = () if node.is_input else tuple(tf.nest.flatten(node.keras_inputs))
        found = plain[id(node.layer)]
        return Call(
            name=found.layer.name,
            kind=found.kind,
            layer=found.layer,
            inputs=tuple(maker(t) for t in sources),
            shape=tuple(output.shape[1:]),
            sources=sources,
            output=output,
            output_range=found.output_range,
            inner_range=found.inner_range,
        )

    ends = (tuple(maker(t) for t in tf.nest.flatten(tensors)) for tensors in (model.inputs, model.outputs))
    return Calls(tuple(call(node) for node in nodes), *ends)


def evaluator(model: Any, tensors: Sequence[Any]) -> Callable[[np.ndarray], list[np.ndarray]]:
    """A function from a float batch to the values that these symbolic tensors have at inference."""
    import tensorflow as tf
    import tf_keras

    probe = tf_keras.Model(model.inputs, list(tensors))
    return lambda batch: [np.asarray(v) for v in tf.nest.flatten(probe(tf.constant(batch), training=False))]
