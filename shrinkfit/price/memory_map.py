# SPDX-License-Identifier: Apache-2.0
"""A plan in, its picture's data out: which bytes of the arena each tensor, scratch buffer and state takes, and when."""

from __future__ import annotations

from dataclasses import dataclass

from shrinkfit.graph.ir import Graph
from shrinkfit.price.arena import Plan, tensor_buffers, tensor_roots
from shrinkfit.price.calls import held_by_variables


@dataclass(frozen=True)
class Stay:
    """Bytes of the arena that something takes while some operators run.

    Args:
        name: of the tensor, of the operator whose scratch it is, or of the variable.
        kind: "input", "output", "tensor", "scratch" or "state".
        offset, size_bytes: where it lies.
        first, last: operators, counted from 0, both included; what is kept after the run ends at their number.
    """

    name: str
    kind: str
    offset: int
    size_bytes: int
    first: int
    last: int


def memory_map(graph: Graph, plan: Plan, scratch: dict[str, int]) -> tuple[Stay, ...]:
    """Everything that a plan placed, in the order of its first use.

    Args:
        graph, plan: the graph and what `plan` made of it.
        scratch: operator name -> bytes, as `plan` was given them.
    """
    root_of, held, end = tensor_roots(graph), held_by_variables(graph), len(graph.ops)
    kinds = {root_of[name]: "output" for name in graph.outputs} | {name: "input" for name in graph.inputs}
    stays = [
        Stay(b.name, kinds.get(b.name, "tensor"), plan.offsets[b.name], b.size_bytes, b.first, b.last)
        for b in tensor_buffers(graph, root_of)
        if b.name not in held
    ]
    number = {op.name: index for index, op in enumerate(graph.ops)}
    for name, offset in plan.scratch_offsets.items():
        stays.append(Stay(name, "scratch", offset, scratch[name], number[name], number[name]))
    for name, offset in plan.state_offsets.items():
        stays.append(Stay(name, "state", offset, graph.variables[name].tensor.size_bytes, 0, end))
    return tuple(sorted(stays, key=lambda stay: (stay.first, stay.offset, stay.name)))
