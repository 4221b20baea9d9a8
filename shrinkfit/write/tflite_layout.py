# SPDX-License-Identifier: Apache-2.0
"""Operators that move values, as .tflite operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from shrinkfit.errors import ExportError
from shrinkfit.graph import ir
from shrinkfit.write.tflite_place import Place


def _reshape(place: Place[ir.Reshape]) -> None:
    shape = np.array(place.op.shape, np.int32)
    place.add("RESHAPE", 1, (place.numbers("shape", shape),), place.schema.ReshapeOptionsT(newShape=shape))


def _pad(place: Place[ir.Pad]) -> None:
    from shrinkfit.write.tflite_file import quantization

    edges, target = place.numbers("paddings", place.op.paddings), place.targets[0]
    if place.op.value is None:
        place.add("PAD", 2, (edges,), place.schema.PadOptionsT())
        return
    value = np.array([place.op.value], np.int8)
    constant = place.file.constant(f"{place.op.name}/value", value, quantization(*target.quantization))
    place.add("PADV2", 2, (edges, constant), place.schema.PadV2OptionsT())


def _concat(place: Place[ir.Concat]) -> None:
    if any(source.quantization != place.targets[0].quantization for source in place.sources):
        raise ExportError(f"concat '{place.op.name}' joins tensors of different scales, which .tflite cannot express")
    place.add("CONCATENATION", 2, (), place.schema.ConcatenationOptionsT(axis=place.op.axis))


def _split(place: Place[ir.Split]) -> None:
    sizes, axis = place.numbers("sizes", place.op.sizes), place.numbers("axis", place.op.axis)
    place.add("SPLIT_V", 2, (sizes, axis), place.schema.SplitVOptionsT(numSplits=len(place.op.sizes)))


def _strided_slice(place: Place[ir.StridedSlice]) -> None:
    op = place.op
    ends = [begin + size * stride for begin, size, stride in zip(op.begin, op.size, op.stride, strict=True)]
    # A negative end would count from the back, so where it means "before the first" the mask leaves it open.
    mask = sum(1 << axis for axis, end in enumerate(ends) if end < 0)
    constants = [place.numbers("begin", op.begin), place.numbers("end", ends), place.numbers("strides", op.stride)]
    place.add("STRIDED_SLICE", 2, constants, place.schema.StridedSliceOptionsT(endMask=mask))


def _transpose(place: Place[ir.Transpose]) -> None:
    place.add("TRANSPOSE", 2, (place.numbers("permutation", place.op.permutation),), place.schema.TransposeOptionsT())


def _tile(place: Place[ir.Tile]) -> None:
    place.add("TILE", 2, (place.numbers("multiples", place.op.multiples),), place.schema.TileOptionsT())


def _resize(place: Place[ir.Resize]) -> None:
    code, options = {
        "resize_bilinear": ("RESIZE_BILINEAR", place.schema.ResizeBilinearOptionsT),
        "resize_nearest": ("RESIZE_NEAREST_NEIGHBOR", place.schema.ResizeNearestNeighborOptionsT),
    }[place.op.kind]
    flags = {"alignCorners": place.op.align_corners, "halfPixelCenters": place.op.half_pixel_centers}
    place.add(code, 3, (place.numbers("size", place.op.size),), options(**flags))


WRITERS: dict[str, Callable[[Place[Any]], None]] = {
    "reshape": _reshape,
    "pad": _pad,
    "concat": _concat,
    "split": _split,
    "strided_slice": _strided_slice,
    "transpose": _transpose,
    "tile": _tile,
    "resize_bilinear": _resize,
    "resize_nearest": _resize,
}
