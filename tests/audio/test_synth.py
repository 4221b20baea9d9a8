# SPDX-License-Identifier: Apache-2.0
"""Spoken data sets: what is planned, what is cached, what is said when a tool is missing."""

import shutil

import numpy as np
import pytest

from shrinkfit.audio import synth
from shrinkfit.audio.dataset import SPLITS, load
from shrinkfit.audio.features import AudioError
from shrinkfit.audio.noise import background_noise, silence_clips
from shrinkfit.errors import ToolMissingError

needs_speech = pytest.mark.skipif(
    not (shutil.which("espeak-ng") and shutil.which("flite")), reason="espeak-ng and flite are not installed"
)


@pytest.mark.parametrize("tool", ["espeak-ng", "flite"])
def test_missing_tool_is_named_and_nothing_written(tmp_path, monkeypatch, tool):
    monkeypatch.setattr(shutil, "which", lambda name: None if name == tool else f"/usr/bin/{name}")
    with pytest.raises(ToolMissingError, match=f"apt install {tool}"):
        synth.synthesize(["yes"], tmp_path / "cache", progress=False)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(("hotwords", "clips", "says"), [(["yes"], 99, "at least 100"), (["hey you"], 500, "hey you")])
def test_bad_arguments(tmp_path, hotwords, clips, says):
    with pytest.raises(AudioError, match=says):
        synth.synthesize(hotwords, tmp_path, clips=clips, progress=False)


@needs_speech
def test_synthesized_folder_loads_and_is_cached(tmp_path):
    folder = synth.synthesize(["yes", "no"], tmp_path, clips=200, progress=False)
    data = load(folder, ["yes", "no"])
    counts = sum(np.bincount(getattr(data, name).labels, minlength=4) for name in SPLITS)
    assert counts.tolist() == [45, 45, 84, 26]
    assert all(np.abs(clip.astype(int)).max() > 1000 for clip in data.train.samples[data.train.labels < 3])
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.wav")}
    assert synth.synthesize(["no", "yes"], tmp_path, clips=200, progress=False) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.wav")} == before
    assert [path for path in tmp_path.iterdir() if path != folder] == []


@needs_speech
def test_a_broken_off_synthesis_leaves_nothing(tmp_path, monkeypatch):
    def fail(utterance):
        raise AudioError("no voice today")

    monkeypatch.setattr(synth, "speak", fail)
    with pytest.raises(AudioError, match="no voice today"):
        synth.synthesize(["yes"], tmp_path, clips=100, progress=False)
    assert list(tmp_path.iterdir()) == []


@needs_speech
def test_plan_is_reproducible_and_varied():
    plan = synth.plan_utterances(["computer"], 400, seed=3)
    assert plan == synth.plan_utterances(["computer"], 400, seed=3)
    assert plan != synth.plan_utterances(["computer"], 400, seed=4)
    said = [u for u in plan if u.folder == "computer"]
    assert len(said) == 180
    assert all(u.text == "computer" for u in said)
    assert len({u.voice for u in plan}) > 60
    assert any(u.voice.startswith("flite:") for u in said)


@needs_speech
def test_near_misses_sound_alike_but_are_others():
    near, far = synth.negative_texts(["computer", "no"])
    assert {"commuter", "compute", "note"} <= set(near)
    assert not {"computer", "no", "know"} & {*near, *far}
    assert not set(near) & set(far)
    assert any(text.startswith("[[") for text in near)


@needs_speech
@pytest.mark.parametrize(
    ("voice", "text"), [("f3", "hello"), ("Mr serious", "hello"), ("f1", "[[k@m]]"), ("flite:slt", "hello")]
)
def test_every_kind_of_voice_speaks(voice, text):
    clip = synth.speak(synth.Utterance("x", text, voice, "en-us", 160, 50, 0.5))
    assert clip.shape == (16_000,)
    assert clip.dtype == np.int16
    assert np.abs(clip.astype(int)).max() == pytest.approx(0.5 * 32767, rel=0.01)


@needs_speech
def test_a_text_without_sound_is_refused():
    with pytest.raises(AudioError, match="silence for ' '"):
        synth.speak(synth.Utterance("x", " ", "f1", "en-us", 160, 50, 0.5))


def test_a_failing_synthesizer_is_named(monkeypatch):
    monkeypatch.setattr(synth, "_command", lambda utterance: ["false"])
    with pytest.raises(AudioError, match="false failed .exit status 1.: no sound came"):
        synth.speak(synth.Utterance("x", "hello", "f1", "en-us", 160, 50, 0.5))


@pytest.mark.parametrize(("rate", "target"), [(22_050, 16_000), (8_000, 16_000), (16_000, 16_000)])
def test_resampling_keeps_pitch_and_level(rate, target):
    tone = np.sin(2 * np.pi * 1000 * np.arange(rate) / rate).astype(np.float32)
    sound = synth.resample(tone, rate, target)
    assert len(sound) == target
    np.testing.assert_allclose(sound, np.sin(2 * np.pi * 1000 * np.arange(target) / target), atol=1e-3)


def test_noise_is_reproducible_and_audible():
    one, two = background_noise(1), background_noise(1)
    for name, samples in one.items():
        np.testing.assert_array_equal(samples, two[name])
        assert np.abs(samples.astype(int)).max() == pytest.approx(16_384, abs=1)
    assert (background_noise(2)["white"] != one["white"]).any()


def test_silence_is_from_faint_to_loud():
    clips = silence_clips(list(background_noise(0).values()), 60, seed=0)
    peaks = [np.abs(clip.astype(int)).max() for clip in clips]
    assert {clip.shape for clip in clips} == {(16_000,)}
    assert min(peaks) < 100
    assert max(peaks) > 10_000
