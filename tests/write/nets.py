# SPDX-License-Identifier: Apache-2.0
"""Small random nets with every operator that the C runs."""

import numpy as np

from shrinkfit.graph import ir


class Builder:
    """Chains operators; each method returns the new tensor's name."""

    def __init__(self, seed: int, shape: tuple[int, ...]):
        self.rng = np.random.default_rng(seed)
        self.tensors, self.ops = {}, []
        self.input = self.tensor(shape, scale=0.05, zero_point=-1)

    def tensor(self, shape, scale=None, zero_point=None):
        name = f"t{len(self.tensors)}"
        scale = float(self.rng.uniform(0.03, 0.06)) if scale is None else scale
        zero_point = int(self.rng.integers(-20, 20)) if zero_point is None else zero_point
        self.tensors[name] = ir.Tensor(name, (1, *shape), scale, zero_point)
        return name

    def op(self, kind, sources, target_shape, like=None, relu=False, **fields):
        same = {} if like is None else dict(scale=self.tensors[like].scale, zero_point=self.tensors[like].zero_point)
        target = self.tensor(target_shape, **same)
        if relu:
            fields["activation_min"] = self.tensors[target].zero_point
        self.ops.append(kind(name=f"op/{len(self.ops)}", inputs=sources, outputs=(target,), **fields))
        return target

    def weights(self, shape, channels):
        scales = self.rng.uniform(0.5, 2, channels) * 0.02 / np.sqrt(np.prod(shape) / channels)
        return {
            "kernel": self.rng.integers(-127, 128, shape, np.int8),
            "bias": self.rng.integers(-5000, 5000, channels).astype(np.int32),
            "kernel_scales": scales.astype(np.float32),
        }

    def shape(self, name):
        return self.tensors[name].shape[1:]

    def conv(self, source, channels, kernel=(3, 3), stride=(1, 1), groups=1):
        shape = self.shape(source)
        padding = ir.same_padding(shape[:2], kernel, stride)
        size = ir.window_output_size(shape[:2], kernel, stride, (1, 1), padding)
        fields = self.weights((channels, *kernel, shape[2] // groups), channels)
        return self.op(ir.Conv2D, (source,), (*size, channels), **fields, stride=stride, padding=padding)

    def upsample(self, source, channels, kernel, stride, size):
        """A transposed convolution, SAME."""
        shape = self.shape(source)
        fields = self.weights((channels, *kernel, shape[2]), channels) | {"stride": stride, "output_size": size}
        padding = ir.transpose_padding(shape[:2], kernel, stride, size, same=True)
        return self.op(ir.TransposeConv2D, (source,), (*size, channels), relu=True, **fields, padding=padding)

    def depthwise(self, source, kernel=(3, 3), stride=(1, 1)):
        shape = self.shape(source)
        padding = ir.same_padding(shape[:2], kernel, stride)
        size = ir.window_output_size(shape[:2], kernel, stride, (1, 1), padding)
        fields = self.weights((*kernel, shape[2]), shape[2])
        return self.op(ir.DepthwiseConv2D, (source,), (*size, shape[2]), **fields, stride=stride, padding=padding)

    def pool(self, source, mode, window):
        shape = self.shape(source)
        size = ir.window_output_size(shape[:2], window, window, (1, 1), ir.Padding())
        return self.op(ir.Pool2D, (source,), (*size, shape[2]), like=source, mode=mode, window=window, stride=window)

    def dense(self, source, outputs):
        inputs = self.shape(source)[-1]
        return self.op(ir.Dense, (source,), (outputs,), **self.weights((outputs, inputs), outputs))

    def flatten(self, source):
        shape = (1, int(np.prod(self.shape(source))))
        return self.op(ir.Reshape, (source,), shape[1:], like=source, shape=shape)

    def softmax(self, source):
        target = self.tensor(self.shape(source), 1 / 256, -128)
        self.ops.append(ir.Softmax(name="softmax", inputs=(source,), outputs=(target,)))
        return target

    def graph(self, output, name="net"):
        return ir.Graph(name, self.tensors, tuple(self.ops), (self.input,), (output,))


def residual(seed=0, size=(11, 7), channels=6):
    """Conv, depthwise, 1x1, add, pad, pools, mean, dense, softmax."""
    b = Builder(seed, (*size, 2))
    x = b.conv(b.input, channels, stride=(2, 1))
    y = b.conv(b.depthwise(x), channels, kernel=(1, 1))
    x = b.op(ir.Add, (x, y), b.shape(x), relu=True)
    height, width, _ = b.shape(x)
    x = b.op(ir.Pad, (x,), (height + 1, width + 2, channels), like=x, padding=ir.Padding(0, 1, 2, 0))
    x = b.pool(x, "max", (2, 2))
    x = b.op(ir.Mean, (x,), (channels,), axes=(1, 2))
    return b.graph(b.softmax(b.dense(x, 5)), f"residual {seed}")


def chain(seed=0, steps=16, bands=10, channels=12):
    """A time convolution as hotword models have it; average pool, flatten, dense."""
    b = Builder(seed, (steps, 1, bands))
    x = b.conv(b.input, channels, kernel=(3, 1), stride=(2, 1))
    x = b.conv(x, channels + 1, kernel=(5, 1))
    x = b.pool(x, "average", (2, 1))
    return b.graph(b.dense(b.flatten(x), 4), f"chain {seed}")


def decoder(seed=0, size=(7, 6), channels=8):
    """Grouped convolutions down, transposed ones up, joined."""
    b = Builder(seed, (*size, 2))
    x = b.conv(b.conv(b.input, channels), channels, stride=(2, 2), groups=4)
    x = b.conv(x, channels + 2, kernel=(1, 1), groups=2)
    x = b.upsample(x, 3, (4, 3), (2, 2), size)
    y = b.conv(b.input, 3, kernel=(1, 1))
    return b.graph(b.op(ir.Add, (x, y), b.shape(x)), f"decoder {seed}")


def tiny():
    """A golden net: one dense layer."""
    b = Builder(7, (6,))
    return b.graph(b.dense(b.input, 3), 'tiny */ "net"')


def image(seed=0, size=(32, 24), channels=16):
    """Large planes first, small ones later."""
    b = Builder(seed, (*size, 3))
    x = b.conv(b.input, channels, stride=(2, 2))
    x = b.conv(b.depthwise(x), 2 * channels, kernel=(1, 1))
    x = b.pool(b.conv(b.depthwise(x, stride=(2, 2)), 2 * channels, kernel=(1, 1)), "max", (2, 2))
    x = b.op(ir.Mean, (x,), (2 * channels,), axes=(1, 2))
    return b.graph(b.softmax(b.dense(x, 4)), f"image {seed}")


def skips(seed=0, size=(20, 12), channels=8):
    """Two residual blocks on large planes, the second with a stride and a convolution beside it."""
    b = Builder(seed, (*size, 3))
    x = b.conv(b.input, channels)
    x = b.op(ir.Add, (x, b.conv(b.conv(x, channels), channels)), b.shape(x), relu=True)
    y = b.conv(b.conv(x, 2 * channels, stride=(2, 2)), 2 * channels)
    x = b.op(ir.Add, (b.conv(x, 2 * channels, kernel=(1, 1), stride=(2, 2)), y), b.shape(y), relu=True)
    x = b.op(ir.Mean, (x,), (2 * channels,), axes=(1, 2))
    return b.graph(b.dense(x, 4), f"skips {seed}")
