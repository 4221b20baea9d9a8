# SPDX-License-Identifier: Apache-2.0
"""A graph that contradicts itself cannot be made."""

import numpy as np
import pytest

from shrinkfit.graph import ir


def dense(**changes) -> ir.Dense:
    settings = {
        "name": "d",
        "inputs": ("x",),
        "outputs": ("y",),
        "kernel": np.ones((3, 4), np.int8),
        "bias": np.zeros(3, np.int32),
        "kernel_scales": np.ones(3, np.float32),
    }
    return ir.Dense(**(settings | changes))


def graph(op: ir.Op, x_shape=(1, 4), y_shape=(1, 3)) -> ir.Graph:
    tensors = {"x": ir.Tensor("x", x_shape, 0.1, 0), "y": ir.Tensor("y", y_shape, 0.1, 0)}
    return ir.Graph("g", tensors, (op,), ("x",), ("y",))


def test_a_sound_graph_counts_its_macs():
    assert graph(dense()).macs == 12
    assert graph(dense()).ops[0].weight_count == 15


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel": np.ones((3, 4), np.int16)}, "dtype is int16, expected int8"),
        ({"bias": np.zeros(2, np.int32)}, r"bias has shape \(2,\), expected \(3,\)"),
        ({"kernel_scales": np.array([1, 0, 1], np.float32)}, "not positive"),
        ({"activation_min": 5, "activation_max": 4}, r"activation range \[5, 4\]"),
    ],
)
def test_an_operator_checks_itself(changes, message):
    with pytest.raises(ir.GraphError, match=message):
        dense(**changes)


@pytest.mark.parametrize(
    ("op", "shapes", "message"),
    [
        (dense(), {"y_shape": (1, 5)}, r"output shape is \(1, 5\), expected \(1, 3\)"),
        (dense(), {"x_shape": (1, 6)}, "input has 6 features, the kernel expects 4"),
        (dense(inputs=("z",)), {}, "reads 'z' before it is made"),
        (dense(outputs=("x",)), {}, "makes 'x' a second time"),
        (dense(bias=np.full(3, 2**31 - 1, np.int32)), {}, "does not fit int32"),
    ],
)
def test_a_graph_checks_itself(op, shapes, message):
    with pytest.raises(ir.GraphError, match=message):
        graph(op, **shapes)


def weights(shape) -> dict:
    channels = shape[0]
    made = {"kernel": np.ones(shape, np.int8), "bias": np.zeros(channels, np.int32)}
    return made | {"name": "c", "inputs": ("x",), "outputs": ("y",), "kernel_scales": np.ones(channels, np.float32)}


def test_a_grouped_convolution_counts_what_it_reads():
    op = ir.Conv2D(**weights((6, 1, 3, 2)))
    assert op.groups((1, 4, 5, 6)) == 3
    assert graph(op, (1, 4, 5, 6), (1, 4, 3, 6)).macs == 4 * 3 * 6 * 3 * 2


@pytest.mark.parametrize(
    ("outputs", "channels", "message"),
    [(6, 5, "input has 5 channels, the kernel expects 2 or"), (5, 6, "5 output channels cannot be divided into 3 gr")],
)
def test_groups_of_unequal_size_are_refused(outputs, channels, message):
    with pytest.raises(ir.GraphError, match=message):
        graph(ir.Conv2D(**weights((outputs, 1, 1, 2))), (1, 4, 5, channels), (1, 4, 5, outputs))


def up(**changes) -> ir.TransposeConv2D:
    """A kernel of 3 x 3, stride 2; for 4 x 5 pixels the full output has 9 x 11."""
    return ir.TransposeConv2D(**(weights((2, 3, 3, 4)) | {"stride": (2, 2), "output_size": (9, 11)} | changes))


@pytest.mark.parametrize("first, rest, size", [(0, 0, (9, 11)), (1, 0, (8, 10)), (1, 2, (6, 8)), (0, 0, (12, 14))])
def test_a_transposed_convolution_is_cut_or_goes_on(first, rest, size):
    op = up(padding=ir.Padding(first, rest, first, rest), output_size=size)
    assert graph(op, (1, 4, 5, 4), (1, *size, 2)).macs == 4 * 5 * 2 * 3 * 3 * 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"padding": ir.Padding(1, 1)},
            "of a full height of 9, 1 cut before and 1 behind do not leave 9",
        ),
        ({"output_size": (8, 11)}, "full height of 9, 0 cut before and 0 behind do not leave 8; expected 1 behind"),
        ({"padding": ir.Padding(left=11)}, "full width of 11, 11 cut before"),
        ({"output_size": (0, 11)}, r"output_size is \(0, 11\), expected 1 or more"),
        ({"stride": (2, 0)}, r"stride is \(2, 0\), expected 1 or more"),
        (weights((2, 3, 3, 5)), "input has 4 channels, the kernel expects 5"),
        (weights((2, 3, 4)), r"kernel has shape \(2, 3, 4\), expected OHWI"),
    ],
)
def test_a_transposed_convolution_checks_itself(changes, message):
    with pytest.raises(ir.GraphError, match=message):
        graph(up(**changes), (1, 4, 5, 4), (1, 9, 11, 2))


@pytest.mark.parametrize("same, expected", [(True, ir.Padding(0, 1, 1, 2)), (False, ir.Padding(0, 1, 0, 3))])
def test_what_a_transposed_convolution_cuts_is_tensorflows(same, expected):
    assert ir.transpose_padding((4, 4), (3, 5), (2, 2), (8, 8), same) == expected


def test_weights_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        dense().kernel[0, 0] = 5


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"), [(49, 10, 2, (4, 5)), (5, 3, 2, (1, 1)), (4, 3, 2, (0, 1))]
)
def test_same_padding_is_tensorflows(size, kernel, stride, expected):
    padding = ir.same_padding((size, 1), (kernel, 1), (stride, 1))
    assert (padding.top, padding.bottom) == expected
