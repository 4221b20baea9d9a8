# SPDX-License-Identifier: Apache-2.0
"""A second network is asked where the first one's detector thinks of a hotword: C and twin, memory, prices, errors."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

import shrinkfit
from shrinkfit.audio.detect import Detector, mixed
from shrinkfit.audio.features import FeatureConfig, features
from shrinkfit.audio.listen import check_sound, listen_python
from shrinkfit.audio.listener import Listener, Listening
from shrinkfit.audio.verifier import Verifier
from shrinkfit.errors import ExportError, ShrinkfitError
from shrinkfit.graph import simulate
from shrinkfit.graph.ir import Weighted
from shrinkfit.graph.optimize import optimize
from shrinkfit.read.keras_model import read_keras
from shrinkfit.write.export import write_folder
from tests.audio import listening

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
needs_arm = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
needs_qemu = pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed")

# (options of tests.audio.listening.write, of its verifier)
CASES = {
    "streamed": ({"streaming": 1}, {}),
    "windows, at once, other scale": (
        {"hop_frames": 2},
        {"delay": 0, "scale": 0.0061, "zero_point": 3, "first_share": 0.7},
    ),
    "a short sound": ({"streaming": 3}, {"delay": 3, "frames": 5, "refractory": 0, "first_share": 0.5}),
}


@pytest.fixture(scope="module", params=CASES, ids=str)
def exported(request, tmp_path_factory):
    """(folder, graph, verifier)"""
    folder = tmp_path_factory.mktemp("verifier") / "fw"
    options, own = CASES[request.param]
    verifier = listening.verifier(**own)
    return folder, listening.write(folder, listening.network(), verifier=verifier, **options), verifier


def listener_record(folder):
    return json.loads((folder / "report.json").read_text())["listener"]


def heard_by_hand(folder, graph, verifier, samples):
    """(verifier's outputs by run, detections), step by step as the C goes."""
    listener = Listening.from_dict(listener_record(folder))
    alone = listen_python(replace(listener, verifier=None), samples, graph)
    at = listener.first_samples + listener.settle * listener.step_samples
    candidates = {(position - at) // listener.step_samples for position, _, _ in alone.detections}
    config, own, outputs, found, quiet = verifier.features, listener.verifier, {}, [], 0
    for run in range(len(alone.scores)):
        if run - verifier.delay not in candidates:
            quiet = max(0, quiet - 1)
            continue
        end = at + run * listener.step_samples
        window = np.concatenate([np.zeros(own.samples, np.int16), samples[:end]])[-own.samples :]
        frames = features(window, config)
        tensor = verifier.graph.tensors[verifier.graph.inputs[0]]
        given = simulate.quantize(tensor, frames.astype(np.float32) / 128)
        outputs[run] = simulate.run(verifier.graph, given.reshape(1, *tensor.shape[1:])).reshape(-1)
        means = own.detector.smooth(outputs[run][None])[0]
        highest = listener.detector.smooth(alone.scores)[run - verifier.delay : run + 1].max(axis=0)
        means = mixed(means, highest, round(verifier.first_share * 65536)).tolist()
        over = [mean if mean >= t else -1 for mean, t in zip(means, own.detector.thresholds, strict=True)]
        if quiet == 0 and max(over) >= 0:
            word = int(np.argmax(over))
            found.append((end, own.detector.hotword_outputs[word], over[word]))
            quiet = own.detector.refractory
        else:
            quiet = max(0, quiet - 1)
    return outputs, found


def test_the_twin_asks_where_the_detector_thinks_of_a_hotword(exported):
    folder, graph, verifier = exported
    samples = listening.sound(20_000)
    heard = listen_python(folder, samples, graph)
    outputs, found = heard_by_hand(folder, graph, verifier, samples)
    assert heard.detections == found and len(outputs) >= len(found) > 1
    for run, said in enumerate(heard.verified):
        np.testing.assert_array_equal(said, outputs.get(run, np.full(4, -128)))
    assert len(heard.verified) == len(heard.scores) > 2 * len(outputs)


@needs_gcc
def test_any_chunks_give_what_the_twin_hears(exported):
    folder, graph, _ = exported
    samples, rng = listening.sound(), np.random.default_rng(1)
    expected = listen_python(folder, samples, graph)
    ear = listening.Ear(folder, listener_record(folder)["layout"]["listener_bytes"])
    assert expected.detections
    for chunks in ([len(samples)], [1] * len(samples), rng.integers(0, 700, 40).tolist()):
        assert ear.reset() == 0
        scores, detections = ear.hear(samples, chunks)
        np.testing.assert_array_equal(scores, expected.scores)
        assert detections == expected.detections


@needs_gcc
def test_sanitized_programs_hear_the_same(exported):
    folder, graph, _ = exported
    result = check_sound(folder, listening.sound(8_000), graph=graph, chunk=77)
    assert result.exact and result.heard.detections and (result.heard.verified > -128).any()


@needs_arm
@needs_qemu
def test_firmware_hears_the_same(exported):
    folder, graph, _ = exported
    result = check_sound(folder, listening.sound(9_001), "qemu", graph=graph)
    assert result.exact and result.heard.detections and (result.heard.verified > -128).any()


@needs_arm
@pytest.mark.parametrize("part", ["efm32", "rp2040", "stm32h743"])
def test_image_and_cycles_are_as_predicted(tmp_path, part):
    pytest.importorskip("unicorn")
    verifier = listening.verifier()
    graph = listening.write(tmp_path / "fw", listening.network(), streaming=1, device=part, verifier=verifier)
    result = check_sound(tmp_path / "fw", listening.sound(20_000), "cortex-m4", graph=graph)
    heard, predicted = result.heard, result.predicted
    assert result.exact and 0 < heard.stack_bytes <= predicted["stack_bytes"]
    assert heard.ram_bytes == predicted["ram_bytes"]
    assert heard.flash_bytes == pytest.approx(predicted["flash_bytes"], rel=0.01)
    if part == "efm32":
        priced = listener_record(tmp_path / "fw")["cost"]
        assert priced["verifier"]["cycles"] == pytest.approx(heard.cost.verifier, rel=0.05)
        assert priced["cycles_per_second"] == pytest.approx(heard.cost.cycles, rel=0.05)
        assert f"{heard.cost.verifier:,.0f} a hotword" in str(result)


def test_parts_of_the_memory_do_not_meet(exported):
    folder, _, verifier = exported
    report = listener_record(folder)
    at, own, listener = report["layout"]["verifier"], Listening.from_dict(report).verifier, Listening.from_dict(report)
    arena = verifier.second.on(shrinkfit.get_device("efm32")).cost.arena_bytes
    ends = [
        (report["layout"]["detector"], report["layout"]["detector"] + listener.detector.state_bytes),
        (at["sound"], at["sound"] + own.state_bytes),
        (at["arena"], at["arena"] + arena),
        (at["scratch"], at["scratch"] + own.scratch_bytes),
        (at["detector"], at["detector"] + own.detector.state_bytes),
    ]
    assert all(end <= begin for (_, end), (begin, _) in zip(ends, ends[1:], strict=False))
    assert ends[-1][1] <= at["end"] == report["layout"]["listener_bytes"] and all(begin % 8 == 0 for begin, _ in ends)


def test_what_it_costs_is_known_before_and_said(tmp_path):
    verifier, device = listening.verifier(), shrinkfit.get_device("efm32")
    plain = Listener(listening.FEATURES, listening.DETECTOR, hop_frames=1)
    both = replace(plain, verifier=verifier)
    graph = listening.network()
    alone, cost = (one.price(graph, "efm32", optimize=False) for one in (plain, both))
    own = verifier.second.on(device).cost
    report = write_folder(graph, tmp_path / "fw", name="ear", listener=both)
    assert report.cost.ram_bytes == cost.ram_bytes and report.cost.flash_bytes == cost.flash_bytes
    assert shrinkfit.price(graph, "efm32", optimize=False, listener=both).ram_bytes == cost.ram_bytes
    samples = Listening.from_dict(listener_record(tmp_path / "fw")).verifier.samples
    assert samples == 240 + 14 * 100
    assert cost.ram_bytes - alone.ram_bytes > own.arena_bytes + 2 * samples
    assert own.weight_bytes < cost.flash_bytes - alone.flash_bytes < own.flash_bytes
    spent = cost.verifier
    assert spent.cycles > own.cycles and spent.seconds == spent.cycles / 40e6
    assert spent.samples_meanwhile == pytest.approx(spent.seconds * 16_000, abs=1)
    assert cost.microphone_bytes == 2 * spent.samples_meanwhile and alone.microphone_bytes == 0
    # A second of sound in which nothing is verified costs the samples' keeping on top.
    assert alone.cycles_per_second < cost.cycles_per_second < alone.cycles_per_second + 90_000
    assert f"{spent.cycles:,} cycles" in str(report) and "arrive meanwhile" in str(report)
    page = (tmp_path / "fw" / "report.html").read_text()
    assert "verifier" in page and f"{spent.cycles:,}" in page


def test_same_verifier_same_bytes(exported, tmp_path):
    folder, _, verifier = exported
    options, _ = CASES["streamed"]
    for name in ("a", "b"):
        listening.write(tmp_path / name, listening.network(), verifier=verifier, **options)
    for path in sorted((tmp_path / "a").rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()
    assert (folder / "ear_verifier.tflite").is_file() and "ear_verifier.c" in (folder / "CMakeLists.txt").read_text()


def test_another_threshold_reads_the_network_once(monkeypatch):
    verifier = listening.verifier()
    second = verifier.second
    made = verifier.with_threshold(0.7)
    assert made.second is second and made.detector.threshold == (0.7, 0.7, 0.7) or made.detector.threshold[0] > 0.69


def test_keras_network(tmp_path):
    keras = pytest.importorskip("keras")
    x = keras.Input((15, 8))
    y = keras.layers.GlobalMaxPooling1D()(keras.layers.Conv1D(6, 3, activation="relu")(x))
    model = keras.Model(x, keras.layers.Dense(4, activation="softmax")(y))
    detector = Detector(listening.LABELS, listening.DETECTOR.hotwords, threshold=0.2)
    calibration = np.random.default_rng(0).uniform(-1, 1, (8, 15, 8)).astype("float32")
    verifier = Verifier(model, listening.VERIFIED, detector, 1, calibration)
    graph = listening.write(tmp_path / "fw", listening.network(), streaming=1, verifier=verifier)
    heard = listen_python(tmp_path / "fw", listening.sound(), graph)
    assert (heard.verified > -128).any()
    corrected, _ = optimize(read_keras(model, calibration, correct_biases=True))
    ours = [op.bias for op in verifier.graph.ops if isinstance(op, Weighted)]
    assert len(ours) == 2
    for bias, op in zip(ours, [op for op in corrected.ops if isinstance(op, Weighted)], strict=True):
        np.testing.assert_array_equal(bias, op.bias)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"delay": -1}, "verifier's delay is -1"),
        ({"first_share": 1.5}, "first_share is 1.5; expected a number from 0 to 1"),
        ({"first_share": "half"}, "first_share is 'half'; expected a number from 0 to 1"),
        ({"delay": 4}, "delay is 4 runs and the refractory time of the listener's detector 3"),
        ({"labels": ("a", "b", "c", "d"), "hotwords": ("a",)}, "verifier's labels are ['a', 'b', 'c', 'd']"),
        ({"hotwords": ("yes",)}, "verifier's hotwords are ['yes']"),
        ({"smoothing": 2}, "smoothing of 2; expected 1"),
        (
            {
                "features": FeatureConfig(
                    sample_rate_hz=8_000, window_samples=240, hop_samples=100, bands=8, high_hz=3_800
                )
            },
            "of 8000",
        ),
        ({"features": FeatureConfig(bands=12)}, "features have 12 values a frame"),
        ({"features": "mel"}, "verifier's features is a str"),
        ({"detector": 5}, "verifier's detector is a int"),
        ({"network": "missing.tflite"}, "missing.tflite"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_named(tmp_path, change, said):
    given = listening.verifier()
    with pytest.raises(ShrinkfitError) as caught:
        of_detector = {k: change[k] for k in ("labels", "hotwords", "smoothing") if k in change}
        hotwords = {"threshold": 0.3} if "hotwords" in change else {}
        detector = change.get("detector", replace(given.detector, **of_detector, **hotwords))
        own = {k: change.get(k, getattr(given, k)) for k in ("network", "features", "delay", "first_share")}
        verifier = Verifier(**own, detector=detector)
        listening.write(tmp_path / "fw", listening.network(), streaming=1, verifier=verifier)
    assert said in str(caught.value) and not (tmp_path / "fw").exists()


def test_a_network_that_keeps_state_is_refused(tmp_path):
    streamed = listening.to_streaming(listening.network(15, 8), 1).graph
    verifier = replace(listening.verifier(), network=streamed)
    with pytest.raises(ExportError, match="keeps state from run to run"):
        listening.write(tmp_path / "fw", listening.network(), streaming=1, verifier=verifier)


def test_another_object_is_refused():
    with pytest.raises(ShrinkfitError, match="verifier is a str, expected a Verifier"):
        Listener(listening.FEATURES, listening.DETECTOR, verifier="large")


def test_fitting_counts_its_memory():
    from shrinkfit.price.parts import price_all

    listener = Listener(listening.FEATURES, listening.DETECTOR, hop_frames=1)
    graph, both = listening.network(), replace(listener, verifier=listening.verifier())
    for without, having in zip(price_all(graph, listener=listener), price_all(graph, listener=both), strict=True):
        assert having.cost.ram_bytes > without.cost.ram_bytes + 2 * (240 + 14 * 100)
        assert having.cost.flash_bytes > without.cost.flash_bytes
