# SPDX-License-Identifier: Apache-2.0
"""A float Keras model, its integer graph and inputs in; the graph with the biases that rounding calls for, out."""

from __future__ import annotations

from typing import Any

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.biases import with_means
from shrinkfit.graph.simulate import quantize
from shrinkfit.read.calls import generation, watched
from shrinkfit.read.ranges import checked_inputs, spread, value_of
from shrinkfit.read.stages import WEIGHTED, Stage
from shrinkfit.read.topology import Topology

SOME = 32  # inputs say enough of means


def corrected(model: Any, topology: Topology, stages: tuple[Stage, ...], graph: ir.Graph, data: Any) -> ir.Graph:
    """Give each channel's sums the mean that they have in the float model.

    Args:
        model: with the graph's numbers.
        topology, stages: of the model.
        graph: made from it.
        data: float [n, *input shape], as `read_keras` takes its calibration; of many, SOME are taken, evenly spread.
    """
    arrays = [spread(array, SOME) for array in checked_inputs(topology, data)]
    ends = {stage.key: stage.batch_norm or stage.head for stage in stages if stage.kind in WEIGHTED}
    with watched(topology.calls.values(), {node.call for node in ends.values()}) as seen:
        generation(model).run(model, arrays)
    means = {key: _mean(value_of(topology, node, *seen[node.call])) for key, node in ends.items()}
    entering = {n: quantize(graph.tensors[n], array) for n, array in zip(graph.inputs, arrays, strict=True)}
    return with_means(graph, entering, means)


def _mean(value: np.ndarray) -> np.ndarray:
    """float64 [channels] of [..., channels]."""
    return value.reshape(-1, value.shape[-1]).mean(axis=0, dtype=np.float64)
