# SPDX-License-Identifier: Apache-2.0
"""The search for stripes saves RAM that is there to be saved, and its plans never overwrite what is still needed."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shrinkfit.device import get_device
from shrinkfit.errors import ShrinkfitError
from shrinkfit.graph import ir
from shrinkfit.graph.optimize import optimize
from shrinkfit.graph.rows import Cut
from shrinkfit.graph.stripes import striped
from shrinkfit.price import smallest as search
from shrinkfit.price.arena import plan
from shrinkfit.price.calls import views
from shrinkfit.price.cost import price, price_graph
from shrinkfit.price.kernels import kernel_for, scratch_sizes
from shrinkfit.price.shared import data_bytes, shared_with
from shrinkfit.price.smallest import smallest
from shrinkfit.read.tflite import read_tflite
from tests.fuzz.cuts import cuts
from tests.price.order import Memory
from tests.write import nets

EFM32 = get_device("efm32")
SHARED = Path(os.environ.get("SHRINKFIT_SHARED", Path(__file__).resolve().parents[2] / "../shared")) / "models"
# Model -> share of the RAM that is left at most, and of the cycles that are added.
REAL = {
    "mlperf_tiny/ic_pretrainedResnet_int8": (0.60, 0.03),
    "mlperf_tiny/vww_96_int8": (0.72, 0.04),
}


def assert_nothing_is_overwritten(graph, planned, scratch):
    memory = Memory(graph, planned)
    for name in graph.inputs:
        memory.write(name, np.arange(graph.tensors[name].size_bytes))
    for op in graph.ops:
        assert memory.run(op, scratch.get(op.name, 0)) == ""
    for name in graph.outputs:
        assert memory.holds(name, np.arange(graph.tensors[name].size_bytes))


@pytest.mark.parametrize(("graph", "share"), [(nets.image(), 0.75), (nets.skips(), 0.85)], ids=["image", "skips"])
@pytest.mark.parametrize("device", ["efm32", "rp2040"])
def test_a_large_early_peak_goes(graph, share, device):
    before, part = price_graph(graph, get_device(device)), get_device(device)
    cut, stripes = smallest(graph, part)
    after = price_graph(cut, part, stripes)
    assert after.ram_bytes < share * before.ram_bytes
    assert stripes[0].arena_bytes_before == before.arena_bytes and stripes[-1].arena_bytes == after.arena_bytes
    assert stripes[-1].cycles == after.cycles and stripes[0].cycles_before == before.cycles
    assert f"{stripes[0].extra_cycles:+,} cycles" in str(stripes[0])
    scratch = scratch_sizes(cut, bool(part.dsp))
    assert_nothing_is_overwritten(cut, plan(cut, scratch), scratch)


@pytest.mark.parametrize("graph", [nets.tiny(), nets.chain(0)], ids=lambda g: g.name)
def test_what_gains_nothing_stays_as_it_is(graph):
    assert smallest(graph, EFM32) == (graph, ())


@pytest.mark.parametrize("graph", [nets.image(), nets.skips(), nets.residual(1, (14, 8), 8)], ids=lambda g: g.name)
def test_a_guess_is_never_more_than_the_plan(graph):
    for cut in cuts(graph)[::7]:
        other = striped(graph, cut)
        guess = search._guess(graph, cut, 0)
        if other is not None:
            assert guess.arena_bytes <= plan(other, {}).arena_bytes, cut
            assert guess.macs == other.macs


def test_stripes_share_their_constants():
    graph = nets.image()
    cut = striped(graph, Cut(0, 3, 2, True))
    shared, alone = shared_with(cut, True), data_bytes(cut, True)
    first = {name: other for name, other in shared.items() if name.startswith("op/0 ")}
    assert set(first.values()) == {"op/0 1"} and len(first) == 3 and not shared_with(graph, True)
    for op in cut.ops:
        own = kernel_for(op, cut, True).data_bytes
        assert alone[op.name] < own if op.name in shared else alone[op.name] == own


def test_equal_constants_of_two_layers_are_not_shared():
    """Layers made from shapes alone all have zeros."""
    graph = nets.skips()
    ops = [replace(op, kernel=op.kernel * 0) if op.kind == "conv2d" else op for op in graph.ops]
    assert not shared_with(replace(graph, ops=tuple(ops)), True)


def test_an_in_place_concatenation_takes_only_what_is_made_for_it():
    tensors = {n: ir.Tensor(n, (1, 2, 4)) for n in ("x", "y")} | {"z": ir.Tensor("z", (1, 4, 4))}
    ops = (
        ir.Requantize(name="q", inputs=("x",), outputs=("y",)),
        ir.Concat(name="c", inputs=("y", "x"), outputs=("z",), axis=1, in_place=True),
    )
    with pytest.raises(ir.GraphError, match="'x'.* lie elsewhere"):
        views(ir.Graph("g", tensors, ops, ("x",), ("z",)))


def test_another_word_is_refused():
    with pytest.raises(ShrinkfitError, match="ram is 'tiny'; expected 'smallest'"):
        price(nets.tiny(), ram="tiny")


@pytest.mark.parametrize("name", REAL)
def test_real_models(name):
    path = SHARED / f"{name}.tflite"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    graph, _ = optimize(read_tflite(path))
    before, after = price_graph(graph, EFM32), price(path, ram="smallest")
    ram, cycles = REAL[name]
    assert after.ram_bytes <= ram * before.ram_bytes
    assert before.cycles < after.cycles <= (1 + cycles) * before.cycles
