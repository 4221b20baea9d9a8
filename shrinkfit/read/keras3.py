# SPDX-License-Identifier: Apache-2.0
"""Keras 3 models: their calls, and values of their tensors."""

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


def read_calls(model: Any) -> Calls:
    """The calls of a built Sequential or Functional Keras 3 model."""
    import keras

    functional = _functional(model)
    nodes = ordered_nodes(functional._nodes_by_depth)
    check_called_once(node.operation for node in nodes)
    return Calls(
        tuple(_call(node.operation, node) for node in nodes),
        *(tuple(_maker(t) for t in keras.tree.flatten(ends)) for ends in (functional.inputs, functional.outputs)),
    )


def evaluator(model: Any, tensors: Sequence[Any]) -> Callable[[np.ndarray], list[np.ndarray]]:
    """A function from a float batch to the values that these symbolic tensors have at inference."""
    import keras

    probe = keras.Model(model.inputs, list(tensors))
    return lambda batch: [np.asarray(v) for v in keras.tree.flatten(probe([batch], training=False))]


def _functional(model: Any) -> Any:
    import keras

    if isinstance(model, keras.Sequential):
        if not model.built or getattr(model, "_functional", None) is None:
            raise no_input_shape(model)
        return model._functional
    if not hasattr(model, "_nodes_by_depth"):
        raise subclassed(model)
    return model


def _maker(tensor: Any) -> str:
    return tensor._keras_history[0].name


def _call(layer: Any, node: Any) -> Call:
    output = single_output(layer, node.outputs)
    sources = tuple(node.arguments.keras_tensors)
    inputs = tuple(_maker(t) for t in sources)
    return Call(layer.name, type(layer).__name__, layer, inputs, tuple(output.shape[1:]), sources, output)
