# SPDX-License-Identifier: Apache-2.0
"""A model's stages in, (smallest, largest) of each stage's output: learned by its training, or observed now."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from shrinkfit.errors import ShrinkfitError
from shrinkfit.graph.ir import Padding
from shrinkfit.read.calls import Range, generation
from shrinkfit.read.stages import Stage
from shrinkfit.read.topology import Node, Topology, keras_value

CALIBRATION_BATCH = 64


def learned_ranges(topology: Topology, stages: tuple[Stage, ...]) -> dict[str, Range]:
    """Stage key -> range, for those ranged stages whose output's range the training learned."""
    key_of = {stage.last.name: stage.key for stage in stages if stage.has_range}
    ranges: dict[str, Range] = {}
    for node in topology.nodes.values():
        if node.kind == "identity" and node.inputs[0] in key_of:
            key_of[node.name] = key_of[node.inputs[0]]
        if node.name in topology.ranges and node.name in key_of:
            ranges.setdefault(key_of[node.name], topology.ranges[node.name])
    return ranges


def observe_ranges(model: Any, topology: Topology, stages: tuple[Stage, ...], data: np.ndarray) -> dict[str, Range]:
    """Smallest and largest value of these stages over the data, float [n, *input shape]; stages without a range of
    their own are passed over."""
    shape = topology.nodes[topology.inputs[0]].shape
    if len(topology.inputs) != 1:
        raise ShrinkfitError(f"model '{topology.name}' has {len(topology.inputs)} inputs; calibration takes one yet")
    if data.ndim != len(shape) + 1 or data.shape[1:] != shape or len(data) == 0:
        raise ShrinkfitError(f"calibration has shape {data.shape}, expected (n, {', '.join(map(str, shape))})")
    if not np.all(np.isfinite(data)):
        raise ShrinkfitError("calibration holds NaN or infinite values; clean it first")
    taps = _taps(topology, stages)
    ranges: dict[str, Range] = {}
    if any(stage.kind == "input" for stage in stages):
        ranges[topology.inputs[0]] = (float(data.min()), float(data.max()))
    if not taps:
        return ranges
    values_of = generation(model).evaluator(model, [tensor for tensor, _ in taps.values()])
    for start in range(0, len(data), CALIBRATION_BATCH):
        values = values_of(data[start : start + CALIBRATION_BATCH].astype(np.float32))
        for (key, (_, finish)), value in zip(taps.items(), values, strict=True):
            low, high = ranges.get(key, (np.inf, -np.inf))
            value = finish(value)
            ranges[key] = (min(low, float(value.min())), max(high, float(value.max())))
    return ranges


def _taps(topology: Topology, stages: tuple[Stage, ...]) -> dict[str, tuple[Any, Callable]]:
    """Ranged stage key -> (symbolic tensor of the model, what makes the stage's output of its value).

    Parts inside a layer have no tensor: they are computed once more from the layer's input.
    """
    taps: dict[str, tuple[Any, Callable]] = {}
    for stage in stages:
        node = stage.last
        if stage.kind == "input" or not stage.has_range:
            continue
        call = topology.calls[node.layer.name]
        if node.name == call.name:
            taps[stage.key] = call.output, lambda value: value
        else:
            taps[stage.key] = call.sources[0], partial(_inner_value, node)
    return taps


def _inner_value(node: Node, source: np.ndarray) -> np.ndarray:
    """The product before a layer's own activation, or a separable layer's depthwise half, of the layer's input."""
    from keras import ops

    kernel, settings = keras_value(node.variables["kernel"]), node.attributes
    if node.kind == "dense":
        value = np.matmul(source, kernel)
    else:
        rank = len(node.shape) - 1
        stride, dilation = settings["stride"][-rank:], settings["dilation"][-rank:]
        padding = settings["padding"]
        if isinstance(padding, Padding):
            source, padding = np.pad(source, ((0, 0), (padding.left, padding.right), (0, 0))), "valid"
        apply = ops.depthwise_conv if node.kind == "depthwise" else ops.conv
        value = np.asarray(apply(source, kernel, strides=stride, padding=padding, dilation_rate=dilation))
    return value + keras_value(node.variables["bias"]) if "bias" in node.variables else value
