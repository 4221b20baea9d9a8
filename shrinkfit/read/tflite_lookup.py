# SPDX-License-Identifier: Apache-2.0
"""A table of 256 in a .tflite file, read as one operator: int8 values are CAST to int32, 128 is ADDed, and a GATHER
takes what they number out of a constant."""

from __future__ import annotations

from shrinkfit.graph import ir
from shrinkfit.read.tflite import OperatorReader


def widened(at: OperatorReader) -> bool:
    """Remember int8 values that become int32; False where the operator casts something else."""
    tensor, made = at.file_tensor(0), [at.subgraph.subgraph.tensors[i].type for i in at.operator.outputs]
    if tensor.type != "INT8" or tensor.name not in at.subgraph.tensors or made != ["INT32"]:
        return False
    _remember(at, at.source(), 0)
    return True


def moved(at: OperatorReader) -> bool:
    """Remember that a number is added to such values; False where the operator adds something else."""
    held = at.subgraph.positions.get(at.file_tensor(0).index)
    number = None if held is None else at.known_numbers(1)
    if held is None or number is None or number.size != 1:
        return False
    if at.option("fusedActivationFunction"):
        raise at.refuse("adds a number to int32 values and clamps them, which shrinkfit does not read")
    _remember(at, held[0], held[1] + int(number.ravel()[0]))
    return True


def looked_up(at: OperatorReader) -> bool:
    """The table that such values are looked up in; False where the operator gathers something else."""
    held = at.subgraph.positions.get(at.file_tensor(1).index)
    if held is None:
        return False
    (source, first), table = held, at.values(0, "INT8")
    if table.shape != (256,) or first != -ir.INT8_MIN or at.option("axis") or at.option("batchDims"):
        raise at.refuse(
            f"looks values up in {table.shape} from {first} on; shrinkfit reads tables of 256 that begin at -128"
        )
    at.add(ir.Table, (source,), at.target(), function="lookup", table=table)
    return True


def _remember(at: OperatorReader, source: ir.Tensor, first: int) -> None:
    if len(at.operator.outputs) != 1:
        raise at.refuse(f"has {len(at.operator.outputs)} outputs, expected 1; convert the model again")
    at.subgraph.positions[at.operator.outputs[0]] = source, first
