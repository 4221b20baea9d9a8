# SPDX-License-Identifier: Apache-2.0
"""optimize(): the same bits for every input, and what it saves."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from shrinkfit.errors import ExportError
from shrinkfit.graph import ir, simulate
from shrinkfit.graph.activation import activation_range
from shrinkfit.graph.edit import weight_bytes
from shrinkfit.graph.intervals import intervals
from shrinkfit.graph.optimize import optimize
from shrinkfit.read.tflite import read_tflite
from shrinkfit.write.tflite import write_tflite
from tests.graph.litert_oracle import SHARED, litert_run
from tests.graph.optimize_cases import Draw, drawn_graph, images, optimized_exactly

MODELS = SHARED / "models/mlperf_tiny"


def mlperf(name: str):
    path = MODELS / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"{path} is not there: the shared models are absent")
    return path


@pytest.mark.parametrize("first", range(0, 320, 20))
def test_drawn_graphs_keep_their_bits(first):
    for seed in range(first, first + 20):
        graph = drawn_graph(seed)
        smaller, _ = optimized_exactly(graph, images(graph, seed, 12))
        again, records = optimize(smaller)
        assert again is smaller and records == (), f"seed {seed}: a second pass found more"


def test_drawn_graphs_meet_every_rewrite():
    met = {record.rule for seed in range(150) for record in optimize(drawn_graph(seed))[1]}
    assert met == {"drop_unused", "merge_reshapes", "drop_noop", "fuse_requantize", "fold_pad", "drop_channels"}


@pytest.mark.parametrize("seed", [0, 1, 4])
def test_all_inputs_of_small_graphs_keep_their_bits(seed):
    graph = drawn_graph(seed, shape=(1, 1, 1, 2))
    every = np.stack(np.meshgrid(*[np.arange(-128, 128)] * 2), axis=-1).reshape(-1, 1, 1, 2)
    optimized_exactly(graph, every.astype(np.int8))


@pytest.mark.parametrize("first", range(0, 100, 25))
def test_values_stay_inside_their_intervals(first):
    for seed in range(first, first + 25):
        graph = drawn_graph(seed)
        known = intervals(graph)
        for name, values in simulate.trace(graph, images(graph, seed, 12)).items():
            rows = values.reshape(-1, values.shape[-1])
            assert (rows >= known[name][0]).all() and (rows <= known[name][1]).all(), f"seed {seed}, tensor '{name}'"


@pytest.mark.parametrize("first", range(0, 20, 10))
def test_litert_computes_the_same_from_optimized_graphs(first):
    for seed in range(first, first + 10):
        graph = drawn_graph(seed)
        smaller, _ = optimize(graph)
        x = images(graph, seed, 4)
        try:
            model = write_tflite(smaller)
        except ExportError:  # A pool with a padding that .tflite does not have.
            continue
        assert np.array_equal(litert_run(model, x), simulate.trace(graph, x)[graph.outputs[0]]), f"seed {seed}"


def grown(*layers: tuple[type[ir.Op], dict]) -> ir.Graph:
    draw = Draw(1, (1, 6, 5, 3))
    draw.wild = False
    for kind, fields in layers:
        like = draw.now if kind in (ir.Pad, ir.Pool2D, ir.Reshape) or fields.pop("same", False) else None
        weights = {"shape": fields.pop("kernel"), "axis": 0} if "kernel" in fields else None
        draw.add(kind, like=like, **(draw.weights(**weights) if weights else {}), **fields)
    return draw.graph()


PAD = (ir.Pad, {"padding": ir.Padding(0, 1, 0, 1)})
CONV = (ir.Conv2D, {"kernel": (4, 3, 3, 3), "stride": (2, 2), "activation_min": -128, "activation_max": 127})
CLAMP = (ir.Requantize, {"same": True, "activation_min": 0, "activation_max": 127})
OPEN = {"activation_min": -128, "activation_max": 127}


def pool(mode: str, **fields) -> tuple[type[ir.Op], dict]:
    return ir.Pool2D, {"mode": mode, "window": (2, 2), "stride": (2, 2), **OPEN} | fields


def flat(*shape: int) -> tuple[type[ir.Op], dict]:
    return ir.Reshape, {"shape": shape}


# Layers behind a [1, 6, 5, 3] input, and the kinds that are left of them.
KEPT = {
    "a pad in front of a convolution": ([PAD, CONV], ["conv2d"]),
    "two pads": ([PAD, PAD, CONV], ["conv2d"]),
    "a pad as wide as the window": ([(ir.Pad, {"padding": ir.Padding(3)}), CONV], ["pad", "conv2d"]),
    "a pad at the end": ([CONV, PAD], ["conv2d", "pad"]),
    "a pad in front of an average": ([CONV, PAD, pool("average")], ["conv2d", "pad", "pool2d"]),
    "a pad by nothing": ([(ir.Pad, {"padding": ir.Padding()}), CONV], ["conv2d"]),
    "a reshape to the same shape": ([flat(1, 6, 5, 3), CONV], ["conv2d"]),
    "two reshapes": ([CONV, flat(1, 4, 4), flat(1, 16)], ["conv2d", "reshape"]),
    "there and back": ([flat(1, 90), flat(1, 6, 5, 3), CONV], ["conv2d"]),
    "a pool of one element": ([CONV, pool("max", window=(1, 1), stride=(1, 1))], ["conv2d"]),
    "quantizing to the same scale": ([CONV, (ir.Requantize, {"same": True, **OPEN})], ["conv2d"]),
    "a copy of the input": ([(ir.Requantize, {"same": True, **OPEN})], ["requantize"]),
}


@pytest.mark.parametrize("layers, kinds", KEPT.values(), ids=KEPT)
def test_what_is_left(layers, kinds):
    graph = grown(*[(kind, dict(fields)) for kind, fields in layers])
    smaller, records = optimized_exactly(graph, images(graph, 3, 8))
    assert [op.kind for op in smaller.ops] == kinds
    rules = [record.rule for record in records if record.rule != "drop_channels"]
    assert len(graph.ops) - len(smaller.ops) <= len(rules)


@pytest.mark.parametrize("zero_point, low, folded", [(-128, -128, True), (0, 0, True), (0, -128, False)])
def test_pad_in_front_of_a_max_pool(zero_point, low, folded):
    """Folded where nothing is below the zero_point: then the padding never is the largest."""
    draw = Draw(1, (1, 5, 5, 2))
    draw.now = draw.tensor((1, 5, 5, 2), 0.05, zero_point)
    wired = {"name": "r", "inputs": ("t0",), "outputs": (draw.now.name,)}
    draw.ops.append(ir.Requantize(**wired, activation_min=low))
    draw.add(ir.Pad, like=draw.now, padding=ir.Padding(0, 1, 0, 1))
    draw.add(ir.Pool2D, like=draw.now, mode="max", window=(2, 2), stride=(2, 2), **OPEN)
    smaller, _ = optimized_exactly(draw.graph(), images(draw.graph(), 3, 50))
    assert ("pad" not in [op.kind for op in smaller.ops]) == folded


@pytest.mark.parametrize("kernel", [(4, 3, 3, 3), None])
def test_clamp_goes_into_its_producer(kernel):
    fields = {"kernel": kernel, **OPEN} if kernel else {"scale": 0.03, **OPEN}
    draw = grown((ir.Conv2D if kernel else ir.Requantize, fields))
    made = draw.tensors[draw.outputs[0]]
    clamp = ir.Requantize(name="relu", inputs=(made.name,), outputs=("y",), activation_min=max(made.zero_point, -128))
    graph = replace(
        draw, tensors={**draw.tensors, "y": replace(made, name="y")}, ops=(*draw.ops, clamp), outputs=("y",)
    )
    smaller, records = optimized_exactly(graph, images(graph, 3, 50))
    assert [op.activation_min for op in smaller.ops] == [made.zero_point]
    assert records[0].rule in ("fuse_requantize", "drop_noop")


def test_clamp_stays_where_others_read_in_front_of_it():
    draw = Draw(2, (1, 4, 4, 2))
    draw.wild = False
    draw.add(ir.Requantize, scale=0.03, **OPEN)
    before = draw.now
    low, high = activation_range("RELU_N1_TO_1", before)
    draw.add(ir.Requantize, like=before, activation_min=low, activation_max=high)
    draw.add(ir.Add, other=before, **OPEN)
    smaller, records = optimized_exactly(draw.graph(), images(draw.graph(), 3, 50))
    assert len(smaller.ops) == 3 and records == ()


X = ir.Tensor("x", (1, 1, 1, 1), 1.0, 0)
WIRE = {"name": "op", "inputs": ("x",), "outputs": ("y",)}
ONE = {"kernel": np.full((1, 1, 1, 1), 100, np.int8), "bias": np.zeros(1, np.int32)}
WRAPPING = {
    "conv2d": lambda scale: ir.Conv2D(**WIRE, **ONE, kernel_scales=np.float32([scale])),
    "mean": lambda scale: ir.Mean(**WIRE, axes=(1, 2), keep_dims=True),
    "add": lambda scale: ir.Add(**WIRE | {"inputs": ("x", "x")}),
    "requantize": lambda scale: ir.Requantize(**WIRE),
}


@pytest.mark.parametrize("make", WRAPPING.values(), ids=WRAPPING)
def test_intervals_hold_where_int32_wraps_around(make):
    every = np.arange(-128, 128, dtype=np.int8).reshape(-1, 1, 1, 1)
    for shift, low, high in itertools.product(range(0, 31), (-128, -3, 0, 90), (-90, 1, 2, 127)):
        clamp = ir.Requantize(
            **WIRE | {"name": "c", "outputs": ("z",)}, activation_min=low, activation_max=max(low, high)
        )
        operator = replace(make(2.0**shift), inputs=("z", "z") if make(1.0).kind == "add" else ("z",))
        output = ir.Tensor("y", X.shape, 1.0 if operator.kind == "conv2d" else 2.0**-shift, 0)
        tensors = {"x": X, "z": replace(X, name="z"), "y": output}
        graph = ir.Graph("g", tensors, (clamp, operator), ("x",), ("y",))
        values, known = simulate.run(graph, every), intervals(graph)["y"]
        assert known[0] <= values.min() and values.max() <= known[1], f"shift {shift}, clamp {low} to {high}"


@pytest.mark.parametrize("name", ["kws_ref_model_int8", "ic_pretrainedResnet_int8", "ad01_int8"])
def test_mlperf_models_without_dead_channels_stay(name):
    graph = read_tflite(mlperf(name))
    smaller, _ = optimized_exactly(graph, images(graph, 1, 20))
    assert smaller.macs == graph.macs


def structured_images(size: int) -> np.ndarray:
    """Flat, ramps both ways, stripes, checks of the extremes, a bright dot in each corner: int8 [n, size, size, 3]."""
    ramp = np.linspace(-128, 127, size)
    y, x = np.mgrid[:size, :size]
    planes = [np.full((size, size), value) for value in (-128, -127, -1, 0, 1, 126, 127)]
    planes += [np.tile(ramp, (size, 1)), np.tile(ramp, (size, 1)).T, np.tile(ramp[::-1], (size, 1))]
    planes += [np.where(pattern % 2, 127, -128) for pattern in (x, y, x + y, x // 8 + y // 8)]
    planes += [np.where((y == a) & (x == b), 127, -128) for a in (0, size - 1) for b in (0, size - 1)]
    gray = np.stack([np.repeat(plane[..., None], 3, axis=2) for plane in planes])
    return np.concatenate([gray, gray * [1, -1, 0] - [0, 1, 0]]).clip(-128, 127).astype(np.int8)


@pytest.fixture(scope="module")
def vww():
    graph = read_tflite(mlperf("vww_96_int8"))
    return graph, *optimize(graph)


def test_vww_halves(vww):
    graph, smaller, records = vww
    assert (graph.macs, smaller.macs) == (7_489_664, 3_727_313)
    assert sum(op.kernel.size for op in smaller.ops if isinstance(op, ir.Weighted)) == 29_066
    assert sum(record.macs for record in records) == graph.macs - smaller.macs
    saved = sum(map(weight_bytes, graph.ops)) - sum(map(weight_bytes, smaller.ops))
    assert sum(record.weight_bytes for record in records) == saved


def test_vww_keeps_its_bits(vww):
    graph, smaller, _ = vww
    x = np.random.default_rng(7).integers(-128, 128, (160, 96, 96, 3)).astype(np.int8)
    x = np.concatenate([structured_images(96), x])
    assert np.array_equal(simulate.run(graph, x), simulate.run(smaller, x))


def test_vww_twin_keeps_litert_s_bits(vww):
    graph, smaller, _ = vww
    x = structured_images(96)[::3]
    original = litert_run(mlperf("vww_96_int8").read_bytes(), x)
    assert np.array_equal(litert_run(write_tflite(smaller), x), original)
