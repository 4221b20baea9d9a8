# SPDX-License-Identifier: Apache-2.0
"""An integer graph in, how each of its tensors runs along time out, and which past rows each operator needs.

A model that looks at a window of frames is to be run once per call of a few new frames. A tensor's *rows* lie along
time; one row stands for `every` frames. Rows are numbered from the beginning of the stream, for every tensor as the
model itself numbers them in a window that begins there. Call t makes the rows t * n - delay to (t + 1) * n - delay - 1,
with n new rows a call: delay is how many rows a tensor is behind. From these numbers alone follows what each operator
has to remember.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from math import lcm, prod
from numbers import Integral

from shrinkfit.errors import ShrinkfitError, UnsupportedLayerError
from shrinkfit.graph import ir
from shrinkfit.graph.edit import readers
from shrinkfit.graph.time_rows import Need, Padded, Rows, Step, Timelines, Whole

LAST_AXIS = ("dense", "softmax")
PLANES = ("conv2d", "depthwise_conv2d", "pool2d")


def timelines(graph: ir.Graph, frames_per_call: int | None = None) -> Timelines:
    """Follow time through a graph.

    Args:
        graph: without state; axis 1 of its inputs is time (axis 2 where they are planes of height 1).
        frames_per_call: None for the fewest that the strides in time allow.
    Raises:
        UnsupportedLayerError: a layer mixes frames in a way that cannot be computed call by call; names it.
        ShrinkfitError: the graph has no time axis, or frames_per_call does not fit its strides.
    """
    frames = _frames(graph)
    if frames_per_call is not None and not 1 <= frames_per_call <= frames:
        raise ShrinkfitError(f"frames_per_call is {frames_per_call}, expected 1 to the model's {frames} frames")
    fewest = 1
    while True:
        try:
            per_call = frames_per_call or fewest
            found = _follow(graph, Timelines(frames, per_call, False))
            # Without padding, every window is like every other, and its end can be the call's.
            return found if found.padded else _follow(graph, Timelines(frames, per_call, True))
        except _TooFewFrames as error:
            if frames_per_call is not None:
                raise ShrinkfitError(
                    f"frames_per_call is {frames_per_call}, and layer '{error.layer}' goes {error.every} frames at a "
                    f"time; expected a multiple of {error.every}"
                ) from None
            fewest = lcm(fewest, error.every)


def checked_frames(frames_per_call: int | None) -> int | None:
    """What a caller gives as frames_per_call, before a model says how many frames it has; None means that it is free.

    Raises:
        ShrinkfitError: it is no whole number of at least 1.
    """
    if frames_per_call is None:
        return None
    if not isinstance(frames_per_call, Integral) or isinstance(frames_per_call, bool) or frames_per_call < 1:
        raise ShrinkfitError(f"frames_per_call is {frames_per_call!r}, expected a whole number of at least 1, or None")
    return int(frames_per_call)


class _TooFewFrames(Exception):
    """A stride does not divide the new rows of a call."""

    def __init__(self, layer: str, every: int) -> None:
        super().__init__(layer)
        self.layer, self.every = layer, every


def _frames(graph: ir.Graph) -> int:
    if graph.variables:
        raise ShrinkfitError(f"graph '{graph.name}' keeps state from run to run already; export it as it is")
    lengths = {name: graph.tensors[name].shape[time_axis(graph, name)] for name in graph.inputs}
    frames = set(lengths.values())
    if len(frames) != 1 or min(frames) < 2:
        raise ShrinkfitError(
            f"the inputs of '{graph.name}' have {', '.join(f'{n} frames ({name})' for name, n in lengths.items())} "
            "along axis 1, expected one number of 2 or more for all"
        )
    return frames.pop()


def time_axis(graph: ir.Graph, name: str) -> int:
    """Of an input: 1, or 2 where it is a plane of height 1."""
    shape = graph.tensors[name].shape
    if len(shape) < 2:
        raise ShrinkfitError(f"input '{name}' has shape {shape}, expected frames along axis 1")
    return 2 if len(shape) == 4 and shape[1] == 1 else 1


def _follow(graph: ir.Graph, found: Timelines) -> Timelines:
    for name in graph.inputs:
        found.of[name] = Rows(time_axis(graph, name), found.frames, 1, found.lead, 1)
    follower = _Follower(graph, found)
    for op in graph.ops:
        follower.follow(op)
    return found


class _Follower:
    """One pass over the operators."""

    def __init__(self, graph: ir.Graph, found: Timelines) -> None:
        self.graph, self.found = graph, found

    def follow(self, op: ir.Op) -> None:
        times = [self.found.of.get(name) for name in op.inputs]
        if not any(isinstance(time, Rows) for time in times):
            self._once(op, [time for time in times if isinstance(time, Whole)])
            return
        handler = _Follower.pointwise if op.pointwise else _HANDLERS.get(op.kind)
        if handler is None:
            raise self._refused(op, f"a {op.kind} that mixes frames")
        handler(self, op, times)

    def _refused(self, op: ir.Op, what: str) -> UnsupportedLayerError:
        return UnsupportedLayerError(
            f"layer '{op.name}' is {what}, which cannot be computed call by call; export the model without streaming, "
            "or change that layer"
        )

    def _once(self, op: ir.Op, times: list[Whole]) -> None:
        """Behind the last rows: as in the model itself."""
        if times:
            whole = Whole(*(max(getattr(time, name) for time in times) for name in ("age", "calls", "reach")))
            self.found.of |= dict.fromkeys(op.outputs, whole)
        self.found.steps.append(Step(op, (None,) * len(op.inputs)))

    def _made(
        self, op: ir.Op, rows: Rows, needs: Iterable[Need | None], padded: Padded | None = None, late: int = 0
    ) -> None:
        self.found.of |= dict.fromkeys(op.outputs, rows)
        self.found.steps.append(Step(op, tuple(needs)))
        if padded is not None and (padded.before or padded.after):
            self.found.padded.append(padded)
            self.found.warms_up |= padded.before > 0 and late > 0

    def _due(self, rows: Rows) -> tuple[Rows, Need | None]:
        """The rows without those that never come, and what is to be read for that."""
        if rows.delay >= 0:
            return rows, None
        return replace(rows, delay=0, fill=None), Need(-rows.delay, self.found.new_rows(rows), rows.fill)

    def _whole(self, op: ir.Op, rows: Rows, first: int = 0, count: int | None = None) -> None:
        """From all rows of a window, or count of them, which its input has to keep."""
        found, n = self.found, self.found.new_rows(rows)
        ahead, fill = min(rows.delay, 0), rows.fill
        rows = replace(rows, delay=max(rows.delay, 0))
        age = rows.every * (rows.delay + rows.length) - found.lead - found.frames
        reach = rows.reach + (rows.length - 1) * rows.every
        found.of |= dict.fromkeys(op.outputs, Whole(age, -(-(rows.delay + rows.length) // n), reach))
        found.steps.append(
            Step(op, (Need(rows.length - n - first - ahead, count or rows.length, fill),), count is None)
        )

    def pointwise(self, op: ir.Op, times: list) -> None:
        """Tensors of equal rows, and constants that are the same for each of them."""
        rank = len(self.graph.tensors[op.outputs[0]].shape)
        axes, streams = set(), []
        for name, time in zip(op.inputs, times, strict=True):
            shape = self.graph.tensors[name].shape
            if isinstance(time, Whole):
                raise self._refused(op, f"a {op.kind} of each frame and of what was made of the whole window")
            if isinstance(time, Rows):
                axes.add(time.axis + rank - len(shape))
                streams.append(time)
        (first, *_), axis = streams, axes.pop()
        if axes or any((time.length, time.every) != (first.length, first.every) for time in streams):
            raise self._refused(op, f"a {op.kind} of tensors that run along time differently")
        for name, time in zip(op.inputs, times, strict=True):
            shape = self.graph.tensors[name].shape
            place = axis - rank + len(shape)
            if time is None and place >= 0 and shape[place] != 1:
                raise self._refused(op, f"a {op.kind} with a constant of its own for each frame")
        self._joined(op, times, streams, axis)

    def _joined(self, op: ir.Op, times: list, streams: list[Rows], axis: int) -> None:
        """What is ahead waits for what is furthest behind."""
        delay, n = max(0, *(time.delay for time in streams)), self.found.new_rows(streams[0])
        needs = [
            None if time is None or time.delay == delay else Need(delay - time.delay, n, time.fill) for time in times
        ]
        reach = max(time.reach for time in streams)
        self._made(op, replace(streams[0], axis=axis, delay=delay, reach=reach, fill=None), needs)

    def last_axis(self, op: ir.Op, times: list) -> None:
        (rows,) = times
        if rows.axis != len(self.graph.tensors[op.inputs[0]].shape) - 1:
            rows, need = self._due(rows)
            self._made(op, rows, (need,))
        elif op.kind == "dense":
            self._whole(op, rows)
        else:
            raise self._refused(op, f"a {op.kind} over time")

    def concat(self, op: ir.Concat, times: list) -> None:
        streams = [time for time in times if isinstance(time, Rows)]
        kinds = {(time.axis, time.length, time.every) for time in streams}
        if len(streams) != len(times) or len(kinds) != 1 or streams[0].axis == op.axis:
            raise self._refused(op, "a concat along time, or of tensors that run along time differently")
        self._joined(op, times, streams, streams[0].axis)

    def split(self, op: ir.Split, times: list) -> None:
        if times[0].axis == op.axis:
            raise self._refused(op, "a split along time")
        rows, need = self._due(times[0])
        self._made(op, rows, (need,))

    def plane(self, op: ir.Conv2D | ir.DepthwiseConv2D | ir.Pool2D, times: list) -> None:
        (rows,), out = times, self.graph.tensors[op.outputs[0]].shape
        if rows.axis not in (1, 2) or out[rows.axis] == 1:
            self._whole(op, rows)
            return
        place = rows.axis - 1
        edges = ("top", "bottom") if place == 0 else ("left", "right")
        dilation = getattr(op, "dilation", (1, 1))[place]
        taps = (op.window[place] - 1) * dilation + 1
        before = getattr(op.padding, edges[0])
        bare = replace(op, padding=replace(op.padding, **dict.fromkeys(edges, 0)))
        initial = ir.INT8_MIN if isinstance(op, ir.Pool2D) and op.mode == "max" else None
        self._windowed(bare, rows, out[rows.axis], (taps, op.stride[place], before), initial)

    def _windowed(self, op: ir.Op, rows: Rows, length: int, window: tuple[int, int, int], initial: int | None) -> None:
        """Output row j reads `taps` input rows from j * stride - before on.

        Args:
            op: with no padding of its own along time.
            rows: its input's.
            length: of the output in the model's window.
            window: taps, stride, before.
            initial: what rows before the stream hold.
        """
        found, (taps, stride, before) = self.found, window
        if rows.fill is not None:
            zero = self.graph.tensors[op.inputs[0]].zero_point
            if before > 0 and rows.fill != zero:
                raise self._refused(op, f"a {op.kind} that pads behind a padding with another value")
            initial = rows.fill
        every, n = rows.every * stride, found.new_rows(rows)
        if found.frames_per_call % every:
            raise _TooFewFrames(op.name, every)
        if found.aligned:
            delay = found.calls * found.frames_per_call // every - length
        else:
            delay = max(0, -(-(taps - before - stride + rows.delay) // stride))
        past = stride * delay + before - rows.delay
        least = n - stride + taps
        # All that lie behind the first one, so that they need not be cut out, unless that made more outputs.
        count = past + n if past + n < least + stride else least
        after = max((length - 1) * stride + taps - before - rows.length, 0) * rows.every
        averaged = isinstance(op, ir.Pool2D) and op.mode == "average"
        padded = Padded(op.name, max(before, 0) * rows.every, after, averaged)
        made = Rows(rows.axis, length, every, delay, rows.reach + (taps - 1) * rows.every)
        need = None if (past, count) == (0, n) else Need(past, count, initial)
        self._made(op, made, (need,), padded, rows.delay)

    def pad(self, op: ir.Pad, times: list) -> None:
        (rows,) = times
        before, _ = op.paddings[rows.axis]
        rest = (*op.paddings[: rows.axis], (0, 0), *op.paddings[rows.axis + 1 :])
        bare = replace(op, padding=None, paddings=rest) if any(map(any, rest)) else self._passed(op, rows)
        target = self.graph.tensors[op.outputs[0]]
        fill = target.zero_point if op.value is None else op.value
        if rows.fill not in (None, fill):
            raise self._refused(op, "a padding around a padding with another value")
        delay, length = rows.delay - before, target.shape[rows.axis]
        made = replace(rows, length=length, delay=delay, fill=fill if delay < 0 else None)
        padded = Padded(op.name, before * rows.every, op.paddings[rows.axis][1] * rows.every)
        self._made(bare, made, (None,), padded, rows.delay)

    def _passed(self, op: ir.Op, rows: Rows) -> ir.Reshape:
        """Instead of an operator that only chose rows: what a call makes of the output."""
        shape = list(self.graph.tensors[op.outputs[0]].shape)
        shape[rows.axis] = self.found.new_rows(rows)
        return ir.Reshape(name=op.name, inputs=op.inputs, outputs=op.outputs, shape=tuple(shape))

    def strided_slice(self, op: ir.StridedSlice, times: list) -> None:
        (rows,), axis = times, times[0].axis
        begin, size, stride = op.begin[axis], op.size[axis], op.stride[axis]
        if size == 1:
            self._whole(replace(op, begin=(*op.begin[:axis], 0, *op.begin[axis + 1 :])), rows, begin, 1)
            return
        if stride < 0:
            raise self._refused(op, "a slice that turns time around")
        n = self.found.frames_per_call // (rows.every * stride)
        changed = {"begin": 0, "size": n, "stride": stride}
        changed = {
            name: (*getattr(op, name)[:axis], value, *getattr(op, name)[axis + 1 :]) for name, value in changed.items()
        }
        source = self.graph.tensors[op.inputs[0]].shape
        others = [i for i in range(len(source)) if i != axis]
        only_time = stride == 1 and all((op.size[i], op.stride[i]) == (source[i], 1) for i in others)
        bare = self._passed(op, rows) if only_time else replace(op, **changed)
        if stride == 1 and not self.found.aligned:
            # Other numbers for the same rows.
            delay = rows.delay + begin
            self._made(bare, replace(rows, length=size, delay=delay, fill=rows.fill if delay < 0 else None), (None,))
            return
        self._windowed(bare, rows, size, (1, stride, -begin), None)

    def reduction(self, op: ir.Reduction, times: list) -> None:
        (rows,) = times
        if rows.axis in op.axes:
            self._whole(op, rows)
            return
        rows, need = self._due(rows)
        gone = 0 if op.keep_dims else sum(axis < rows.axis for axis in op.axes)
        self._made(op, replace(rows, axis=rows.axis - gone), (need,))

    def reshape(self, op: ir.Reshape, times: list) -> None:
        """Time stays an axis where as many values lie before it, or the window has to be whole."""
        (rows,), source = times, self.graph.tensors[op.inputs[0]].shape
        before = prod(source[: rows.axis])
        places = [i for i, n in enumerate(op.shape) if n == rows.length and prod(op.shape[:i]) == before]
        if not places:
            self._whole(op, rows)
            return
        shape = list(op.shape)
        shape[places[0]] = self.found.new_rows(rows)
        self._made(replace(op, shape=tuple(shape)), replace(rows, axis=places[0]), (None,))

    def transpose(self, op: ir.Transpose, times: list) -> None:
        self._made(op, replace(times[0], axis=op.permutation.index(times[0].axis)), (None,))

    def tile(self, op: ir.Tile, times: list) -> None:
        if op.multiples[times[0].axis] != 1:
            raise self._refused(op, "a tile that repeats frames")
        self._made(op, times[0], (None,))


_HANDLERS: dict[str, Callable] = (
    dict.fromkeys(LAST_AXIS, _Follower.last_axis)
    | dict.fromkeys(PLANES, _Follower.plane)
    | dict.fromkeys(("mean", "reduce_max"), _Follower.reduction)
    | {
        "concat": _Follower.concat,
        "split": _Follower.split,
        "pad": _Follower.pad,
        "strided_slice": _Follower.strided_slice,
        "reshape": _Follower.reshape,
        "transpose": _Follower.transpose,
        "tile": _Follower.tile,
    }
)


def flat_inputs(graph: ir.Graph) -> ir.Graph:
    """The graph with inputs in the shape in which time is an axis: [1, 490] that a reshape makes [1, 49, 10, 1] of."""
    users = readers(graph)
    for name in graph.inputs:
        first, *others = users[name] or (None,)
        if first is None or others or first.kind != "reshape" or len(graph.tensors[name].shape) != 2:
            continue
        target = graph.tensors[first.outputs[0]]
        if len(target.shape) > 2 and target.shape[0] == 1 and target.name not in graph.outputs:
            graph = _reshaped_input(graph, name, first)
    return graph


def _reshaped_input(graph: ir.Graph, name: str, gone: ir.Op) -> ir.Graph:
    inner = gone.outputs[0]
    tensors = {k: v for k, v in graph.tensors.items() if k != inner}
    tensors[name] = replace(graph.tensors[name], shape=graph.tensors[inner].shape)
    ops = tuple(
        replace(op, inputs=tuple(name if i == inner else i for i in op.inputs)) for op in graph.ops if op is not gone
    )
    return replace(graph, tensors=tensors, ops=ops)
