# SPDX-License-Identifier: Apache-2.0
"""Spoken data sets: what is planned, what is cached, what is said when a tool is missing."""

import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from shrinkfit.audio import synth, voices
from shrinkfit.audio.dataset import SPLITS, UNKNOWN_FOLDER, load
from shrinkfit.audio.features import AudioError
from shrinkfit.audio.neural import is_made_up
from shrinkfit.audio.noise import RMS, background_noise, silence_clips
from shrinkfit.audio.people import is_foreign, is_person
from shrinkfit.audio.spoken import NOT_A_WORD, read_synthesized
from shrinkfit.audio.utterance import Utterance
from shrinkfit.audio.voices import PEAK, Cast, random_voices, speak
from shrinkfit.audio.words import COMMANDS, WORDS
from shrinkfit.errors import ToolMissingError

needs_speech = pytest.mark.skipif(
    not (shutil.which("espeak-ng") and shutil.which("flite")), reason="espeak-ng and flite are not installed"
)


def plan(hotwords, clips, seed=3, **changed):
    """What is planned with everybody here, or others instead."""
    return synth.plan_utterances(hotwords, clips, seed, replace(Cast.here(), **changed))


def test_missing_espeak_is_named_and_nothing_written(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ToolMissingError, match="apt install espeak-ng"):
        synth.synthesize(["yes"], tmp_path / "cache", progress=False)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(("hotwords", "clips", "says"), [(["yes"], 199, "at least 200"), (["hey_you"], 500, "hey_you")])
def test_bad_arguments(tmp_path, hotwords, clips, says):
    with pytest.raises(AudioError, match=says):
        synth.synthesize(hotwords, tmp_path, clips=clips, progress=False)


@needs_speech
def test_synthesized_folder_loads_and_is_cached(tmp_path, monkeypatch):
    monkeypatch.setattr(synth, "NOISE_ROUNDS", 1)
    monkeypatch.setattr(synth.neural, "seconds_a_clip", lambda: 0.01)  # the same voices on every machine
    folder = synth.synthesize(["yes", "no"], tmp_path, clips=200, progress=False)
    data = load(folder, ["yes", "no"])
    counts = sum(np.bincount(getattr(data, name).labels, minlength=4) for name in SPLITS)
    assert counts.tolist() == [25, 25, 90, 60]
    assert all(np.abs(clip.astype(int)).max() > 1000 for clip in data.train.samples[data.train.labels < 3])
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.wav")}
    assert synth.synthesize(["no", "yes"], tmp_path, clips=200, progress=False) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.wav")} == before
    assert [path for path in tmp_path.iterdir() if path != folder] == []
    said = read_synthesized(folder, ["yes", "no"])
    assert np.bincount(said.labels).tolist() == [25, 25, 90]
    assert {said.words[i] for i in np.flatnonzero(said.labels == 1)} == {"no"}
    assert set(said.words) - {"yes", "no", NOT_A_WORD} <= set(WORDS)


@needs_speech
def test_a_broken_off_synthesis_leaves_nothing(tmp_path, monkeypatch):
    def fail(utterance, home):
        raise AudioError("no voice today")

    monkeypatch.setattr(synth, "speak", fail)
    with pytest.raises(AudioError, match="no voice today"):
        synth.synthesize(["yes"], tmp_path, clips=200, progress=False)
    assert list(tmp_path.iterdir()) == []


@needs_speech
def test_plan_is_reproducible_and_varied():
    planned = plan(["computer"], 400)
    assert planned == plan(["computer"], 400)
    assert planned != plan(["computer"], 400, seed=4)
    said = [u for u in planned if u.folder == "computer"]
    assert len(said) == 80
    assert all(u.text == "computer" for u in said)
    assert len({u.speaker for u in planned}) > 150
    assert any(u.voice.startswith("flite:") for u in said)
    assert any(" " in u.text for u in planned)


@needs_speech
def test_what_is_told_to_devices_is_said_most():
    said = Counter(u.text for u in plan(["computer"], 2_000) if u.folder != "computer")
    assert "computer" not in said
    commands = [said[word] for word in COMMANDS if word != "computer"]
    assert min(commands) >= 8 and 0.45 < sum(commands) / sum(said[word] for word in WORDS) < 0.7
    assert len([word for word in WORDS if 0 < said[word] < 4]) > 500


@pytest.mark.parametrize(("hotwords", "clips"), [(1, 200), (2, 250), (4, 350), (10, 350)])
@needs_speech
def test_several_hotwords_are_said_more_often_than_one(hotwords, clips):
    wanted = ["yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"][:hotwords]
    assert sum(u.folder in wanted for u in plan(wanted, 1_000)) == pytest.approx(clips, abs=hotwords)


@needs_speech
def test_people_are_no_need():
    assert {u.accent[:2] for u in plan(["computer"], 400, people=(), made_up=())} == {"en"}


@needs_speech
def test_the_more_people_there_are_the_more_do_they_say():
    four = tuple(f"flite:{name}" for name in "abcd")
    foreign = tuple(f"mbrola:{name}-en" for name in "abcdefgh")
    for there, share, foreigners in ((four, 0.4, 0), (four + foreign, 0.67, 0.25), (foreign, 0.57, 1)):
        planned = plan(["computer"], 2_000, people=there, made_up=())
        planned = [u for u in planned if not u.text.startswith("[[")]
        said = [u.voice for u in planned if is_person(u.voice)]
        assert len(said) == pytest.approx(share * len(planned), rel=0.1)
        assert sum(map(is_foreign, said)) == pytest.approx(foreigners * len(said), rel=0.15)
        assert set(said) == set(there)


@needs_speech
def test_made_up_people_say_half_of_the_hotwords_and_some_of_all_else():
    planned = plan(["computer"], 4_000, made_up=("kokoro:0", "kokoro:7"))
    for folder, share in (("computer", 0.45), (UNKNOWN_FOLDER, 0.08)):
        texts = [u for u in planned if u.folder == folder]
        said = [u for u in texts if is_made_up(u.voice)]
        assert len(said) == pytest.approx(share * len(texts), rel=0.2)
        assert len({u.speaker for u in said}) == 2
        assert not any(u.text.startswith("[[") for u in said)


@needs_speech
@pytest.mark.parametrize(("seconds", "left"), [(0.001, 1.0), (10.0, 0.25)])
def test_where_made_up_people_are_slow_others_say_more(monkeypatch, seconds, left):
    cast = replace(Cast.here(), made_up=("kokoro:0", "kokoro:7"))
    everything = sum(is_made_up(u.voice) for u in synth.plan_utterances(["computer"], 4_000, 3, cast))
    monkeypatch.setattr(synth.neural, "seconds_a_clip", lambda: seconds)
    monkeypatch.setattr(synth.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(synth, "MADE_UP_SECONDS_A_CLIP", 0.25 * everything * 10.0 / 2 / 4_000)
    planned = synth._plan_in_time(["computer"], 4_000, 3, cast, progress=False)
    assert sum(is_made_up(u.voice) for u in planned) == pytest.approx(left * everything, rel=0.25)
    assert len(planned) == 3_800


@needs_speech
def test_near_misses_sound_alike_but_are_others():
    near, far = synth.negative_texts(["computer", "no"])
    assert {"commuter", "compute", "note"} <= set(near)
    assert not {"computer", "no", "know"} & {*near, *far}
    assert not set(near) & set(far)
    assert any(text.startswith("[[") for text in near)
    assert any(" " in text for text in near)


@needs_speech
def test_near_misses_of_a_phrase_are_its_words_and_what_begins_or_ends_like_it():
    near, far = synth.negative_texts(["hey jarvis"])
    assert {"hey", "jarvis", "[[h'eI]]"} <= set(near)
    assert not {"hey jarvis", "hay jarvis"} & set(near)
    assert not {"hey", "jarvis"} & set(far)
    assert sum(text.startswith("hey ") for text in near) >= 20
    assert sum(text.endswith(" jarvis") for text in near) >= 20


@needs_speech
def test_words_of_a_phrase_that_are_hotwords_are_no_near_misses():
    near, far = synth.negative_texts(["hey computer", "computer"])
    assert not any("computer" in text.split() for text in near + far)
    assert f"[[{''.join(synth.phonemes('computer')[0])}]]" not in near
    assert "[[h'eI]]" in near
    assert "hey" in near
    assert sum(text.startswith("hey ") for text in near) >= 20


@needs_speech
def test_a_phrase_is_a_hotword(tmp_path, monkeypatch):
    monkeypatch.setattr(synth, "NOISE_ROUNDS", 1)
    quick = replace(Cast.here(), made_up=())  # made-up people take the longest
    monkeypatch.setattr(synth.Cast, "here", lambda: quick)
    folder = synth.synthesize(["view glass"], tmp_path, clips=200, progress=False)
    names = [path.name for path in (folder / "view glass").glob("*.wav")]
    assert len(names) == 40
    assert all(name.startswith("view+glass_") for name in names)
    assert np.sum(read_synthesized(folder, ["view glass"]).labels == 0) == 40


VOICES = [("f3", "hello", 1.0), ("Mr serious", "hello", 1.0), ("f1", "[[k@m]]", 1.0), ("flite:slt", "hello", 1.2)]


@needs_speech
@pytest.mark.parametrize(("voice", "text", "tract"), VOICES)
def test_every_kind_of_voice_speaks(voice, text, tract):
    clip = speak(Utterance("x", text, voice, "en-us", 160, 50, tract))
    assert 2_000 < len(clip) < 16_000
    assert clip.dtype == np.int16
    assert np.abs(clip.astype(int)).max() == PEAK


@needs_speech
def test_every_random_voice_is_one_of_its_own():
    with random_voices() as home:
        names = voices.random_voice_names()
        clips = [speak(Utterance("x", "hello", name, "en-us", 160, 50), home).tobytes() for name in names[::13]]
    clips.append(speak(Utterance("x", "hello", "f3", "en-us", 160, 50)).tobytes())
    clips.append(speak(Utterance("x", "hello", "m3", "en-us", 160, 50)).tobytes())
    assert len(set(clips)) == len(clips)
    assert not home.exists()


@needs_speech
@pytest.mark.parametrize("accent", sorted(set(voices.ACCENTS)))
def test_random_voices_have_accents(accent):
    text = "park the car near the house"
    with random_voices() as home:
        american, other = (speak(Utterance("x", text, "random7", a, 160, 50), home) for a in ("en-us", accent))
    assert (accent == "en-us") == (american.tobytes() == other.tobytes())


@needs_speech
def test_a_text_without_sound_is_refused():
    with pytest.raises(AudioError, match="silence for ' '"):
        speak(Utterance("x", " ", "f1", "en-us", 160, 50))


def test_a_failing_synthesizer_is_named(monkeypatch):
    monkeypatch.setattr(voices, "_command", lambda utterance, path, home: ["false"])
    with pytest.raises(AudioError, match="false failed .exit status 1.: no sound came"):
        speak(Utterance("x", "hello", "f1", "en-us", 160, 50))


def test_a_synthesizer_that_writes_an_empty_file_is_named(monkeypatch):
    monkeypatch.setattr(voices, "_command", lambda utterance, path, home: ["touch", str(path)])
    with pytest.raises(AudioError, match="touch .*said.wav failed .exit status 0.: no sound came"):
        speak(Utterance("x", "hello", "f1", "en-us", 160, 50))


@pytest.mark.parametrize(("rate", "target"), [(22_050, 16_000), (8_000, 16_000), (16_000, 16_000)])
def test_resampling_keeps_pitch_and_level(rate, target):
    tone = np.sin(2 * np.pi * 1000 * np.arange(rate) / rate).astype(np.float32)
    sound = voices.resample(tone, rate, target)
    assert len(sound) == target
    np.testing.assert_allclose(sound, np.sin(2 * np.pi * 1000 * np.arange(target) / target), atol=1e-3)


def test_noise_is_reproducible_audible_and_has_crowds_where_there_are_words():
    words = [np.random.default_rng(i).integers(-9_000, 9_000, 8_000).astype(np.int16) for i in range(3)]
    one, two, other = (background_noise(seed, words) for seed in (1, 1, 2))
    for name, samples in one.items():
        np.testing.assert_array_equal(samples, two[name])
        assert np.sqrt(np.mean(np.square(samples.astype(float)))) == pytest.approx(RMS, rel=0.35), name
        assert (other[name] != samples).any()
    assert {name for name in one if name.startswith("crowd")} == {"crowd0_0", "crowd1_0"}


def test_silence_is_from_faint_to_loud():
    clips = silence_clips(list(background_noise(0).values()), 60, seed=0)
    peaks = [np.abs(clip.astype(int)).max() for clip in clips]
    assert {clip.shape for clip in clips} == {(16_000,)}
    assert min(peaks) < 100
    assert max(peaks) > 10_000
