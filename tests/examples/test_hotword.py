# SPDX-License-Identifier: Apache-2.0
"""The hotword example from end to end on a tiny data set of tones, and its parts."""

import importlib.util
import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from shrinkfit.audio.dataset import write_wav
from shrinkfit.audio.scenes import Voices
from shrinkfit.audio.spoken import Rendered, Spoken, render

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "hotword"
TOOLS = ("gcc", "arm-none-eabi-gcc", "qemu-system-arm")
needs_tools = pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"needs {', '.join(TOOLS)}")


def run(*arguments, **kwargs):
    command = [sys.executable, str(EXAMPLE / "hotword.py"), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=900, **kwargs)


@pytest.fixture
def importable(monkeypatch):
    """The example's modules can be imported, as they are beside the script, and are forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(EXAMPLE)
    yield
    for name in {path.stem for path in EXAMPLE.glob("*.py")} & (set(sys.modules) - before):
        del sys.modules[name]


@pytest.fixture
def here(importable, monkeypatch, capsys):
    """here(*arguments) -> (status, stdout): the script in this process, which has TensorFlow already."""
    monkeypatch.setenv("COLUMNS", "120")

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["hotword.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            runpy.run_path(str(EXAMPLE / "hotword.py"), run_name="__main__")
        return stopped.value.code, capsys.readouterr().out

    return call


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    """Words that are tones: "low", "high", and another pitch for unknown; 30 speakers, 2 noises."""
    folder, rng = tmp_path_factory.mktemp("tones"), np.random.default_rng(0)
    time = np.arange(16_000) / 16_000
    for word, hz in {"low": 300, "high": 2500, "_unknown_": 900}.items():
        (folder / word).mkdir()
        for speaker in range(30):
            tone = np.sin(2 * np.pi * hz * rng.uniform(0.95, 1.05) * time) * (abs(time - 0.5) < 0.25)
            sound = 4000 * tone + 30 * rng.standard_normal(16_000)
            write_wav(folder / word / f"{speaker:08x}_nohash_0.wav", np.rint(sound).astype(np.int16))
    (folder / "_background_noise_").mkdir()
    for name, level in {"soft": 30, "loud": 900}.items():
        noise = np.rint(level * rng.standard_normal(20 * 16_000)).astype(np.int16)
        write_wav(folder / "_background_noise_" / f"{name}.wav", noise)
    return folder


@pytest.fixture(scope="module")
def finished(tones, tmp_path_factory):
    out = tmp_path_factory.mktemp("hotword")
    done = run("--quick", "--steps", 10, "--data", tones, "--hotwords", "low,high", "--out", out)
    # 1 says that a limit was missed: four epochs on thirty clips promise no accuracy.
    assert done.returncode in (0, 1), done.stderr[-3000:]
    return out, json.loads((out / "report.json").read_text()), done


@needs_tools
def test_limits_hold_and_every_byte_agrees(finished):
    _, report, _ = finished
    assert report["exact"]["differences"] == 0
    assert report["exact"]["clips"] == sum(map(sum, report["confusion"]["counts"]))
    assert all(report["costs"][name] <= limit for name, limit in report["limits"].items())
    assert all(report["before"][name] >= cost for name, cost in report["costs"].items())
    parts = report["second_of_sound"]
    assert min(parts[name] for name in ("features", "network", "detector")) > 0
    assert parts["cycles"] > 1_000_000 and parts["energy_uj"] > 0 and "sister" in parts["energy_source"]


@needs_tools
def test_every_epoch_is_within_its_own_limits(finished):
    _, report, _ = finished
    assert len(report["epochs"]) == 8
    for record in report["epochs"]:
        assert all(record["costs"][name] <= limit for name, limit in record["limits"].items())
    assert report["epochs"][-1]["limits"] == report["limits"]


@needs_tools
def test_costs_are_those_of_the_image_that_listens(finished):
    out, report, _ = finished
    image = json.loads((out / "firmware" / "report.json").read_text())["listener"]["cost"]
    last, costs = report["epochs"][-1]["costs"], report["costs"]
    assert last["ram_bytes"] == costs["ram_bytes"] == image["ram_bytes"] == report["linked"]["ram_bytes"]
    # Of a table that is not needed where the input's scale is the features'.
    assert last["flash_bytes"] - costs["flash_bytes"] in (0, 256) and costs["flash_bytes"] == image["flash_bytes"]


@needs_tools
def test_printed_sizes_are_the_linked_images(finished):
    out, report, _ = finished
    predicted = json.loads((out / "firmware" / "report.json").read_text())["listener"]["cost"]
    assert predicted["ram_bytes"] == report["linked"]["ram_bytes"]
    assert predicted["flash_bytes"] == pytest.approx(report["linked"]["flash_bytes"], rel=0.01)


@needs_tools
def test_accuracies_are_what_was_heard(finished):
    _, report, _ = finished
    counts = np.array(report["confusion"]["counts"])
    assert report["accuracy"]["device"] == pytest.approx(np.trace(counts) / counts.sum())
    assert set(report["accuracy"]) == {"float", "fitted", "device"}
    assert report["class_agreement"] >= 0.9
    assert report["confusion"]["labels"] == ["low", "high", "unknown", "silence"]


@needs_tools
def test_files_and_table(finished):
    out, _, done = finished
    for name in ("epochs.png", "confusion.png", "det.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    assert (out / "firmware" / "hotword.c").is_file()
    assert (out / "hotword.keras").is_file()
    for line in ("float accuracy", "fitted accuracy", "device accuracy", "RAM", "flash", "FLOPs", "cycles", "energy"):
        assert line in done.stdout


@needs_tools
def test_streams_say_what_the_thresholds_do(finished):
    _, report, done = finished
    stream, det = report["stream"], report["det"]
    assert stream["seconds"] == 600 and stream["words"] > 20 and 0 <= stream["false_rejects"] <= stream["words"]
    assert stream["detector"]["threshold"] == list(report["threshold"].values())
    # A network that tells tones apart gives few different scores, and how many depends on the machine's arithmetic.
    assert len(det["false_accepts_per_hour"]) == len(det["false_rejects"]) > 2
    assert "hotwords in 0.167 h of constructed sound" in done.stdout and report["chosen"]["note"]


@needs_tools
def test_exit_status_tells_whether_all_held(finished):
    _, report, done = finished
    held = min(report["accuracy"]["fitted"], report["accuracy"]["device"]) >= report["accuracy"]["float"] - 0.02
    assert done.returncode == int(not held)


def test_bad_usage_is_one_sentence_and_writes_nothing(here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out = here("--data", "nowhere")
    assert status == 2
    assert "nowhere is no folder" in out
    assert list(tmp_path.iterdir()) == []


@needs_tools
def test_recordings_are_scored_at_each_rate_and_the_exported_threshold(here, finished, tones):
    out, report, _ = finished
    noise = tones / "_background_noise_"
    status, said = here("--evaluate", tones / "low", tones / "_unknown_", "--noise", noise, "--out", out)
    assert status == 0, said
    rows = [line for line in said.splitlines() if "false accepts  " in line or "exported threshold" in line]
    assert [row.split("│")[1].split()[0] for row in rows if "%" in row][-4:] == ["1.0%", "0.5%", "0.1%", "the"]
    assert all(f"{threshold:.3f}" in rows[-1] for threshold in report["threshold"].values())


def test_evaluation_without_a_run_says_so(here, tmp_path):
    status, said = here("--evaluate", tmp_path, tmp_path, "--out", tmp_path)
    assert status == 2
    assert "has no report.json" in said


def recipe():
    return part("recipe")


def part(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Scenes:
    """Stands for what draws scenes."""

    def draw(self, count, rng):
        return rng.uniform(-1, 1, (count, 49, 40)).astype(np.float32), np.arange(count) % 3, np.arange(count) % 5 - 1


def test_batches_differ_and_keep_targets_shares():
    batches = recipe().SceneBatches(Scenes(), 3, 2, seed=1)
    assert len(batches) == 2
    (one, y), (two, _) = batches[0], batches[1]
    np.testing.assert_allclose(y.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(batches[0][0], one)
    batches.on_epoch_end()
    assert all((other != one).any() for other in (two, batches[0][0]))


def test_words_come_along_when_asked_for():
    _, targets = recipe().SceneBatches(Scenes(), 3, 2, words=True)[0]
    assert set(targets) == {"classes", "words"}
    assert targets["words"].min() == -1


@pytest.mark.parametrize("hotwords", [1, 2])
def test_recall_is_counted_at_the_rate_of_false_accepts(hotwords):
    rng = np.random.default_rng(hotwords)
    labels = rng.integers(0, hotwords + 2, 8_000)
    scores = 1 / (1 + np.exp(-rng.normal(0, 2, (8_000, hotwords + 2)) - 3 * np.eye(hotwords + 2)[labels]))
    metric = recipe().Recall(hotwords)
    for part in np.array_split(np.arange(8_000), 5):
        metric.update_state(np.eye(hotwords + 2, dtype="float32")[labels[part]], scores[part].astype("float32"))
    spoken = labels < hotwords
    own = scores[np.arange(8_000), labels][spoken]
    threshold = np.quantile(scores[~spoken, :hotwords].max(axis=1), 1 - recipe().FALSE_ACCEPTS)
    assert float(metric.result()) == pytest.approx(np.mean(own > threshold), abs=0.03)


def test_words_that_are_told_apart_along_the_way_do_not_ship(importable, tmp_path):
    hotword = part("hotword")
    labels = ("yes", "_unknown_", "_silence_")
    x, y, _ = Scenes().draw(60, np.random.default_rng(0))
    speech = SimpleNamespace(labels=labels, scenes=Scenes(), copies=None, words=4, validation=(x, y), sources="")
    args = SimpleNamespace(seed=0, steps=2, epochs=3, baseline_epochs=1, hotwords=["yes"])
    model = hotword.train_baseline(speech, args)
    assert set(model.output_names) == {"classes", "words"}
    fit = hotword.fit_to_device(model, speech, args)
    assert fit.model.output_shape == (None, 3) and fit.predict(x).shape == (60, 3)
    limits = fit.budget.limits()
    assert all(fit.history[-1]["costs"][name] <= limit for name, limit in limits.items())
    assert 0 <= hotword.judge(fit, speech)["recall"] <= 1
    part("outcome").plot_history(fit, tmp_path / "epochs.png")
    assert (tmp_path / "epochs.png").stat().st_size > 1_000


def test_recordings_weigh_against_what_synthesizers_say_of_the_same_kind(importable):
    speech = part("speech")
    rendered = Rendered(np.zeros((1, 10, 80, 40), np.float16), np.full(10, 40.0, np.float32))
    spoken = speech.Learned(speech.EAR, Voices(rendered, np.repeat([0, 1], [4, 6]), np.full(10, -1), np.ones(10)), [])
    clips = tuple(np.random.default_rng(0).integers(-9_000, 9_000, (3, 8_000)).astype(np.int16))
    for label, same in ((0, 4), (1, 6)):
        said = Spoken(clips, np.full(3, label), ("",) * 3, ("a", "b", "c"))
        voices = speech.recorded(said, 2, 0.5, spoken, 1, seed=0)
        assert voices.weights.sum() == pytest.approx(0.5 * same)
        assert voices.rendered.levels.shape[:2] == (2, 3)


def test_volunteers_say_what_is_no_hotword_to_both_networks(importable, monkeypatch, tmp_path):
    speech = part("speech")
    said = Spoken((np.full(8_000, 900, np.int16),) * 4, np.full(4, 1), ("",) * 4, ("a",) * 4)
    monkeypatch.setattr(speech, "missing_packages", lambda: ["ktuberling-data"])
    monkeypatch.setattr(speech, "read_volunteers", lambda hotwords: said)
    rng = np.random.default_rng(0)
    for number in range(2):
        write_wav(tmp_path / f"{number}.wav", rng.integers(-9_000, 9_000, 16_000).astype(np.int16))
    learned = []
    for ear in (speech.EAR, speech.VERIFIER_EAR):
        voices = Voices(render(said, 1, seed=0, config=ear.config), np.array([0, 1, 1, 1]), np.full(4, 2), np.ones(4))
        noise = rng.uniform(0, 3, (200, ear.config.bands)).astype(np.float16)
        learned.append(speech.Learned(ear, voices, [noise]))
    before = speech.Speech(("yes", "_unknown_", "_silence_"), None, (), (), {}, (), 3, False, "spoken")
    after = speech.with_recordings(before, learned, tmp_path, None, 0)
    assert after.recorded and "2 recordings of the hotword" in after.sources
    assert "not installed: ktuberling-data" in after.sources and "4 recordings of volunteers" in after.sources
    for scenes, ear in ((after.scenes, speech.EAR), (after.verified, speech.VERIFIER_EAR)):
        x, labels, words = scenes.draw(64, np.random.default_rng(1))
        assert x.shape == (64, ear.frames, ear.config.bands) and {0, 1} <= set(labels) and {-1, 2} <= set(words)
    monkeypatch.setattr(speech, "read_volunteers", lambda hotwords: said.take([]))
    assert "volunteers who" not in speech.with_recordings(before, learned[:1], tmp_path, None, 0).sources


def test_streams_hear_talk_by_voices_apart_and_volunteers_only_where_these_are_not_trained_on(
    importable, monkeypatch, tmp_path
):
    speech = part("speech")
    for who in range(40):
        write_wav(tmp_path / f"what+is+said_{who:08x}_nohash_{who}.wav", np.full(1_000, who, np.int16))
    asked = []
    monkeypatch.setattr(speech, "synthesize_talk", lambda *args, **options: asked.append(options) or tmp_path)
    real = Spoken((np.full(1_000, 99, np.int16),) * 20, np.ones(20, int), ("",) * 20, tuple(map(str, range(20))))
    monkeypatch.setattr(speech, "read_volunteers", lambda hotwords: real)
    talk, told = speech.talk_of(["yes"], tmp_path, 0, True, True)
    assert told == "40 sentences, 20 recordings of volunteers"
    assert asked == [{"clips": speech.TALK["quick"], "speakers": speech.is_apart, "seed": 0}]
    heard = {name: sorted(int(clip[0]) for clip in clips) for name, clips in talk.items()}
    assert len(heard["validation"] + heard["test"]) == 60 and min(map(len, heard.values())) > 15
    assert not set(heard["validation"]) & set(heard["test"]) - {99}
    assert [clip for clip in heard["test"] if clip < 99] == [
        who for who in range(40) if speech.half_of(f"{who:08x}") == "test"
    ]
    talk, told = speech.talk_of(["yes"], tmp_path, 0, True, False)
    assert told == "40 sentences" and sum(map(len, talk.values())) == 40
