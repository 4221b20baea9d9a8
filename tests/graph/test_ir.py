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


def test_weights_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        dense().kernel[0, 0] = 5


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"), [(49, 10, 2, (4, 5)), (5, 3, 2, (1, 1)), (4, 3, 2, (0, 1))]
)
def test_same_padding_is_tensorflows(size, kernel, stride, expected):
    padding = ir.same_padding((size, 1), (kernel, 1), (stride, 1))
    assert (padding.top, padding.bottom) == expected
