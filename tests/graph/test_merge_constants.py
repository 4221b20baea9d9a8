# SPDX-License-Identifier: Apache-2.0
"""Constants that are equal become one, and what only reads constants is computed beforehand; no bit changes."""

import numpy as np

from shrinkfit.graph import ir, simulate
from shrinkfit.graph.optimize import optimize

X, C, D, SUM = (ir.Tensor(name, (1, 6), 0.1 + 0.05 * i, i) for i, name in enumerate(("x", "c", "d", "sum")))
RNG = np.random.default_rng(2)
INPUTS = RNG.integers(-128, 128, (50, 6)).astype(np.int8)


def values():
    return RNG.integers(-128, 128, (1, 6)).astype(np.int8)


def rules(records) -> list[str]:
    return [record.rule for record in records]


def test_what_reads_only_constants_is_computed_beforehand():
    y = ir.Tensor("y", (1, 6), 0.4, -7)
    ops = (
        ir.Add(name="of_constants", inputs=("c", "d"), outputs=("sum",)),
        ir.Mul(name="with_input", inputs=("x", "sum"), outputs=("y",)),
    )
    tensors = {t.name: t for t in (X, C, D, SUM, y)}
    graph = ir.Graph("g", tensors, ops, ("x",), ("y",), constants={"c": values(), "d": values()})
    after, records = optimize(graph)
    assert rules(records) == ["fold_constant"] and list(after.constants) == ["sum"]
    assert [op.name for op in after.ops] == ["with_input"]
    np.testing.assert_array_equal(simulate.run(after, INPUTS), simulate.run(graph, INPUTS))


def twice(second: ir.Tensor, held: np.ndarray) -> ir.Graph:
    middle, y = ir.Tensor("middle", (1, 6), 0.3, 0), ir.Tensor("y", (1, 6), 0.5, 3)
    ops = (
        ir.Add(name="first", inputs=("x", "c"), outputs=("middle",)),
        ir.Add(name="second", inputs=("middle", "d"), outputs=("y",)),
    )
    tensors = {t.name: t for t in (X, C, second, middle, y)}
    return ir.Graph("g", tensors, ops, ("x",), ("y",), constants={"c": held, "d": held.copy()})


def test_equal_constants_become_one():
    graph = twice(ir.Tensor("d", C.shape, C.scale, C.zero_point), values())
    after, records = optimize(graph)
    assert rules(records) == ["merge_constants"] and list(after.constants) == ["c"]
    np.testing.assert_array_equal(simulate.run(after, INPUTS), simulate.run(graph, INPUTS))


def test_the_same_bytes_at_another_scale_stay_apart():
    graph = twice(D, values())
    assert optimize(graph) == (graph, ())
