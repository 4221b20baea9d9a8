# SPDX-License-Identifier: Apache-2.0
"""The records of a fit: complete, true, plain enough for JSON; and limits on several resources at once."""

import json

import keras
import numpy as np
import pytest
from keras import layers

import shrinkfit
from shrinkfit.fit import prune
from shrinkfit.fit.channels import couple
from shrinkfit.fit.pricing import Pricer
from shrinkfit.fit.prune import narrow, over, widths_of
from shrinkfit.read.stages import fuse
from shrinkfit.read.topology import keras_value, read_topology
from tests.fit.test_callback import blobs, compiled
from tests.keras_models import CLASSES, MODELS


@pytest.fixture(scope="module")
def fitted():
    keras.backend.clear_session()  # layers' names count from the beginning again
    model = compiled(MODELS["residual_1d"], jit_compile=False)
    x, y = blobs(model.input_shape[1:], 64)
    price = shrinkfit.price(model)
    limits = {"flops": price.flops * 0.6, "ram_bytes": price.ram_bytes - 8, "flash_bytes": price.flash_bytes - 800}
    fit = shrinkfit.FitDevice("efm32", **limits, exclude=("conv1d_2",), width_multiple=1, prune_epochs=(0, 0.6))
    model.fit(x, y, epochs=5, callbacks=[fit], verbose=0)
    return model, fit


def test_several_limits_hold_at_once(fitted):
    _, fit = fitted
    assert all(fit.history[-1]["costs"][name] <= limit for name, limit in fit.budget.limits().items())
    assert all(r["costs"][k] <= limit for r in fit.history for k, limit in r["limits"].items())


def test_history_is_plain(fitted):
    _, fit = fitted
    assert json.loads(json.dumps(fit.history)) == fit.history
    assert json.loads(json.dumps(fit.records())) == fit.records()


def test_each_channel_that_went_has_a_record(fitted):
    model, fit = fitted
    records = [r for entry in fit.history for r in entry["pruned"]]
    assert records and {r["group"] for r in records} == {"conv1d+conv1d_1"}
    for layer in ("conv1d", "conv1d_1"):
        gone = [channel for r in records for channel in r["channels"][layer]]
        kernel = keras_value(model.get_layer(layer).kernel)
        assert sorted(gone) == np.flatnonzero(~kernel.any(axis=(0, 1))).tolist() and len(set(gone)) == len(gone)
    for r in records:
        assert len(r["channels"]["conv1d"]) == len(r["importance"]) == r["before"] - r["after"] > 0
        assert r["resource"] in r["over"] and 0 <= r["share"] <= 1 and r["saved"]["flops"] > 0


def test_savings_add_up_to_the_difference(fitted):
    _, fit = fitted
    before, after = fit.records()["before"], fit.records()["after"]
    for name in before:
        saved = sum(r["saved"][name] for entry in fit.history for r in entry["pruned"])
        assert before[name] - saved == pytest.approx(after[name])


def test_why_no_more_went(fitted):
    _, fit = fitted
    held = [entry["held"] for entry in fit.history if entry["pruned"]]
    assert all(h["conv1d_2"] == "excluded by 'conv1d_2'" for h in held)
    assert fit.model.get_layer("conv1d_2").filters == 16


def test_layers_say_what_became_of_them(fitted):
    _, fit = fitted
    by_name = {layer["layer"]: layer for layer in fit.records()["layers"]}
    first, kept, last = (by_name[name] for name in ("conv1d", "conv1d_2", "dense"))
    assert first["width_after"] == fit.model.get_layer("conv1d").filters < first["width_before"] == 12
    assert first["flops_after"] < first["flops_before"] and first["reason"] and first["makes_channels"]
    epochs = [entry["epoch"] for entry in fit.history if entry["pruned"]]
    assert first["epochs"] == [epochs[0], epochs[-1]] and kept["epochs"] is None
    assert kept["reason"] == "excluded by 'conv1d_2'" and kept["width_after"] == kept["width_before"] == 16
    assert "inputs or outputs" in last["reason"] and not by_name["depthwise_conv1d"]["makes_channels"]
    assert sum(layer["flops_after"] for layer in by_name.values()) == fit.records()["after"]["flops"]
    assert first["groups"] == by_name["conv1d_1"]["groups"] == ["conv1d+conv1d_1"] and last["groups"] == []


def test_there_are_no_records_before_fit():
    with pytest.raises(shrinkfit.ShrinkfitError, match=r"no records: pass it to model.fit\(callbacks="):
        shrinkfit.FitDevice("efm32").records()


# --- RAM looks at the layers of the peak ---


def two_peaks() -> keras.Model:
    """Early layers are wide planes, all alike; the late ones are small and take no part in the peak."""
    x = inputs = keras.Input((16, 12, 2))
    for _ in range(3):
        x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(4)(x)
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(CLASSES)(x))


@pytest.mark.parametrize("worth_of_late", [1e-6, 1.0])
def test_ram_narrows_the_layers_of_the_peak_only(worth_of_late):
    keras.backend.clear_session()
    topology = read_topology(two_peaks())
    stages, channels = fuse(topology), couple(topology)
    pricer = Pricer(topology, stages, channels, shrinkfit.get_device("efm32"))
    full = widths_of(channels, np.ones(channels.count, bool))
    cost = pricer.cost(full)
    peaks = [layer.name for layer in cost.layers if layer.arena_live_bytes > 0.9 * cost.arena_bytes]
    assert len(peaks) >= 2
    limits = {"ram_bytes": cost.ram_bytes - cost.arena_bytes // 2}
    pricer.ram_limit = limits["ram_bytes"]
    worth = np.ones(channels.count)
    worth[channels.groups[3].units] = worth_of_late
    widths, records = narrow(channels.groups, full, worth, limits, pricer.costs, minimum=2, multiple=1)
    assert not over(pricer.costs(widths), limits) and widths[3] == 16
    assert len(records) >= 2 and all(r.resource == "ram_bytes" and r.group != "conv2d_3" for r in records)
    assert sum(r.saved["ram_bytes"] for r in records) == cost.ram_bytes - pricer.cost(widths).ram_bytes


# --- widths that the kernels like ---


@pytest.mark.parametrize("seed", range(25))
def test_preferred_widths_keep_limits_and_minimum(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(3, 40, 4)
    starts = np.concatenate(([0], np.cumsum(sizes)))
    groups = tuple(
        prune.Group(str(i), np.arange(a, b)) for i, (a, b) in enumerate(zip(starts, starts[1:], strict=False))
    )
    worth, price = rng.exponential(size=starts[-1]) ** 3, rng.integers(1, 9, 4)
    least = tuple(int(min(size, n)) for size, n in zip(sizes, rng.integers(1, 9, 4), strict=True))

    def cost_of(widths):
        return {"flops": float(price @ widths), "ram_bytes": max(widths[0] + widths[1], widths[2])}

    limits = {"flops": cost_of(sizes)["flops"] * 0.6, "ram_bytes": max(sizes) * 1.2}
    settings = {"minimum": least, "multiple": 1}
    widths, records = narrow(groups, tuple(sizes.tolist()), worth, limits, cost_of, **settings, prefer=4)
    plain, _ = narrow(groups, tuple(sizes.tolist()), worth, limits, cost_of, **settings)
    assert bool(over(cost_of(widths), limits)) == bool(over(cost_of(plain), limits))
    assert all(n <= w <= size for n, w, size in zip(least, widths, sizes, strict=True))
    assert [w % 4 for w in widths].count(0) >= [w % 4 for w in plain].count(0)
    assert sum(r.saved["flops"] for r in records) == cost_of(sizes)["flops"] - cost_of(widths)["flops"]


def test_a_width_by_fours_is_taken_when_it_is_free():
    group = (prune.Group("a", np.arange(16)),)
    worth = np.concatenate((np.full(7, 1e-6), np.full(9, 1.0)))
    settings = {"minimum": 2, "multiple": 1, "prefer": 4}

    def cost_of(widths):
        return {"flops": 10 * widths[0]}

    assert narrow(group, (16,), worth, {"flops": 105}, cost_of, **settings)[0] == (10,)
    worth[7:9] = 1e-6  # now only seven channels matter, and the two that a multiple of 4 takes away do not
    assert narrow(group, (16,), worth, {"flops": 105}, cost_of, **settings)[0] == (8,)
