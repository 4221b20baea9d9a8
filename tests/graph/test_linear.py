# SPDX-License-Identifier: Apache-2.0
"""A line in place of rounded steps: only where every output is the simulator's."""

import numpy as np
import pytest

from shrinkfit.graph import ir, simulate
from shrinkfit.graph.linear import LINE_BITS, TERM_BITS, line_of

VALUES = np.arange(-128, 128, dtype=np.int8)
A, B = (grid.reshape(-1) for grid in np.meshgrid(VALUES, VALUES, indexing="ij"))


def graph_of(kind, scales, zero_points, **fields):
    """All values of one input, or of two beside each other."""
    shape = (1, 256) if kind is ir.Requantize else (1, 256 * 256)
    tensors = [ir.Tensor(*row) for row in zip("aby", [shape] * 3, scales, zero_points, strict=True)]
    tensors = [tensors[0], tensors[2]] if kind is ir.Requantize else tensors
    names = tuple(tensor.name for tensor in tensors)
    op = kind(name="op", inputs=names[:-1], outputs=names[-1:], **fields)
    return ir.Graph("g", {t.name: t for t in tensors}, (op,), names[:-1], names[-1:])


def found(graph):
    (op,) = graph.ops
    return line_of(op, tuple(graph.op_inputs(op)), graph.op_outputs(op)[0])


@pytest.mark.parametrize("kind", [ir.Add, ir.Sub, ir.Requantize])
@pytest.mark.parametrize("seed", range(6))
def test_a_line_gives_the_simulators_outputs(kind, seed):
    rng = np.random.default_rng(seed)
    scales = (*rng.uniform(0.01, 0.1, 2), rng.uniform(0.05, 0.2))
    graph = graph_of(kind, tuple(map(float, scales)), tuple(map(int, rng.integers(-128, 128, 3))))
    inputs = {"a": VALUES} if kind is ir.Requantize else {"a": A, "b": B}
    expected = simulate.trace(graph, {name: x[None] for name, x in inputs.items()})["y"][0]
    line = found(graph)
    assert line is not None or kind is ir.Requantize
    if line is not None:
        terms = [
            factor * x.astype(np.int64) >> TERM_BITS for factor, x in zip(line.factors, inputs.values(), strict=True)
        ]
        np.testing.assert_array_equal(np.clip((line.offset + sum(terms)) >> LINE_BITS, -128, 127), expected)


@pytest.mark.parametrize(
    ("kind", "scales", "zero_points", "fields"),
    [
        (ir.Add, (0.5, 0.5, 1.0), (0, 0, 0), {}),  # negative ties go down, positive ones up
        (ir.Requantize, (0.25, 0.1, 1.0), (0, 0, 0), {}),
        (ir.Add, (0.31, 0.17, 0.05), (1, 2, 3), {}),  # a factor above 4
        (ir.Add, (1e-12, 0.17, 0.05), (1, 2, 3), {}),  # a factor of 0
        (ir.Add, (0.31, 0.17, 0.35), (1, 2, 3), {"activation_min": -50}),
    ],
)
def test_there_is_no_line_where_one_output_would_differ(kind, scales, zero_points, fields):
    assert found(graph_of(kind, scales, zero_points, **fields)) is None


def test_the_shape_and_the_names_do_not_matter():
    graph = graph_of(ir.Add, (0.0394, 0.1042, 0.0509), (-128, 4, -128))
    (op,), (a, b), (y,) = graph.ops, graph.op_inputs(graph.ops[0]), graph.op_outputs(graph.ops[0])
    other = ir.Tensor("c", (1, 3, 5), a.scale, a.zero_point)
    assert line_of(op, (other, b), y) == line_of(op, (a, b), y) is not None
