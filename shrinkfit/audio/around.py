# SPDX-License-Identifier: Apache-2.0
"""A network and the features or the detector around it come in; whether they go together, and how, leaves."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from shrinkfit.audio.detect import Detector
from shrinkfit.audio.features import FeatureConfig
from shrinkfit.errors import ExportError
from shrinkfit.graph.ir import Graph, Tensor
from shrinkfit.graph.simulate import quantize

ALIGNMENT = 8
UINT16_MAX = (1 << 16) - 1


def input_of(graph: Graph, features: FeatureConfig) -> Tensor:
    """The network's input, if frames of these features fill it.

    Raises:
        ExportError: they do not, or there is more than one input or output.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise ExportError(
            f"a listener takes a network with one input and one output; '{graph.name}' has {len(graph.inputs)} and "
            f"{len(graph.outputs)}"
        )
    tensor, width = graph.tensors[graph.inputs[0]], features.width
    shape = tensor.shape[1:] if tensor.shape[:1] == (1,) else ()
    frames = shape[0] if len(shape) > 1 else prod(shape) // width
    if tensor.dtype != "int8" or frames < 1 or prod(shape) != frames * width or tensor.size_bytes > UINT16_MAX:
        raise ExportError(
            f"the network's input '{tensor.name}' is {tensor.dtype} {list(tensor.shape)}, and the features have "
            f"{width} values a frame; expected int8 [1, frames, {width}]"
        )
    return tensor


def check_output(graph: Graph, detector: Detector) -> None:
    """Whether the network has an output for each of the detector's labels.

    Raises:
        ExportError: it has not.
    """
    tensor, classes = graph.tensors[graph.outputs[0]], len(detector.labels)
    if tensor.dtype != "int8" or prod(tensor.shape) != classes:
        raise ExportError(
            f"the network's output '{tensor.name}' is {tensor.dtype} {list(tensor.shape)}, and the detector has "
            f"{classes} labels ({', '.join(detector.labels)}); expected int8 [1, {classes}]"
        )


def input_table(features: FeatureConfig, scale: float, zero_point: int) -> np.ndarray | None:
    """int8 [256], what each feature byte becomes in a network's input, by byte + 128; None where it stays.

    Args:
        scale, zero_point: of the input.
    """
    same = np.arange(-128, 128, dtype=np.int8)
    real = (same.astype(np.float32) - np.float32(features.zero_point)) * np.float32(features.scale)
    made = quantize(Tensor("frame", (1, 256), scale, zero_point), real)
    return None if np.array_equal(made, same) else made


def tabled(frames: np.ndarray, table: np.ndarray | None) -> np.ndarray:
    """Int8 features as the network's input has them."""
    return frames if table is None else table[frames.astype(np.int16) + 128]


def counted(value: Any, name: str, least: int, most: int) -> int:
    """A whole number of a listener, within its limits.

    Raises:
        ExportError: it is not.
    """
    if isinstance(value, bool) or value != int(value) or not least <= value <= most:
        raise ExportError(f"a listener's {name} is {value!r}; expected a whole number from {least} to {most}")
    return int(value)


def aligned(size_bytes: int) -> int:
    """Rounded up to where the next thing may lie."""
    return -(-size_bytes // ALIGNMENT) * ALIGNMENT
