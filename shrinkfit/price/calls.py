# SPDX-License-Identifier: Apache-2.0
"""An operator in, the arguments of the C calls that run it out, and which bytes each of them names.

A call is kernel(params, inputs, outputs, variables, scratch). An operator that joins or cuts tensors is one
call per piece. Constants lie in flash, everything else in the arena.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from math import prod

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


def is_free(op: ir.Op) -> bool:
    """Whether an operator only gives bytes another name: no call runs it."""
    return op.kind == "reshape" or getattr(op, "in_place", False)


def is_cut(graph: ir.Graph) -> bool:
    """Whether layers run in stripes, with many calls and tensors in parts of others."""
    return any(getattr(op, "in_place", False) for op in graph.ops if op.kind != "reshape")


@dataclass(frozen=True)
class View:
    """Where a tensor lies: in the bytes of a root, from an offset on."""

    root: str
    offset: int = 0


def views(graph: ir.Graph) -> dict[str, View]:
    """Tensor name -> whose bytes it uses: its own, a reshape's or an in-place slice's input's, an in-place
    concatenation's output's. Constants included.

    Raises:
        GraphError: an in-place concatenation reads what lies elsewhere already.
    """
    parents: dict[str, View] = {}
    for op in graph.ops:
        if isinstance(op, ir.Reshape):
            parents[op.outputs[0]] = View(op.inputs[0])
        elif isinstance(op, ir.StridedSlice) and op.in_place:
            parents[op.outputs[0]] = View(op.inputs[0], _slice_start(op, graph))
        elif isinstance(op, ir.Concat) and op.in_place:
            parents |= _pieces(op, graph, parents)
    found: dict[str, View] = {}
    for name in graph.tensors:
        root, offset = name, 0
        while root in parents:
            root, offset = parents[root].root, offset + parents[root].offset
        found[name] = View(root, offset)
    return found


def _slice_start(op: ir.StridedSlice, graph: ir.Graph) -> int:
    source = graph.tensors[op.inputs[0]]
    item = source.size_bytes // prod(source.shape)
    return item * sum(begin * prod(source.shape[i + 1 :]) for i, begin in enumerate(op.begin))


def _pieces(op: ir.Concat, graph: ir.Graph, parents: dict[str, View]) -> dict[str, View]:
    taken = [name for name in op.inputs if name in parents or name in graph.inputs or name in graph.constants]
    ir.require(not taken and len(set(op.inputs)) == len(op.inputs), f"{op.where}: {taken or op.inputs} lie elsewhere")
    starts = accumulate((graph.tensors[name].size_bytes for name in op.inputs), initial=0)
    return {name: View(op.outputs[0], start) for name, start in zip(op.inputs, starts, strict=False)}


def roots(graph: ir.Graph) -> dict[str, str]:
    """Tensor name -> the tensor whose bytes it uses. Constants included."""
    return {name: view.root for name, view in views(graph).items()}


def held_by_variables(graph: ir.Graph) -> dict[str, str]:
    """Root tensor -> variable, for what is read from a variable and used before that variable changes.

    Such a read costs nothing: its readers find the bytes where the variable lies.
    """
    root_of, held = roots(graph), {}
    for index, op in enumerate(graph.ops):
        if not isinstance(op, ir.ReadVariable):
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
    given = {a.name for op in graph.ops if not is_free(op) for a in arguments(op) if not a.is_variable}
    return {root_of[name] for name in given | set(graph.outputs)}


def arguments(op: ir.Op) -> Iterator[Argument]:
    """Of all calls."""
    return (argument for call in calls(op) for argument in call)


def is_filled(variable: ir.Variable) -> bool:
    """Whether every byte of its initial values is the same, so that a reset needs no array."""
    data = variable.initial.tobytes()
    return data == data[:1] * len(data)
