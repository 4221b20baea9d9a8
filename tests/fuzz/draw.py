# SPDX-License-Identifier: Apache-2.0
"""Seeds in, random graphs and inputs for them out."""

from __future__ import annotations

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.base import DTYPE_RANGES
from tests.fuzz.net import Net
from tests.fuzz.operators import OPERATORS
from tests.fuzz.operators_more import MORE_OPERATORS

ALL = OPERATORS | MORE_OPERATORS
MAX_OPERATORS = 8
# What the optimizer looks for is rare among random neighbours.
FOLLOWERS = {
    "pad": ("conv2d", "depthwise_conv2d", "grouped_conv2d"),
    "conv2d": ("requantize", "conv2d", "depthwise_conv2d", "pool2d", "grouped_conv2d", "transpose_conv2d"),
    "grouped_conv2d": ("requantize", "conv2d", "grouped_conv2d"),
    "transpose_conv2d": ("requantize", "conv2d", "transpose_conv2d"),
    "depthwise_conv2d": ("requantize", "conv2d"),
    "reshape": ("reshape", "dense"),
    "dense": ("requantize", "dense"),
}


def draw_graph(seed: int) -> ir.Graph:
    """1 to 8 operators, each reading what is there, mostly what the one before it made."""
    net = Net(seed)
    names, before = sorted(ALL), ""
    for _ in range(net.int(1, MAX_OPERATORS)):
        before = net.choice(FOLLOWERS[before] if before in FOLLOWERS and net.chance(0.4) else names)
        ALL[before](net)
    return net.graph()


def draw_inputs(graph: ir.Graph, seed: int, steps: int) -> dict[str, np.ndarray]:
    """Name -> [steps, *shape without its batch]; the first steps are random, the later ones mostly at the ends."""
    rng = np.random.default_rng((seed, 1))
    return {name: _values(rng, graph, graph.tensors[name], steps) for name in graph.inputs}


def _values(rng: np.random.Generator, graph: ir.Graph, tensor: ir.Tensor, steps: int) -> np.ndarray:
    shape = (steps, *tensor.shape[1:])
    if tensor.dtype == "float32":
        return _floats(rng, graph, tensor, shape)
    low, high = DTYPE_RANGES[tensor.dtype]
    anything = rng.integers(low, high + 1, shape)
    ends = rng.choice([low, high, tensor.zero_point], shape)
    kept = np.arange(steps).reshape(-1, *(1,) * (len(shape) - 1)) < (steps + 1) // 2
    return np.where(kept, anything, ends).astype(tensor.dtype)


def _floats(rng: np.random.Generator, graph: ir.Graph, tensor: ir.Tensor, shape) -> np.ndarray:
    """Steps of the scale of whatever quantizes them: ties, anything between them, and far outside."""
    names = [tensor.name]
    for op in graph.ops:
        if op.kind == "reshape" and op.inputs[0] in names:
            names += op.outputs
    scales = [graph.op_outputs(op)[0].scale for op in graph.ops if op.kind == "quantize" and op.inputs[0] in names]
    ties, between = rng.integers(-140, 141, shape) + 0.5, rng.normal(0, 60, shape)
    far = rng.normal(0, 1e6, shape)
    kind = rng.random(shape)
    values = np.where(kind < 0.3, ties, np.where(kind < 0.95, between, far))
    return (values * min(scales, default=1.0)).astype(np.float32)
