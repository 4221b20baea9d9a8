# SPDX-License-Identifier: Apache-2.0
"""A stage and its weights in, integer operators out: batch normalization folded, weights and activations quantized.

Scales follow LiteRT's int8 scheme: kernels symmetric per output channel in [-127, 127],
activations asymmetric per tensor in [-128, 127], bias int32 at input_scale * kernel_scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.tables import function_table
from shrinkfit.read.calls import Range
from shrinkfit.read.nodes import resolve_padding
from shrinkfit.read.stages import Stage
from shrinkfit.read.steps import activation_quantization, batch_norm_line, quantize_kernel, quantize_slopes

Weights = Mapping[str, Mapping[str, np.ndarray]]


def ir_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A Keras shape without batch as the integer graph has it: one-dimensional planes lie along the width."""
    return (1, 1, *shape) if len(shape) == 2 else (1, *shape)


def _likely_range(stage: Stage) -> tuple[float, float]:
    """Where nothing was observed, for a price: a ReLU's outputs begin at 0, which kernels round in fewer steps."""
    node = stage.relu or (stage.head if stage.kind == "relu" else None)
    return (-1.0, 1.0) if node is None else (0.0, node.attributes["max_value"] or 1.0)


class Lowering:
    """Collects tensors and operators of one stage.

    Args:
        sources: the tensors that it reads.
        taken: names that operators have already.
        stages: all of the model, by their keys.
        weights, ranges: as in `pieces.lower`.
    Attributes:
        tensors, ops, constants: with what was collected; tensors has the sources too.
        inputs: names of the sources.
    """

    def __init__(
        self,
        sources: list[ir.Tensor],
        taken: set[str],
        stages: Mapping[str, Stage],
        weights: Weights,
        ranges: Mapping[str, Range],
    ) -> None:
        self.sources, self.taken, self.stages, self.weights, self.ranges = sources, taken, stages, weights, ranges
        self.tensors = {source.name: source for source in sources}
        self.inputs = tuple(self.tensors)
        self.ops: list[ir.Op] = []
        self.constants: dict[str, np.ndarray] = {}

    def add(self, stage: Stage) -> str:
        """The tensor with the stage's output, past the reshape behind a model input."""
        return self._input(stage) if stage.kind == "input" else getattr(self, f"_{stage.kind}")(stage, *self.sources)

    def _input(self, stage: Stage) -> str:
        shape = stage.head.shape
        self.tensors[stage.key] = ir.Tensor(stage.key, (1, *shape), *self._quantization(stage))
        return self.reshaped(stage.key, ir_shape(shape))

    def _quantization(self, stage: Stage) -> tuple[float, int]:
        source = self.stages[stage.scale_from]
        return source.fixed or activation_quantization(*self.ranges.get(source.key, _likely_range(source)))

    def _emit(self, op: ir.Op, scale: float, zero_point: int) -> str:
        name = op.outputs[0]
        shape = op.output_shape(*(self.tensors[n].shape for n in op.inputs))
        self.tensors[name] = ir.Tensor(name, shape, scale, zero_point)
        self.ops.append(op)
        return name

    def reshaped(self, name: str, shape: tuple[int, ...]) -> str:
        """The tensor in another shape."""
        source = self.tensors[name]
        if source.shape == shape:
            return name
        new = f"{name}:{'x'.join(map(str, shape[1:]))}"
        op = ir.Reshape(name=new, inputs=(name,), outputs=(new,), shape=shape)
        return self._emit(op, source.scale, source.zero_point)

    def _clamp(self, stage: Stage, scale: float, zero_point: int) -> dict[str, Any]:
        node = stage.relu or (stage.head if stage.kind == "relu" else None)
        if node is None:
            return {}
        top = node.attributes["max_value"]
        high = 127 if top is None else int(np.clip(zero_point + np.floor(top / scale + 0.5), -128, 127))
        return {"activation_min": zero_point, "activation_max": max(high, zero_point)}

    def _common(self, stage: Stage, *sources: ir.Tensor) -> dict[str, Any]:
        """The operator bears its layer's name; a second one of the same call, its kind too."""
        taken = self.taken | {op.name for op in self.ops}
        names = (stage.head.call, f"{stage.head.call}/{stage.kind}", stage.head.name, stage.key)
        name = next(name for name in names if name not in taken)
        return {"name": name, "inputs": tuple(s.name for s in sources), "outputs": (stage.key,)}

    def _folded(self, stage: Stage, kernel: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """(kernel, bias, kernel_limit) in float with the batch normalization behind them multiplied in."""
        own = self.weights[stage.head.name]
        channels = kernel.shape[axis]
        bias, limit = own.get("bias", np.zeros(channels)), own.get("kernel_limit")
        if limit is not None:
            # A depthwise kernel's last axis is its multiplier, which runs fastest over the output channels.
            limit = np.resize(limit, channels)
        if stage.batch_norm is None:
            return kernel, bias, limit
        factor, shift = batch_norm_line(self.weights[stage.batch_norm.name], stage.batch_norm.attributes["epsilon"])
        shape = [1] * kernel.ndim
        shape[axis] = channels
        limit = None if limit is None else limit * np.abs(factor)
        return kernel * factor.reshape(shape), bias * factor + shift, limit

    def _weighted(
        self,
        stage: Stage,
        op_class: type[ir.Weighted],
        source: ir.Tensor,
        kernel: np.ndarray,
        bias: np.ndarray,
        limit: np.ndarray | None = None,
        **more: Any,
    ) -> str:
        scale, zero_point = self._quantization(stage)
        steps, scales = quantize_kernel(kernel, bias, source.scale, op_class.output_axis, limit)
        op = op_class(
            **self._common(stage, source),
            kernel=steps,
            bias=np.rint(bias / (np.float64(source.scale) * scales)).astype(np.int32),
            kernel_scales=scales,
            **self._clamp(stage, scale, zero_point),
            **more,
        )
        return self._emit(op, scale, zero_point)

    def _window(self, stage: Stage, source: ir.Tensor, window: tuple[int, int]) -> dict[str, Any]:
        settings = stage.head.attributes
        if stage.zero_pad is not None:
            padding = stage.zero_pad.attributes["padding"]
        else:
            padding = resolve_padding(
                settings["padding"], source.shape[1:3], window, settings["stride"], settings["dilation"]
            )
        return {"stride": settings["stride"], "dilation": settings["dilation"], "padding": padding}

    def _conv(self, stage: Stage, source: ir.Tensor) -> str:
        kernel, bias, limit = self._folded(stage, self.weights[stage.head.name]["kernel"], 3)
        kernel = kernel.transpose(3, 0, 1, 2)
        window = self._window(stage, source, kernel.shape[1:3])
        return self._weighted(stage, ir.Conv2D, source, kernel, bias, limit, **window)

    def _depthwise(self, stage: Stage, source: ir.Tensor) -> str:
        kernel = self.weights[stage.head.name]["kernel"]
        multiplier = kernel.shape[3]
        kernel, bias, limit = self._folded(stage, kernel.reshape(*kernel.shape[:2], -1), 2)
        more = {"depth_multiplier": multiplier, **self._window(stage, source, kernel.shape[:2])}
        return self._weighted(stage, ir.DepthwiseConv2D, source, kernel, bias, limit, **more)

    def _dense(self, stage: Stage, source: ir.Tensor) -> str:
        kernel, bias, limit = self._folded(stage, self.weights[stage.head.name]["kernel"], 1)
        return self._weighted(stage, ir.Dense, source, kernel.T, bias, limit)

    def _conv_transpose(self, stage: Stage, source: ir.Tensor) -> str:
        kernel, bias, limit = self._folded(stage, self.weights[stage.head.name]["kernel"], 3)
        kernel, settings = kernel.transpose(3, 0, 1, 2), stage.head.attributes
        size = ir_shape(stage.head.shape)[1:3]
        window = {"stride": settings["stride"], "output_size": size}
        # SAME cuts what a convolution from the output's size to the input's would pad.
        cut = resolve_padding(settings["padding"], size, kernel.shape[1:3], settings["stride"])
        ends = zip(source.shape[1:3], kernel.shape[1:3], settings["stride"], size, (cut.top, cut.left), strict=True)
        behind = [max((n - 1) * s + k - first - out, 0) for n, k, s, out, first in ends]
        window["padding"] = ir.Padding(cut.top, behind[0], cut.left, behind[1])
        return self._weighted(stage, ir.TransposeConv2D, source, kernel, bias, limit, **window)

    def _batch_norm(self, stage: Stage, source: ir.Tensor) -> str:
        return self._line(
            stage, source, *batch_norm_line(self.weights[stage.head.name], stage.head.attributes["epsilon"])
        )

    def _affine(self, stage: Stage, source: ir.Tensor) -> str:
        # Channels may have been sliced away, but only where all have one line.
        width = source.shape[-1]
        return self._line(stage, source, *(stage.head.attributes[key][:width] for key in ("factor", "shift")))

    def _line(self, stage: Stage, source: ir.Tensor, factor: np.ndarray, shift: np.ndarray) -> str:
        """A line per channel that nothing could absorb: a 1x1 depthwise convolution."""
        plane = source.shape if len(source.shape) == 4 else (1, 1, prod(source.shape[:-1]), source.shape[-1])
        flat = self.tensors[self.reshaped(source.name, plane)]
        name = self._weighted(stage, ir.DepthwiseConv2D, flat, factor[np.newaxis, np.newaxis], shift)
        return self.reshaped(name, source.shape)

    def _relu(self, stage: Stage, source: ir.Tensor) -> str:
        scale, zero_point = self._quantization(stage)
        op = ir.Requantize(**self._common(stage, source), **self._clamp(stage, scale, zero_point))
        return self._emit(op, scale, zero_point)

    def _table(self, stage: Stage, source: ir.Tensor) -> str:
        scale, zero_point = self._quantization(stage)
        function, alpha = (stage.head.attributes[key] for key in ("function", "alpha"))
        table = function_table(function, source, ir.Tensor(stage.key, source.shape, scale, zero_point), alpha)
        op = ir.Table(**self._common(stage, source), function=function, alpha=alpha, table=table)
        return self._emit(op, scale, zero_point)

    def _prelu(self, stage: Stage, source: ir.Tensor) -> str:
        scale, zero_point = self._quantization(stage)
        steps, step = quantize_slopes(self.weights[stage.head.name]["alpha"])
        alpha = ir.Tensor(f"{stage.key}/alpha", steps.shape, step, 0)
        self.tensors[alpha.name], self.constants[alpha.name] = alpha, steps
        return self._emit(ir.Prelu(**self._common(stage, source, alpha)), scale, zero_point)

    def _merged(self, stage: Stage, op_class: type[ir.Elementwise], *sources: ir.Tensor) -> str:
        scale, zero_point = self._quantization(stage)
        op = op_class(**self._common(stage, *self._of_one_rank(sources)), **self._clamp(stage, scale, zero_point))
        return self._emit(op, scale, zero_point)

    def _of_one_rank(self, sources: tuple[ir.Tensor, ...]) -> list[ir.Tensor]:
        """Keras gives a tensor of fewer axes new ones behind the batch."""
        rank = max(len(source.shape) for source in sources)
        shapes = ((*(1,) * (rank - len(s.shape)), *s.shape) for s in sources)
        return [self.tensors[self.reshaped(s.name, shape)] for s, shape in zip(sources, shapes, strict=True)]

    def _add(self, stage: Stage, *sources: ir.Tensor) -> str:
        return self._merged(stage, ir.Add, *sources)

    def _subtract(self, stage: Stage, *sources: ir.Tensor) -> str:
        return self._merged(stage, ir.Sub, *sources)

    def _multiply(self, stage: Stage, *sources: ir.Tensor) -> str:
        return self._merged(stage, ir.Mul, *sources)

    def _average(self, stage: Stage, *sources: ir.Tensor) -> str:
        """A sum on a scale as many times as coarse has the mean's bytes; a reshape gives them their own scale."""
        scale, zero_point = self._quantization(stage)
        common = self._common(stage, *self._of_one_rank(sources)) | {"outputs": (f"{stage.key}/sum",)}
        op = ir.Add(**common, **self._clamp(stage, scale, zero_point))
        total = self._emit(op, float(np.float32(scale * stage.head.attributes["count"])), zero_point)
        shape = self.tensors[total].shape
        mean = ir.Reshape(name=f"{op.name}/mean", inputs=(total,), outputs=(stage.key,), shape=shape)
        return self._emit(mean, scale, zero_point)

    def _maximum(self, stage: Stage, *sources: ir.Tensor) -> str:
        return self._extremum(stage, ir.Maximum, *sources)

    def _minimum(self, stage: Stage, *sources: ir.Tensor) -> str:
        return self._extremum(stage, ir.Minimum, *sources)

    def _extremum(self, stage: Stage, op_class: type[ir.Extremum], *sources: ir.Tensor) -> str:
        pieces = self._of_one_rank(tuple(self._on_its_scale(stage, sources)))
        return self._emit(op_class(**self._common(stage, *pieces)), *self._quantization(stage))

    def _concat(self, stage: Stage, *sources: ir.Tensor) -> str:
        pieces = self._on_its_scale(stage, sources)
        axis = stage.head.attributes["axis"] + len(sources[0].shape) - len(stage.head.shape)
        return self._emit(ir.Concat(**self._common(stage, *pieces), axis=axis), *self._quantization(stage))

    def _on_its_scale(self, stage: Stage, sources: tuple[ir.Tensor, ...]) -> list[ir.Tensor]:
        """What a stage reads, requantized where it has another scale than the stage's output."""
        wanted = ir.Tensor(stage.key, (1,), *self._quantization(stage)).quantization
        return [
            source if source.quantization == wanted else self.tensors[self._requantized(stage, source, index)]
            for index, source in enumerate(sources)
        ]

    def _requantized(self, stage: Stage, source: ir.Tensor, index: int) -> str:
        name = f"{stage.key}/input_{index}"
        return self._emit(ir.Requantize(name=name, inputs=(source.name,), outputs=(name,)), *self._quantization(stage))

    def _softmax(self, stage: Stage, source: ir.Tensor) -> str:
        return self._emit(ir.Softmax(**self._common(stage, source)), 1 / 256, -128)

    def _zero_pad(self, stage: Stage, source: ir.Tensor) -> str:
        op = ir.Pad(**self._common(stage, source), padding=stage.head.attributes["padding"])
        return self._emit(op, source.scale, source.zero_point)

    def _crop(self, stage: Stage, source: ir.Tensor) -> str:
        begin = (0, *stage.head.attributes["begin"], 0)
        size = (*ir_shape(stage.head.shape)[:3], source.shape[3])
        op = ir.StridedSlice(**self._common(stage, source), begin=begin, size=size, stride=(1, 1, 1, 1))
        return self._emit(op, source.scale, source.zero_point)

    def _upsample(self, stage: Stage, source: ir.Tensor) -> str:
        common, (_, height, width, _) = self._common(stage, source), ir_shape(stage.head.shape)
        op: ir.Resize
        if stage.head.attributes["interpolation"] == "bilinear":
            op = ir.ResizeBilinear(**common, size=(height, width), half_pixel_centers=True)
        else:
            op = ir.ResizeNearest(**common, size=(height, width))
        return self._emit(op, source.scale, source.zero_point)

    def _permute(self, stage: Stage, source: ir.Tensor) -> str:
        axes = stage.head.attributes["permutation"]
        before = len(source.shape) - len(axes)
        permutation = (*range(before), *(axis - 1 + before for axis in axes))
        op = ir.Transpose(**self._common(stage, source), permutation=permutation)
        return self._emit(op, source.scale, source.zero_point)

    def _pool(self, stage: Stage, source: ir.Tensor, mode: str) -> str:
        settings = stage.head.attributes
        window, stride = settings["window"], settings["stride"]
        padding = resolve_padding(settings["padding"], source.shape[1:3], window, stride)
        clamp = self._clamp(stage, source.scale, source.zero_point)
        op = ir.Pool2D(**self._common(stage, source), mode=mode, window=window, stride=stride, padding=padding, **clamp)
        return self._emit(op, source.scale, source.zero_point)

    def _max_pool(self, stage: Stage, source: ir.Tensor) -> str:
        return self._pool(stage, source, "max")

    def _average_pool(self, stage: Stage, source: ir.Tensor) -> str:
        return self._pool(stage, source, "average")

    def _global_average(self, stage: Stage, source: ir.Tensor) -> str:
        scale, zero_point = self._quantization(stage)
        keep = len(stage.last.shape) > 1
        name = self._emit(ir.Mean(**self._common(stage, source), axes=(1, 2), keep_dims=keep), scale, zero_point)
        return name

    def _global_max(self, stage: Stage, source: ir.Tensor) -> str:
        window = source.shape[1], source.shape[2]
        common = self._common(stage, source)
        op = ir.Pool2D(**common, mode="max", window=window, stride=window)
        name = self._emit(op, source.scale, source.zero_point)
        return name if len(stage.last.shape) > 1 else self.reshaped(name, (1, source.shape[3]))

    def _reshape(self, stage: Stage, source: ir.Tensor) -> str:
        shape = list(ir_shape(stage.last.shape))
        shape[-1] = prod(source.shape) // prod(shape[:-1])  # fewer channels came in where some were sliced away
        op = ir.Reshape(**self._common(stage, source), shape=tuple(shape))
        return self._emit(op, source.scale, source.zero_point)
