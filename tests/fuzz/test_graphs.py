# SPDX-License-Identifier: Apache-2.0
"""Random graphs: LiteRT's reference kernels, simulator, C and DSP twin agree in every tensor, state included."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from shrinkfit.errors import ShrinkfitError
from shrinkfit.graph import ir, simulate
from shrinkfit.graph.edit import Rewrite
from shrinkfit.graph.optimize import optimize
from shrinkfit.price import uses
from shrinkfit.price.kernels import kernel_for
from shrinkfit.price.overlap import Overlap
from shrinkfit.read.tflite import read_tflite
from shrinkfit.write.tflite import write_tflite
from tests.fuzz import campaign, compare, kernels
from tests.fuzz.draw import draw_graph, draw_inputs

GRAPHS = 2000
CASES = sorted(campaign.FOUND.glob("graphs_*.tflite"))
# What no .tflite has: streaming makes them (tests/graph/test_streaming.py, tests/runtime_c/test_time.py).
OF_STREAMS = {"time_window", "time_mean"}
KINDS = (set(simulate._KERNELS) | set(simulate._STATE_KERNELS)) - OF_STREAMS


def test_random_graphs_agree_everywhere(kernels_folder):
    report = campaign.run("graphs", range(GRAPHS), kernels_folder, processes=2)
    assert not report.wrong, str(report)
    # No operator without a kernel, nothing that only LiteRT and the simulator could run.
    assert report.statuses == {"equal": GRAPHS}, report.reasons


def test_all_that_may_matter_is_drawn():
    graphs = [draw_graph(seed) for seed in range(600)]
    kinds = Counter(op.kind for graph in graphs for op in graph.ops)
    assert set(kinds) == KINDS
    assert min(kinds.values()) >= 40, kinds
    tensors = [tensor for graph in graphs for tensor in graph.tensors.values()]
    assert {1, 2, 3, 4, 5} <= {len(tensor.shape) for tensor in tensors}
    assert sum(tensor.zero_point in (-128, 127) for tensor in tensors) > len(tensors) / 4
    assert sum(len(graph.inputs) > 1 for graph in graphs) > 100
    assert sum(len(graph.outputs) > 1 for graph in graphs) > 100
    windowed = [op for graph in graphs for op in graph.ops if isinstance(op, ir.Windowed)]
    assert {1, 2, 3} <= {n for op in windowed for n in op.dilation} & {n for op in windowed for n in op.stride}
    scales = np.concatenate(
        [
            op.effective_scales(*graph.op_inputs(op), *graph.op_outputs(op))
            for graph in graphs
            for op in graph.ops
            if isinstance(op, ir.Weighted)
        ]
    )
    layers = [(op, graph) for graph in graphs for op in graph.ops if op.kind in ("dense", "conv2d")]
    drawn = Counter(kernel_for(op, graph, True).function for op, graph in layers)
    assert min(drawn[name] for name in ("sf_dense_pairs", "sf_dense", "sf_sparse_dense", "sf_sparse_conv2d")) > 0, drawn
    assert scales.min() < 2.0**-36 and scales.max() > 2.0**20


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_what_was_found_stays_mended(path, lib):
    graph = read_tflite(path)
    for seed in (int(path.stem.split("_")[1]), 1, 2):
        outcome = compare.compare(graph, draw_inputs(graph, seed, compare.STEPS), lib)
        assert (outcome.difference, outcome.refused) == ("", "")


def first_wrong(lib, kind: str) -> str:
    """The first finding on the first eight graphs that have such an operator: in a few nothing shows, as where a
    softmax has one logit."""
    seeds = [seed for seed in range(1000) if any(op.kind == kind for op in draw_graph(seed).ops)]
    found = (compare.check_seed(seed, lib) for seed in seeds[:8])
    return next((why for status, why in found if status == "wrong"), "nothing")


def test_a_wrong_simulator_is_noticed_and_the_operator_named(lib, monkeypatch):
    wrong = lambda op, sources, targets, values: np.zeros((len(values[0]), *targets[0].shape), np.int8)  # noqa: E731
    monkeypatch.setitem(simulate._KERNELS, "transpose", wrong)
    assert first_wrong(lib, "transpose").startswith("LiteRT: transpose 'op")


def test_a_wrong_constant_of_a_kernel_is_noticed_and_the_operator_named(lib, monkeypatch):
    right = kernels.pack_calls

    def wrong(op, graph, dsp):
        packed = right(op, graph, dsp)
        if op.kind == "softmax":
            packed[0].fields["multiplier"] ^= 1 << 28
        return packed

    monkeypatch.setattr(kernels, "pack_calls", wrong)
    assert first_wrong(lib, "softmax").startswith("C scalar: softmax 'op")


def test_a_wrong_rewrite_is_noticed(lib, monkeypatch):
    def wrong(graph):
        after, records = optimize(graph)
        ops = [replace(op, table=op.table[::-1]) if op.kind == "table" else op for op in after.ops]
        return replace(after, ops=ops), records or (Rewrite("reverse", "", "", ""),)

    monkeypatch.setattr(compare, "optimize", wrong)
    assert first_wrong(lib, "table").startswith("optimized by ")


@pytest.mark.parametrize("kind", ["conv2d", "dense", "resize_bilinear"])
def test_an_output_too_far_over_an_input_is_noticed(kind, lib, monkeypatch):
    monkeypatch.setattr(uses, "overlap", lambda op, graph, position: Overlap(0, False, "wrong"))
    assert "C scalar: " in first_wrong(lib, kind)


@pytest.mark.parametrize(("exponent", "reads"), [(-16, False), (-15, True), (-9, True), (-8, False)])
def test_lstm_cells_are_read_where_litert_computes_them(exponent, reads, lib):
    graph = read_tflite(campaign.FOUND / "graphs_263.tflite")
    (op,) = (op for op in graph.ops if op.kind == "lstm")
    cell = graph.variables[op.cell]
    variables = graph.variables | {op.cell: replace(cell, tensor=replace(cell.tensor, scale=2.0**exponent))}
    graph = replace(graph, variables=variables)
    inputs = draw_inputs(graph, 1, compare.STEPS)
    if reads:
        assert compare.compare(graph, inputs, lib) == compare.Outcome()
    else:
        assert "LiteRT: lstm" in compare.litert_difference(graph, inputs)
        with pytest.raises(ShrinkfitError, match="computes no tanh"):
            read_tflite(write_tflite(graph))


def test_a_clamp_that_overflows_in_litert_is_refused():
    with pytest.raises(ShrinkfitError, match="RELU_N1_TO_1.*too fine"):
        read_tflite(campaign.FOUND / "refused_20150.tflite")
