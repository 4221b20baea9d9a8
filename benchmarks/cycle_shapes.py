# SPDX-License-Identifier: Apache-2.0
"""Kernel by kernel: random operators of the sizes that models have, side by side in one integer graph.

Every operator reads inputs of its own and its output is one of the graph's, so that one image runs them all.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shrinkfit.graph import ir
from shrinkfit.graph.tables import function_table
from shrinkfit.price.kernels_3x3 import has_tiles

LARGEST_MACS, LARGEST_VALUES = 150_000, 8_000


class Operators:
    """Operators that have nothing to do with each other; each method adds one of random size."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.tensors: dict[str, ir.Tensor] = {}
        self.variables: dict[str, ir.Variable] = {}
        self.ops: list[ir.Op] = []
        self.inputs: list[str] = []
        self.outputs: list[str] = []

    def graph(self) -> ir.Graph:
        return ir.Graph("single", self.tensors, tuple(self.ops), self.inputs, self.outputs, variables=self.variables)

    def pick(self, low: int, high: int) -> int:
        """A size, small ones more often."""
        return int(np.exp(self.rng.uniform(np.log(low), np.log(high + 1))))

    def one_of(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def tensor(self, shape, scale=None, zero_point=None, dtype="int8") -> ir.Tensor:
        if dtype in ("float32", "int32"):
            scale, zero_point = 1.0, 0
        scale = float(self.rng.uniform(0.03, 0.06)) if scale is None else scale
        zero_point = int(self.rng.integers(-20, 20)) if zero_point is None else zero_point
        tensor = ir.Tensor(f"t{len(self.tensors)}", (1, *shape), scale, zero_point, dtype)
        self.tensors[tensor.name] = tensor
        return tensor

    def source(self, shape, **fields) -> ir.Tensor:
        tensor = self.tensor(shape, **fields)
        self.inputs.append(tensor.name)
        return tensor

    def add(self, kind, sources, targets, **fields) -> None:
        names = [tuple(t.name for t in tensors) for tensors in (sources, targets)]
        self.ops.append(kind(name=f"op{len(self.ops)}", inputs=names[0], outputs=names[1], **fields))
        self.outputs += names[1]

    def drop(self) -> None:
        """Takes back the last operator, whose inputs are its own."""
        op = self.ops.pop()
        for name in (*op.inputs, *op.outputs):
            del self.tensors[name]
            (self.inputs if name in op.inputs else self.outputs).remove(name)

    def like(self, source: ir.Tensor, shape) -> ir.Tensor:
        return self.tensor(shape, source.scale, source.zero_point, source.dtype)

    # --- operators with kernels ---

    def weights(self, shape, channels: int) -> dict:
        # Sums of n random products spread like sqrt(n): most outputs stay inside int8.
        scales = self.rng.uniform(0.5, 2, channels) * 0.02 / np.sqrt(np.prod(shape) / channels)
        return {
            "kernel": self.rng.integers(-127, 128, shape, np.int8),
            "bias": self.rng.integers(-5000, 5000, channels).astype(np.int32),
            "kernel_scales": scales.astype(np.float32),
        }

    def window(self, size, kernel) -> dict:
        """stride, dilation and padding; SAME or VALID."""
        stride = self.one_of((1, 1), (1, 1), (2, 2), (1, 2), (2, 1))
        wide = all((k - 1) * 2 < n for k, n in zip(kernel, size, strict=True))
        dilation = self.one_of((1, 1), (1, 1), (1, 1), (2, 2)) if wide else (1, 1)
        inside = all((k - 1) * d < n for k, d, n in zip(kernel, dilation, size, strict=True))
        padding = ir.same_padding(size, kernel, stride, dilation)
        return {
            "stride": stride,
            "dilation": dilation,
            "padding": self.one_of(padding, padding, ir.Padding()) if inside else padding,
        }

    def plane(self) -> tuple[int, int]:
        height = self.pick(1, 32)
        return height, self.one_of(1, height, self.pick(1, 32))

    def weighted(self, kind, source, shape, channels, **fields) -> bool:
        """Adds it, unless it is so large that the emulation would take long."""
        op = kind(name="op", inputs=("x",), outputs=("y",), **self.weights(shape, channels), **fields)
        out = op.output_shape((1, *source))
        small = (
            op.macs(out, (1, *source)) <= LARGEST_MACS
            and np.prod(out) <= LARGEST_VALUES
            and np.prod(source) <= LARGEST_VALUES
        )
        if small:
            same = {name: getattr(op, name) for name in ("kernel", "bias", "kernel_scales")}
            # A ReLU's output has its zero_point at the lowest value, and a requantization of its own.
            target = self.tensor(out[1:], zero_point=self.one_of(None, ir.INT8_MIN))
            self.add(kind, [self.source(source)], [target], **same, **fields)
        return bool(small)

    def conv(self) -> None:
        while True:
            size = self.plane()
            kernel = self.one_of((1, 1), (1, 1), (3, 3), (3, 3), (3, 1), (5, 1), (1, 3), (1, 9), (5, 5), (10, 4))
            channels, out = self.one_of(1, 2, 3, *(self.pick(2, 96) for _ in range(4))), self.pick(1, 96)
            window = self.window(size, kernel) | self.one_of({}, {}, {}, {"activation_max": 100})
            if self.weighted(ir.Conv2D, (*size, channels), (out, *kernel, channels), out, **window):
                return

    def wide_conv(self) -> None:
        """With weights that do not go in pairs: an even channel has -128 where the odd one is below 0."""
        self.conv()
        kernel = self.ops[-1].kernel.copy()
        if len(kernel) > 1:
            kernel[0].flat[0], kernel[1].flat[0] = ir.INT8_MIN, -1
            self.ops[-1] = replace(self.ops[-1], kernel=kernel, activation_max=ir.INT8_MAX)

    def compact_conv(self) -> None:
        self.conv()

    def tiles(self) -> None:
        """Those that the kernel by tiles takes."""
        while True:
            size, channels, out = self.plane(), self.pick(8, 96), self.pick(4, 96)
            padding = self.one_of(ir.Padding(1, 1, 1, 1), ir.Padding(1, 1, 1, 1), ir.Padding())
            if min(size) + 2 * padding.top < 3:
                continue
            fields = {"padding": padding} | self.one_of({}, {}, {}, {"activation_max": 100})
            if self.weighted(ir.Conv2D, (*size, channels), (out, 3, 3, channels), out, **fields):
                op = self.ops[-1]
                if has_tiles(op, self.tensors[op.inputs[0]], self.tensors[op.outputs[0]]):
                    return
                self.drop()

    def grouped(self) -> None:
        while True:
            size, kernel = self.plane(), self.one_of((1, 1), (3, 3), (3, 3), (3, 1), (1, 5))
            groups, read, made = self.one_of(2, 2, 4, 8), self.pick(1, 24), self.pick(1, 24)
            shape, window = (groups * made, *kernel, read), self.window(size, kernel)
            if self.weighted(ir.Conv2D, (*size, groups * read), shape, groups * made, **window):
                return

    def transposed(self) -> None:
        while True:
            size, kernel = (self.pick(1, 16), self.pick(1, 16)), self.one_of((2, 2), (3, 3), (3, 3), (4, 4), (1, 5))
            stride = self.one_of((1, 1), (2, 2), (2, 2), (1, 2))
            channels, out = self.pick(1, 48), self.pick(1, 48)
            full = [(n - 1) * s + k for n, s, k in zip(size, stride, kernel, strict=True)]
            # SAME: the output is the input times the stride, or all where the kernel is shorter.
            cut = [max(0, k - s) if self.one_of(0, 1) else 0 for k, s in zip(kernel, stride, strict=True)]
            padding = ir.Padding(cut[0] // 2, cut[0] - cut[0] // 2, cut[1] // 2, cut[1] - cut[1] // 2)
            left = [n - c for n, c in zip(full, cut, strict=True)]
            fields = {"stride": stride, "padding": padding, "output_size": left}
            if self.weighted(ir.TransposeConv2D, (*size, channels), (out, *kernel, channels), out, **fields):
                return

    def depthwise(self) -> None:
        while True:
            size, channels, multiplier = self.plane(), self.pick(1, 96), self.one_of(1, 1, 1, 1, 2, 3)
            kernel = self.one_of((3, 3), (1, 1), (3, 1), (1, 3), (1, 9), (5, 1), (5, 5), (2, 2), (7, 7))
            shape, out = (*kernel, channels * multiplier), channels * multiplier
            fields = self.window(size, kernel) | {"depth_multiplier": multiplier}
            if self.weighted(ir.DepthwiseConv2D, (*size, channels), shape, out, **fields):
                return

    def clamp(self) -> dict:
        return self.one_of({}, {}, {}, {"activation_min": -100, "activation_max": 90})

    def depthwise_3x3(self) -> None:
        while True:
            size, channels, multiplier = self.plane(), self.pick(1, 64), self.one_of(1, 1, 1, 1, 2)
            fields = {"stride": self.one_of((1, 1), (1, 1), (2, 2)), "depth_multiplier": multiplier}
            fields["padding"] = ir.same_padding(size, (3, 3), fields["stride"], (1, 1))
            if min(size) >= 3:
                fields["padding"] = self.one_of(fields["padding"], fields["padding"], ir.Padding())
            out = channels * multiplier
            if self.weighted(ir.DepthwiseConv2D, (*size, channels), (3, 3, out), out, **fields):
                return

    def dense(self) -> None:
        while True:
            inputs, outputs = self.pick(1, 600), self.pick(1, 200)
            rows = self.one_of((), (), (), (self.pick(2, 30),))
            if self.weighted(ir.Dense, (*rows, inputs), (outputs, inputs), outputs, **self.clamp()):
                break
        # LiteRT's converter gives all outputs one scale, Keras models have one for each.
        op = self.ops[-1]
        if self.one_of(False, True):
            self.ops[-1] = replace(op, kernel_scales=np.full_like(op.kernel_scales, op.kernel_scales[0]))

    def dense_by_fours(self) -> None:
        """A scale that the kernel with weights in pairs does not take."""
        self.dense()
        self.ops[-1] = replace(self.ops[-1], kernel_scales=np.full(self.ops[-1].channels, 2.0, np.float32))

    def with_zero_blocks(self, add, largest: float = 0.45) -> None:
        """The operator that `add` adds, with some blocks of four weights left."""
        add()
        op, share = self.ops[-1], self.rng.uniform(0.05, largest)
        rows = op.kernel.reshape(op.channels, -1).copy()
        blocks = self.rng.random((op.channels, -(-rows.shape[1] // 4))) < share
        blocks[0, 0] = True
        rows[~np.repeat(blocks, 4, axis=1)[:, : rows.shape[1]]] = 0
        self.ops[-1] = replace(op, kernel=rows.reshape(op.kernel.shape), **self.clamp())

    def sparse_dense(self) -> None:
        def add() -> None:
            inputs, outputs = self.pick(32, 600), self.pick(4, 200)
            rows = self.one_of((), (), (), (self.pick(2, 8),))
            if not self.weighted(ir.Dense, (*rows, inputs), (outputs, inputs), outputs):
                add()

        self.with_zero_blocks(add)

    def sparse_conv(self) -> None:
        def add() -> None:
            size, channels, out = self.plane(), self.pick(32, 256), self.pick(4, 128)
            fields = {"stride": (1, 1), "dilation": (1, 1), "padding": ir.Padding()}
            if not self.weighted(ir.Conv2D, (*size, channels), (out, 1, 1, channels), out, **fields):
                add()

        self.with_zero_blocks(add, largest=0.3)

    # --- pools, reductions, softmax ---

    def pool(self, mode: str) -> None:
        size, channels = self.plane(), self.pick(1, 64)
        window = self.one_of((2, 2), (2, 2), (3, 3), (2, 1), (1, 2), (5, 1), size)
        window = tuple(min(k, n) for k, n in zip(window, size, strict=True))
        stride = self.one_of(window, window, (1, 1), (2, 2))
        padding = self.one_of(ir.Padding(), ir.same_padding(size, window, stride))
        source = self.source((*size, channels))
        out = ir.window_output_size(size, window, stride, (1, 1), padding)
        fields = {"mode": mode, "window": window, "stride": stride, "padding": padding}
        self.add(ir.Pool2D, [source], [self.like(source, (*out, channels))], **fields)

    def max_pool(self) -> None:
        self.pool("max")

    def average_pool(self) -> None:
        self.pool("average")

    def reduce(self, kind, same_scale: bool) -> None:
        shape = (*self.plane(), self.pick(1, 64))
        axes = self.one_of((1, 2), (1, 2), (1, 2), (2,), (3,), (1,), (1, 3))
        kept = [n for axis, n in enumerate(shape, 1) if axis not in axes]
        source = self.source(shape)
        self.add(kind, [source], [self.like(source, kept) if same_scale else self.tensor(kept)], axes=axes)

    def mean(self) -> None:
        self.reduce(ir.Mean, same_scale=False)

    def reduce_max(self) -> None:
        self.reduce(ir.ReduceMax, same_scale=True)

    def softmax(self) -> None:
        shape = (*self.one_of((), (), (self.pick(2, 20),)), self.pick(2, 100))
        # Logits between about -13 and 13, of which no exponential is left out.
        source = self.source(shape, scale=0.1)
        self.add(ir.Softmax, [source], [self.tensor(shape, 1 / 256, -128)])

    # --- arithmetic ---

    def shape(self) -> tuple[int, ...]:
        return self.one_of((self.pick(1, 2000),), (*self.plane(), self.pick(1, 64)))

    def scales(self) -> tuple[float | None, float | None]:
        """Of inputs and output; sometimes such that half of all sums are ties, which take the long way."""
        return self.one_of((None, None), (None, None), (2.0**-5, 2.0**-4))

    def sum(self) -> None:
        shape, (of_inputs, of_output) = self.shape(), self.scales()
        sources = [self.source(shape, scale=of_inputs) for _ in range(2)]
        self.add(ir.Add, sources, [self.tensor(shape, of_output)])

    def broadcast(self, kind) -> None:
        """Equal shapes, one value per channel, per pixel, or for all."""
        shape = (*self.plane(), self.pick(1, 64))
        other = self.one_of(shape, (1, 1, shape[2]), (1, 1, shape[2]), (*shape[:2], 1), (1, 1, 1))
        if other == shape and kind is ir.Add:
            other = (1, 1, shape[2])
        of_inputs, of_output = (None, None) if kind is ir.Mul else self.scales()
        sources = [self.source(size, scale=of_inputs) for size in (shape, other)]
        self.add(kind, sources, [self.tensor(shape, of_output)])

    def broadcast_sum(self) -> None:
        self.broadcast(ir.Add)

    def difference(self) -> None:
        self.broadcast(ir.Sub)

    def product(self) -> None:
        self.broadcast(ir.Mul)

    def prelu(self) -> None:
        shape = (*self.plane(), self.pick(1, 64))
        slope = self.source(self.one_of((1, 1, shape[2]), shape))
        self.add(ir.Prelu, [self.source(shape), slope], [self.tensor(shape)])

    def extremum(self) -> None:
        for kind in (ir.Maximum, ir.Minimum):
            shape = (*self.plane(), self.pick(1, 64))
            other = self.one_of(shape, shape, (1, 1, shape[2]), (*shape[:2], 1), (1, 1, 1))
            sources = [self.source(shape), self.source(other)]
            self.add(kind, sources, [self.like(sources[0], shape)])

    def table(self) -> None:
        shape = self.shape()
        source, target = self.source(shape), self.tensor(shape, 1 / 128, 0)
        self.add(ir.Table, [source], [target], function="tanh", table=function_table("tanh", source, target))

    def requantize(self) -> None:
        shape = self.shape()
        self.add(ir.Requantize, [self.source(shape)], [self.tensor(shape)])

    def convert(self, kind, source: str, target: str) -> None:
        shape = self.shape()
        positive = {"zero_point": 128} if "uint8" in (source, target) else {}
        tensors = [
            make(shape, dtype=dtype, **(positive if dtype == "uint8" else {}))
            for make, dtype in ((self.source, source), (self.tensor, target))
        ]
        self.add(kind, tensors[:1], tensors[1:])

    def quantize(self) -> None:
        self.convert(ir.Quantize, "float32", "int8")

    def dequantize(self) -> None:
        self.convert(ir.Dequantize, "int8", "float32")

    def integers(self) -> None:
        self.convert(ir.Convert, *self.one_of(("uint8", "int8"), ("int8", "uint8"), ("int16", "int8")))

    # --- moved bytes ---

    def resize(self, kind) -> None:
        size, channels = self.plane(), self.pick(1, 32)
        new = self.one_of((2 * size[0], 2 * size[1]), (self.pick(1, 40), self.pick(1, 40)))
        source = self.source((*size, channels))
        self.add(kind, [source], [self.like(source, (*new, channels))], size=new, half_pixel_centers=True)

    def resize_bilinear(self) -> None:
        self.resize(ir.ResizeBilinear)

    def resize_nearest(self) -> None:
        self.resize(ir.ResizeNearest)

    def pad(self) -> None:
        shape, edges = (*self.plane(), self.pick(1, 64)), self.rng.integers(0, 4, 4)
        source = self.source(shape)
        target = self.like(source, (shape[0] + edges[0] + edges[1], shape[1] + edges[2] + edges[3], shape[2]))
        self.add(ir.Pad, [source], [target], padding=ir.Padding(*(int(n) for n in edges)))

    def concat(self) -> None:
        shape, axis = [*self.plane(), self.pick(1, 64)], self.one_of(1, 2, 3, 3, 3)
        sizes = [self.pick(1, 64 if axis == 3 else 16) for _ in range(self.one_of(2, 2, 3))]
        shapes = [[size if i + 1 == axis else n for i, n in enumerate(shape)] for size in sizes]
        first = self.source(shapes[0])
        others = [self.like(first, other) for other in shapes[1:]]
        self.inputs += [tensor.name for tensor in others]
        shape[axis - 1] = sum(sizes)
        self.add(ir.Concat, [first, *others], [self.like(first, shape)], axis=axis)

    def transpose(self) -> None:
        shape = (*self.plane(), self.pick(1, 32))
        order = self.one_of((0, 2, 1, 3), (0, 3, 1, 2), (0, 2, 3, 1), (0, 1, 3, 2))
        source = self.source(shape)
        target = self.like(source, [shape[axis - 1] for axis in order[1:]])
        self.add(ir.Transpose, [source], [target], permutation=order)

    def slice(self) -> None:
        shape = (*self.plane(), self.pick(1, 64))
        begin = [int(self.rng.integers(n)) for n in shape]
        size = [int(self.rng.integers(1, n - b + 1)) for n, b in zip(shape, begin, strict=True)]
        source = self.source(shape)
        fields = {"begin": (0, *begin), "size": (1, *size), "stride": (1,) * 4}
        self.add(ir.StridedSlice, [source], [self.like(source, size)], **fields)

    def moved(self) -> None:
        self.one_of(self.concat, self.concat, self.transpose, self.slice)()

    # --- state ---

    def variable(self, shape, dtype: str, scale: float) -> str:
        tensor = ir.Tensor(f"v{len(self.variables)}", (1, *shape), scale, 0, dtype)
        self.variables[tensor.name] = ir.Variable(tensor, np.zeros(tensor.shape, dtype))
        return tensor.name

    def time_window(self) -> None:
        new, past, rest = self.pick(1, 8), self.pick(1, 20), self.one_of((self.pick(1, 200),), (4, 5), (5, 64), (1, 16))
        source = self.source((new, *rest))
        fields = {"axis": 1, "rows": past, "past": self.variable((past, *rest), "int8", source.scale)}
        self.add(ir.TimeWindow, [source], [self.like(source, (new + past, *rest))], **fields)
        # Kept to the end, so that the plan cannot spare the move of the new rows.
        self.outputs.append(source.name)

    def time_mean(self, average: bool = False) -> None:
        block, blocks, new = self.pick(1, 4), self.pick(2, 30), 1
        new = min(self.pick(1, 3), blocks)
        columns, channels = self.pick(1, 128 // block), self.pick(4, 96)
        source = self.source((new * block, columns, channels))
        target = self.like(source, (1, 1, channels)) if average else self.tensor((1, 1, channels))
        fields = {"axis": 1, "axes": (1, 2), "keep_dims": True, "length": blocks * block, "block": block}
        fields |= {"average": average, "sums": self.variable((blocks, channels), "int16", 1.0)}
        self.add(ir.TimeMean, [source], [target], **fields)

    def time_average(self) -> None:
        self.time_mean(True)

    def svdf(self) -> None:
        features, units, rank, memory = self.pick(4, 80), self.pick(2, 40), self.one_of(1, 2), self.pick(2, 16)
        fields = {
            "feature_kernel": self.rng.integers(-127, 128, (units * rank, features)).astype(np.int8),
            "time_kernel": self.rng.integers(-900, 900, (units * rank, memory)).astype(np.int16),
            "bias": self.rng.integers(-9999, 9999, units).astype(np.int32),
            "state": self.variable((units * rank * memory,), "int16", 0.01),
        }
        scales = {"feature_scale": 0.005, "time_scale": 0.002, "rank": rank}
        self.add(ir.Svdf, [self.source((features,))], [self.tensor((units,))], **fields, **scales)

    def lstm(self) -> None:
        steps, features, units = self.pick(1, 10), self.pick(2, 40), self.pick(2, 24)
        fields = {
            "input_kernels": self.rng.integers(-127, 128, (4, units, features)).astype(np.int8),
            "recurrent_kernels": self.rng.integers(-127, 128, (4, units, units)).astype(np.int8),
            "biases": self.rng.integers(-9999, 9999, (4, units)).astype(np.int32),
            "input_scales": self.rng.uniform(0.005, 0.02, 4).astype(np.float32),
            "recurrent_scales": self.rng.uniform(0.005, 0.02, 4).astype(np.float32),
            "hidden": self.variable((units,), "int8", 0.01),
            "cell": self.variable((units,), "int16", 2.0**-11),
        }
        more = {"hidden_scale": 0.01, "hidden_zero_point": 0, "cell_clip": 0.0}
        target = self.tensor((steps, units), 0.01, 0)
        self.add(ir.UnidirectionalLstm, [self.source((steps, features))], [target], **fields, **more)


# What is measured together: a method of Operators, and how many operators of its kind. A kernel is fitted on all
# operators that call it. A new kernel takes a line here and one in price/cycles_*.COUNTS.
KINDS: dict[str, int] = {
    "conv": 120,
    "wide_conv": 60,
    "tiles": 60,
    "compact_conv": 60,
    "grouped": 60,
    "transposed": 60,
    "depthwise": 90,
    "depthwise_3x3": 90,
    "dense": 50,
    "dense_by_fours": 50,
    "sparse_dense": 50,
    "sparse_conv": 50,
    "max_pool": 80,
    "average_pool": 80,
    "mean": 80,
    "reduce_max": 60,
    "softmax": 30,
    "sum": 40,
    "broadcast_sum": 30,
    "difference": 30,
    "product": 30,
    "prelu": 30,
    "extremum": 60,
    "table": 20,
    "requantize": 40,
    "quantize": 20,
    "dequantize": 20,
    "integers": 20,
    "resize_bilinear": 30,
    "resize_nearest": 30,
    "pad": 30,
    "moved": 90,
    "time_window": 60,
    "time_mean": 50,
    "time_average": 40,
    "svdf": 24,
    "lstm": 24,
}

# Measured with other kernels than the balanced ones: what `optimize` has to be.
GOALS = {"tiles": "speed", "compact_conv": "size"}


def graph_of(kind: str, count: int, seed: int) -> ir.Graph:
    """So many operators of one kind, the same for the same seed."""
    operators = Operators(seed)
    while len(operators.ops) < count:
        getattr(operators, kind)()
    return operators.graph()
