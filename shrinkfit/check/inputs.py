# SPDX-License-Identifier: Apache-2.0
"""The inputs of a check are those that any run of a graph takes: graph/inputs.py."""

from shrinkfit.graph.inputs import (
    RANDOM_CLIPS,
    SEED,
    graph_inputs,
    model_inputs,
    quantized_like,
    random_inputs,
)

__all__ = ["RANDOM_CLIPS", "SEED", "graph_inputs", "model_inputs", "quantized_like", "random_inputs"]
