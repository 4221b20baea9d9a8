# SPDX-License-Identifier: Apache-2.0
"""The cycle model against the emulated core, and what a price makes of it."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shrinkfit import Budget, Device, check, devices, get_device, read_keras
from shrinkfit.errors import BudgetError
from shrinkfit.graph import ir
from shrinkfit.price import cycles
from shrinkfit.price.cost import price, price_graph
from shrinkfit.price.cycles_listening import LISTENING
from shrinkfit.write.export import write_folder
from tests.runtime_c import graphs
from tests.write.nets import Builder, chain, decoder, residual
from tests.write.nets_arithmetic import arithmetic, cells

SHARED = Path(os.environ.get("SHRINKFIT_SHARED", Path(__file__).resolve().parents[3] / "shared"))
MLPERF = ("kws_ref_model_int8", "ad01_int8", "vww_96_int8", "ic_pretrainedResnet_int8")
TOLERANCE = 0.10
needs_arm = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")


def ds_cnn(channels=11):
    b = Builder(3, (25, 10, 1))
    x = b.conv(b.input, channels, kernel=(10, 4), stride=(2, 2))
    for width in (channels, channels + 5):
        x = b.conv(b.depthwise(x), width, kernel=(1, 1))
    x = b.op(ir.Mean, (x,), (b.shape(x)[-1],), axes=(1, 2))
    return b.graph(b.softmax(b.dense(x, 12)), "ds_cnn")


def autoencoder():
    b = Builder(4, (130,))
    x = b.input
    for width in (47, 8, 47, 130):
        x = b.dense(x, width)
    return b.graph(x, "autoencoder")


NETS = {
    "ds_cnn": ds_cnn,
    "autoencoder": autoencoder,
    "residual": lambda: residual(size=(17, 13), channels=9),
    "time convolutions": lambda: chain(steps=40, bands=13),
    "decoder": lambda: decoder(size=(13, 12), channels=16),
    "arithmetic": arithmetic,
    "cells": cells,
}


def emulated_cycles(graph, place, device="efm32"):
    write_folder(graph, place / "net", name="net", device=device)
    return check(place / "net", on="cortex-m4", graph=graph).cycles


@needs_arm
@pytest.mark.parametrize("make", NETS.values(), ids=NETS)
def test_model_predicts_the_emulated_core(make, tmp_path):
    graph = make()
    cost = price_graph(graph, get_device("efm32"))
    assert cost.cycles == pytest.approx(emulated_cycles(graph, tmp_path), rel=TOLERANCE)
    assert cost.cycles == sum(layer.cycles for layer in cost.layers)


@needs_arm
@pytest.mark.parametrize("name", MLPERF)
def test_model_predicts_real_networks(name, tmp_path):
    from shrinkfit.graph.optimize import optimize
    from shrinkfit.read.tflite import read_tflite

    path = SHARED / "models" / "mlperf_tiny" / f"{name}.tflite"
    if not path.is_file():
        pytest.skip(f"{path.name} is not beside the project (SHRINKFIT_SHARED)")
    graph, _ = optimize(read_tflite(path))
    assert price(path).cycles == pytest.approx(emulated_cycles(graph, tmp_path), rel=TOLERANCE)


# Run by cores with DSP instructions where there are fewer channels than a word has bytes.
FEW_CHANNELS = {f"sf_{name}_s8" for name in ("max_pool", "average_pool", "mean", "reduce_max")}


def test_every_kernel_was_measured_in_all_its_places():
    for name in ("cortex-m4+fp", "cortex-m4", "cortex-m3"):
        scalar_only = {s for s in cycles.COUNTS if f"{s}_dsp" in cycles.COUNTS} - FEW_CHANNELS
        for_dsp = {s for s in cycles.COUNTS if s.endswith("_dsp")} | {"sf_depthwise_3x3_s8"}
        unused = scalar_only if name != "cortex-m3" else for_dsp
        assert set(cycles.load(name)) == (set(cycles.COUNTS) - unused) | set(LISTENING)
    for name, make in NETS.items():
        assert cycles.estimate(make(), get_device("efm32")).total > 0, name


@pytest.mark.parametrize("device", devices(), ids=lambda d: d.name)
def test_every_part_has_cycles_and_says_what_they_are_worth(device):
    cost = price_graph(ds_cnn(), device)
    assert cost.cycles > 100_000
    assert cost.cycles_source.startswith("an estimate" if device.core != "cortex-m4" else "model fitted")
    assert (cost.latency_ms is None) == (device.clock_hz is None)
    assert (cost.energy_uj is None) == (device.active_ua_per_mhz is None)


def test_cycles_do_not_depend_on_weights():
    sizes = dict(size=(6, 5), channels=4, kernel=(3, 3), out=6)
    one, other = (graphs.conv(np.random.default_rng(seed), **sizes) for seed in (1, 2))
    assert price_graph(one, get_device("efm32")).cycles == price_graph(other, get_device("efm32")).cycles


def test_a_shape_alone_is_priced_as_the_fitted_model():
    keras = pytest.importorskip("keras")
    layers = [keras.layers.Conv2D(6, 3, activation="relu"), keras.layers.Conv2D(5, 1, activation="relu6")]
    model = keras.Sequential([keras.Input((6, 5, 4)), *layers])
    fitted = read_keras(model, np.random.default_rng(0).uniform(-1, 9, (20, 6, 5, 4)).astype(np.float32))
    assert price(model, "efm32").cycles == price_graph(fitted, get_device("efm32")).cycles


def test_latency_and_energy_of_a_part():
    board = Device("board", core="cortex-m4", fpu=True, clock_hz=20_000_000, active_ua_per_mhz=50.0, supply_volts=1.8)
    cost = price_graph(ds_cnn(), board)
    assert cost.latency_ms == pytest.approx(cost.cycles / 20_000)
    assert cost.energy_uj == pytest.approx(20 * 50.0 * 1.8 * cost.latency_ms / 1000)
    at_3_volts = price_graph(ds_cnn(), replace(board, supply_volts=None))
    assert at_3_volts.energy_uj == pytest.approx(cost.energy_uj * 3.0 / 1.8)


def test_limits_on_time_and_energy():
    cost = price_graph(ds_cnn(), get_device("efm32"))
    assert cost.over(Budget(latency_ms=cost.latency_ms, energy_uj=cost.energy_uj)) == {}
    tight = Budget(latency_ms=cost.latency_ms / 2, energy_uj=cost.energy_uj / 2)
    assert set(cost.over(tight)) == {"latency_ms", "energy_uj"}


def test_a_kernel_without_cycles_matters_only_where_time_is_limited(monkeypatch):
    monkeypatch.delitem(cycles.COUNTS, "sf_mean_s8_dsp")
    cost = price_graph(ds_cnn(), get_device("efm32"))
    assert cost.cycles is None and cost.latency_ms is None and cost.energy_uj is None
    assert cost.over(Budget(ram_bytes=10**6)) == {} and set(cost.as_costs()) == {"ram_bytes", "flash_bytes", "flops"}
    with pytest.raises(BudgetError, match="latency_ms cannot be limited: kernel sf_mean_s8_dsp of layer 'op/"):
        cost.over(Budget(latency_ms=5))


def test_unknown_clock_matters_only_where_time_is_limited():
    cost = price_graph(ds_cnn(), Device("board", core="cortex-m4"))
    assert cost.cycles > 0 and cost.latency_ms is None
    with pytest.raises(BudgetError, match="board's clock or supply current is not known"):
        cost.over(Budget(latency_ms=5))
