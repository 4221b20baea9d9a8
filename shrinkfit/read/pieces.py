# SPDX-License-Identifier: Apache-2.0
"""Stages and weights in, the piece of the integer graph that each becomes and the whole graph out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shrinkfit.graph import ir
from shrinkfit.read.calls import Range
from shrinkfit.read.lowering import Lowering, Weights
from shrinkfit.read.stages import Stage, stage_of_output
from shrinkfit.read.topology import Topology


@dataclass(frozen=True, eq=False)
class Piece:
    """What one stage becomes, or what stands behind the last one.

    Args:
        graph: its operators alone; the inputs are what it reads.
        made: the tensors that it adds to those.
        result: the tensor that the next stages read.
    """

    graph: ir.Graph
    made: tuple[ir.Tensor, ...]
    result: ir.Tensor


def lower(
    topology: Topology, stages: tuple[Stage, ...], weights: Weights, ranges: Mapping[str, Range], name: str
) -> ir.Graph:
    """Quantize stages into an integer graph.

    Args:
        topology, stages: of one model.
        weights: node name -> role -> float array with canonical axes; channels may be sliced away.
        ranges: stage key -> (smallest, largest) real value; stages without one take (-1, 1), which
            is right for shapes and prices only.
        name: the graph's name.
    """
    by_key = {stage.key: stage for stage in stages}
    pieces: dict[str, Piece] = {}
    for stage in stages:
        pieces[stage.key] = lower_stage(stage, by_key, pieces, weights, ranges)
    return join(topology, stages, pieces, name)


def lower_stage(
    stage: Stage,
    by_key: Mapping[str, Stage],
    before: Mapping[str, Piece],
    weights: Weights,
    ranges: Mapping[str, Range],
) -> Piece:
    """Quantize one stage.

    Args:
        stage: to be quantized.
        by_key: all stages by their keys.
        before: stage key -> piece, of those that come before it.
        weights: as in `lower`, of the stage's own nodes at least.
        ranges: as in `lower`.
    """
    taken = {op.name for piece in before.values() for op in piece.graph.ops}
    lowering = Lowering([before[key].result for key in stage.inputs], taken, by_key, weights, ranges)
    return _piece(lowering, lowering.add(stage))


def join(topology: Topology, stages: tuple[Stage, ...], pieces: Mapping[str, Piece], name: str) -> ir.Graph:
    """The integer graph of a model.

    Args:
        topology, stages, name: as in `lower`.
        pieces: stage key -> piece, of all stages in their order.
    """
    ranks = {stage.key: len(stage.last.shape) for stage in stages}
    last = [stage_of_output(topology, stages, name) for name in topology.outputs]
    # A model may give one tensor several times; what reshapes it is there once.
    ends = {key: _end(pieces[key].result, ranks[key]) for key in last}
    parts = [*pieces.values(), *ends.values()]
    tensors = {tensor.name: tensor for piece in parts for tensor in piece.made}
    constants = {name: values for piece in parts for name, values in piece.graph.constants.items()}
    ops = tuple(op for piece in parts for op in piece.graph.ops)
    return ir.Graph(name, tensors, ops, topology.inputs, tuple(ends[key].result.name for key in last), constants)


def _end(output: ir.Tensor, keras_rank: int) -> Piece:
    """An output with the batch and rank that the Keras model gives it."""
    lowering = Lowering([output], set(), {}, {}, {})
    shape = (1, *output.shape[2:]) if keras_rank == 2 else output.shape
    return _piece(lowering, lowering.reshaped(output.name, shape))


def _piece(lowering: Lowering, result: str) -> Piece:
    tensors = lowering.tensors
    inputs = lowering.inputs or tuple(tensors)[:1]
    graph = ir.Graph(result, tensors, tuple(lowering.ops), inputs, (result,), lowering.constants)
    made = tuple(tensor for name, tensor in tensors.items() if name not in lowering.inputs)
    return Piece(graph, made, tensors[result])
