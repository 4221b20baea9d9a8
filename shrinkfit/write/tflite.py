# SPDX-License-Identifier: Apache-2.0
"""Integer graph in, an int8 .tflite file out: the twin that LiteRT runs with the same bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from shrinkfit.errors import ExportError
from shrinkfit.graph import ir
from shrinkfit.graph.stream_explicit import explicit
from shrinkfit.write import tflite_layout, tflite_state
from shrinkfit.write.tflite_place import Place

if TYPE_CHECKING:
    from shrinkfit.write.tflite_file import FlatWriter

# What slides a window over a plane and may be padded.
_Sliding: TypeAlias = ir.Windowed | ir.Pool2D


def write_tflite(graph: ir.Graph) -> bytes:
    """Write an integer graph as an int8 .tflite file.

    Args:
        graph: the integer graph.
    Returns:
        The file's bytes, the same for the same graph.
    Raises:
        ExportError: an operator has no LiteRT form, such as a clamp that no fused activation gives.
    """
    # Here, so that `import shrinkfit` does not pay for the schema.
    from shrinkfit.write.tflite_file import FlatWriter

    graph, file = explicit(graph), FlatWriter()
    index = {t.name: _tensor(file, graph, t) for t in graph.tensors.values()}
    handles = tflite_state.declare_variables(file, graph)
    for op in graph.ops:
        writer = _WRITERS.get(op.kind)
        if writer is None:
            raise ExportError(f"{op.kind} '{op.name}' has no form in .tflite; export without it or replace the layer")
        writer(Place(file, graph, op, index, handles))
    return file.finish(graph.name, [index[n] for n in graph.inputs], [index[n] for n in graph.outputs])


def _tensor(file: FlatWriter, graph: ir.Graph, tensor: ir.Tensor) -> int:
    from shrinkfit.write.tflite_file import quantization

    if tensor.name in graph.constants:
        return file.constant(tensor.name, graph.constants[tensor.name], quantization(*tensor.quantization))
    return file.activation(tensor.name, tensor.shape, *tensor.quantization, tensor.dtype)


def _padding_code(place: Place[_Sliding], dilation: tuple[int, int] = (1, 1), may_pad: bool = True) -> int:
    """SAME or VALID where it gives the operator's padding, else VALID behind a PAD in front."""
    op, (_, height, width, _) = place.op, place.sources[0].shape
    if op.padding == ir.Padding():
        return place.schema.Padding.VALID
    if op.padding == ir.same_padding((height, width), op.window, op.stride, dilation):
        return place.schema.Padding.SAME
    if not may_pad:
        raise ExportError(
            f"{op.kind} '{op.name}' has {op.padding}, which is neither SAME nor VALID, the two that .tflite knows; "
            "a pad of its own in front would count as data"
        )
    _pad_in_front(place, op.padding)
    return place.schema.Padding.VALID


def _pad_in_front(place: Place[ir.Op], p: ir.Padding) -> None:
    """Let the operator read its input with rows and columns of the zero_point around it."""
    op, source = place.op, place.sources[0]
    shape = (1, source.shape[1] + p.top + p.bottom, source.shape[2] + p.left + p.right, source.shape[3])
    padded = place.file.activation(f"{op.name}/padded", shape, source.scale, source.zero_point)
    edges = place.numbers("paddings", [(0, 0), (p.top, p.bottom), (p.left, p.right), (0, 0)])
    place.file.operator("PAD", 2, [*place.inputs, edges], [padded], place.schema.PadOptionsT())
    place.inputs = [padded]


def _windowed_options(place: Place[_Sliding], options: Any) -> Any:
    """Fill in what the schema's tables of convolutions and pools have in common."""
    op = place.op
    if isinstance(op, ir.Windowed):
        options.padding = _padding_code(place, op.dilation)
        options.dilationHFactor, options.dilationWFactor = op.dilation
    else:
        options.padding = _padding_code(place, may_pad=False)
    options.strideH, options.strideW = op.stride
    options.fusedActivationFunction = place.activation_code()
    return options


def _conv2d(place: Place[ir.Conv2D]) -> None:
    options = _windowed_options(place, place.schema.Conv2DOptionsT())
    place.add("CONV_2D", 3, place.weights(place.op.kernel, 0, place.op.kernel_scales), options)


def _depthwise_conv2d(place: Place[ir.DepthwiseConv2D]) -> None:
    options = _windowed_options(place, place.schema.DepthwiseConv2DOptionsT())
    options.depthMultiplier = place.op.depth_multiplier
    place.add("DEPTHWISE_CONV_2D", 3, place.weights(place.op.kernel[None], 3, place.op.kernel_scales), options)


def _transpose_conv2d(place: Place[ir.TransposeConv2D]) -> None:
    op, s = place.op, place.schema
    options = s.TransposeConvOptionsT(strideH=op.stride[0], strideW=op.stride[1])
    options.fusedActivationFunction = place.activation_code()
    _, height, width, _ = place.sources[0].shape
    size = height, width
    as_same = ir.transpose_padding(size, op.window, op.stride, op.output_size, same=True) == op.padding
    if as_same and all(-(-out // step) == n for out, step, n in zip(op.output_size, op.stride, size, strict=True)):
        options.padding, made, outputs = s.Padding.SAME, place.targets[0].shape, place.outputs
    else:
        options.padding = s.Padding.VALID
        made, outputs = _uncut(place)
    shape, constants = place.numbers("output_shape", made), place.weights(op.kernel, 0, op.kernel_scales)
    # Version 3 is the first with a bias, 4 the first with an activation.
    version = 4 if options.fusedActivationFunction else 3
    place.file.operator("TRANSPOSE_CONV", version, [shape, constants[0], *place.inputs, constants[1]], outputs, options)
    if outputs != place.outputs:
        place.inputs = outputs
        begin, end = (0, op.padding.top, op.padding.left, 0), (1, *_ends(op), op.channels)
        edges = [place.numbers("begin", begin), place.numbers("end", end), place.numbers("strides", [1] * 4)]
        place.add("STRIDED_SLICE", 2, edges, s.StridedSliceOptionsT())


def _ends(op: ir.TransposeConv2D) -> tuple[int, int]:
    """The first row and column of the full output behind the operator's own."""
    return op.padding.top + op.output_size[0], op.padding.left + op.output_size[1]


def _uncut(place: Place[ir.TransposeConv2D]) -> tuple[tuple[int, ...], list[int]]:
    """Shape and tensor of what VALID makes. LiteRT lets it reach less than a stride beyond the full output; for more
    the input gets rows and columns of its zero_point, which add nothing."""
    op, (height, width) = place.op, place.sources[0].shape[1:3]
    sizes, extra = [], []
    for n, k, step, end in zip((height, width), op.window, op.stride, _ends(op), strict=True):
        full = (n - 1) * step + k
        sizes.append(max(full, end))
        extra.append(max(end - full, 0) // step)
    if any(extra):
        _pad_in_front(place, ir.Padding(bottom=extra[0], right=extra[1]))
    made = (1, *sizes, op.channels)
    if made == place.targets[0].shape:
        return made, place.outputs
    return made, [place.file.activation(f"{op.name}/uncut", made, *place.targets[0].quantization)]


def _dense(place: Place[ir.Dense]) -> None:
    op = place.op
    options = place.schema.FullyConnectedOptionsT(fusedActivationFunction=place.activation_code())
    options.keepNumDims = len(place.sources[0].shape) != 2
    # Per-channel FULLY_CONNECTED is young (version 12); one scale for all keeps older runtimes.
    if np.ptp(op.kernel_scales):
        scales, version = op.kernel_scales, 12
    else:
        scales, version = op.kernel_scales[:1], 5 if options.keepNumDims else 4
    place.add("FULLY_CONNECTED", version, place.weights(op.kernel, 0, scales), options)


def _pool2d(place: Place[ir.Pool2D]) -> None:
    options = _windowed_options(place, place.schema.Pool2DOptionsT())
    options.filterHeight, options.filterWidth = place.op.window
    place.add({"max": "MAX_POOL_2D", "average": "AVERAGE_POOL_2D"}[place.op.mode], 2, (), options)


def _reduce(place: Place[ir.Reduction]) -> None:
    op, (source,), (target,) = place.op, place.sources, place.targets
    code = {"mean": "MEAN", "reduce_max": "REDUCE_MAX"}[op.kind]
    axes = place.numbers("axes", op.axes)
    if op.keep_dims or len(op.axes) < len(source.shape):
        place.add(code, 2, (axes,), place.schema.ReducerOptionsT(keepDims=op.keep_dims))
        return
    # Without any axis left LiteRT makes a scalar, which has no axis 0 for the operators behind it.
    kept = place.file.activation(f"{op.name}/kept", (1,) * len(source.shape), *target.quantization)
    options = place.schema.ReducerOptionsT(keepDims=True)
    place.file.operator(code, 2, [*place.inputs, axes], [kept], options)
    place.inputs = [kept]
    shape = np.array(target.shape, np.int32)
    place.add("RESHAPE", 1, (place.numbers("shape", shape),), place.schema.ReshapeOptionsT(newShape=shape))


def _elementwise(place: Place[ir.Elementwise]) -> None:
    code = place.op.kind.upper()
    options = getattr(place.schema, f"{place.op.kind.capitalize()}OptionsT")
    place.add(code, 2, (), options(fusedActivationFunction=place.activation_code()))


def _extremum(place: Place[ir.Extremum]) -> None:
    place.add(place.op.kind.upper(), 2, (), place.schema.MaximumMinimumOptionsT())


def _table(place: Place[ir.Table]) -> None:
    op, s = place.op, place.schema
    from shrinkfit.graph.tables import function_table

    ends = place.sources[0], place.targets[0]
    known = op.function in ir.LITERT_FUNCTIONS
    if not known or not np.array_equal(op.table, function_table(op.function, *ends, op.alpha)):
        _lookup(place)
        return
    code, version, options = {
        "logistic": ("LOGISTIC", 2, None),
        "tanh": ("TANH", 2, None),
        "hard_swish": ("HARD_SWISH", 1, s.HardSwishOptionsT()),
        "leaky_relu": ("LEAKY_RELU", 2, s.LeakyReluOptionsT(alpha=op.alpha)),
        "gelu": ("GELU", 2, s.GeluOptionsT()),
        "gelu_tanh": ("GELU", 2, s.GeluOptionsT(approximate=True)),
        "exponential": ("EXP", 2, s.ExpOptionsT()),
        "abs": ("ABS", 2, s.AbsOptionsT()),
    }[op.function]
    place.add(code, version, (), options)


def _lookup(place: Place[ir.Table]) -> None:
    """The table as a constant, and a GATHER at the value plus 128."""
    op, s, file, (target,) = place.op, place.schema, place.file, place.targets
    from shrinkfit.write.tflite_file import quantization

    wide, at = (file.integers(f"{op.name}/{name}", target.shape) for name in ("wide", "index"))
    table = file.constant(f"{op.name}/table", op.table, quantization(*target.quantization))
    kinds = {"inDataType": s.TensorType.INT8, "outDataType": s.TensorType.INT32}
    file.operator("CAST", 1, place.inputs, [wide], s.CastOptionsT(**kinds))
    file.operator("ADD", 1, [wide, place.numbers("first", -ir.INT8_MIN)], [at], s.AddOptionsT())
    file.operator("GATHER", 2, [table, at], place.outputs, s.GatherOptionsT())


def _softmax(place: Place[ir.Softmax]) -> None:
    place.add("SOFTMAX", 2, (), place.schema.SoftmaxOptionsT(beta=place.op.beta))


def _requantize(place: Place[ir.Requantize]) -> None:
    name = place.activation()
    if name == "NONE":
        place.add("QUANTIZE", 2, (), place.schema.QuantizeOptionsT())
    else:
        place.add(name, {"RELU": 2, "RELU6": 2, "RELU_N1_TO_1": 1}[name])


_WRITERS: dict[str, Callable[[Place[Any]], None]] = {
    "conv2d": _conv2d,
    "depthwise_conv2d": _depthwise_conv2d,
    "transpose_conv2d": _transpose_conv2d,
    "dense": _dense,
    "pool2d": _pool2d,
    "mean": _reduce,
    "reduce_max": _reduce,
    "add": _elementwise,
    "sub": _elementwise,
    "mul": _elementwise,
    "prelu": lambda place: place.add("PRELU", 1),
    "maximum": _extremum,
    "minimum": _extremum,
    "table": _table,
    "softmax": _softmax,
    "requantize": _requantize,
    "convert": lambda place: place.add("QUANTIZE", 2, (), place.schema.QuantizeOptionsT()),
    "quantize": lambda place: place.add("QUANTIZE", 2, (), place.schema.QuantizeOptionsT()),
    "dequantize": lambda place: place.add("DEQUANTIZE", 3, (), place.schema.DequantizeOptionsT()),
    **tflite_layout.WRITERS,
    **tflite_state.WRITERS,
}
