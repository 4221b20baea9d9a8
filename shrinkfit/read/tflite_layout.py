# SPDX-License-Identifier: Apache-2.0
"""The .tflite operators that move values: reshape, pad, concat, split, slices, transpose, tile, resize."""

from __future__ import annotations

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.read.tflite import ACTIVATION_TYPES, OperatorReader
from shrinkfit.read.tflite_fold import all_known, fold_concat, keep

# First index, how many, step.
Range = tuple[int, int, int]


def _reshape(at: OperatorReader) -> None:
    if all_known(at, (0,)) is not None:
        made = at.subgraph.subgraph.tensors[at.operator.outputs[0]]
        keep(at, at.numbers(0).reshape(made.shape))
        return
    source, target = at.source(types=ACTIVATION_TYPES), at.target(ACTIVATION_TYPES)
    at.add(ir.Reshape, (source,), target, shape=target.shape)


def _pad(at: OperatorReader) -> None:
    source = at.source()
    edges = at.numbers(1)
    if edges.shape != (len(source.shape), 2) or edges.min() < 0:
        raise at.refuse(f"has paddings {edges.tolist()} for shape {source.shape}; convert the model again")
    value = _pad_value(at) if at.operator.code == "PADV2" else None
    at.add(ir.Pad, (source,), at.target(), paddings=tuple((int(a), int(b)) for a, b in edges), value=value)


def _pad_value(at: OperatorReader) -> int:
    tensor = at.constant(2, "INT8")
    values, output = at.subgraph.take(tensor), at.subgraph.subgraph.tensors[at.operator.outputs[0]]
    quantized = at.subgraph.quantized(tensor, f"{at.place}: its constant '{tensor.name}'")
    if values.size != 1 or quantized != at.subgraph.quantized(output, f"{at.place}: its output '{output.name}'"):
        raise at.refuse("pads with a constant in another scale than its output's, which LiteRT refuses too")
    return int(values.ravel()[0])


def _concat(at: OperatorReader) -> None:
    if fold_concat(at):
        return
    if at.option("fusedActivationFunction"):
        raise at.refuse("has a fused activation, which LiteRT refuses too; convert the model again")
    sources, target = tuple(at.operand(i) for i in range(len(at.operator.inputs))), at.target()
    if not sources or any(source.quantization != target.quantization for source in sources):
        raise at.refuse("has inputs that differ from its output in scale or zero_point, which LiteRT refuses too")
    axis = at.axis(int(at.option("axis")), len(target.shape))
    at.add(ir.Concat, sources, target, axis=axis)


def _split(at: OperatorReader) -> None:
    source = at.source(1)
    axis, count = at.axis(_single(at, 0), len(source.shape)), len(at.operator.outputs)
    length = source.shape[axis]
    if not count or length % count:
        raise at.refuse(f"splits {length} values into {count} pieces; the file is damaged, convert it again")
    _add_split(at, source, axis, (length // count,) * count)


def _split_v(at: OperatorReader) -> None:
    source, sizes = at.source(0), [int(n) for n in at.numbers(1).ravel()]
    axis = at.axis(_single(at, 2), len(source.shape))
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = source.shape[axis] - sum(n for n in sizes if n != -1)
    _add_split(at, source, axis, tuple(sizes))


def _add_split(at: OperatorReader, source: ir.Tensor, axis: int, sizes: tuple[int, ...]) -> None:
    if len(sizes) != len(at.operator.outputs):
        raise at.refuse(f"has {len(sizes)} sizes and {len(at.operator.outputs)} outputs; the file is damaged")
    targets = [at.target(position=i) for i in range(len(sizes))]
    at.add(ir.Split, (source,), *targets, axis=axis, sizes=sizes)


def _single(at: OperatorReader, position: int) -> int:
    values = at.numbers(position).ravel()
    if values.size != 1:
        raise at.refuse(f"has {values.size} values in input {position}, expected 1; the file is damaged")
    return int(values[0])


def slice_range(length: int, begin: int | None, end: int | None, stride: int) -> tuple[int, int]:
    """(first index, how many) of a slice as Python and TensorFlow count it; None leaves an end open."""
    indices = range(length)[slice(begin, end, stride)]
    return indices.start, len(indices)


def _strided_slice(at: OperatorReader) -> None:
    known = all_known(at, (0,))
    shape = known[0].shape if known else at.source().shape
    if at.option("ellipsisMask") or at.option("newAxisMask"):
        raise at.refuse("has an ellipsis or a new axis; slice each axis and reshape instead")
    begins, ends, strides = ([int(n) for n in at.numbers(i).ravel()] for i in (1, 2, 3))
    if not len(begins) == len(ends) == len(strides) <= len(shape):
        raise at.refuse(f"has {len(begins)} begins, {len(ends)} ends for shape {shape}; the file is damaged")
    if 0 in strides:
        raise at.refuse("has a stride of 0; the file is damaged, convert it again")
    ranges: list[Range] = []
    for axis, length in enumerate(shape):
        if axis >= len(begins):
            ranges.append((0, length, 1))
            continue
        bit, begin, stride = 1 << axis, begins[axis], strides[axis]
        end = ends[axis] + (begin if at.option("offset") else 0)
        if at.option("shrinkAxisMask") & bit:
            ranges.append((begin + length if begin < 0 else begin, 1, 1))
            continue
        first = None if at.option("beginMask") & bit else begin
        last = None if at.option("endMask") & bit else end
        ranges.append((*slice_range(length, first, last, stride), stride))
    dropped = [axis for axis in range(len(begins)) if at.option("shrinkAxisMask") & (1 << axis)]
    if known:
        _keep_slice(at, known[0], ranges, dropped)
    else:
        _add_slice(at, ranges, bool(dropped))


def _keep_slice(at: OperatorReader, values: np.ndarray, ranges: list[Range], dropped: list[int]) -> None:
    for axis, (begin, size, stride) in enumerate(ranges):
        values = values.take([begin + stride * i for i in range(size)], axis=axis)
    keep(at, values.squeeze(tuple(dropped)))


def _add_slice(at: OperatorReader, ranges: list[Range], reshaped: bool) -> None:
    source, target = at.source(), at.target()
    begin, size, stride = zip(*ranges, strict=True)
    if min(size) < 1:
        raise at.refuse(f"takes {size} values of shape {source.shape}, which leaves none; convert the model again")
    made = target
    if reshaped:
        # The bytes are the target's already, so what the source's scale says of them does not count.
        made = at.add_between(f"{target.name}/slice", size, target)
    at.add(ir.StridedSlice, (source,), made, begin=begin, size=size, stride=stride)
    if reshaped:
        at.add(ir.Reshape, (made,), target, shape=target.shape)


def _slice(at: OperatorReader) -> None:
    source = at.source()
    begins, sizes = ([int(n) for n in at.numbers(i).ravel()] for i in (1, 2))
    if not len(begins) == len(sizes) == len(source.shape):
        raise at.refuse(f"has {len(begins)} begins, {len(sizes)} sizes for shape {source.shape}; the file is damaged")
    ranges = [
        (begin, length - begin if size == -1 else size, 1)
        for length, begin, size in zip(source.shape, begins, sizes, strict=True)
    ]
    _add_slice(at, ranges, False)


def _transpose(at: OperatorReader) -> None:
    source = at.source()
    permutation = tuple(at.axis(int(a), len(source.shape)) for a in at.numbers(1).ravel())
    at.add(ir.Transpose, (source,), at.target(), permutation=permutation)


def _tile(at: OperatorReader) -> None:
    at.add(ir.Tile, (at.source(),), at.target(), multiples=tuple(int(n) for n in at.numbers(1).ravel()))


def _resize(at: OperatorReader, kind: type[ir.Resize]) -> None:
    source, size = at.source(), tuple(int(n) for n in at.numbers(1).ravel())
    if len(size) != 2:
        raise at.refuse(f"has size {size}, expected height and width; the file is damaged, convert it again")
    flags = {
        "align_corners": bool(at.option("alignCorners")),
        "half_pixel_centers": bool(at.option("halfPixelCenters")),
    }
    if all(flags.values()):
        raise at.refuse("has both align_corners and half_pixel_centers, which LiteRT refuses too")
    at.add(kind, (source,), at.target(), size=size, **flags)


READERS = {
    "RESHAPE": _reshape,
    "SQUEEZE": _reshape,
    "EXPAND_DIMS": _reshape,
    "PAD": _pad,
    "PADV2": _pad,
    "CONCATENATION": _concat,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "STRIDED_SLICE": _strided_slice,
    "SLICE": _slice,
    "TRANSPOSE": _transpose,
    "TILE": _tile,
    "RESIZE_BILINEAR": lambda at: _resize(at, ir.ResizeBilinear),
    "RESIZE_NEAREST_NEIGHBOR": lambda at: _resize(at, ir.ResizeNearest),
}
