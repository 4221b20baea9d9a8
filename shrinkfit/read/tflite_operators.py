# SPDX-License-Identifier: Apache-2.0
"""One function per .tflite operator: its tensors and options in, operators of the integer graph out."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from shrinkfit.errors import ShrinkfitError
from shrinkfit.graph import ir
from shrinkfit.graph.activation import ACTIVATION_BOUNDS, activation_range, is_computed
from shrinkfit.graph.tables import function_table
from shrinkfit.read import tflite_fold, tflite_layout, tflite_lookup, tflite_state
from shrinkfit.read.tflite import ACTIVATION_TYPES, OperatorReader

_ACTIVATIONS = {v: k for k, v in vars(schema.ActivationFunctionType).items() if isinstance(v, int)}
QUANTIZED_TYPES = ("INT8", "UINT8", "INT16")
_PADDINGS = {v: k for k, v in vars(schema.Padding).items() if isinstance(v, int)}


def _activation(at: OperatorReader, target: ir.Tensor, name: str | None = None) -> dict[str, int]:
    if name is None:
        code = at.option("fusedActivationFunction")
        name = _ACTIVATIONS.get(code, str(code))
    if name not in ACTIVATION_BOUNDS:
        raise at.refuse(f"has the fused activation {name}; expected one of {', '.join(ACTIVATION_BOUNDS)}")
    if not is_computed(name, target):
        raise at.refuse(f"has {name} at output scale {target.scale:g}, too fine for the bounds that LiteRT computes")
    low, high = activation_range(name, target)
    return {"activation_min": low, "activation_max": high}


def _stride(at: OperatorReader) -> tuple[int, int]:
    stride = (at.option("strideH"), at.option("strideW"))
    if min(stride) < 1:
        raise at.refuse(f"has stride {stride}; the file is damaged, convert it again")
    return stride


def _padding(
    at: OperatorReader,
    source: ir.Tensor,
    window: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int] = (1, 1),
) -> ir.Padding:
    if len(source.shape) != 4:
        raise at.refuse(f"reads '{source.name}' of shape {source.shape}, expected four dimensions")
    if min(window) < 1:
        raise at.refuse(f"has a window of {window}; the file is damaged, convert it again")
    name = _PADDINGS.get(at.option("padding"))
    if name == "SAME":
        return ir.same_padding(source.shape[1:3], window, stride, dilation)
    if name == "VALID":
        return ir.Padding()
    raise at.refuse(f"has padding code {at.option('padding')}; expected SAME or VALID")


def _weights(at: OperatorReader, dimensions: int, axis: int, bias_at: int = 2) -> dict[str, np.ndarray]:
    """kernel (as the file has it), bias and scales per channel; `axis` is the kernel's output channel, `bias_at` the
    bias's place among the inputs."""
    tensor = at.constant(1, "INT8")
    kernel = at.subgraph.take(tensor)
    if kernel.ndim != dimensions or kernel.size == 0:
        raise at.refuse(f"has a kernel of shape {tensor.shape}, expected {dimensions} dimensions, none of them 0")
    channels = kernel.shape[axis]
    # Runtimes look at the number of scales, not at the axis: person_detect, an old model, names the wrong one.
    if tensor.scales.size not in (1, channels):
        raise at.refuse(f"has {tensor.scales.size} kernel scales, expected 1 or {channels}, one per output channel")
    if tensor.zero_points.any():
        raise at.refuse("has a kernel whose zero_point is not 0; int8 kernels are symmetric, convert the model again")
    scales = np.ascontiguousarray(np.broadcast_to(tensor.scales.astype(np.float32), (channels,)))
    return {"kernel": kernel, "bias": _bias(at, channels, bias_at), "kernel_scales": scales}


def _bias(at: OperatorReader, channels: int, position: int) -> np.ndarray:
    if not at.has_input(position):
        return np.zeros(channels, np.int32)
    bias = at.values(position, "INT32")
    if bias.size != channels:
        raise at.refuse(f"has a bias of shape {bias.shape}, expected ({channels},)")
    return bias.reshape(channels)


def _windowed(at: OperatorReader, source: ir.Tensor, window: tuple[int, int]) -> dict[str, Any]:
    stride = _stride(at)
    dilation = (at.option("dilationHFactor", 1), at.option("dilationWFactor", 1))
    if min(dilation) < 1:
        raise at.refuse(f"has dilation {dilation}; the file is damaged, convert it again")
    return {"stride": stride, "dilation": dilation, "padding": _padding(at, source, window, stride, dilation)}


def _conv2d(at: OperatorReader) -> None:
    source, weights = at.source(), _weights(at, 4, 0)
    kernel = weights["kernel"]
    window = _windowed(at, source, kernel.shape[1:3])
    channels, read = source.shape[3], kernel.shape[3]
    if channels % read or kernel.shape[0] % (channels // read):
        raise at.refuse(
            f"reads {channels} channels with a kernel for {read} and makes {kernel.shape[0]}, which are no groups of "
            "equal size; the file is damaged, convert it again"
        )
    target = at.target()
    at.add(ir.Conv2D, (source,), target, **weights, **window, **_activation(at, target))


def _depthwise_conv2d(at: OperatorReader) -> None:
    source, weights = at.source(), _weights(at, 4, 3)
    kernel = weights["kernel"]
    if kernel.shape[0] != 1:
        raise at.refuse(f"has a kernel of shape {kernel.shape}, expected 1 in front")
    window = _windowed(at, source, kernel.shape[1:3])
    # The options repeat the multiplier, and runtimes go by the shapes.
    multiplier = max(kernel.shape[3] // source.shape[3], 1)
    weights["kernel"] = kernel[0]
    target = at.target()
    fields = {**weights, **window, **_activation(at, target), "depth_multiplier": multiplier}
    at.add(ir.DepthwiseConv2D, (source,), target, **fields)


def _transpose_conv2d(at: OperatorReader) -> None:
    source, weights, stride = at.source(2), _weights(at, 4, 0, bias_at=3), _stride(at)
    window, target = weights["kernel"].shape[1:3], at.target()
    made = tuple(int(n) for n in at.numbers(0).ravel())
    if len(source.shape) != 4 or made != target.shape:
        raise at.refuse(f"makes {made} of {source.shape} for an output of {target.shape}; convert the model again")
    # As a convolution that reads the output would: LiteRT checks that it makes the input.
    size = ir.window_output_size(made[1:3], window, stride, (1, 1), _padding(at, target, window, stride))
    if size != source.shape[1:3]:
        raise at.refuse(
            f"makes {made[1:3]} of {source.shape[1:3]}, expected an input of {size}; convert the model again"
        )
    same = _PADDINGS[at.option("padding")] == "SAME"
    padding = ir.transpose_padding(size, window, stride, made[1:3], same)
    fields = {"stride": stride, "padding": padding, "output_size": made[1:3]}
    at.add(ir.TransposeConv2D, (source,), target, **weights, **fields, **_activation(at, target))


def _fully_connected(at: OperatorReader) -> None:
    source, weights = at.source(), _weights(at, 2, 0)
    if at.option("weightsFormat"):
        raise at.refuse("has shuffled weights, an old mobile format; convert the model again")
    features = weights["kernel"].shape[1]
    if prod(source.shape) % features:
        raise at.refuse(f"reads shape {source.shape} with a kernel for {features} features; convert the model again")
    target = at.target()
    # Without keep_num_dims the operator flattens what it reads.
    rows = (*source.shape[:-1], features) if at.option("keepNumDims") else (prod(source.shape) // features, features)
    if source.shape != rows:
        flat = at.add_between(f"{source.name}/flat", rows, source)
        at.add(ir.Reshape, (source,), flat, shape=rows)
        source = flat
    at.add(ir.Dense, (source,), target, **weights, **_activation(at, target))


def _pool2d(at: OperatorReader, mode: str) -> None:
    source, stride = at.source(), _stride(at)
    window = (at.option("filterHeight"), at.option("filterWidth"))
    padding = _padding(at, source, window, stride)
    target = at.target()
    activation = _activation(at, target)
    at.add(ir.Pool2D, (source,), target, mode=mode, window=window, stride=stride, padding=padding, **activation)


def _reduce(at: OperatorReader, kind: type[ir.Reduction]) -> None:
    source = at.source()
    axes = tuple(sorted({at.axis(int(a), len(source.shape)) for a in at.numbers(1).ravel()}))
    if not axes:
        raise at.refuse("reduces no axis; the file is damaged, convert it again")
    target = at.target()
    if kind is ir.ReduceMax and source.quantization != target.quantization:
        raise at.refuse("has an input and an output that differ in scale or zero_point, which LiteRT refuses too")
    at.add(kind, (source,), target, axes=axes, keep_dims=bool(at.option("keepDims")))


def _add(at: OperatorReader, kind: type[ir.Elementwise]) -> None:
    if kind is ir.Add and tflite_lookup.moved(at):
        return
    sources, target = _operands(at), at.target()
    if max(s.scale for s in sources) >= target.scale * 2.0**19:
        raise at.refuse(f"has inputs with scales 2**19 times its output's {target.scale:g}, which LiteRT refuses too")
    at.add(kind, sources, target, **_activation(at, target))


def _operands(at: OperatorReader) -> tuple[ir.Tensor, ir.Tensor]:
    sources = (at.operand(0), at.operand(1))
    if all(source.name in at.subgraph.constants for source in sources):
        raise at.refuse("reads two constants; convert the model again, with constant folding")
    return sources


def _mul(at: OperatorReader) -> None:
    if tflite_fold.fold_arithmetic(at):
        return
    sources, target = _operands(at), at.target()
    at.add(ir.Mul, sources, target, **_activation(at, target))


def _prelu(at: OperatorReader) -> None:
    at.constant(1, "INT8")
    sources = (at.source(0), at.operand(1))
    at.add(ir.Prelu, sources, at.target())


def _extremum(at: OperatorReader, kind: type[ir.Extremum]) -> None:
    at.add(kind, _operands(at), at.target())


def _softmax(at: OperatorReader) -> None:
    source, beta = at.source(), float(at.option("beta", 1.0))
    # The difference of two logits becomes Q5.26; LiteRT demands a multiplier above 1 for that.
    if not beta * source.scale > 2.0**-26:
        raise at.refuse(
            f"has beta {beta:g} and input scale {source.scale:g}, which LiteRT refuses too; retrain or rescale"
        )
    at.add(ir.Softmax, (source,), at.target(), beta=beta)


def _table(at: OperatorReader, function: str) -> None:
    source, target = at.source(), at.target()
    alpha = float(at.option("alpha", 0.0)) if function == "leaky_relu" else 0.0
    if function == "logistic" and target.quantization != (1 / 256, ir.INT8_MIN):
        raise at.refuse(
            f"has output scale {target.scale:g}, zero_point {target.zero_point}; LiteRT takes only 1/256 and -128"
        )
    try:
        table = function_table(function, source, target, alpha)
    except (ShrinkfitError, ValueError) as error:
        raise at.refuse(f"cannot be computed: {error}") from error
    at.add(ir.Table, (source,), target, function=function, alpha=alpha, table=table)


def _relu(at: OperatorReader, activation: str) -> None:
    source, target = at.source(), at.target()
    at.add(ir.Requantize, (source,), target, division="float32", **_activation(at, target, activation))


def _quantize(at: OperatorReader) -> None:
    source, target = at.source(types=ACTIVATION_TYPES), at.target(QUANTIZED_TYPES)
    pair = source.dtype, target.dtype
    if pair == ("int16", "uint8"):
        raise at.refuse("turns int16 into uint8, which LiteRT refuses too; convert the model again")
    kind = {"float32": ir.Quantize}.get(source.dtype, ir.Requantize if pair == ("int8", "int8") else ir.Convert)
    at.add(kind, (source,), target)


def _dequantize(at: OperatorReader) -> None:
    at.add(ir.Dequantize, (at.source(types=QUANTIZED_TYPES),), at.target(("FLOAT32",)))


READERS: dict[str, Callable[[OperatorReader], None]] = (
    {
        "CONV_2D": _conv2d,
        "DEPTHWISE_CONV_2D": _depthwise_conv2d,
        "TRANSPOSE_CONV": _transpose_conv2d,
        "FULLY_CONNECTED": _fully_connected,
        "AVERAGE_POOL_2D": lambda at: _pool2d(at, "average"),
        "MAX_POOL_2D": lambda at: _pool2d(at, "max"),
        "MEAN": lambda at: _reduce(at, ir.Mean),
        "REDUCE_MAX": lambda at: _reduce(at, ir.ReduceMax),
        "ADD": lambda at: _add(at, ir.Add),
        "SUB": lambda at: _add(at, ir.Sub),
        "MUL": _mul,
        "PRELU": _prelu,
        "MAXIMUM": lambda at: _extremum(at, ir.Maximum),
        "MINIMUM": lambda at: _extremum(at, ir.Minimum),
        "SOFTMAX": _softmax,
        "LOGISTIC": lambda at: _table(at, "logistic"),
        "TANH": lambda at: _table(at, "tanh"),
        "HARD_SWISH": lambda at: _table(at, "hard_swish"),
        "LEAKY_RELU": lambda at: _table(at, "leaky_relu"),
        "GELU": lambda at: _table(at, "gelu_tanh" if at.option("approximate", False) else "gelu"),
        "EXP": lambda at: _table(at, "exponential"),
        "ABS": lambda at: _table(at, "abs"),
        "QUANTIZE": _quantize,
        "DEQUANTIZE": _dequantize,
        "RELU": lambda at: _relu(at, "RELU"),
        "RELU6": lambda at: _relu(at, "RELU6"),
        "RELU_N1_TO_1": lambda at: _relu(at, "RELU_N1_TO_1"),
    }
    | tflite_layout.READERS
    | tflite_state.READERS
    | tflite_fold.READERS
)
