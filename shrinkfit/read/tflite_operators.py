# SPDX-License-Identifier: Apache-2.0
"""One function per .tflite operator: its tensors and options in, operators of the integer graph out."""

from __future__ import annotations

from math import prod

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from shrinkfit.graph import ir
from shrinkfit.graph.activation import ACTIVATION_BOUNDS, activation_range
from shrinkfit.graph.fixedpoint import requantize, split_scale
from shrinkfit.read.tflite import OperatorReader

_ACTIVATIONS = {v: k for k, v in vars(schema.ActivationFunctionType).items() if isinstance(v, int)}
_PADDINGS = {v: k for k, v in vars(schema.Padding).items() if isinstance(v, int)}


def _activation(at: OperatorReader, target: ir.Tensor, name: str | None = None) -> dict[str, int]:
    if name is None:
        code = at.option("fusedActivationFunction")
        name = _ACTIVATIONS.get(code, str(code))
    if name not in ACTIVATION_BOUNDS:
        raise at.refuse(f"has the fused activation {name}; expected one of {', '.join(ACTIVATION_BOUNDS)}")
    low, high = activation_range(name, target)
    return {"activation_min": low, "activation_max": high}


def _stride(at: OperatorReader) -> tuple[int, int]:
    stride = (at.option("strideH"), at.option("strideW"))
    if min(stride) < 1:
        raise at.refuse(f"has stride {stride}; the file is damaged, convert it again")
    return stride


def _padding(at: OperatorReader, source: ir.Tensor, window, stride, dilation=(1, 1)) -> ir.Padding:
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


def _weights(at: OperatorReader, dimensions: int, axis: int) -> dict[str, np.ndarray]:
    """kernel (as the file has it), bias and scales per channel; `axis` is the kernel's output channel."""
    tensor = at.constant(1, "INT8")
    kernel = tensor.values()
    if kernel.ndim != dimensions or kernel.size == 0:
        raise at.refuse(f"has a kernel of shape {tensor.shape}, expected {dimensions} dimensions, none of them 0")
    channels = kernel.shape[axis]
    # Runtimes look at the number of scales, not at the axis: person_detect, an old model, names the wrong one.
    if tensor.scales.size not in (1, channels):
        raise at.refuse(f"has {tensor.scales.size} kernel scales, expected 1 or {channels}, one per output channel")
    if tensor.zero_points.any():
        raise at.refuse("has a kernel whose zero_point is not 0; int8 kernels are symmetric, convert the model again")
    scales = np.ascontiguousarray(np.broadcast_to(tensor.scales.astype(np.float32), (channels,)))
    return {"kernel": kernel, "bias": _bias(at, channels), "kernel_scales": scales}


def _bias(at: OperatorReader, channels: int) -> np.ndarray:
    if not at.has_input(2):
        return np.zeros(channels, np.int32)
    bias = at.constant(2, "INT32").values()
    if bias.size != channels:
        raise at.refuse(f"has a bias of shape {bias.shape}, expected ({channels},)")
    return bias.reshape(channels)


def _windowed(at: OperatorReader, source: ir.Tensor, window) -> dict:
    stride = _stride(at)
    dilation = (at.option("dilationHFactor", 1), at.option("dilationWFactor", 1))
    if min(dilation) < 1:
        raise at.refuse(f"has dilation {dilation}; the file is damaged, convert it again")
    return {"stride": stride, "dilation": dilation, "padding": _padding(at, source, window, stride, dilation)}


def _conv2d(at: OperatorReader) -> None:
    source, weights = at.source(), _weights(at, 4, 0)
    kernel = weights["kernel"]
    window = _windowed(at, source, kernel.shape[1:3])
    if kernel.shape[3] != source.shape[3]:
        raise at.refuse(
            f"reads {source.shape[3]} channels with a kernel for {kernel.shape[3]}; grouped convolutions are not "
            "supported, split the layer"
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
        if rows[0] != 1:
            raise at.refuse(f"turns shape {source.shape} into {rows[0]} rows; convert with keep_num_dims")
        flat = at.add_between(ir.Tensor(f"{source.name}/flat", rows, source.scale, source.zero_point))
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


def _mean(at: OperatorReader) -> None:
    source, rank = at.source(), len(at.source().shape)
    axes = at.constant(1, "INT32").values().ravel()
    if not axes.size or axes.min() < -rank or axes.max() >= rank:
        raise at.refuse(f"averages axes {axes.tolist()} of shape {source.shape}; the file is damaged, convert it again")
    axes = tuple(sorted({int(a) % rank for a in axes}))
    if 0 in axes:
        raise at.refuse("averages over the batch; take the mean over other axes only")
    at.add(ir.Mean, (source,), at.target(), axes=axes, keep_dims=bool(at.option("keepDims")))


def _add(at: OperatorReader) -> None:
    sources = (at.source(0), at.source(1))
    if sources[0].shape != sources[1].shape:
        raise at.refuse(f"adds shapes {sources[0].shape} and {sources[1].shape}; broadcasting is not supported")
    target = at.target()
    if max(s.scale for s in sources) >= target.scale * 2.0**19:
        raise at.refuse(f"has inputs with scales 2**19 times its output's {target.scale:g}, which LiteRT refuses too")
    at.add(ir.Add, sources, target, **_activation(at, target))


def _softmax(at: OperatorReader) -> None:
    source, beta = at.source(), float(at.option("beta", 1.0))
    # The difference of two logits becomes Q5.26; LiteRT demands a multiplier above 1 for that.
    if not beta * source.scale > 2.0**-26:
        raise at.refuse(
            f"has beta {beta:g} and input scale {source.scale:g}, which LiteRT refuses too; retrain or rescale"
        )
    at.add(ir.Softmax, (source,), at.target(), beta=beta)


def _pad(at: OperatorReader) -> None:
    source = at.source()
    edges = at.constant(1, "INT32", "INT64").values()
    if edges.shape != (len(source.shape), 2) or edges.min() < 0:
        raise at.refuse(f"has paddings {edges.tolist()} for shape {source.shape}; convert the model again")
    if len(edges) != 4 or edges[0].any() or edges[3].any():
        raise at.refuse(f"pads {edges.tolist()}; only height and width of a 4-D tensor can be padded")
    at.add(ir.Pad, (source,), at.target(), padding=ir.Padding(*(int(n) for n in edges[1:3].ravel())))


def _reshape(at: OperatorReader) -> None:
    source, target = at.source(), at.target()
    at.add(ir.Reshape, (source,), target, shape=target.shape)


def _requantize(at: OperatorReader, activation: str) -> None:
    source, target = at.source(), at.target()
    clamp = _activation(at, target, activation)
    at.add(ir.Requantize, (source,), target, **clamp)
    whole_range = (clamp["activation_min"], clamp["activation_max"]) == (ir.INT8_MIN, ir.INT8_MAX)
    # A clamp to the whole range reads as QUANTIZE, which divides the scales otherwise than RELU does.
    if activation != "NONE" and whole_range and not _divides_alike(source, target):
        raise at.refuse(
            f"clamps nothing, and scales {source.scale:g} and {target.scale:g} round otherwise without it; "
            "convert the model again with the activation fused"
        )


def _divides_alike(source: ir.Tensor, target: ir.Tensor) -> bool:
    """Do float32 and double division of the scales give the same outputs for all inputs?"""
    values = np.arange(ir.INT8_MIN, ir.INT8_MAX + 1) - source.zero_point
    scales = (source.scale / target.scale, float(np.float32(source.scale) / np.float32(target.scale)))
    a, b = (requantize(values, *split_scale(scale), "double") + target.zero_point for scale in scales)
    return bool(np.array_equal(np.clip(a, ir.INT8_MIN, ir.INT8_MAX), np.clip(b, ir.INT8_MIN, ir.INT8_MAX)))


READERS = {
    "CONV_2D": _conv2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv2d,
    "FULLY_CONNECTED": _fully_connected,
    "AVERAGE_POOL_2D": lambda at: _pool2d(at, "average"),
    "MAX_POOL_2D": lambda at: _pool2d(at, "max"),
    "MEAN": _mean,
    "ADD": _add,
    "SOFTMAX": _softmax,
    "PAD": _pad,
    "RESHAPE": _reshape,
    "QUANTIZE": lambda at: _requantize(at, "NONE"),
    "RELU": lambda at: _requantize(at, "RELU"),
    "RELU6": lambda at: _requantize(at, "RELU6"),
    "RELU_N1_TO_1": lambda at: _requantize(at, "RELU_N1_TO_1"),
}
