# SPDX-License-Identifier: Apache-2.0
"""An operator in, the arguments of the C calls that run it out, and which bytes each of them names.

A call is kernel(params, inputs, outputs, variables, scratch). An operator that joins or cuts tensors is one
call per piece. Constants lie in flash, everything else in the arena.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shrinkfit.graph import ir


@dataclass(frozen=True)
class Argument:
    """A tensor or variable that a call is given; written: whether the call changes it."""

    name: str
    is_variable: bool = False
    written: bool = False


def calls(op: ir.Op) -> tuple[tuple[Argument, ...], ...]:
    """The arguments of every call, without parameters and scratch."""
    inputs = tuple(Argument(name) for name in op.inputs)
    outputs = tuple(Argument(name, written=True) for name in op.outputs)
    variables = tuple(Argument(name, True, op.kind != "read_variable") for name in op.variables)
    if op.kind == "concat":
        return tuple((piece, *outputs) for piece in inputs)
    if op.kind == "split":
        return tuple((*inputs, piece) for piece in outputs)
    if op.kind == "read_variable":
        return ((*variables, *outputs),)
    return ((*inputs, *outputs, *variables),)


def roots(graph: ir.Graph) -> dict[str, str]:
    """Tensor name -> the tensor whose bytes it uses: its own, or a reshape's input's. Constants included."""
    found = {name: name for name in (*graph.inputs, *graph.constants)}
    for op in graph.ops:
        for name in op.outputs:
            found[name] = found[op.inputs[0]] if op.kind == "reshape" else name
    return found


def held_by_variables(graph: ir.Graph) -> dict[str, str]:
    """Root tensor -> variable, for what is read from a variable and used before that variable changes.

    Such a read costs nothing: its readers find the bytes where the variable lies.
    """
    root_of, held = roots(graph), {}
    for index, op in enumerate(graph.ops):
        if op.kind != "read_variable":
            continue
        (name,) = op.outputs
        last = max((i for i, reader in enumerate(graph.ops) if name in _roots_read(reader, root_of)), default=index)
        if name in {root_of[output] for output in graph.outputs}:
            last = len(graph.ops)
        changed = any(op.variable in _changed(other) for other in graph.ops[index + 1 : last + 1])
        if not changed:
            held[name] = op.variable
    return held


def _roots_read(op: ir.Op, root_of: dict[str, str]) -> set[str]:
    return {root_of[name] for name in op.inputs}


def _changed(op: ir.Op) -> tuple[str, ...]:
    return () if op.kind == "read_variable" else op.variables


def flash_tensors(graph: ir.Graph) -> dict[str, int]:
    """Constant -> bytes, for those that a call is given or that are an output of the model."""
    root_of = roots(graph)
    return {name: graph.tensors[name].size_bytes for name in graph.constants if name in _needed(graph, root_of)}


def _needed(graph: ir.Graph, root_of: dict[str, str]) -> set[str]:
    given = {a.name for op in graph.ops if op.kind != "reshape" for a in arguments(op) if not a.is_variable}
    return {root_of[name] for name in given | set(graph.outputs)}


def arguments(op: ir.Op) -> Iterator[Argument]:
    """Of all calls."""
    return (argument for call in calls(op) for argument in call)


def is_filled(variable: ir.Variable) -> bool:
    """Whether every byte of its initial values is the same, so that a reset needs no array."""
    data = variable.initial.tobytes()
    return data == data[:1] * len(data)
