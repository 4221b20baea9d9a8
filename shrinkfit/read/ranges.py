# SPDX-License-Identifier: Apache-2.0
"""A model's stages in, (smallest, largest) of each stage's output: learned by its training, or observed now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from shrinkfit.errors import ShrinkfitError
from shrinkfit.graph.ir import Padding
from shrinkfit.read.calls import Range, generation, watched
from shrinkfit.read.stages import Stage
from shrinkfit.read.topology import Node, Topology, keras_value

CALIBRATION_BATCH = 64
# What a chain over more than two tensors is made of.
LINKS = {"add": np.add, "multiply": np.multiply, "maximum": np.maximum, "minimum": np.minimum}


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


def observe_ranges(model: Any, topology: Topology, stages: tuple[Stage, ...], data: Any) -> dict[str, Range]:
    """Smallest and largest value of these stages over the data; stages without a range of their own are passed over.

    Args:
        data: float [n, *input shape]; for a model with several inputs a list of such arrays in their order, or a
            dict by their names.
    Raises:
        ShrinkfitError: as `checked_inputs`.
    """
    arrays = checked_inputs(topology, data)
    ranges: dict[str, Range] = {}
    entering = {stage.key for stage in stages if stage.kind == "input"}
    for name, array in zip(topology.inputs, arrays, strict=True):
        if name in entering:
            ranges[name] = (float(array.min()), float(array.max()))
    tapped = [stage for stage in stages if stage.has_range and stage.kind != "input"]
    if not tapped:
        return ranges
    wanted = {stage.last.call for stage in tapped}
    for start in range(0, len(arrays[0]), CALIBRATION_BATCH):
        with watched(topology.calls.values(), wanted) as seen:
            batch = [array[start : start + CALIBRATION_BATCH].astype(np.float32) for array in arrays]
            generation(model).run(model, batch)
        for stage in tapped:
            value = value_of(topology, stage.last, *seen[stage.last.call])
            low, high = ranges.get(stage.key, (np.inf, -np.inf))
            ranges[stage.key] = (min(low, float(value.min())), max(high, float(value.max())))
    return ranges


def checked_inputs(topology: Topology, data: Any, what: str = "calibration") -> list[np.ndarray]:
    """One array per input of the model.

    Args:
        data: as `observe_ranges` takes it.
        what: the data's name in messages.
    Raises:
        ShrinkfitError: it is no array of finite real numbers that float32 holds, or its shape is not the input's.
    """
    names = topology.inputs
    if isinstance(data, Mapping):
        if set(data) != set(names):
            raise ShrinkfitError(f"{what} has {', '.join(map(repr, data))}, expected {', '.join(map(repr, names))}")
        arrays = [_array(data[name], what) for name in names]
    elif isinstance(data, (list, tuple)) and len(names) > 1:
        arrays = [_array(x, what) for x in data]
    else:
        arrays = [_array(data, what)]
    if len(arrays) != len(names):
        raise ShrinkfitError(
            f"model '{topology.name}' has {len(names)} inputs and {what} {len(arrays)} arrays; pass a list with "
            "one array per input, or a dict by their names"
        )
    for name, array in zip(names, arrays, strict=True):
        shape = topology.nodes[name].shape
        which = what if len(names) == 1 else f"{what} of input '{name}'"
        if array.ndim != len(shape) + 1 or array.shape[1:] != shape or len(array) == 0:
            raise ShrinkfitError(f"{which} has shape {array.shape}, expected (n, {', '.join(map(str, shape))})")
        if len(array) != len(arrays[0]):
            raise ShrinkfitError(f"{which} has {len(array)} examples, the first input has {len(arrays[0])}")
        if not np.all(np.isfinite(array)):
            raise ShrinkfitError(f"{which} holds NaN or infinite values; clean it first")
        largest = max(abs(float(array.min())), abs(float(array.max())))
        if largest > float(np.finfo(np.float32).max):
            raise ShrinkfitError(f"{which} holds values of {largest:g}, expected such as float32 holds; scale it")
    return arrays


def _array(data: Any, what: str) -> np.ndarray:
    """Data as an array of numbers, of any shape.

    Raises:
        ShrinkfitError: it is something that is run through (a generator, a data set), or holds no real numbers.
    """
    expected = "an array of real numbers [n, *input shape]"
    if isinstance(data, Iterable) and not isinstance(data, Sequence) and not hasattr(data, "__array__"):
        raise ShrinkfitError(
            f"{what} is a {type(data).__name__}, expected {expected}; join its batches first, as "
            "np.concatenate([x for x, y in batches])"
        )
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ShrinkfitError(f"{what} is no array, expected {expected}: {error}") from error
    if array.dtype.kind in "cOUSmM":
        raise ShrinkfitError(f"{what} is {array.dtype} of shape {array.shape}, expected {expected}")
    return array


def spread(array: np.ndarray, most: int) -> np.ndarray:
    """At most so many of an input's examples, evenly spread; float32."""
    places = np.unique(np.linspace(0, len(array) - 1, min(most, len(array))).astype(int))
    return np.asarray(array[places], np.float32)


def value_of(topology: Topology, target: Node, inputs: list[Any], output: Any) -> np.ndarray:
    """A node's value in one run; parts inside a layer are computed once more from what the layer read."""
    if target.name == target.call:
        return np.asarray(output)
    parts = [node for node in topology.nodes.values() if node.call == target.call]
    own = {node.name for node in parts}
    outside = [name for node in parts for name in node.inputs if name not in own]
    values = {name: np.asarray(x) for name, x in zip(outside, inputs, strict=False)}
    for node in parts:
        values[node.name] = _computed(node, [values[name] for name in node.inputs])
        if node is target:
            break
    return values[target.name]


def _computed(node: Node, sources: list[np.ndarray]) -> np.ndarray:
    """A part that is not its layer's last: what is before the layer's own activation or in it, or a link of a chain."""
    from keras import ops

    if node.kind == "identity":
        return sources[0]
    if node.kind in LINKS:
        return LINKS[node.kind](*sources)
    if "kernel" not in node.variables:  # silu's gate, or the layer's own activation
        gate = node.kind == "table" and node.part
        return np.asarray(ops.sigmoid(sources[0]) if gate else node.layer.activation(sources[0]))
    source, kernel, settings = sources[0], keras_value(node.variables["kernel"]), node.attributes
    if node.kind == "dense":
        value = np.matmul(source, kernel)
    else:
        rank = len(node.shape) - 1
        stride, dilation = settings["stride"][-rank:], settings["dilation"][-rank:]
        padding = settings["padding"]
        if isinstance(padding, Padding):
            source, padding = np.pad(source, ((0, 0), (padding.left, padding.right), (0, 0))), "valid"
        apply = {"depthwise": ops.depthwise_conv, "conv": ops.conv, "conv_transpose": ops.conv_transpose}[node.kind]
        value = np.asarray(apply(source, kernel, strides=stride, padding=padding, dilation_rate=dilation))
    return value + keras_value(node.variables["bias"]) if "bias" in node.variables else value
