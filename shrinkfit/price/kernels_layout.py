# SPDX-License-Identifier: Apache-2.0
"""Operators that move bytes: where each value comes from and goes to, and the kernels that move them.

All of them are strided copies, so one kernel serves them: sf_copy; pad fills before it copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from typing import TypeAlias

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.base import OpOfKind
from shrinkfit.price.calls import is_filled
from shrinkfit.price.kernel import Kernel, KernelOf, supported, word

SOURCES = ("sf_layout.c",)
# sf_copy keeps a counter for each.
MAX_AXES = 8
# sizeof in shrinkfit.h, on a 32-bit core.
STRUCT_BYTES = {"sf_copy_params": 20, "sf_pad_params": 28}
AXIS_BYTES = 12

Tensors: TypeAlias = tuple[ir.Tensor, ...]


@dataclass(frozen=True)
class Copy:
    """Runs of bytes, and the axes along which they repeat.

    Args:
        in_start, out_start: bytes to the first run.
        run: bytes that lie together in both.
        axes: (count, in_step, out_step) in bytes, outermost first.
    """

    in_start: int
    out_start: int
    run: int
    axes: tuple[tuple[int, int, int], ...]

    @property
    def data_bytes(self) -> int:
        return AXIS_BYTES * len(self.axes)


def merged(item: int, in_start: int, out_start: int, axes: Iterable[tuple[int, int, int]]) -> Copy:
    """The same copy with as few axes as possible; item: bytes of one value."""
    kept: list[tuple[int, int, int]] = []
    for count, in_step, out_step in (axis for axis in axes if axis[0] != 1):
        if kept and kept[-1][1:] == (count * in_step, count * out_step):
            count *= kept.pop()[0]
        kept.append((count, in_step, out_step))
    if kept and kept[-1][1:] == (item, item):
        item *= kept.pop()[0]
    return Copy(in_start, out_start, item, tuple(kept))


def _steps(shape: tuple[int, ...], item: int) -> tuple[int, ...]:
    """Bytes from one value to the next along each axis."""
    return tuple(item * prod(shape[i + 1 :]) for i in range(len(shape)))


def _item(tensor: ir.Tensor) -> int:
    return np.dtype(tensor.dtype).itemsize


def _piece_starts(sizes: Iterable[int]) -> tuple[int, ...]:
    return (0, *accumulate(sizes))[:-1]


def _concat(op: ir.Concat, sources: Tensors, targets: Tensors) -> tuple[Copy, ...]:
    item, out = _item(targets[0]), _steps(targets[0].shape, _item(targets[0]))
    starts = _piece_starts(t.shape[op.axis] for t in sources)
    return tuple(
        merged(item, 0, start * out[op.axis], zip(t.shape, _steps(t.shape, item), out, strict=True))
        for t, start in zip(sources, starts, strict=True)
    )


def _split(op: ir.Split, sources: Tensors, targets: Tensors) -> tuple[Copy, ...]:
    item, steps = _item(sources[0]), _steps(sources[0].shape, _item(sources[0]))
    return tuple(
        merged(item, start * steps[op.axis], 0, zip(t.shape, steps, _steps(t.shape, item), strict=True))
        for t, start in zip(targets, _piece_starts(op.sizes), strict=True)
    )


def _strided_slice(op: ir.StridedSlice, sources: Tensors, targets: Tensors) -> tuple[Copy, ...]:
    item, steps = _item(sources[0]), _steps(sources[0].shape, _item(sources[0]))
    start = sum(begin * step for begin, step in zip(op.begin, steps, strict=True))
    in_steps = (stride * step for stride, step in zip(op.stride, steps, strict=True))
    return (merged(item, start, 0, zip(op.size, in_steps, _steps(op.size, item), strict=True)),)


def _transpose(op: ir.Transpose, sources: Tensors, targets: Tensors) -> tuple[Copy, ...]:
    item, steps = _item(sources[0]), _steps(sources[0].shape, _item(sources[0]))
    in_steps = (steps[axis] for axis in op.permutation)
    shape = targets[0].shape
    return (merged(item, 0, 0, zip(shape, in_steps, _steps(shape, item), strict=True)),)


def _tile(op: ir.Tile, sources: Tensors, targets: Tensors) -> tuple[Copy, ...]:
    item, shape = _item(sources[0]), sources[0].shape
    axes = []
    for count, n, step, out in zip(
        op.multiples, shape, _steps(shape, item), _steps(targets[0].shape, item), strict=True
    ):
        axes += [(count, 0, n * out), (n, step, out)]
    return (merged(item, 0, 0, axes),)


def _pad(op: ir.Pad, sources: Tensors, targets: Tensors) -> tuple[Copy, ...]:
    shape, out = sources[0].shape, _steps(targets[0].shape, 1)
    start = sum(before * step for (before, _), step in zip(op.paddings, out, strict=True))
    return (merged(1, 0, start, zip(shape, _steps(shape, 1), out, strict=True)),)


def _whole(op: ir.Op, sources: Tensors, targets: Tensors) -> tuple[Copy, ...]:
    return (Copy(0, 0, (*sources, *targets)[0].size_bytes, ()),)


_COPIES: dict[str, Callable[[OpOfKind, Tensors, Tensors], tuple[Copy, ...]]] = {
    "concat": _concat,
    "split": _split,
    "strided_slice": _strided_slice,
    "transpose": _transpose,
    "tile": _tile,
    "pad": _pad,
    "read_variable": _whole,
    "assign_variable": _whole,
}


def copies(op: ir.Op, graph: ir.Graph) -> tuple[Copy, ...]:
    """What an operator moves, one copy per call.

    Raises:
        UnsupportedLayerError: more axes than the kernel counts.
    """
    found = _COPIES[op.kind](op, graph.op_inputs(op), graph.op_outputs(op))
    worst = max(len(copy.axes) for copy in found)
    supported(worst <= MAX_AXES, f"{op.where} moves along {worst} axes; the C runtime takes up to {MAX_AXES}")
    return found


def _kernel(op: ir.Op, graph: ir.Graph, dsp: bool) -> Kernel:
    name, params = ("sf_pad_s8", "sf_pad_params") if op.kind == "pad" else ("sf_copy", "sf_copy_params")
    data = sum(copy.data_bytes + word(STRUCT_BYTES[params]) for copy in copies(op, graph))
    return Kernel(name, name, params, SOURCES, False, 0, data)


KERNELS: dict[str, KernelOf] = dict.fromkeys(_COPIES, _kernel)


def reset_symbols(graph: ir.Graph) -> tuple[str, ...]:
    """The functions that NAME_reset calls."""
    filled = [is_filled(variable) for variable in graph.variables.values()]
    return (("sf_fill",) if any(filled) else ()) + (("sf_copy",) if not all(filled) else ())


def reset_data_bytes(graph: ir.Graph) -> int:
    """Flash for initial values that differ from each other."""
    sizes = (v.tensor.size_bytes for v in graph.variables.values() if not is_filled(v))
    return sum(word(size) + STRUCT_BYTES["sf_copy_params"] for size in sizes)
