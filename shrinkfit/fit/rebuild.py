# SPDX-License-Identifier: Apache-2.0
"""A masked Keras model in, a smaller plain Keras model with equal outputs out."""

from __future__ import annotations

from typing import Any

import numpy as np

from shrinkfit.fit.channels import Channels, slice_weights
from shrinkfit.fit.instruments import keras_weights
from shrinkfit.read.topology import Topology

_WIDTH_SETTING = {"conv": "filters", "dense": "units"}


def smaller_model(model: Any, topology: Topology, channels: Channels, alive: np.ndarray) -> Any:
    """Clone a model with the channels of dead units left out.

    Args:
        model: the Keras model whose dead channels are zero.
        topology, channels: of that model.
        alive: bool [units].
    Returns:
        A Keras model that knows nothing of shrinkfit, not compiled.
    """
    import keras

    settings = _new_settings(topology, channels, alive)

    def clone(layer: Any) -> Any:
        return type(layer).from_config({**layer.get_config(), **settings.get(layer.name, {})})

    small = keras.models.clone_model(model, clone_function=clone)
    weights = slice_weights(topology, channels, keras_weights(topology), alive)
    layers = {layer.name: layer for layer in small.layers}
    for node in topology.nodes.values():
        for role, variable in node.variables.items():
            _twin(layers[node.layer.name], node.layer, variable).assign(weights[node.name][role])
    return small


def _new_settings(topology: Topology, channels: Channels, alive: np.ndarray) -> dict[str, dict[str, Any]]:
    """Layer name -> constructor settings that differ."""
    settings: dict[str, dict[str, Any]] = {}
    for node in topology.nodes.values():
        width = int(alive[channels.of_node[node.name]].sum())
        if node.kind in _WIDTH_SETTING:
            settings[node.layer.name] = {_WIDTH_SETTING[node.kind]: width}
        elif node.kind == "reshape" and hasattr(node.layer, "target_shape"):
            settings[node.layer.name] = {"target_shape": (*node.shape[:-1], width)}
    return settings


def _twin(layer: Any, original: Any, variable: Any) -> Any:
    """The clone's variable in the place of the original's."""
    index = next(i for i, v in enumerate(original.weights) if v is variable)
    return layer.weights[index]
