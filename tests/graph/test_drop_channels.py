# SPDX-License-Identifier: Apache-2.0
"""Which channels go, which have to stay, and what takes up their share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from shrinkfit.graph import ir
from shrinkfit.graph.dense_steps import same_steps
from shrinkfit.graph.drop_channels import drop_channels
from tests.graph.optimize_cases import images, optimized_exactly

DEAD = (1, 4, 5)


def weights(shape: tuple[int, ...], axis: int = 0, dead=(), bias: int = 0, seed: int = 0) -> dict:
    """Dense random kernel whose filters `dead` are zero with this bias."""
    kernel = np.random.default_rng(seed).integers(1, 100, shape).astype(np.int8)
    np.moveaxis(kernel, axis, 0)[list(dead)] = 0
    biases = np.zeros(shape[axis], np.int32)
    biases[list(dead)] = bias
    return {"kernel": kernel, "bias": biases, "kernel_scales": np.full(shape[axis], 0.002, np.float32)}


def chain(*ops: ir.Op, shape=(1, 5, 6, 3), numbers=(0.05, -3)) -> ir.Graph:
    """Operators in a row; those with empty inputs read the tensor before. Tensors are t0, t1, ..."""
    tensors, wired = {"t0": ir.Tensor("t0", shape, *numbers)}, []
    for i, op in enumerate(ops):
        inputs = op.inputs or (f"t{i}",)
        op = replace(op, name=f"{op.kind}{i}", inputs=inputs, outputs=(f"t{i + 1}",))
        shapes = (tensors[name].shape for name in inputs)
        tensors[f"t{i + 1}"] = ir.Tensor(f"t{i + 1}", op.output_shape(*shapes), *numbers)
        wired.append(op)
    return ir.Graph("chain", tensors, wired, ("t0",), (f"t{len(ops)}",))


def op(kind: type[ir.Op], inputs=(), **fields) -> ir.Op:
    return kind(name="?", inputs=inputs, outputs=("?",), **fields)


def dead_conv(bias: int) -> ir.Op:
    return op(ir.Conv2D, **weights((8, 3, 3, 3), dead=DEAD, bias=bias))


def point(inputs: int) -> ir.Op:
    return op(ir.Conv2D, **weights((2, 1, 1, inputs), seed=3))


SAME = ir.Padding(1, 1, 1, 1)
POOL = op(ir.Pool2D, mode="average", window=(2, 2), stride=(1, 1))
DEPTHWISE = op(ir.DepthwiseConv2D, **weights((2, 2, 8), axis=2))
DOUBLED = op(ir.DepthwiseConv2D, **weights((2, 2, 16), axis=2), depth_multiplier=2)
PADDED = op(ir.DepthwiseConv2D, **weights((3, 3, 8), axis=2), padding=SAME)
DENSE = op(ir.Dense, **weights((2, 8)))
# What lies between a convolution with three dead channels of eight (at bias 20000, far from real 0)
# and what takes up their share; how many channels the convolution keeps.
BETWEEN = {
    "nothing": ([point(8)], 5),
    "an average": ([POOL, point(8)], 5),
    "a depthwise": ([DEPTHWISE, point(8)], 5),
    "a depthwise with two filters each": ([DOUBLED, point(16)], 5),
    "a padded depthwise": ([PADDED, point(8)], 8),
    "a pad": ([op(ir.Pad, padding=SAME), point(8)], 8),
    "a padded convolution": ([op(ir.Conv2D, **weights((2, 3, 3, 8)), padding=SAME)], 8),
    "a mean": ([op(ir.Mean, axes=(1, 2)), DENSE], 5),
    "a mean over channels": ([op(ir.Mean, axes=(3,), keep_dims=True)], 8),
    "a flatten": ([op(ir.Reshape, shape=(1, 96)), op(ir.Dense, **weights((2, 96)))], 5),
    "a flatten and back": ([op(ir.Reshape, shape=(1, 96)), op(ir.Reshape, shape=(1, 3, 4, 8)), point(8)], 5),
    "rows that mix channels": ([op(ir.Reshape, shape=(1, 32, 3)), op(ir.Dense, **weights((2, 3)))], 8),
    "a sum with itself": ([op(ir.Add, inputs=("t1", "t1")), point(8)], 5),
    "a sum with live channels": ([op(ir.Requantize, activation_min=-90), op(ir.Add, inputs=("t1", "t2")), point(8)], 5),
    "the output": ([POOL], 8),
}


@pytest.mark.parametrize("layers, kept", BETWEEN.values(), ids=BETWEEN)
def test_constant_channels(layers, kept):
    graph = chain(dead_conv(20_000), *layers)
    smaller, _ = optimized_exactly(graph, images(graph, 1, 30))
    assert smaller.tensors["t1"].shape[-1] == kept


@pytest.mark.parametrize("name", ["a padded convolution", "a pad", "the output"])
def test_constants_at_the_zero_point_pass_padding(name):
    graph = chain(dead_conv(0), *BETWEEN[name][0])
    smaller, _ = optimized_exactly(graph, images(graph, 1, 30))
    assert smaller.tensors["t1"].shape[-1] == (8 if name == "the output" else 5)


def up(shape: tuple[int, ...], stride: int, size: tuple[int, int], **changes) -> ir.Op:
    """A transposed convolution behind 3 x 4 pixels."""
    padding = ir.transpose_padding((3, 4), shape[1:3], (stride, stride), size, same=True)
    numbers = weights(shape, seed=3) | changes
    return op(ir.TransposeConv2D, **numbers, stride=(stride, stride), padding=padding, output_size=size)


def same_taps() -> np.ndarray:
    """Two by two taps with one value each per pair of channels, so that every output has the same share."""
    return np.broadcast_to(weights((2, 1, 1, 8))["kernel"], (2, 2, 2, 8)).copy()


# A transposed convolution behind the dead channels, at which value, and how many channels stay.
TRANSPOSED = {
    "at the zero_point": (0, up((2, 3, 3, 8), 2, (6, 8)), 5),
    "not every output has the same taps": (20_000, up((2, 3, 3, 8), 2, (6, 8)), 8),
    "every output has one tap": (20_000, up((2, 2, 2, 8), 2, (6, 8), kernel=same_taps()), 5),
    "taps that differ": (20_000, up((2, 2, 2, 8), 2, (6, 8)), 8),
    "outputs that nothing reaches": (20_000, up((2, 1, 1, 8), 2, (6, 8)), 8),
}


@pytest.mark.parametrize("bias, layer, kept", TRANSPOSED.values(), ids=TRANSPOSED)
def test_constant_channels_before_a_transposed_convolution(bias, layer, kept):
    graph = chain(dead_conv(bias), layer)
    smaller, _ = optimized_exactly(graph, images(graph, 1, 30))
    assert smaller.tensors["t1"].shape[-1] == kept


def test_dead_outputs_of_a_transposed_convolution_go():
    padding = ir.transpose_padding((5, 6), (3, 3), (2, 2), (10, 12), same=True)
    fields = {"stride": (2, 2), "padding": padding, "output_size": (10, 12)}
    graph = chain(op(ir.TransposeConv2D, **weights((8, 3, 3, 3), dead=DEAD, bias=500), **fields), point(8))
    smaller, records = optimized_exactly(graph, images(graph, 1, 30))
    assert smaller.tensors["t1"].shape[-1] == 5 and records[0].macs == 3 * 30 * 27


@pytest.mark.parametrize("first", [dead_conv(0), op(ir.Conv2D, **weights((8, 3, 3, 1), dead=DEAD))])
def test_a_grouped_convolution_keeps_its_channels(first):
    """Those that it reads, and those that it makes."""
    layers = [point(8)] if first.kernel.shape[3] == 1 else [op(ir.Conv2D, **weights((4, 1, 1, 4)))]
    graph = chain(first, *layers, shape=(1, 5, 6, 2 if first.kernel.shape[3] == 1 else 3))
    smaller, records = optimized_exactly(graph, images(graph, 1, 30))
    assert smaller.tensors["t1"].shape[-1] == 8 and records == ()


def test_saturated_channels_are_constant():
    conv = dead_conv(0)
    bias = conv.bias.copy()
    bias[[0, 2]] = 10**7, -(10**7)
    graph = chain(replace(conv, bias=bias), point(8))
    smaller, _ = optimized_exactly(graph, images(graph, 1, 30))
    assert smaller.tensors["t1"].shape[-1] == 3


def test_bias_takes_up_the_share():
    graph = chain(dead_conv(20_000), point(8))
    smaller, _ = optimized_exactly(graph, images(graph, 1, 30))
    value = 40 - 3  # 20000 * 0.05 * 0.002 / 0.05 behind the zero_point of -3
    share = graph.ops[1].kernel[:, 0, 0, list(DEAD)].astype(int).sum(axis=1) * (value + 3)
    assert smaller.ops[1].bias.tolist() == share.tolist()


def test_unread_channels_go():
    reader = point(8)
    kernel = reader.kernel.copy()
    kernel[..., 2:6] = 0
    graph = chain(op(ir.Conv2D, **weights((8, 3, 3, 3))), replace(reader, kernel=kernel))
    smaller, records = optimized_exactly(graph, images(graph, 1, 30))
    assert smaller.tensors["t1"].shape[-1] == 4
    assert records[0].reason == "4 outputs are unread"


def test_a_tensor_keeps_one_channel():
    graph = chain(op(ir.Conv2D, **weights((8, 3, 3, 3), dead=range(8), bias=5000)), DEPTHWISE, POOL, point(8))
    smaller, _ = optimized_exactly(graph, images(graph, 1, 5))
    assert [smaller.tensors[f"t{i}"].shape[-1] for i in range(5)] == [3, 1, 1, 1, 2]


def test_depth_multiplier_shrinks_behind_one_channel():
    first = op(ir.DepthwiseConv2D, **weights((2, 2, 6), axis=2, dead=(0, 3), bias=9000), depth_multiplier=6)
    graph = chain(first, point(6), shape=(1, 5, 6, 1))
    smaller, _ = optimized_exactly(graph, images(graph, 1, 30))
    assert (smaller.ops[0].depth_multiplier, smaller.ops[0].kernel.shape) == (4, (2, 2, 4))


@dataclass(frozen=True, eq=False, kw_only=True)
class Mystery(ir.Op):
    kind: ClassVar[str] = "mystery"

    def output_shape(self, shape):
        return shape


@pytest.mark.parametrize("layers, kept", [([op(Mystery), point(8)], 8), ([POOL, op(Mystery), point(8)], 8)])
def test_unknown_operators_keep_all_channels(layers, kept):
    smaller, records = drop_channels(chain(dead_conv(20_000), *layers))
    assert smaller.tensors["t1"].shape[-1] == kept and records == ()


def test_input_keeps_channels_that_nobody_reads():
    conv = op(ir.Conv2D, **weights((4, 3, 3, 3)))
    kernel = conv.kernel.copy()
    kernel[..., 1] = 0
    smaller, records = drop_channels(chain(replace(conv, kernel=kernel)))
    assert smaller.tensors["t0"].shape == (1, 5, 6, 3) and records == ()


@pytest.mark.parametrize("kernel_scale", [0.5, 0.3])
def test_dense_steps_of_a_part_are_those_of_the_whole(kernel_scale):
    source, target = ir.Tensor("x", (1, 4), 0.5, 0), ir.Tensor("y", (1, 8), 1.0, 0)
    whole = op(ir.Dense, **weights((8, 9)) | {"kernel_scales": np.full(8, kernel_scale, np.float32)})
    part = replace(whole, kernel=np.ascontiguousarray(whole.kernel[:, :4]))
    assert same_steps(whole, part, np.ones(8, bool), source, target)
    doubled = replace(part, kernel_scales=part.kernel_scales * 2)
    assert not same_steps(whole, doubled, np.ones(8, bool), source, target)


def test_dense_layer_that_would_round_otherwise_keeps_its_inputs():
    """Sums near 2**31: no multiplier fits all that the whole layer reaches, but one fits what would be left."""
    rng = np.random.default_rng(0)
    conv = op(ir.Conv2D, **weights((100, 1, 1, 3), dead=range(20, 100), bias=120_000))
    kernel = rng.integers(120, 128, (30, 40_000)).astype(np.int8)
    scales = (2.0**-23 * rng.uniform(0.6, 2, 30)).astype(np.float32)
    dense = op(ir.Dense, kernel=kernel, bias=np.zeros(30, np.int32), kernel_scales=scales)
    layers = conv, op(ir.Reshape, shape=(1, 40_000)), dense
    graph = chain(*layers, shape=(1, 20, 20, 3), numbers=(0.0437, -128))
    output = replace(graph.tensors["t3"], scale=0.0611)
    smaller, records = drop_channels(replace(graph, tensors={**graph.tensors, "t3": output}))
    assert smaller.tensors["t1"].shape[-1] == 100 and records == ()
