# SPDX-License-Identifier: Apache-2.0
"""Neighbouring operators of a graph in, out: the same done stripe by stripe, a few rows of their last output at a time.

Each stripe reads the rows of the inputs that it needs, so of what lies between only a few rows have to be in memory.
The rows of the inputs are read, and those of the output written, where they lie.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from shrinkfit.graph import ir
from shrinkfit.graph.rows import WORD, Cut, NoStripe, Rows, is_whole, load_of, reach, row_bytes, rows_read


def striped(graph: ir.Graph, cut: Cut) -> ir.Graph | None:
    """The graph with its operators cut; every tensor that is left has the same bits.

    Args:
        graph: stays as it is.
        cut: operators that `can_cut`.
    Returns:
        None where these rows cannot be had, as where windows see padding alone.
    """
    (target,) = graph.op_outputs(graph.ops[cut.last])
    height = target.shape[1]
    if cut.rows >= height or cut.rows * row_bytes(target) % WORD:
        return None
    work = _Work(graph, cut)
    try:
        pieces = [work.stripe((at, min(at + cut.rows, height))) for at in range(0, height, cut.rows)]
    except NoStripe:
        return None
    name = work.free_name(f"{graph.ops[cut.last].name} rows")
    joined = ir.Concat(name=name, inputs=tuple(pieces), outputs=(target.name,), axis=1, in_place=True)
    ops = (*graph.ops[: cut.first], *work.ordered(), joined, *graph.ops[cut.last + 1 :])
    inside = {name for op in graph.ops[cut.first : cut.last] for name in op.outputs}
    tensors = {name: tensor for name, tensor in (graph.tensors | work.tensors).items() if name not in inside}
    return replace(graph, tensors=tensors, ops=ops)


@dataclass
class _Piece:
    """Rows of a tensor inside, as one stripe has them."""

    name: str
    rows: Rows


@dataclass
class _Work:
    """What has been cut so far."""

    graph: ir.Graph
    cut: Cut
    tensors: dict[str, ir.Tensor] = field(default_factory=dict)
    # (stripe, place in it, operator)
    ops: list[tuple[int, float, ir.Op]] = field(default_factory=list)
    before: dict[str, _Piece] = field(default_factory=dict)
    new_before: dict[str, Rows | None] = field(default_factory=dict)
    count: int = 0

    def __post_init__(self) -> None:
        self.region = self.graph.ops[self.cut.first : self.cut.last + 1]
        self.made = {op.outputs[0] for op in self.region}
        self.last_reader = {name: i for i, op in enumerate(self.region) for name in op.inputs}
        self.taken = {op.name for op in self.graph.ops} | set(self.graph.tensors)

    def free_name(self, name: str) -> str:
        while name in self.taken:
            name += "'"
        self.taken.add(name)
        return name

    def ordered(self) -> Iterator[ir.Op]:
        return (op for _, _, op in sorted(self.ops, key=lambda entry: entry[:2]))

    def stripe(self, rows: Rows) -> str:
        """The name of these rows of the last output."""
        self.count += 1
        done = {name: piece.rows[1] for name, piece in self.before.items()} if self.cut.keep else {}
        load = load_of(self.graph, self.region, rows, done)
        pieces: dict[str, _Piece] = {}
        for place, op in enumerate(self.region):
            (name,) = op.outputs
            if name in load.needed:
                pieces[name] = self._piece(place, op, load.needed[name], load.new[name], pieces)
        self.before, self.new_before = pieces, load.new
        return pieces[self.region[-1].outputs[0]].name

    def _piece(self, place: int, op: ir.Op, rows: Rows, new: Rows | None, pieces: dict[str, _Piece]) -> _Piece:
        (name,) = op.outputs
        if new == rows:
            return _Piece(self._run(place, op, new, pieces), rows)
        old = self.before[name]
        if new is None:
            return _Piece(self._rows(old.name, (rows[0] - old.rows[0], rows[1] - old.rows[0]), place, op), rows)
        if (new[0] - rows[0]) * row_bytes(self.graph.tensors[name]) % WORD:
            raise NoStripe
        kept = self._kept(place, op, (rows[0] - old.rows[0], new[0] - old.rows[0]))
        made = self._run(place, op, new, pieces)
        whole = self._tensor(name, f"{name} {self.count} whole", rows[1] - rows[0])
        joined = self.free_name(f"{op.name} {self.count} whole")
        self._add(place, ir.Concat(name=joined, inputs=(kept, made), outputs=(whole,), axis=1, in_place=True))
        return _Piece(whole, rows)

    def _kept(self, place: int, op: ir.Op, rows: Rows) -> str:
        """A copy of rows of the stripe before: put aside when that has done with them, so that the rest of them makes
        room, and put in front of the new rows when these are made."""
        (name,) = op.outputs
        before = self.count - 1
        aside = self._slice(self.before[name].name, rows, f"{op.name} {before} aside", False)
        self.ops.append((before, self._time_to_copy(name, rows), aside))
        front = self._slice(aside.outputs[0], (0, rows[1] - rows[0]), f"{op.name} {self.count} front", False)
        return self._add(place, front)

    def _time_to_copy(self, name: str, rows: Rows) -> float:
        """Behind the last reader, or before it where the cut wants that and the copy is smaller than what it makes."""
        place = self.last_reader[name]
        if not self.cut.early:
            return place
        (made,) = self.region[place].outputs
        low, high = self.new_before.get(made) or (0, 0)
        copied = (rows[1] - rows[0]) * row_bytes(self.graph.tensors[name])
        return place - 0.5 if copied < (high - low) * row_bytes(self.graph.tensors[made]) else place

    def _run(self, place: int, op: ir.Op, rows: Rows, pieces: dict[str, _Piece]) -> str:
        """The operator on the rows that make these rows of its output."""
        sources = []
        for source in op.inputs:
            if is_whole(source, op, self.graph):
                sources.append(source)
                continue
            low, high = rows_read(self.graph, op, source, rows)
            piece = pieces.get(source, _Piece(source, (0, 0)))
            sources.append(self._rows(piece.name, (low - piece.rows[0], high - piece.rows[0]), place, op))
        (name,) = op.outputs
        target = self._tensor(name, f"{name} {self.count}", rows[1] - rows[0])
        called = self.free_name(f"{op.name} {self.count}")
        return self._add(
            place, replace(self._with_padding(op, rows), name=called, inputs=tuple(sources), outputs=(target,))
        )

    def _with_padding(self, op: ir.Op, rows: Rows) -> ir.Op:
        """With what is left of the padding above and below."""
        if not isinstance(op, ir.Conv2D | ir.DepthwiseConv2D | ir.Pool2D | ir.Pad) or op.padding is None:
            return op
        low, high = reach(op, rows)
        height = self.graph.tensors[op.inputs[0]].shape[1]
        padding = replace(op.padding, top=max(-low, 0), bottom=max(high - height, 0))
        if isinstance(op, ir.Pad):
            # Its two descriptions are made from each other.
            return replace(op, padding=padding, paddings=())
        return replace(op, padding=padding)

    def _rows(self, source: str, rows: Rows, place: int, reader: ir.Op) -> str:
        """Rows of a tensor for an operator: itself, bytes of it, or a copy where these begin inside a word."""
        tensor = self._known(source)
        if rows == (0, tensor.shape[1]):
            return source
        is_view = rows[0] * row_bytes(tensor) % WORD == 0
        return self._add(place, self._slice(source, rows, f"{reader.name} {self.count} rows", is_view))

    def _slice(self, source: str, rows: Rows, name: str, is_view: bool) -> ir.StridedSlice:
        tensor = self._known(source)
        target = self._tensor(source, f"{source} for {self.count}", rows[1] - rows[0])
        return ir.StridedSlice(
            name=self.free_name(name),
            inputs=(source,),
            outputs=(target,),
            begin=(0, rows[0], 0, 0),
            size=(1, rows[1] - rows[0], *tensor.shape[2:]),
            stride=(1, 1, 1, 1),
            in_place=is_view,
        )

    def _known(self, name: str) -> ir.Tensor:
        return self.tensors.get(name) or self.graph.tensors[name]

    def _tensor(self, like: str, name: str, rows: int) -> str:
        tensor = self._known(like)
        name, (batch, _, *rest) = self.free_name(name), tensor.shape
        self.tensors[name] = replace(tensor, name=name, shape=(batch, rows, *rest))
        return name

    def _add(self, place: int, op: ir.Op) -> str:
        self.ops.append((self.count, place, op))
        return op.outputs[0]
