# SPDX-License-Identifier: Apache-2.0
"""A graph in, which operator writes and reads which bytes of a buffer out, and how far one buffer may lie over another.

A buffer may have several writers and readers, each of other bytes of it: rows of an image, of which some have been
read for the last time when the first rows of an output are written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from shrinkfit.graph.ir import Graph, Op
from shrinkfit.graph.memo import by_tensors
from shrinkfit.price.calls import View, is_free
from shrinkfit.price.overlap import NONE, Overlap, combined, overlap


@dataclass(frozen=True)
class Use:
    """Bytes from start to end of a root, which the operator at an index reads or writes."""

    index: int
    start: int
    end: int


@dataclass
class Root:
    """The uses of one root, in the order of the operators.

    The model's inputs are written at -1; its outputs are read at the number of operators.
    """

    name: str
    writes: list[Use] = field(default_factory=list)
    reads: list[Use] = field(default_factory=list)

    @property
    def first(self) -> int:
        """The operator that writes it first."""
        return min(use.index for use in self.writes)

    @property
    def last(self) -> int:
        """The last operator that reads or writes it."""
        return max(use.index for use in (*self.writes, *self.reads))

    @property
    def has_parts(self) -> bool:
        """Whether anybody reads or writes less than all of it."""
        return len({(use.start, use.end) for use in (*self.writes, *self.reads)}) > 1 or len(self.writes) > 1

    def needed_from(self, index: int) -> int | None:
        """The first byte that is read behind the operator at an index, or written by it or later."""
        starts = [use.start for use in self.reads if use.index > index]
        return min(starts + [use.start for use in self.writes if use.index >= index], default=None)


def roots_in_use(graph: Graph, where: dict[str, View], names: set[str]) -> dict[str, Root]:
    """Root -> its uses.

    Args:
        where: the graph's `views`.
        names: roots to look at.
    """
    found = {name: Root(name) for name in sorted(names)}

    def use(name: str, index: int, is_written: bool) -> None:
        view = where[name]
        if view.root in found:
            root = found[view.root]
            made = Use(index, view.offset, view.offset + graph.tensors[name].size_bytes)
            (root.writes if is_written else root.reads).append(made)

    for name in graph.inputs:
        use(name, -1, True)
    for index, op in enumerate(graph.ops):
        if not is_free(op):
            for name in op.inputs:
                use(name, index, False)
            for name in op.outputs:
                use(name, index, True)
    for name in graph.outputs:
        use(name, len(graph.ops), False)
    return found


def pairs(graph: Graph, where: dict[str, View], roots: dict[str, Root]) -> Iterator[tuple[Root, Root, Overlap]]:
    """(a, b, how far b may lie over a), for all that may while both live."""
    writers = {name: {use.index for use in root.writes if use.index >= 0} for name, root in roots.items()}
    parts = [root for root in roots.values() if root.has_parts]
    for b in roots.values():
        if min(use.index for use in b.writes) < 0:
            continue
        read = {where[name].root for index in writers[b.name] for name in graph.ops[index].inputs}
        others = roots.values() if b.has_parts else [*(roots[name] for name in read if name in roots), *parts]
        for a in {other.name: other for other in others}.values():
            if a is not b and a.first <= b.last and a.last >= b.first:
                rule = _rule(graph, where, a, b)
                if rule.allowed:
                    yield a, b, rule


def last_uses(graph: Graph, where: dict[str, View], roots: dict[str, Root]) -> Iterator[tuple[str, str, int]]:
    """(a, b, index): the operator that makes b is the last that reads a. Where no root has parts these are all that may
    overlap, and the operators' tensors alone say how far: `given_up`."""
    for b in roots.values():
        index = b.first
        if index >= 0 and len(graph.ops[index].outputs) == 1:
            for name in dict.fromkeys(where[read].root for read in graph.ops[index].inputs):
                if name in roots and roots[name].last == index:
                    yield name, b.name, index


@by_tensors
def given_up(op: Op, graph: Graph, index: int, positions: tuple[int, ...]) -> Overlap:
    """How far an operator's output may lie over an input that nothing reads later, where both are whole.

    Args:
        op: at this index of the graph's.
        graph: gives the tensors.
        positions: which of op.inputs lie in that input's bytes.
    """
    (source, target) = (graph.tensors[name] for name in (op.inputs[positions[0]], op.outputs[0]))
    a, b = Root(source.name), Root(target.name)
    a.writes.append(Use(-1, 0, source.size_bytes))
    a.reads.append(Use(index, 0, source.size_bytes))
    b.writes.append(Use(index, 0, target.size_bytes))
    where = {name: View(a.name if i in positions else name) for i, name in enumerate(op.inputs)}
    return _rule(graph, where, a, b)


def _rule(graph: Graph, where: dict[str, View], a: Root, b: Root) -> Overlap:
    size, distance, reason = max(use.end for use in b.writes), 0, "nothing of it is needed any more"
    for use in b.writes:
        needed = a.needed_from(use.index)
        distance = max(distance, 0 if needed is None else use.end - needed)
        at_once = _while_running(graph.ops[use.index], graph, where, a, use)
        if at_once.in_place:
            # All of both, and nothing else.
            if needed is None and len(b.writes) == 1 and not a.has_parts:
                return at_once
            at_once = Overlap(use.end, False, at_once.reason)
        distance, reason = max(distance, at_once.distance or 0), at_once.reason or reason
    return Overlap(distance, False, reason) if distance < size else NONE


def _while_running(op: Op, graph: Graph, where: dict[str, View], a: Root, written: Use) -> Overlap:
    """What holds for an operator that reads a and writes b."""
    positions = [i for i, name in enumerate(op.inputs) if where[name].root == a.name]
    if not positions:
        return Overlap(0, False, "")
    starts = [where[op.inputs[i]].offset for i in positions]
    rules = [overlap(op, graph, i) if len(op.outputs) == 1 else NONE for i in positions]
    whole = combined(rules)
    if whole.in_place and written.start == 0 and not any(starts):
        return whole
    shifted = [_shifted(rule, start, written) for rule, start in zip(rules, starts, strict=True)]
    return max(shifted, key=lambda rule: rule.distance or 0)


def _shifted(rule: Overlap, start: int, written: Use) -> Overlap:
    """Between the roots, of which the operator reads and writes bytes from some offset on."""
    if rule.distance is None:
        return Overlap(written.end - start, False, rule.reason)
    return Overlap(rule.distance + written.start - start, False, rule.reason)
