# SPDX-License-Identifier: Apache-2.0
"""The simulator against float arithmetic and against loops written out."""

import numpy as np
import pytest

from shrinkfit.errors import ShrinkfitError
from shrinkfit.graph import ir, simulate
from shrinkfit.graph.fixedpoint import requantize, split_scale
from shrinkfit.graph.kernels_weighted import exact_dot, summing
from shrinkfit.graph.softmax import softmax_int8


def one_op(op: ir.Op, x: ir.Tensor, y: ir.Tensor) -> ir.Graph:
    return ir.Graph("g", {"x": x, "y": y}, (op,), ("x",), ("y",))


def conv_by_loops(x, op: ir.Conv2D, source: ir.Tensor, target: ir.Tensor) -> np.ndarray:
    out = np.zeros(target.shape[1:], np.int64)
    scales = op.effective_scales(source, target)
    for (oy, ox, o), _ in np.ndenumerate(out):
        acc = int(op.bias[o])
        for ky, kx, c in np.ndindex(op.kernel.shape[1:]):
            y = oy * op.stride[0] + ky * op.dilation[0] - op.padding.top
            z = ox * op.stride[1] + kx * op.dilation[1] - op.padding.left
            if 0 <= y < x.shape[0] and 0 <= z < x.shape[1]:
                acc += (int(x[y, z, c]) - source.zero_point) * int(op.kernel[o, ky, kx, c])
        value = int(requantize(np.int64(acc), *split_scale(scales[o]), "double")) + target.zero_point
        out[oy, ox, o] = min(max(value, op.activation_min), op.activation_max)
    return out


@pytest.mark.parametrize(
    ("stride", "dilation", "zero_point"), [((1, 1), (1, 1), 3), ((2, 1), (1, 2), -128), ((2, 3), (2, 1), 127)]
)
def test_conv2d_equals_loops(stride, dilation, zero_point):
    rng = np.random.default_rng(5)
    op = ir.Conv2D(
        name="c", inputs=("x",), outputs=("y",), kernel=rng.integers(-127, 128, (3, 2, 3, 2)).astype(np.int8),
        bias=rng.integers(-999, 999, 3).astype(np.int32), kernel_scales=np.array([0.01, 0.02, 0.5], np.float32),
        stride=stride, dilation=dilation, padding=ir.Padding(1, 0, 2, 1), activation_min=-100,
    )  # fmt: skip
    source = ir.Tensor("x", (1, 6, 7, 2), 0.1, zero_point)
    target = ir.Tensor("y", op.output_shape(source.shape), 0.7, -9)
    x = rng.integers(-128, 128, (4, 6, 7, 2)).astype(np.int8)
    got = simulate.run(one_op(op, source, target), x)
    assert all(np.array_equal(g, conv_by_loops(image, op, source, target)) for g, image in zip(got, x, strict=True))


def test_more_inputs_than_are_computed_at_once_give_the_same_bits(monkeypatch):
    monkeypatch.setattr(simulate, "AT_ONCE", 4 * 48 + 1)
    rng = np.random.default_rng(6)
    op = ir.Pool2D(name="p", inputs=("x",), outputs=("y",), mode="average", window=(2, 2), stride=(2, 2))
    graph = one_op(op, ir.Tensor("x", (1, 4, 4, 3), 0.1, 0), ir.Tensor("y", (1, 2, 2, 3), 0.1, 0))
    x = rng.integers(-128, 128, (9, 4, 4, 3)).astype(np.int8)
    assert np.array_equal(simulate.run(graph, x), np.concatenate([simulate.run(graph, x[i : i + 1]) for i in range(9)]))


@pytest.mark.parametrize(("count", "exact"), [(518, np.float32), (519, np.float64), (5_000, np.float64)])
def test_the_largest_sums_are_exact(count, exact):
    # Odd products near the largest, so that a sum beyond 2**24 would not be held by float32.
    kernel = np.full((count, 2), (127, -127), np.int8)
    x = np.array([[255] * count, [253] * (count - 1) + [254]], np.int16)
    assert summing(kernel, 0) == exact
    assert exact_dot(x, kernel).tolist() == (x.astype(np.int64) @ kernel.astype(np.int64)).tolist()


def test_softmax_is_within_a_step_of_the_float_one():
    rng = np.random.default_rng(7)
    x = rng.integers(-128, 128, (200, 12)).astype(np.int8)
    real = np.exp(0.1 * x.astype(np.float64))
    real /= real.sum(axis=1, keepdims=True)
    assert np.abs((softmax_int8(x, 0.1, 1.0).astype(np.float64) + 128) / 256 - real).max() <= 1.5 / 256


def test_quantize_rounds_halves_away_from_zero_and_clamps():
    tensor = ir.Tensor("x", (1, 6), 0.5, 10)
    values = np.array([[0.25, -0.25, 0.2, 1e9, -1e9, 0.0]], np.float32)
    assert simulate.quantize(tensor, values).tolist() == [[11, 9, 10, 127, -128, 10]]


@pytest.mark.parametrize(
    "bad", [np.zeros((2, 4, 4, 3), np.float32), np.zeros((2, 4, 4, 2), np.int8), np.zeros((4, 4, 3), np.int8)]
)
def test_inputs_that_do_not_fit_are_named(bad):
    op = ir.Pool2D(name="p", inputs=("x",), outputs=("y",), mode="max", window=(2, 2), stride=(2, 2))
    graph = one_op(op, ir.Tensor("x", (1, 4, 4, 3), 0.1, 0), ir.Tensor("y", (1, 2, 2, 3), 0.1, 0))
    with pytest.raises(ShrinkfitError, match=r"input 'x' is .*expected int8 \[n, 4, 4, 3\]"):
        simulate.run(graph, bad)


def test_no_inputs_give_no_outputs():
    weights = {"kernel": np.ones((3, 1, 1, 2), np.int8), "bias": np.zeros(3, np.int32)}
    op = ir.Conv2D(name="c", inputs=("x",), outputs=("y",), kernel_scales=np.ones(3, np.float32), **weights)
    graph = one_op(op, ir.Tensor("x", (1, 4, 5, 2), 1.0, 0), ir.Tensor("y", (1, 4, 5, 3), 1.0, 0))
    answer = simulate.run(graph, np.zeros((0, 4, 5, 2), np.int8))
    assert answer.shape == (0, 4, 5, 3) and answer.dtype == np.int8
    with pytest.raises(ShrinkfitError, match="expected int8"):
        simulate.run(graph, np.zeros((0, 4, 5, 3), np.int8))


@pytest.mark.parametrize("run", [simulate.run, simulate.trace, lambda graph, _: simulate.Session(graph)])
def test_what_is_no_graph_is_named(run):
    with pytest.raises(ShrinkfitError, match=r"got a dict, expected an integer graph.*read_keras"):
        run({}, np.zeros((1, 4), np.int8))
