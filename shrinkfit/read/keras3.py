# SPDX-License-Identifier: Apache-2.0
"""Keras 3 models: their calls, those of models inside them among these, and a way to run them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from shrinkfit.read.calls import Call, Calls, Names, no_input_shape, ordered_nodes, single_output, subclassed


def read_calls(model: Any) -> Calls:
    """The calls of a built Sequential or Functional Keras 3 model."""
    functional, calls = _functional(model), list[Call]()
    outputs = _walk(functional, None, "", calls, Names())
    inputs = tuple(t._keras_history[0].name for t in functional.inputs)
    return Calls(tuple(calls), inputs, outputs)


def run(model: Any, batch: Sequence[np.ndarray]) -> None:
    """Run a model eagerly, at inference; batch: one array per input, in the model's order."""
    import keras

    structure = _functional(model)._inputs_struct
    model(keras.tree.pack_sequence_as(structure, list(batch)), training=False)


def _functional(model: Any) -> Any:
    import keras

    if isinstance(model, keras.Sequential):
        if not model.built or getattr(model, "_functional", None) is None:
            raise no_input_shape(model)
        return model._functional
    if not hasattr(model, "_nodes_by_depth"):
        raise subclassed(model)
    return model


def _walk(
    functional: Any, sources: Sequence[str] | None, prefix: str, calls: list[Call], names: Names
) -> tuple[str, ...]:
    """Append a model's calls; the names of those that are its outputs.

    Args:
        sources: names of the calls that feed a model inside another; None for the outermost.
        prefix: of the names of its calls.
    """
    import keras

    # The tensors of a model are the same ones for each of its calls, so every walk has names of its own for them.
    made = {} if sources is None else {id(t): name for t, name in zip(functional.inputs, sources, strict=True)}
    for node in ordered_nodes(functional._nodes_by_depth):
        layer = node.operation
        if node.is_input and sources is not None:
            continue
        inputs = tuple(made[id(t)] for t in node.arguments.keras_tensors)
        if isinstance(layer, keras.Model):
            ends = _walk(_functional(layer), inputs, f"{names.unique(prefix + layer.name)}/", calls, names)
            made |= {id(t): name for t, name in zip(node.outputs, ends, strict=True)}
            continue
        output = single_output(layer, node.outputs)
        name = names.unique(prefix + layer.name)
        given = () if isinstance(layer, keras.Layer) else node.arguments.args
        arguments = tuple(None if isinstance(a, keras.KerasTensor) else a for a in given)
        shape = tuple(output.shape[1:])
        calls.append(Call(name, type(layer).__name__, layer, inputs, shape, layer, arguments=arguments))
        made[id(output)] = name
    return tuple(made[id(t)] for t in functional.outputs)
