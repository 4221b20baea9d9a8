# SPDX-License-Identifier: Apache-2.0
"""Keras model in, integer graph out."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from shrinkfit.errors import ShrinkfitError
from shrinkfit.graph import ir
from shrinkfit.read.biases import corrected
from shrinkfit.read.keras_file import load_model
from shrinkfit.read.lowering import Weights
from shrinkfit.read.pieces import lower
from shrinkfit.read.ranges import learned_ranges, observe_ranges
from shrinkfit.read.stages import Stage, fuse
from shrinkfit.read.topology import Node, Topology, canonical, canonical_weights, read_topology

__all__ = ["lower", "read_keras", "read_shapes", "shape_weights"]


def read_keras(
    model: Any, calibration: Any = None, *, name: str | None = None, correct_biases: bool = False
) -> ir.Graph:
    """Quantize a trained model of Keras 3 or tf_keras.

    Args:
        model: a built Sequential or Functional model, one that tfmot quantized or pruned among them,
            or the path of a .keras or .h5 file.
        calibration: float array [n, *input shape] of typical inputs (a hundred or more); their
            smallest and largest activations become the ranges. What tfmot's training learned needs none. For a
            model with several inputs a list of arrays in their order, or a dict by their names.
        name: the graph's name; the model's own when None.
        correct_biases: move biases so that each channel's sums have the mean over some of the calibration that they
            have in the float model (Nagel et al. 2019, arXiv:1906.04721), for a network of many layers that rounding
            hurts. It takes as long as the simulator takes for 32 inputs. Nothing changes where training learned ranges.
    Returns:
        the integer graph; its tensors bear the names of the model's layers.
    Raises:
        ShrinkfitError: ranges are missing and there is no calibration, or it does not fit the model's input.
        UnsupportedLayerError: a layer cannot be read.
    """
    model = load_model(model)
    topology = read_topology(model)
    stages = fuse(topology)
    ranges = learned_ranges(topology, stages)
    missing = tuple(stage for stage in stages if stage.has_range and stage.key not in ranges)
    if missing and calibration is None:
        raise _needs_calibration(topology, missing, bool(ranges))
    if missing:
        ranges = observe_ranges(model, topology, missing, calibration) | ranges
    graph = lower(topology, stages, _weights(topology), ranges, name or model.name)
    # What tfmot quantized rounds by itself: it has no float sums.
    if correct_biases and missing and not topology.ranges:
        return corrected(model, topology, stages, graph, calibration)
    return graph


def read_shapes(model: Any) -> ir.Graph:
    """The integer graph of a Keras model with made-up weights and scales: good for pricing only.

    Where tfmot has fixed which kernels have one scale and which have one per channel, the weights are its own.
    """
    topology = read_topology(load_model(model))
    stages = fuse(topology)
    if topology.ranges:
        return lower(topology, stages, _weights(topology), learned_ranges(topology, stages), topology.name)
    weights = {node.name: shape_weights(node) for node in topology.nodes.values()}
    return lower(topology, stages, weights, {}, topology.name)


def _weights(topology: Topology) -> Weights:
    return {node.name: canonical_weights(node) for node in topology.nodes.values()}


def _needs_calibration(topology: Topology, missing: tuple[Stage, ...], learned: bool) -> ShrinkfitError:
    if not learned:
        return ShrinkfitError(
            f"model '{topology.name}' is a float model: pass calibration= (an array of typical inputs), "
            "or train it with FitDevice, which learns the ranges"
        )
    names = ", ".join(f"'{stage.key}'" for stage in missing[:3]) + (", ..." if len(missing) > 3 else "")
    return ShrinkfitError(
        f"model '{topology.name}' was quantized by tfmot, which learned no range for the output of {names}; "
        "pass calibration= (an array of typical inputs) to supply it"
    )


def shape_weights(node: Node) -> dict[str, np.ndarray]:
    """Made-up values in the canonical shapes of a node's variables.

    Each output channel of a kernel has a scale of its own, as trained kernels have: it is stored
    per channel, and that is what pricing has to see.
    """
    shapes = {role: tuple(variable.shape) for role, variable in node.variables.items()}
    return {role: canonical(node, role, _ramp(node, role, shape)) for role, shape in shapes.items()}


def _ramp(node: Node, role: str, shape: tuple[int, ...]) -> np.ndarray:
    if role != "kernel":
        return np.ones(shape)
    # The axes of the output channels, as Keras has them.
    channel_axes = {"depthwise": shape[-2:], "conv_transpose": (shape[-2], 1)}.get(node.kind, shape[-1:])
    steps = np.linspace(1.0, 2.0, prod(channel_axes)).reshape(channel_axes)
    # One weight as large as int8 goes and small ones, as in trained kernels: sums that no kernel has to refuse.
    values = np.array(np.broadcast_to(steps / 16, shape))
    values[(0,) * (len(shape) - len(channel_axes))] = steps
    return values
