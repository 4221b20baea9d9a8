# SPDX-License-Identifier: Apache-2.0
"""Talk without hotwords, for streams: what is said, by whom, and that it is kept."""

import shutil
from dataclasses import replace

import pytest

from shrinkfit.audio import synth
from shrinkfit.audio.dataset import speaker_of, split_of
from shrinkfit.audio.features import AudioError
from shrinkfit.audio.neural import is_made_up
from shrinkfit.audio.sound import read_folder
from shrinkfit.audio.talk import FEWEST_WORDS, MOST_WORDS, plan_talk, synthesize_talk
from shrinkfit.audio.voices import Cast
from shrinkfit.audio.words import WORDS

pytestmark = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


def in_half(speaker):
    return split_of(speaker, 50, 0) == "validation"


def test_sentences_without_hotwords_by_those_who_may_speak():
    cast = Cast.here()
    plan = plan_talk(["hey jarvis", "seven"], 300, 1, cast, in_half)
    assert plan == plan_talk(["hey jarvis", "seven"], 300, 1, cast, in_half)
    assert plan != plan_talk(["hey jarvis", "seven"], 300, 2, cast, in_half)
    said = [u.text.split() for u in plan]
    assert {len(words) for words in said} == set(range(FEWEST_WORDS, MOST_WORDS + 1))
    spoken = set(sum(said, []))
    assert "seven" not in spoken and spoken <= {*WORDS, "hey", "jarvis"} and len(spoken) > 500
    assert not any("hey jarvis" in u.text for u in plan)
    assert all(in_half(synth.speaker_name(u)) for u in plan)
    assert not any(is_made_up(u.voice) for u in plan)
    # Everybody may speak where nobody is chosen, and what is near to a hotword is said as often as anything else.
    everybody = plan_talk(["seven"], 300, 1, cast, lambda speaker: True)
    assert {in_half(synth.speaker_name(u)) for u in everybody} == {True, False}
    near = set(synth.negative_texts(["seven"])[0])
    words = sum((u.text.split() for u in everybody), [])
    assert sum(word in near for word in words) < 0.08 * len(words)


def test_a_phrase_is_not_said_by_chance(monkeypatch):
    monkeypatch.setattr(synth, "WORDS", ("hey", "jarvis", "you"))
    plan = plan_talk(["hey jarvis"], 50, 0, Cast.here(), lambda speaker: True)
    assert any("jarvis hey" in u.text for u in plan)
    assert not any("hey jarvis" in u.text for u in plan)


def test_the_folder_is_kept_and_depends_on_who_speaks(tmp_path):
    folder = synthesize_talk(["seven"], tmp_path, clips=6, speakers=in_half, progress=False)
    read = read_folder(folder)
    assert len(read.paths) == 6 and all(in_half(speaker_of(path)) for path in read.paths)
    assert all(len(sound) > 8_000 for sound in read.samples)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert synthesize_talk(["seven"], tmp_path, clips=6, speakers=in_half, progress=False) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    others = synthesize_talk(["seven"], tmp_path, clips=6, speakers=lambda who: not in_half(who), progress=False)
    assert others != folder and [*tmp_path.iterdir()] in ([folder, others], [others, folder])


def test_where_nobody_may_speak_it_says_so(tmp_path):
    cast = replace(Cast.here(), people=())
    with pytest.raises(AudioError, match="0 may speak; expected 1"):
        plan_talk(["seven"], 1, 0, cast, lambda speaker: False)
