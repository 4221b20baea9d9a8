# SPDX-License-Identifier: Apache-2.0
"""An integer graph and what its sums ought to be on average go in; the graph with biases that make them so comes out.

Rounding a kernel moves the mean of its sums by as much as the rounded-off parts times the mean of what it reads. Over
many layers that adds up, while what differs from input to input does not (Nagel et al. 2019, arXiv:1906.04721, section
4.2). A bias costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.kernels_weighted import sums
from shrinkfit.graph.simulate import rewrite


def with_means(
    graph: ir.Graph, inputs: dict[str, np.ndarray] | np.ndarray, means: Mapping[str, np.ndarray]
) -> ir.Graph:
    """Move biases, each by what its channel lacks, layer by layer, each with what the layers before it were given.

    Args:
        graph: without state.
        inputs: name -> int8 [n, ...], or the array alone for a graph with one input.
        means: name of the tensor that a convolution or dense layer makes -> float [channels], the mean that its sums,
            bias included and before any activation, are to have over these inputs, as real numbers. Layers that are
            not named keep their biases.
    Raises:
        ShrinkfitError: the inputs do not fit, the graph has state, or a bias would leave int32.
    """

    def settled(op: ir.Op, values: list[np.ndarray]) -> ir.Op:
        wanted = means.get(op.outputs[0])
        if wanted is None or not isinstance(op, ir.Weighted):
            return op
        sources = graph.op_inputs(op)
        found = sums(op, sources, values).reshape(-1, op.channels).mean(axis=0)
        step = np.float64(sources[0].scale) * op.kernel_scales.astype(np.float64)
        return replace(op, bias=op.bias + np.rint(wanted / step - found).astype(np.int32))

    return rewrite(graph, inputs, settled)
