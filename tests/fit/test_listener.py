# SPDX-License-Identifier: Apache-2.0
"""FitDevice with a listener: RAM and flash, and their limits, are those of the image that listens."""

import json
from dataclasses import replace
from functools import partial

import keras
import numpy as np
import pytest

import shrinkfit
from shrinkfit.audio.detect import Detector
from shrinkfit.audio.listener import Listener
from shrinkfit.errors import BudgetError, ExportError, ShrinkfitError
from shrinkfit.fit.channels import couple
from shrinkfit.fit.pricing import Pricer
from shrinkfit.graph.streaming import to_streaming
from shrinkfit.read.stages import fuse
from shrinkfit.read.topology import read_topology
from shrinkfit.write.export import write_folder
from tests.audio import listening
from tests.graph import streams

LABELS = ("yes", "no", "unknown", "silence")
FEATURES = replace(listening.FEATURES, bands=10)
LISTENER = Listener(FEATURES, Detector(LABELS, ("yes", "no"), smoothing=2))
MEMORIES = ("ram_bytes", "flash_bytes")
EFM32 = shrinkfit.get_device("efm32")
# Whose features compute in less than the arena of a network for whole windows, and in more.
WINDOWS = {"short": {"window_samples": 200, "fft_size": 256}, "long": {"window_samples": 1000, "fft_size": 1024}}


def network(width=8):
    """With probabilities, so that thresholds are the same whatever was learned."""
    keras.utils.set_random_seed(2)  # none of whose channels is constant, which export would drop
    model = streams.ds_cnn(width=width)
    return keras.Model(model.inputs, keras.layers.Softmax()(model.outputs[0]))


def fitted(model, *, epochs=4, listener=LISTENER, streaming=True, **settings):
    rng = np.random.default_rng(0)
    x, y = streams.sound(model.input_shape[1:], 64, rng), rng.integers(0, streams.CLASSES, 64)
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", jit_compile=False)
    fit = shrinkfit.FitDevice("efm32", listener=listener, streaming=streaming, **settings)
    model.fit(x, y, epochs=epochs, batch_size=32, verbose=0, callbacks=[fit])
    return fit


def memories(costs):
    return tuple(costs[name] for name in MEMORIES)


def priced(model, **settings):
    """(RAM, flash) of a call."""
    return memories(shrinkfit.price(model, streaming=True, **settings).as_costs())


def image(folder):
    """(RAM, flash) of the image that listens, by what export wrote."""
    return memories(json.loads((folder / "report.json").read_text())["listener"]["cost"])


@pytest.fixture(scope="module")
def narrowed():
    """A fit whose RAM the network alone would have met."""
    model = network(width=16)
    limit = priced(model, listener=LISTENER)[0] - 200
    assert priced(model)[0] < limit
    return limit, fitted(model, ram_bytes=limit)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("device", ["efm32", "rp2040"])
@pytest.mark.parametrize("frames", [None, 2])
def test_any_widths_cost_what_the_listener_says(window, device, frames):
    listener, part = replace(LISTENER, features=replace(FEATURES, **WINDOWS[window])), shrinkfit.get_device(device)
    topology = read_topology(network(width=16))
    channels = couple(topology)
    stream = partial(to_streaming, frames_per_call=frames) if frames else None
    pricer = Pricer(topology, fuse(topology), channels, part, stream, listener)
    rng = np.random.default_rng(frames)
    for _ in range(6):
        widths = tuple(int(rng.integers(2, width + 1)) for width in pricer.whole)
        costs, quick = pricer.costs(widths), pricer.quick(widths, (*MEMORIES, "flops", "latency_ms"))
        assert memories(costs) == memories(vars(listener.price(pricer._graph(widths), part)))
        assert quick["ram_bytes"] >= costs["ram_bytes"] and quick["flash_bytes"] == costs["flash_bytes"]
        alone = shrinkfit.price(pricer._graph(widths), part)
        assert (costs["flops"], costs["latency_ms"]) == (alone.flops, alone.latency_ms)
        assert all(pricer.added(widths)[name] == costs[name] - getattr(alone, name) > 0 for name in MEMORIES)
        highest = max(pricer._quotes[widths].live_ram_bytes)
        assert costs["ram_bytes"] <= highest <= quick["ram_bytes"]


@pytest.mark.parametrize("window", WINDOWS)
def test_either_of_the_two_is_the_larger(window):
    around = replace(LISTENER, features=replace(FEATURES, **WINDOWS[window])).surroundings(listening.network(bands=10))
    arena_bytes = shrinkfit.price(network(width=16)).arena_bytes
    assert (around.network_bytes(arena_bytes, 0) == arena_bytes) == (window == "short")


def test_the_last_epoch_costs_what_export_writes(narrowed, tmp_path):
    limit, fit = narrowed
    report = shrinkfit.export(fit, tmp_path / "fw", name="ear")
    last = memories(fit.history[-1]["costs"])
    assert last == image(tmp_path / "fw") == memories(fit.cost.as_costs()) == memories(report.cost.as_costs())
    assert last[0] <= limit and report.cost == fit.cost and report.held and report.limits["ram_bytes"] == limit


def test_channels_go_for_the_listener_alone(narrowed):
    limit, fit = narrowed
    first, last = fit.history[0], fit.history[-1]
    assert first["costs"]["ram_bytes"] > limit >= last["costs"]["ram_bytes"]
    assert any(record["resource"] == "ram_bytes" for epoch in fit.history for record in epoch["pruned"])
    alone = fitted(network(width=16), listener=None, ram_bytes=limit)
    assert not any(epoch["pruned"] for epoch in alone.history) and alone.records()["listener"] is None


def test_records_and_summary_say_what_is_the_listeners(narrowed):
    _, fit = narrowed
    said, records = [], fit.records()
    fit.summary(said.append)
    added = memories(json.loads(json.dumps(records["listener"])))
    alone = memories(shrinkfit.price(fit.model, streaming=True).as_costs())
    assert memories(records["after"]) == tuple(map(sum, zip(alone, added, strict=True)))
    assert "those of the image that listens" in said[0] and f"{added[0]:,} bytes of RAM" in said[0]


def test_flash_counts_the_table_of_scales(tmp_path):
    """Which export needs unless the input's scale turns out to be the features' own."""
    fit = fitted(network(), epochs=1)
    graph = to_streaming(fit.graph, fit.frames_per_call).graph
    same = replace(graph.tensors[graph.inputs[0]], scale=1 / 128, zero_point=0)
    tensors = graph.tensors | {same.name: same}
    write_folder(replace(graph, tensors=tensors), tmp_path / "fw", name="ear", listener=LISTENER)
    ram_bytes, flash_bytes = memories(fit.history[-1]["costs"])
    assert image(tmp_path / "fw") == (ram_bytes, flash_bytes - 256)


def test_whole_windows_have_a_listener_too(tmp_path):
    fit = fitted(network(), epochs=1, listener=replace(LISTENER, hop_frames=3), streaming=False)
    report = shrinkfit.export(fit, tmp_path / "fw", name="ear")
    assert report.streaming is None and fit.frames_per_call is None
    assert memories(fit.history[-1]["costs"]) == image(tmp_path / "fw")


def test_a_call_takes_the_listeners_frames(tmp_path):
    fit = fitted(network(), epochs=1, listener=replace(LISTENER, hop_frames=4))
    assert fit.frames_per_call == fit.records()["streaming"]["frames_per_call"] == 4
    assert shrinkfit.export(fit, tmp_path / "fw", name="ear").streaming.frames_per_call == 4
    assert memories(fit.history[-1]["costs"]) == image(tmp_path / "fw")


def test_thresholds_of_logits_wait_for_the_scale_that_is_learned():
    far = Detector(LABELS, ("yes", "no"), threshold=5.0, scale=0.1)
    fit = fitted(streams.ds_cnn(), epochs=1, listener=replace(LISTENER, detector=far))
    plain = fitted(streams.ds_cnn(), epochs=1, listener=replace(LISTENER, detector=replace(far, threshold=0.5)))
    assert fit.history[-1]["costs"] == plain.history[-1]["costs"]


def test_export_writes_the_fits_listener_or_another_or_none(narrowed, tmp_path):
    _, fit = narrowed
    other = replace(LISTENER, detector=replace(LISTENER.detector, threshold=0.7, refractory=40))
    for name, given in (("own", {}), ("other", {"listener": other}), ("none", {"listener": False})):
        shrinkfit.export(fit, tmp_path / name, name="ear", **given)
    assert image(tmp_path / "own") == image(tmp_path / "other")
    read = (json.loads((tmp_path / name / "report.json").read_text()) for name in ("own", "other", "none"))
    own, another, none = (report["listener"] for report in read)
    assert own["detector"] != another["detector"] and none is None


def test_a_limit_below_the_listener_is_refused_before_it_trains():
    model = network(width=16)
    before = model.get_weights()
    limit = priced(model)[0] + 100
    with pytest.raises(BudgetError, match=r"ram_bytes with its listener, the limit is .* The listener around the "):
        fitted(model, ram_bytes=limit)
    assert all(map(np.array_equal, before, model.get_weights()))
    fitted(model, epochs=1, listener=None, ram_bytes=limit)


def test_training_that_ends_too_early_names_the_listener():
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    model = network(width=16)
    limit = priced(model, listener=LISTENER)[1] - 500
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", jit_compile=False)
    fit = shrinkfit.FitDevice("efm32", streaming=True, listener=LISTENER, flash_bytes=limit)
    x, y = np.zeros((8, *model.input_shape[1:]), np.float32), np.zeros(8)
    with pytest.raises(BudgetError, match="flash_bytes with its listener "):
        model.fit(x, y, epochs=10, verbose=0, callbacks=[fit, Stop()])


@pytest.mark.parametrize("change", [{"features": listening.FEATURES}, {"hop_frames": 3}, {"settle": -1}], ids=str)
def test_what_does_not_go_together_is_refused_before_it_trains(change):
    model = network()
    before = model.get_weights()
    with pytest.raises(ExportError):
        fitted(model, listener=replace(LISTENER, **change), frames_per_call=2)
    assert all(map(np.array_equal, before, model.get_weights()))


@pytest.mark.parametrize(
    "given, came", [("yes", "a str"), (True, "a bool"), (LISTENER.detector, "a Detector"), (Listener, "the class List")]
)
def test_what_is_no_listener_is_refused(given, came, tmp_path):
    graph = listening.network()
    calls = [
        lambda: shrinkfit.FitDevice("efm32", streaming=True, listener=given),
        lambda: shrinkfit.price(graph, listener=given),
        lambda: shrinkfit.price_all(graph, listener=given),
        lambda: shrinkfit.export(graph, tmp_path / "fw", name="ear", listener=given),
    ]
    for call in calls:
        with pytest.raises(ShrinkfitError, match=rf"^listener is {came}.*, expected a shrinkfit\.Listener\(") as caught:
            call()
        assert len(str(caught.value)) < 120
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["features", "detector"])
def test_a_listener_is_made_of_its_parts(name):
    with pytest.raises(ShrinkfitError, match=f"a listener's {name} is a int, expected a [FD]"):
        replace(LISTENER, **{name: 3})


def test_a_price_is_the_listeners_own():
    graph, listener = listening.network(), Listener(listening.FEATURES, listening.DETECTOR)
    priced, own = shrinkfit.price(graph, listener=listener), listener.price(graph)
    assert memories(vars(priced)) == memories(vars(own)) and priced.stack_bytes == own.stack_bytes
    assert own.listener_bytes == priced.arena_bytes + priced.sound_bytes
    alone = shrinkfit.price(graph)
    kept = ("flops", "macs", "arena_bytes", "weight_bytes", "layers", "cycles", "latency_ms", "energy_uj")
    assert all(getattr(priced, name) == getattr(alone, name) for name in kept) and alone.sound_bytes == 0
    parts = {part.device.name: part.cost for part in shrinkfit.price_all(graph, listener=listener)}
    assert parts["efm32"] == priced


def test_a_limit_that_the_image_misses_is_not_held(tmp_path):
    """Whatever the network alone would take."""
    graph, listener = listening.network(), Listener(listening.FEATURES, listening.DETECTOR)
    limit = shrinkfit.price(graph).ram_bytes + 50
    report = write_folder(graph, tmp_path / "fw", name="ear", budget=EFM32.budget(ram_bytes=limit), listener=listener)
    assert not report.held and f"over the limit of {limit:,}" in str(report)
    assert "does not fit: over in RAM" in (tmp_path / "fw" / "report.html").read_text()
    assert write_folder(graph, tmp_path / "fw", name="ear", budget=EFM32.budget(ram_bytes=limit)).held
