# SPDX-License-Identifier: Apache-2.0
"""Draws integer graphs with much to optimize: dead channels, pads, clamps, reshapes and layers that nobody reads."""

from __future__ import annotations

import numpy as np

from shrinkfit.graph import ir, simulate
from shrinkfit.graph.activation import ACTIVATION_BOUNDS, activation_range
from shrinkfit.graph.optimize import optimize

ZERO_POINTS = (-128, -128, 127, 0, -5)


class Draw:
    """Grows a graph layer by layer from one input; `now` is the tensor that the next layer reads."""

    def __init__(self, seed: int, shape: tuple[int, ...]) -> None:
        self.rng = np.random.default_rng(seed)
        # In some graphs a few scales are so far apart that int32 wraps around.
        self.wild = self.rng.random() < 0.15
        self.tensors: dict[str, ir.Tensor] = {}
        self.ops: list[ir.Op] = []
        self.now = self.tensor(shape, 0.05)

    def tensor(self, shape, scale: float, zero_point: int | None = None) -> ir.Tensor:
        zero_point = self.rng.choice(ZERO_POINTS) if zero_point is None else zero_point
        made = ir.Tensor(f"t{len(self.tensors)}", shape, scale, zero_point)
        self.tensors[made.name] = made
        return made

    def add(self, kind: type[ir.Op], like: ir.Tensor | None = None, other: ir.Tensor | None = None, **fields) -> None:
        """Append an operator that reads `now`; the output has the numbers of `like`, else a drawn zero_point."""
        sources = (self.now,) if other is None else (self.now, other)
        fields |= {"name": f"op{len(self.ops)}", "inputs": tuple(t.name for t in sources)}
        scale = fields.pop("scale", 0.05) * (self.rng.choice([1, 1, 1e-6, 1e-3, 1e4]) if self.wild else 1)
        shape = kind(**fields, outputs=("?",)).output_shape(*(t.shape for t in sources))
        target = self.tensor(shape, like.scale, like.zero_point) if like else self.tensor(shape, scale)
        if issubclass(kind, ir.Activated) and "activation_min" not in fields:
            name = self.rng.choice(list(ACTIVATION_BOUNDS))
            fields["activation_min"], fields["activation_max"] = activation_range(name, target)
        self.ops.append(kind(**fields, outputs=(target.name,)))
        self.now = target

    def weights(self, shape: tuple[int, ...], axis: int) -> dict:
        """Kernel, bias and scales; a third of the filters and of the inputs are zero, some biases saturate."""
        rng, channels = self.rng, shape[axis]
        kernel = np.moveaxis(rng.integers(-127, 128, shape), axis, 0)
        kernel[rng.random(channels) < 0.35] = 0
        if axis == 0:
            kernel[..., rng.random(shape[-1]) < 0.3] = 0
        bias = rng.choice([0, 0, 300, -4000, 10**6, -(10**6)], channels)
        scale = 3 / (60 * np.sqrt(kernel[0].size))
        return {
            "kernel": np.ascontiguousarray(np.moveaxis(kernel, 0, axis)).astype(np.int8),
            "bias": (bias + rng.integers(-9, 9, channels) * (bias != 0)).astype(np.int32),
            "kernel_scales": (scale * rng.choice([0.5, 1, 2], channels)).astype(np.float32),
        }

    def window(self, most: int = 3) -> dict:
        height, width = self.now.shape[1:3]
        window = tuple(int(min(n, self.rng.integers(1, most + 1))) for n in (height, width))
        stride = tuple(self.rng.integers(1, 3, 2).tolist())
        edges = [int(self.rng.integers(0, k)) for k in (window[0], window[0], window[1], window[1])]
        padding = [ir.Padding(), ir.Padding(*edges), ir.same_padding((height, width), window, stride)]
        return {"window": window, "stride": stride, "padding": padding[self.rng.integers(3)]}

    def grow(self) -> None:
        """One layer, or a few that belong together."""
        planes = [_conv, _conv, _depthwise, _depthwise, _pool, _pad, _residual, _residual, _mean]
        planes += [_grouped, _transposed, _transposed]
        anywhere = [_requantize, _clamp, _reshape, _dense]
        choices = anywhere + (planes * 2 if len(self.now.shape) == 4 else [_dense])
        choices[self.rng.integers(len(choices))](self)

    def graph(self, outputs: tuple[str, ...] = ()) -> ir.Graph:
        return ir.Graph("drawn", self.tensors, self.ops, ("t0",), (self.now.name, *outputs))


def _conv(draw: Draw, same: bool = False) -> None:
    window = {"window": (1, 1), "stride": (1, 1), "padding": ir.Padding()} if same else draw.window()
    channels = draw.now.shape[3] if same else int(draw.rng.integers(1, 9))
    shape = (channels, *window.pop("window"), draw.now.shape[3])
    draw.add(ir.Conv2D, **draw.weights(shape, 0), **window)


def _grouped(draw: Draw) -> None:
    window, channels = draw.window(), draw.now.shape[3]
    groups = int(draw.rng.choice([n for n in range(1, channels + 1) if channels % n == 0]))
    shape = (groups * int(draw.rng.integers(1, 3)), *window.pop("window"), channels // groups)
    draw.add(ir.Conv2D, **draw.weights(shape, 0), **window)


def _transposed(draw: Draw) -> None:
    rng, size = draw.rng, draw.now.shape[1:3]
    window, stride = (tuple(rng.integers(1, 4, 2).tolist()) for _ in range(2))
    output_size = tuple(int(min(n * s, 9)) for n, s in zip(size, stride, strict=True))
    padding = ir.transpose_padding(size, window, stride, output_size, bool(rng.integers(2)))
    shape = (int(rng.integers(1, 7)), *window, draw.now.shape[3])
    fields = {"stride": stride, "padding": padding, "output_size": output_size}
    draw.add(ir.TransposeConv2D, **draw.weights(shape, 0), **fields)


def _depthwise(draw: Draw, same: bool = False) -> None:
    window = {"window": (3, 3), "stride": (1, 1), "padding": ir.Padding(1, 1, 1, 1)} if same else draw.window()
    multiplier = 1 if same else int(draw.rng.choice([1, 1, 2, 3]))
    shape = (*window.pop("window"), draw.now.shape[3] * multiplier)
    draw.add(ir.DepthwiseConv2D, **draw.weights(shape, 2), **window, depth_multiplier=multiplier)


def _dense(draw: Draw) -> None:
    shape = (int(draw.rng.integers(1, 9)), draw.now.shape[-1])
    draw.add(ir.Dense, **draw.weights(shape, 0))


def _pool(draw: Draw) -> None:
    draw.add(ir.Pool2D, like=draw.now, mode=str(draw.rng.choice(["max", "average"])), **draw.window())


def _pad(draw: Draw) -> None:
    draw.add(ir.Pad, like=draw.now, padding=ir.Padding(*draw.rng.integers(0, 3, 4).tolist()))


def _residual(draw: Draw) -> None:
    before = draw.now
    for layer in (_conv, _depthwise):
        if draw.rng.random() < 0.7:
            layer(draw, same=True)
    draw.add(ir.Add, other=before, scale=0.08)


def _mean(draw: Draw) -> None:
    axes = [(1, 2), (1, 2), (2,), (3,), (1, 2, 3)][draw.rng.integers(5)]
    draw.add(ir.Mean, axes=axes, keep_dims=bool(draw.rng.integers(2) or len(axes) == 3))


def _requantize(draw: Draw) -> None:
    draw.add(ir.Requantize, scale=float(draw.rng.choice([0.05, 0.03, 0.2])))


def _clamp(draw: Draw) -> None:
    draw.add(ir.Requantize, like=draw.now)


def _reshape(draw: Draw) -> None:
    shape = draw.now.shape
    count = int(np.prod(shape))
    shapes = [shape, (1, count), (1, count // shape[-1], shape[-1]), (1, count // shape[-1], 1, shape[-1])]
    draw.add(ir.Reshape, like=draw.now, shape=shapes[draw.rng.integers(len(shapes))])


def drawn_graph(seed: int, shape: tuple[int, ...] | None = None) -> ir.Graph:
    """A graph of about seven layers; sometimes with a second output, and with layers that nobody reads."""
    rng = np.random.default_rng([seed, 1])
    draw = Draw(seed, shape or (1, *rng.integers(1, 8, 2).tolist(), int(rng.integers(1, 5))))
    for _ in range(rng.integers(2, 9)):
        draw.grow()
        if rng.random() < 0.1 and len(draw.ops) > 1:  # What was grown last stays unread.
            draw.now = draw.tensors[draw.ops[-1].inputs[0]]
    if draw.now.name == "t0":
        _requantize(draw)
    second = (draw.ops[0].outputs[0],) if rng.random() < 0.2 and draw.ops[0].outputs[0] != draw.now.name else ()
    return draw.graph(second)


def images(graph: ir.Graph, seed: int, count: int) -> np.ndarray:
    """Random images and, first, flat ones at the ends of the range."""
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    x = np.random.default_rng(seed).integers(-128, 128, (count, *shape)).astype(np.int8)
    x[0], x[1] = -128, 127
    return x


def optimized_exactly(graph: ir.Graph, x: np.ndarray):
    """optimize(graph), after asserting that all tensors that both graphs have are equal on these inputs."""
    smaller, records = optimize(graph)
    assert [smaller.tensors[n] for n in smaller.inputs + smaller.outputs] == [
        graph.tensors[n] for n in graph.inputs + graph.outputs
    ]
    before, after = simulate.trace(graph, x), simulate.trace(smaller, x)
    for name in before.keys() & after.keys():
        if before[name].shape == after[name].shape:
            assert np.array_equal(before[name], after[name]), f"tensor '{name}' changed; {records}"
    return smaller, records
