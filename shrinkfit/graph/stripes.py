# SPDX-License-Identifier: Apache-2.0
"""Neighbouring operators of a graph in, out: the same done stripe by stripe, a few rows of their last output at a time.

Each stripe reads the rows of the inputs that it needs, so of what lies between only a few rows have to be in memory.
Where windows of two stripes meet they need the same rows: these are computed again, or kept from stripe to stripe.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import prod

from shrinkfit.graph import ir

# Rows begin at whole words, as kernels load them; else they are copied.
WORD = 4
ELEMENTWISE = ("table", "requantize", "convert", "quantize", "dequantize", "softmax")
TWO_SIDED = ("add", "sub", "mul", "prelu")
WINDOWED = ("conv2d", "depthwise_conv2d", "pool2d", "pad")

Rows = tuple[int, int]


@dataclass(frozen=True)
class Cut:
    """How operators are cut.

    Args:
        first, last: their places in the graph's order, both included. Only what the last one makes is read behind it.
        rows: of the last one's output that a stripe makes; the last stripe may make fewer.
        keep: whether rows that two stripes need are kept, or else computed again.
    """

    first: int
    last: int
    rows: int
    keep: bool


@dataclass(frozen=True)
class Load:
    """What one stripe does.

    Args:
        needed: tensor inside -> the rows of it that are there.
        new: those of them that are computed; None for none.
        read: tensor from outside -> the rows that are read.
    """

    needed: dict[str, Rows]
    new: dict[str, Rows | None]
    read: dict[str, Rows]


class _NoStripe(Exception):
    """A stripe would need rows that are padding alone, or begin inside a word."""


def are_local(graph: ir.Graph, first: int, last: int) -> bool:
    """Whether rows of each of these operators' outputs depend on neighbouring rows of its inputs alone."""
    return all(_is_local(op, graph) for op in graph.ops[first : last + 1])


def can_cut(graph: ir.Graph, first: int, last: int) -> bool:
    """Whether `striped` takes these operators."""
    ops = graph.ops[first : last + 1]
    if not are_local(graph, first, last):
        return False
    made = {name for op in ops for name in op.outputs}
    # What all rows of an output meet is there before the first of them.
    if any(op.kind in TWO_SIDED and n in made and not _has_rows(n, op, graph) for op in ops for n in op.inputs):
        return False
    read = {name for op in graph.ops[last + 1 :] for name in op.inputs} | set(graph.outputs)
    inside = {name for op in ops for name in op.inputs}
    return made & read == set(ops[-1].outputs) and made - inside == set(ops[-1].outputs)


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
    if cut.rows >= height or cut.rows * _row_bytes(target) % WORD:
        return None
    work = _Work(graph, cut)
    try:
        pieces = [work.stripe((at, min(at + cut.rows, height))) for at in range(0, height, cut.rows)]
    except _NoStripe:
        return None
    name = work.free_name(f"{graph.ops[cut.last].name} rows")
    joined = ir.Concat(name=name, inputs=tuple(pieces), outputs=(target.name,), axis=1, in_place=True)
    ops = (*graph.ops[: cut.first], *work.ordered(), joined, *graph.ops[cut.last + 1 :])
    inside = {name for op in graph.ops[cut.first : cut.last] for name in op.outputs}
    tensors = {name: tensor for name, tensor in (graph.tensors | work.tensors).items() if name not in inside}
    return replace(graph, tensors=tensors, ops=ops)


def loads(graph: ir.Graph, cut: Cut) -> list[Load]:
    """What each stripe does, worked out from rows alone; empty where `striped` gives None."""
    region = graph.ops[cut.first : cut.last + 1]
    (target,) = graph.op_outputs(region[-1])
    height, found, done = target.shape[1], [], {}
    if cut.rows >= height or cut.rows * _row_bytes(target) % WORD:
        return []
    try:
        for at in range(0, height, cut.rows):
            found.append(_load(graph, region, (at, min(at + cut.rows, height)), done))
            done = {name: rows[1] for name, rows in found[-1].needed.items()} if cut.keep else {}
    except _NoStripe:
        return []
    return found


def _load(graph: ir.Graph, region: tuple[ir.Op, ...], rows: Rows, done: dict[str, int]) -> Load:
    """done: tensor -> how many of its first rows the stripes before have made and left."""
    made = {op.outputs[0] for op in region}
    load = Load({region[-1].outputs[0]: rows}, {}, {})
    for op in reversed(region):
        (name,) = op.outputs
        if name not in load.needed:
            continue
        first, end = load.needed[name]
        start = max(first, done.get(name, first))
        load.new[name] = (start, end) if start < end else None
        if start == end:
            continue
        for source in op.inputs:
            if source in made or not _is_whole(source, op, graph):
                low, high = _rows_read(graph, op, source, (start, end))
                rows_of = load.needed if source in made else load.read
                old = rows_of.get(source, (low, high))
                rows_of[source] = min(low, old[0]), max(high, old[1])
    return load


def _is_whole(name: str, op: ir.Op, graph: ir.Graph) -> bool:
    """Whether an operator reads all of an input for each row of its output."""
    return op.kind in TWO_SIDED and not _has_rows(name, op, graph)


def _rows_read(graph: ir.Graph, op: ir.Op, source: str, rows: Rows) -> Rows:
    """The rows of one of its inputs that an operator needs for rows of its output."""
    low, high = _reach(op, rows)
    low, high = max(low, 0), min(high, graph.tensors[source].shape[1])
    if low >= high:
        raise _NoStripe
    return low, high


def _reach(op: ir.Op, rows: Rows) -> Rows:
    """The same before padding is cut off."""
    if op.kind == "pad":
        return rows[0] - op.padding.top, rows[1] - op.padding.top
    if op.kind not in WINDOWED:
        return rows
    step, top, apart = op.stride[0], op.padding.top, getattr(op, "dilation", (1, 1))[0]
    return rows[0] * step - top, (rows[1] - 1) * step - top + (op.window[0] - 1) * apart + 1


def _row_bytes(tensor: ir.Tensor) -> int:
    return tensor.size_bytes // tensor.shape[1]


def _is_local(op: ir.Op, graph: ir.Graph) -> bool:
    """Whether rows of its output depend on neighbouring rows of its inputs alone."""
    shapes = [tensor.shape for tensor in (*graph.op_inputs(op), *graph.op_outputs(op))]
    if len(op.outputs) != 1 or len(shapes[-1]) != 4 or shapes[-1][0] != 1:
        return False
    if op.kind == "concat":
        return op.axis > 1 and not op.in_place and not set(op.inputs) & set(graph.constants)
    if op.kind in TWO_SIDED:
        return all(_has_rows(n, op, graph) or _is_repeated(graph.tensors[n].shape) for n in op.inputs)
    if op.kind == "pad":
        return op.padding is not None
    return op.kind in ELEMENTWISE + WINDOWED and len(shapes[0]) == 4 and op.inputs[0] not in graph.constants


def _has_rows(name: str, op: ir.Op, graph: ir.Graph) -> bool:
    shape, rows = graph.tensors[name].shape, graph.op_outputs(op)[0].shape[1]
    return name not in graph.constants and len(shape) == 4 and shape[:2] == (1, rows)


def _is_repeated(shape: tuple[int, ...]) -> bool:
    """Whether every row of an output meets all of it."""
    return prod(shape[:-2]) == 1


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
    # (stripe, place in it, operator): kept rows come right behind their last reader in the stripe before.
    ops: list[tuple[int, int, ir.Op]] = field(default_factory=list)
    before: dict[str, _Piece] = field(default_factory=dict)
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
        load = _load(self.graph, self.region, rows, done)
        pieces: dict[str, _Piece] = {}
        for place, op in enumerate(self.region):
            (name,) = op.outputs
            if name in load.needed:
                pieces[name] = self._piece(place, op, load.needed[name], load.new[name], pieces)
        self.before = pieces
        return pieces[self.region[-1].outputs[0]].name

    def _piece(self, place: int, op: ir.Op, rows: Rows, new: Rows | None, pieces: dict[str, _Piece]) -> _Piece:
        (name,) = op.outputs
        old = self.before.get(name)
        if new is None:
            return _Piece(self._rows(old.name, (rows[0] - old.rows[0], rows[1] - old.rows[0]), place, op), rows)
        if new == rows:
            return _Piece(self._run(place, op, new, pieces), rows)
        if (new[0] - rows[0]) * _row_bytes(self.graph.tensors[name]) % WORD:
            raise _NoStripe
        kept = self._kept(place, op, (rows[0] - old.rows[0], new[0] - old.rows[0]))
        made = self._run(place, op, new, pieces)
        whole = self._tensor(name, f"{name} {self.count} whole", rows[1] - rows[0])
        joined = self.free_name(f"{op.name} {self.count} whole")
        self._add(place, ir.Concat(name=joined, inputs=(kept, made), outputs=(whole,), axis=1, in_place=True))
        return _Piece(whole, rows)

    def _kept(self, place: int, op: ir.Op, rows: Rows) -> str:
        """A copy of rows of the stripe before: put aside as soon as that has done with them, so that the rest of them
        makes room, and put in front of the new rows when these are made."""
        (name,) = op.outputs
        before = self.count - 1
        aside = self._slice(self.before[name].name, rows, f"{op.name} {before} aside", False)
        self.ops.append((before, self.last_reader[name], aside))
        front = self._slice(aside.outputs[0], (0, rows[1] - rows[0]), f"{op.name} {self.count} front", False)
        return self._add(place, front)

    def _run(self, place: int, op: ir.Op, rows: Rows, pieces: dict[str, _Piece]) -> str:
        """The operator on the rows that make these rows of its output."""
        sources = []
        for source in op.inputs:
            if _is_whole(source, op, self.graph):
                sources.append(source)
                continue
            low, high = _rows_read(self.graph, op, source, rows)
            piece = pieces.get(source, _Piece(source, (0, 0)))
            sources.append(self._rows(piece.name, (low - piece.rows[0], high - piece.rows[0]), place, op))
        (name,) = op.outputs
        target = self._tensor(name, f"{name} {self.count}", rows[1] - rows[0])
        fields = {"name": self.free_name(f"{op.name} {self.count}"), "inputs": tuple(sources), "outputs": (target,)}
        return self._add(place, replace(op, **fields, **self._padding(op, rows)))

    def _padding(self, op: ir.Op, rows: Rows) -> dict:
        """What is left of the padding above and below."""
        if op.kind not in WINDOWED:
            return {}
        low, high = _reach(op, rows)
        height = self.graph.tensors[op.inputs[0]].shape[1]
        padding = replace(op.padding, top=max(-low, 0), bottom=max(high - height, 0))
        # A Pad's two descriptions are made from each other.
        return {"padding": padding, "paddings": ()} if op.kind == "pad" else {"padding": padding}

    def _rows(self, source: str, rows: Rows, place: int, reader: ir.Op) -> str:
        """Rows of a tensor for an operator: the tensor itself, bytes of it, or where these begin inside a word a copy."""
        tensor = self._known(source)
        if rows == (0, tensor.shape[1]):
            return source
        is_view = rows[0] * _row_bytes(tensor) % WORD == 0
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
