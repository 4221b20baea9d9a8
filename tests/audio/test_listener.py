# SPDX-License-Identifier: Apache-2.0
"""From samples to detections: the exported C hears what its Python twin hears, however the samples come."""

import json
import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest

from shrinkfit.audio.detect import Detector
from shrinkfit.audio.features import FeatureConfig, features
from shrinkfit.audio.listen import check_sound, listen_clips, listen_python
from shrinkfit.audio.listener import Listener, Listening
from shrinkfit.check import sound
from shrinkfit.graph import simulate
from tests.audio import listening

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
needs_arm = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
needs_qemu = pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed")

# What is exported: (network, options of tests.audio.listening.write).
CASES = {
    "windows": ({}, {"hop_frames": 2}),
    "windows, other scale": ({"scale": 0.011, "zero_point": -9}, {"hop_frames": 9}),
    "streamed": ({}, {"streaming": 1}),
    "streamed, other scale": ({"scale": 0.0061, "zero_point": 3}, {"streaming": 3, "settle": 1}),
    "one frame": ({"frames": 5}, {"hop_frames": 1, "features": FeatureConfig(bands=12, gain_normalization=0.5)}),
}


@pytest.fixture(scope="module", params=CASES, ids=str)
def exported(request, tmp_path_factory):
    """(folder, graph)"""
    folder = tmp_path_factory.mktemp("listener") / "fw"
    network, options = CASES[request.param]
    return folder, listening.write(folder, listening.network(**network), **options)


def record(folder):
    return json.loads((folder / "report.json").read_text())["listener"]


@needs_gcc
def test_any_chunks_give_what_the_twin_hears(exported):
    folder, graph = exported
    samples, rng = listening.sound(), np.random.default_rng(1)
    expected = listen_python(folder, samples, graph)
    ear = listening.Ear(folder, record(folder)["layout"]["listener_bytes"])
    assert len(expected.detections) > 1 and len(np.unique(expected.scores, axis=0)) > 3
    for chunks in ([len(samples)], [1] * len(samples), rng.integers(0, 700, 40).tolist()):
        assert ear.reset() == 0
        scores, detections = ear.hear(samples, chunks)
        assert sum(chunks) >= len(samples)
        np.testing.assert_array_equal(scores, expected.scores)
        assert detections == expected.detections


def test_the_twin_is_features_network_and_detector(tmp_path):
    graph = listening.write(tmp_path / "fw", listening.network(), hop_frames=2)
    samples, config = listening.sound(), listening.FEATURES
    frames = features(samples, config)
    inputs = np.array([frames[i : i + 9, None] for i in range(0, len(frames) - 8, 2)])
    heard = listen_python(tmp_path / "fw", samples)
    np.testing.assert_array_equal(heard.scores, simulate.run(graph, inputs))
    steps = [
        (200 + (8 + 2 * step) * 120, label, score) for step, label, score in listening.DETECTOR.detect(heard.scores)
    ]
    assert heard.detections == steps and len(steps) > 1


def test_the_folder_alone_says_what_is_heard(exported):
    folder, graph = exported
    alone, told = listen_python(folder, listening.sound()), listen_python(folder, listening.sound(), graph)
    np.testing.assert_array_equal(alone.scores, told.scores)
    assert alone.detections == told.detections


def test_a_frame_is_quantized_as_its_real_value(exported):
    folder, graph = exported
    table = Listening.from_dict(record(folder)).table()
    every = np.arange(-128, 128, dtype=np.int8)
    tensor = graph.tensors[graph.inputs[0]]
    expected = simulate.quantize(tensor, every.astype(np.float32) / 128)
    np.testing.assert_array_equal(every if table is None else table, expected)
    assert (table is None) == ("NULL, 12" in (folder / "ear_listen.c").read_text())


def test_parts_of_the_memory_do_not_meet(exported):
    folder, graph = exported
    report = json.loads((folder / "report.json").read_text())
    at, listener = report["listener"]["layout"], Listening.from_dict(report["listener"])
    ends = [
        (at["scratch"], at["scratch"] + listener.features.scratch_bytes),
        (at["frame"], at["frame"] + listener.features.width),
        (at["features"], at["features"] + listener.features.state_bytes),
        (at["frames"], at["frames"] + listener.frames_state_bytes),
        (at["detector"], at["detector"] + listener.detector.state_bytes),
    ]
    assert all(end <= begin for (_, end), (begin, _) in zip(ends, ends[1:], strict=False))
    assert report["state_bytes"] <= at["scratch"] and report["arena_bytes"] <= at["features"]
    assert ends[-1][1] <= at["listener_bytes"] and all(begin % 8 == 0 for begin, _ in ends)


@needs_gcc
def test_sanitized_programs_hear_the_same(tmp_path):
    network, options = CASES["streamed, other scale"]
    graph = listening.write(tmp_path / "fw", listening.network(**network), **options)
    result = check_sound(tmp_path / "fw", listening.sound(4_000), graph=graph, chunk=77)
    assert result.exact and result.heard.detections and "as in Python" in str(result)


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda scores, found: (scores + np.eye(*scores.shape, 1, np.int8), found), "one, run 0, 'no'"),
        (lambda scores, found: (scores[:-1], found), "runs, expected"),
        (lambda scores, found: (scores, (*found[:-1], (7, 2, 9))), "(7, 2, 9)"),
        (lambda scores, found: (scores, ()), "which only one of the two has"),
    ],
    ids=["score", "run", "detection", "no detection"],
)
def test_differences_are_found(tmp_path, monkeypatch, change, said):
    graph = listening.write(tmp_path / "fw", listening.network(), hop_frames=2)
    twin = listen_python(tmp_path / "fw", listening.sound(), graph)
    scores, detections = change(twin.scores, tuple(twin.detections))
    program = SimpleNamespace(hear=lambda samples: sound.Ran("one", detections, scores))
    monkeypatch.setattr(sound, "programs", lambda *_: [program])
    result = check_sound(tmp_path / "fw", listening.sound(), graph=graph)
    assert not result.held and said in result.first_difference and result.first_difference in str(result)


@needs_arm
def test_emulated_core_with_cycles(tmp_path):
    pytest.importorskip("unicorn")
    graph = listening.write(tmp_path / "fw", listening.network(), streaming=1)
    result = check_sound(tmp_path / "fw", listening.sound(20_000), "cortex-m4", graph=graph)
    cost, predicted = result.heard.cost, result.predicted
    assert result.exact and 0 < result.heard.stack_bytes <= predicted["stack_bytes"]
    assert result.heard.ram_bytes == predicted["ram_bytes"]
    assert result.heard.flash_bytes == pytest.approx(predicted["flash_bytes"], rel=0.01)
    assert min(cost.features, cost.network, cost.detector, cost.rest) > 0
    # 63 pC a cycle at 3 V, by the catalogue's current.
    assert cost.energy_uj == pytest.approx(cost.cycles * 63e-6 * 3) and cost.load == cost.cycles / 40e6
    priced = record(tmp_path / "fw")["cost"]
    assert priced["cycles_per_second"] == pytest.approx(cost.cycles, rel=0.05) and "sister" in cost.energy_source
    for part in ("features", "network"):
        assert priced["parts"][part] == pytest.approx(getattr(cost, part), rel=0.1)


@needs_arm
@needs_qemu
def test_firmware_hears_a_wav_file(tmp_path):
    graph = listening.write(tmp_path / "fw", listening.network(), streaming=1)
    result = check_sound(tmp_path / "fw", listening.sound(9_001), "qemu", graph=graph)
    assert result.exact and len(result.heard.detections) > 3


@needs_arm
def test_each_clip_is_heard_alone(tmp_path):
    pytest.importorskip("unicorn")
    graph = listening.write(tmp_path / "fw", listening.network(), hop_frames=3)
    clips = [listening.sound(3_000, seed) for seed in range(3)] + [listening.sound(150)]
    heard = listen_clips(tmp_path / "fw", clips, "cortex-m4", count=False)
    for one, clip in zip(heard, clips, strict=True):
        expected = listen_python(tmp_path / "fw", clip, graph)
        np.testing.assert_array_equal(one.scores, expected.scores)
        assert one.detections == expected.detections and one.cost is None
    assert len(heard[-1].scores) == 0


@needs_arm
@pytest.mark.parametrize("part", ["efm32", "rp2040", "stm32h743"])
def test_printed_sizes_equal_the_linked_image(tmp_path, part):
    listening.write(tmp_path / "fw", listening.network(scale=0.011), device=part, streaming=1)
    subprocess.run(["make", "-s", "-C", str(tmp_path / "fw"), "listen-firmware"], check=True)
    elf = str(tmp_path / "fw" / "build" / "listen.elf")
    sizes = subprocess.run(["arm-none-eabi-size", elf], capture_output=True, text=True, check=True).stdout
    text, data, bss = map(int, sizes.splitlines()[1].split()[:3])
    cost = record(tmp_path / "fw")["cost"]
    assert cost["ram_bytes"] == data + bss
    assert cost["flash_bytes"] == pytest.approx(text + data, rel=0.01)


def test_price_before_export_is_that_of_the_export(tmp_path):
    listening.write(tmp_path / "fw", listening.network(), hop_frames=2)
    priced = Listener(listening.FEATURES, listening.DETECTOR, hop_frames=2).price(listening.network())
    assert json.loads(json.dumps(vars(priced))) == record(tmp_path / "fw")["cost"]


def test_listener_comes_back_from_the_report(exported):
    folder, graph = exported
    made = Listening.from_dict(record(folder))
    tensor = graph.tensors[graph.outputs[0]]
    assert made.to_dict().items() <= record(folder).items()
    assert (made.detector.scale, made.detector.zero_point) == (tensor.scale, tensor.zero_point)


def test_a_detector_of_another_scale_is_taken_over(tmp_path):
    odd = Detector(listening.LABELS, "yes", threshold=0.4, scale=1 / 100, zero_point=5)
    graph = listening.network()
    made = Listener(listening.FEATURES, odd).of(graph).detector
    assert (made.scale, made.zero_point, made.threshold) == (1 / 256, -128, odd.threshold)
