# SPDX-License-Identifier: Apache-2.0
"""A masked Keras model in, a smaller plain Keras model with equal outputs out."""

from __future__ import annotations

from typing import Any

import numpy as np

from shrinkfit.fit.channels import Channels, slice_weights
from shrinkfit.fit.keras_versions import is_tf_keras, keras_of
from shrinkfit.read.nodes import keras_axes
from shrinkfit.read.topology import Topology, canonical_weights

_WIDTH_SETTING = {"conv": "filters", "conv_transpose": "filters", "dense": "units"}


def smaller_model(model: Any, topology: Topology, channels: Channels, alive: np.ndarray) -> Any:
    """Clone a model with the channels of dead units left out.

    Args:
        model: the Keras model whose dead channels are zero.
        topology, channels: of that model.
        alive: bool [units].
    Returns:
        A Keras model that knows nothing of shrinkfit, not compiled.
    """
    package = keras_of(model)
    # tf_keras calls the function for the layers of nested models anyway.
    nested = {} if is_tf_keras(model) else {"recursive": True}
    settings = _new_settings(topology, channels, alive)
    clones: dict[int, Any] = {}

    def clone(layer: Any) -> Any:
        if isinstance(layer, package.layers.Layer):
            made = type(layer).from_config({**layer.get_config(), **settings.get(id(layer), {})})
        else:
            made = layer  # an operation such as a + b, which holds nothing
        return clones.setdefault(id(layer), made)

    small = package.models.clone_model(model, clone_function=clone, **nested)
    for node in topology.nodes.values():
        if node.kind == "affine" and "function" not in node.attributes:  # adapted numbers are no settings
            numbers: dict[str, Any] = {}
            node.layer.save_own_variables(numbers)
            clones[id(node.layer)].load_own_variables(numbers)
    full = {node.name: canonical_weights(node) for node in topology.nodes.values()}
    weights = slice_weights(topology, channels, full, alive)
    for node in topology.nodes.values():
        for role, variable in node.variables.items():
            value = keras_axes(node, role, weights[node.name][role])
            _twin(clones[id(node.layer)], node.layer, variable).assign(value)
    return small


def _new_settings(topology: Topology, channels: Channels, alive: np.ndarray) -> dict[int, dict[str, Any]]:
    """Identity of a layer -> constructor settings that differ."""
    settings: dict[int, dict[str, Any]] = {}
    for node in topology.nodes.values():
        width = int(alive[channels.of_node[node.name]].sum())
        if node.kind in _WIDTH_SETTING:
            settings[id(node.layer)] = {_WIDTH_SETTING[node.kind]: width}
        elif node.kind == "reshape" and hasattr(node.layer, "target_shape"):
            # A lone number, Reshape(()), has no axis of channels.
            settings[id(node.layer)] = {"target_shape": (*node.shape[:-1], width) if node.shape else ()}
    return settings


def _twin(layer: Any, original: Any, variable: Any) -> Any:
    """The clone's variable in the place of the original's."""
    index = next(i for i, v in enumerate(original.weights) if v is variable)
    return layer.weights[index]
