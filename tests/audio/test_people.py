# SPDX-License-Identifier: Apache-2.0
"""Recorded people's voices: which are found, what they are told, and that each that is installed speaks."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from shrinkfit.audio.people import is_foreign, is_person, people, speak_command
from shrinkfit.audio.utterance import Utterance
from shrinkfit.audio.voices import PEAK, speak

INSTALLED = people()


@pytest.fixture
def only(monkeypatch):
    """Has one tool alone be installed, at some path, and say something."""

    def install(tool, path="/usr/bin/tool", says=""):
        monkeypatch.setattr(shutil, "which", lambda name: path if name == tool else None)
        monkeypatch.setattr(subprocess, "run", lambda *args, **options: subprocess.CompletedProcess([], 0, says))

    return install


def test_nothing_is_found_where_nothing_is_installed(only):
    only(None)
    assert people() == ()


def test_flite_has_the_voices_that_it_lists_but_for_those_of_8_khz(only):
    only("flite", says="Voices available: kal awb_time kal16 awb rms slt \n")
    assert people() == ("flite:awb", "flite:kal16", "flite:rms", "flite:slt")


@pytest.mark.parametrize("place", ["us1/us1", "us1"])
def test_mbrola_has_those_voices_that_espeak_knows_and_whose_recordings_are_there(only, monkeypatch, tmp_path, place):
    listing = """\
 5  en-us           --/F      us-mbrola-1        mb/mb-us1            (en 8)
 9  en              --/F      en-german-1        mb/mb-de1-en
 9  en              --/M      en-greek           mb/mb-gr2-en
 2  en-us           --/M      English_(America)  gmw/en-US            (en 3)
"""
    only("mbrola", says=listing)
    monkeypatch.setattr("shrinkfit.audio.people.MBROLA_HOMES", (str(tmp_path / "none"), str(tmp_path)))
    for path in (place, place.replace("us1", "de1")):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"")
    assert people() == ("mbrola:de1-en", "mbrola:us1")


def test_pico_speaks_as_an_american_and_as_an_english_person(only):
    only("pico2wave")
    assert people() == ("pico:en-US", "pico:en-GB")


def test_rhvoice_has_the_english_voices_beside_its_tool(only, tmp_path):
    for name, language in (("alan", "English"), ("anna", "Russian")):
        folder = tmp_path / "share" / "RHVoice" / "voices" / name
        folder.mkdir(parents=True)
        (folder / "voice.info").write_text(f"name={name.title()}\nlanguage={language}\ngender=male\n")
    only("RHVoice-test", str(tmp_path / "bin" / "RHVoice-test"))
    assert people() == ("rhvoice:alan",)


def test_who_is_a_person_and_who_is_foreign():
    assert [is_person(voice) for voice in ("f3", "random7", "Mr serious", "flite:slt", "pico:en-GB")] == [0, 0, 0, 1, 1]
    assert [is_foreign(voice) for voice in ("mbrola:de1-en", "mbrola:en1", "pico:en-GB")] == [True, False, False]


NATURAL, HURRIED = (165, 50), (330, 80, 1.21)
COMMANDS = [
    ("flite:slt", NATURAL, "flite -voice slt --setf duration_stretch=1.000 --setf int_f0_target_mean=160 "
     "--setf int_f0_target_stddev=15 -t hi -o a.wav"),
    ("flite:slt", HURRIED, "flite -voice slt --setf duration_stretch=0.605 --setf int_f0_target_mean=172 "
     "--setf int_f0_target_stddev=15 -t hi -o a.wav"),
    ("mbrola:de1-en", NATURAL, "espeak-ng -v mb-de1-en -s 165 -p 50 -w a.wav hi"),
    ("mbrola:us1", HURRIED, "espeak-ng -v mb-us1 -s 273 -p 53 -w a.wav hi"),
    ("pico:en-GB", NATURAL, 'pico2wave -l en-GB -w a.wav <speed level="100"><pitch level="100">hi</pitch></speed>'),
    ("pico:en-US", HURRIED, 'pico2wave -l en-US -w a.wav <speed level="165"><pitch level="104">hi</pitch></speed>'),
    ("rhvoice:alan", NATURAL, "RHVoice-test -p alan -r 100 -t 100 -o a.wav"),
    ("rhvoice:alan", HURRIED, "RHVoice-test -p alan -r 165 -t 104 -o a.wav"),
]  # fmt: skip


@pytest.mark.parametrize(("voice", "manner", "command"), COMMANDS)
def test_what_each_is_told(voice, manner, command):
    said = Utterance("x", "hi", voice, "", *manner)
    assert " ".join(speak_command(said, Path("a.wav"))) == command


def test_pico_takes_marks_as_text():
    said = Utterance("x", "a<b", "pico:en-US", "", *NATURAL)
    assert "a&lt;b" in speak_command(said, Path("a.wav"))[-1]


@pytest.mark.skipif(not INSTALLED, reason="no voice of flite, MBROLA, Pico or RHVoice is installed")
@pytest.mark.parametrize("voice", INSTALLED)
def test_each_installed_voice_obeys(voice):
    natural, fast, tall = (
        speak(Utterance("x", "marvin", voice, "", pace, 50, tract))
        for pace, tract in ((150, 1.0), (210, 1.0), (150, 0.9))
    )
    assert np.abs(natural.astype(int)).max() == PEAK
    assert 4_000 < len(fast) < 0.85 * len(natural)
    assert 0.85 * len(natural) < len(tall) < 1.15 * len(natural)  # a longer vocal tract, the same pace
    assert len(natural) < 16_000


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
def test_flite_is_among_the_installed():
    assert {"flite:slt", "flite:rms"} <= set(INSTALLED)
