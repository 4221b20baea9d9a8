# SPDX-License-Identifier: Apache-2.0
"""Which precision LiteRT divides scales in, per operator: pairs of scales where float32 and double round apart."""

from dataclasses import replace

import numpy as np
import pytest

from shrinkfit.graph import ir, kernels_arithmetic, simulate, tables
from shrinkfit.graph.fixedpoint import split_scale
from shrinkfit.graph.tables import function_table
from shrinkfit.write.tflite import write_tflite
from tests.graph.litert_draw import WIRE, one_op
from tests.graph.litert_oracle import litert_run

EVERY_VALUE = np.arange(-128, 128, dtype=np.int8)[None]
# A pair of scales that tells float32 from double is rare for a table: (seed where one comes soon, how many).
SEARCH = {"tanh": (105, 1), "mul": (11, 3)}


def near_ties(seed: int):
    """Endless (source scale, target scale) whose quotient is nearly a fraction with many ties."""
    rng = np.random.default_rng(seed)
    while True:
        source = float(np.float32(rng.uniform(0.01, 1)))
        yield source, float(np.float32(source * rng.integers(61, 200) / rng.integers(1, 60))), rng


def tensors(source: float, target: float) -> tuple[ir.Tensor, ir.Tensor]:
    return ir.Tensor("x", (1, 256), source, 0), ir.Tensor("y", (1, 256), target, 0)


def leaky_relu(source: float, target: float, rng) -> ir.Graph:
    x, y = tensors(source, target)
    alpha = float(np.float32(rng.uniform(0.1, 1)))
    table = function_table("leaky_relu", x, y, alpha)
    return one_op(ir.Table(**WIRE, function="leaky_relu", alpha=alpha, table=table), (x,), y)


def tanh(source: float, target: float, rng) -> ir.Graph:
    x, y = tensors(source / 8, target / target * rng.uniform(0.004, 0.03))
    return one_op(ir.Table(**WIRE, function="tanh", table=function_table("tanh", x, y)), (x,), y)


def absolute(source: float, target: float, rng) -> ir.Graph:
    x, y = tensors(source, target)
    return one_op(ir.Table(**WIRE, function="abs", table=function_table("abs", x, y)), (x,), y)


def with_constant(kind: type[ir.Op], source: float, target: float, rng) -> ir.Graph:
    x, y = tensors(source, target)
    b = ir.Tensor("b", (1,), float(rng.uniform(0.001, 0.01)), 0)
    op = kind(name="op", inputs=("x", "b"), outputs=("y",))
    constants = {"b": np.array([rng.integers(60, 128)], np.int8)}
    return ir.Graph("g", {t.name: t for t in (x, b, y)}, (op,), ("x",), ("y",), constants)


def mul(source: float, target: float, rng) -> ir.Graph:
    """Every value times every other."""
    x, b = ir.Tensor("x", (1, 1, 256), source, 0), ir.Tensor("b", (256, 1), float(rng.uniform(0.01, 1)), 0)
    y = ir.Tensor("y", (1, 256, 256), x.scale * b.scale * rng.integers(61, 3000) / rng.integers(1, 60), 0)
    op = ir.Mul(name="op", inputs=("x", "b"), outputs=("y",))
    constants = {"b": EVERY_VALUE.reshape(256, 1)}
    return ir.Graph("g", {t.name: t for t in (x, b, y)}, (op,), ("x",), ("y",), constants)


def convert(source: float, target: float, rng) -> ir.Graph:
    x, y = tensors(source, target)
    return one_op(ir.Convert(**WIRE), (x,), replace(y, dtype="int16"))


def double_leaky(source_scale, target_scale, alpha):
    return split_scale(source_scale / target_scale), split_scale(source_scale * alpha / target_scale)


def divided_table(function, values, source_scale, target_scale):
    reals = np.array([function(float(x)) for x in np.float32(source_scale) * values.astype(np.float32)], np.float32)
    steps = (reals / np.float32(target_scale)).astype(np.float64)
    return np.copysign(np.floor(np.abs(steps) + 0.5), steps).astype(np.int64)


def float32_split(scale: float):
    return split_scale(float(np.float32(scale)))


# How to make a graph, and the rival arithmetic: module, name, replacement.
RIVALS = {
    "leaky_relu": (leaky_relu, tables, "leaky_relu_multipliers", double_leaky),
    "tanh": (tanh, tables, "_by_float", divided_table),
    "abs": (absolute, tables, "abs_scale", lambda source, target: source / target),
    "prelu": (
        lambda *pair: with_constant(ir.Prelu, *pair),
        kernels_arithmetic,
        "prelu_scales",
        lambda source, alpha, out: (source / out, source * alpha / out),
    ),
    "mul": (mul, kernels_arithmetic, "mul_scale", lambda a, b, out: a * b / out),
    "convert": (convert, kernels_arithmetic, "split_scale", float32_split),
}


@pytest.mark.parametrize("name", RIVALS)
def test_litert_agrees_where_the_rival_arithmetic_does_not(name, monkeypatch):
    make, module, attribute, rival = RIVALS[name]
    seed, cases = SEARCH.get(name, (11, 12))
    told_apart = 0
    for source, target, rng in near_ties(seed):
        graph = make(source, target, rng)
        values = EVERY_VALUE.reshape(graph.tensors["x"].shape)
        ours = simulate.run(graph, values)
        with monkeypatch.context() as patch:
            patch.setattr(module, attribute, rival)
            if graph.ops[0].kind == "table":
                op, (x,), (y,) = graph.ops[0], graph.op_inputs(graph.ops[0]), graph.op_outputs(graph.ops[0])
                theirs = function_table(op.function, x, y, op.alpha)[None]
            else:
                theirs = simulate.run(graph, values)
        if np.array_equal(ours, theirs):
            continue
        np.testing.assert_array_equal(ours, litert_run(write_tflite(graph), values))
        told_apart += 1
        if told_apart == cases:
            return


def test_quantize_at_every_tie_and_next_to_it():
    rng = np.random.default_rng(3)
    for _ in range(40):
        y = ir.Tensor("y", (1, 780), float(rng.uniform(0.001, 1)), int(rng.integers(-128, 128)))
        ties = ((np.arange(-130, 130) + 0.5) * y.scale).astype(np.float32)
        values = np.concatenate([ties, np.nextafter(ties, np.float32(-9e9)), np.nextafter(ties, np.float32(9e9))])[None]
        graph = one_op(ir.Quantize(**WIRE), (ir.Tensor("x", (1, 780), dtype="float32"),), y)
        np.testing.assert_array_equal(simulate.run(graph, values), litert_run(write_tflite(graph), values))


@pytest.mark.parametrize("alpha", [-0.5, -0.25, -1.0, -0.3, -2.0])
def test_a_negative_slope_has_its_multiplier_nearer_to_zero(alpha):
    for zero_point in (-128, 0, 100):
        x, y = (ir.Tensor(name, (1, 256), 0.5, zero_point) for name in "xy")
        slope = float(np.float32(alpha))
        table = function_table("leaky_relu", x, y, slope)
        graph = one_op(ir.Table(**WIRE, function="leaky_relu", alpha=slope, table=table), (x,), y)
        np.testing.assert_array_equal(simulate.run(graph, EVERY_VALUE), litert_run(write_tflite(graph), EVERY_VALUE))
