# SPDX-License-Identifier: Apache-2.0
"""A float Keras model, its integer graph and some inputs in; how far each tensor of int8 is from float, out."""

from __future__ import annotations

from dataclasses import dataclass
from math import log10, prod
from typing import Any

import numpy as np

from shrinkfit.errors import ShrinkfitError
from shrinkfit.graph import ir
from shrinkfit.graph.simulate import dequantize, quantize, trace
from shrinkfit.read.calls import generation, watched
from shrinkfit.read.ranges import checked_inputs, spread, value_of
from shrinkfit.read.stages import MOVING, Stage, fuse
from shrinkfit.read.topology import Topology, read_topology

# The simulator takes about a second for this many; a few dozen inputs tell the figures to some tenths of a dB.
MOST_MACS, MOST_INPUTS = 60_000_000, 32
LEAST_DB = -99.0  # of noise without a signal, whose logarithm JSON cannot hold


@dataclass(frozen=True)
class TensorError:
    """What int8 does to one tensor, over some inputs.

    Args:
        tensor: its name in the integer graph.
        layer: the operator that makes it; the tensor's own name for a model input.
        sqnr_db: signal-to-quantization-noise ratio, 10 log10(sum of squared float values / sum of squared differences),
            of the integer model against the float one, so with all that was rounded before; None where nothing differs.
        rounding_db: the same for float values that were only rounded to this tensor's steps: what is left to gain here.
        clipped: share of the float values that lie more than a step beyond what its int8 can say.
        low, high: the real numbers between which its int8 values lie.
    """

    tensor: str
    layer: str
    sqnr_db: float | None
    rounding_db: float | None
    clipped: float
    low: float
    high: float


@dataclass(frozen=True)
class QuantizationError:
    """The error of each tensor that a layer computes.

    Args:
        inputs: how many it was measured on.
        tensors: in the order in which they are computed, model inputs first.
    """

    inputs: int
    tensors: tuple[TensorError, ...]


def quantization_error(model: Any, graph: ir.Graph, data: Any) -> QuantizationError:
    """Run a float model and its integer graph on the same inputs and compare what each layer gives.

    Args:
        model: the Keras model whose numbers the graph has, of Keras 3 or tf_keras.
        graph: made from it, as `read_keras` gives it; tensors that rewrites have narrowed are left out.
        data: float [n, *input shape]; for several inputs a list of such arrays, or a dict by their names. Of many, some
            are taken, evenly spread, so that it takes about a second.
    Raises:
        ShrinkfitError: the data does not fit the model, or training had the model round as int8 does, so that it has
            no float values.
    """
    topology = read_topology(model)
    if topology.ranges:
        raise ShrinkfitError(
            f"model '{topology.name}' was quantized by tfmot and rounds by itself: it has no float values"
        )
    if graph.variables:
        raise ShrinkfitError(f"graph '{graph.name}' keeps state between runs; measure the one that takes whole windows")
    arrays = [spread(array, _how_many(graph)) for array in checked_inputs(topology, data, "the data to measure on")]
    stages = [stage for stage in fuse(topology) if stage.kind not in MOVING or stage.relu is not None]
    floats = _float_values(model, topology, stages, arrays)
    named = dict(zip(topology.inputs, graph.inputs, strict=True))  # a clone's inputs may be called otherwise
    floats = {named.get(key, key): value for key, value in floats.items()}
    entering = {n: quantize(graph.tensors[n], array) for n, array in zip(graph.inputs, arrays, strict=True)}
    kept = [n for n in graph.tensors if n in floats and prod(graph.tensors[n].shape) == prod(floats[n].shape[1:])]
    integers = trace(graph, entering, keep=kept)
    makers = {name: op.name for op in graph.ops for name in op.outputs}
    errors = (_error(graph.tensors[n], makers.get(n, n), floats[n].ravel(), integers[n].ravel()) for n in kept)
    return QuantizationError(len(arrays[0]), tuple(errors))


def _how_many(graph: ir.Graph) -> int:
    return int(np.clip(MOST_MACS // max(graph.macs, 1), 1, MOST_INPUTS))


def _float_values(
    model: Any, topology: Topology, stages: list[Stage], arrays: list[np.ndarray]
) -> dict[str, np.ndarray]:
    """Stage key -> float32 [n, ...]."""
    computed = [stage for stage in stages if stage.kind != "input"]
    with watched(topology.calls.values(), {stage.last.call for stage in computed}) as seen:
        generation(model).run(model, arrays)
    values = {stage.key: value_of(topology, stage.last, *seen[stage.last.call]) for stage in computed}
    return dict(zip(topology.inputs, arrays, strict=True)) | values


def _error(tensor: ir.Tensor, layer: str, real: np.ndarray, steps: np.ndarray) -> TensorError:
    real, scale = real.astype(np.float64), float(tensor.scale)
    low, high = ((end - tensor.zero_point) * scale for end in (-128, 127))
    beyond = (real < low - scale) | (real > high + scale)
    rounded = dequantize(tensor, quantize(tensor, real))
    reached, best = (_ratio_db(real, real - one) for one in (dequantize(tensor, steps), rounded))
    return TensorError(tensor.name, layer, reached, best, float(beyond.mean()), low, high)


def _ratio_db(signal: np.ndarray, noise: np.ndarray) -> float | None:
    power, lost = float(np.square(signal).sum()), float(np.square(noise).sum())
    if lost == 0:
        return None
    return LEAST_DB if power == 0 else max(10 * log10(power / lost), LEAST_DB)
