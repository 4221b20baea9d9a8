# SPDX-License-Identifier: Apache-2.0
"""Recordings of real people who say anything but a hotword: which are taken, which are not."""

from pathlib import Path

import numpy as np
import pytest

from shrinkfit.audio.dataset import write_wav
from shrinkfit.audio.sound import sound_files
from shrinkfit.audio.spoken import NOT_A_WORD
from shrinkfit.audio.volunteers import PACKAGES, missing_packages, read_volunteers


@pytest.fixture
def packages(tmp_path):
    """Two packages as Debian lays them out, of which one is there."""
    home = tmp_path / "letters"
    tone = np.rint(9_000 * np.sin(np.arange(8_000) / 5)).astype(np.int16)
    for name in ("de/alpha/A", "de/syllab/Yes", "en/egypt_boy", "en/egypt_yes", "en/yesterday"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        write_wav(home / f"{name}.wav", tone)
    write_wav(home / "en/silent.wav", tone // 100)
    (home / "en/broken.ogg").write_bytes(b"no sound at all")
    (home / "en/sounds.xml").write_text("<sounds/>")
    return {"letters-data": str(home), "words-data": str(tmp_path / "nowhere")}


def test_all_that_is_said_but_hotwords_silence_and_what_is_broken(packages):
    said = read_volunteers(["yes", "no"], packages)
    assert sorted(said.speakers) == ["letters:de", "letters:en", "letters:en"]
    assert said.labels.tolist() == [2, 2, 2]
    assert set(said.words) == {NOT_A_WORD}
    assert all(clip.dtype == np.int16 and np.abs(clip).max() > 8_000 for clip in said.samples)
    assert said.lengths == pytest.approx([8_000] * 3, abs=4 * 320)
    assert len(read_volunteers(["Egypt"], packages)) == 3


def test_packages_that_are_not_there_are_named_and_bring_nothing(packages):
    assert missing_packages(packages) == ["words-data"]
    assert len(read_volunteers(["yes"], {"words-data": packages["words-data"]})) == 0
    assert set(missing_packages()) <= set(PACKAGES)


@pytest.mark.skipif(bool(missing_packages()), reason=f"not installed: {', '.join(missing_packages())}")
def test_what_debian_brings(tmp_path):
    found = [(Path(home), path) for home in PACKAGES.values() for path in sound_files(Path(home), deep=True)]
    assert len(found) > 3_000
    for home, path in found[::8]:  # all take a minute
        place = tmp_path / home.name / path.relative_to(home)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(path)
    said = read_volunteers(["computer"], {name: str(tmp_path / Path(home).name) for name, home in PACKAGES.items()})
    assert len(said) > 0.9 * len(found[::8])
    assert len(set(said.speakers)) > 40
    assert 0.3 < np.median([len(clip) for clip in said.samples]) / 16_000 < 1.6
