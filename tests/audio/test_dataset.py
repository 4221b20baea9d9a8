# SPDX-License-Identifier: Apache-2.0
"""Reading Speech Commands folders; no speaker in two splits."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from shrinkfit.audio.dataset import (
    SPLITS,
    class_labels,
    fit_length,
    load,
    speaker_of,
    split_of,
    write_wav,
)
from shrinkfit.audio.features import AudioError
from shrinkfit.audio.sound import read_sound

SHARED = Path(os.environ.get("SHRINKFIT_SHARED", Path(__file__).resolve().parents[3] / "shared"))
RECORDINGS = SHARED / "speech_commands"
RNG = np.random.default_rng(0)


def clip(samples=16_000):
    return RNG.integers(-2000, 2000, samples).astype(np.int16)


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    """Three words by 40 speakers, extra unknown words by the same speakers, noise, no silence."""
    folder = tmp_path_factory.mktemp("speech")
    for word in ("yes", "no", "tree", "_unknown_", "_background_noise_"):
        (folder / word).mkdir()
    for speaker in range(40):
        name = f"{speaker:08x}_nohash"
        for word in ("yes", "no", "tree"):
            write_wav(folder / word / f"{name}_0.wav", clip())
        write_wav(folder / "_unknown_" / f"bed_{name}_1.wav", clip(15_000))
    write_wav(folder / "_background_noise_" / "hiss.wav", clip(40 * 16_000))
    return folder


def test_wav_comes_back_as_written(tmp_path):
    samples = np.array([0, 1, -1, 32767, -32768], np.int16)
    write_wav(tmp_path / "a.wav", samples)
    np.testing.assert_array_equal(read_sound(tmp_path / "a.wav").samples, samples)


@pytest.mark.parametrize("length", [0, 1, 15_999, 16_000, 16_001, 20_001])
def test_clips_are_centred_in_a_second(length):
    fitted = fit_length(np.arange(1, length + 1, dtype=np.int32))
    assert len(fitted) == 16_000
    voiced = np.flatnonzero(fitted)
    assert len(voiced) == min(length, 16_000)
    if 0 < length < 16_000:
        assert abs(int(voiced[0]) - (15_999 - int(voiced[-1]))) <= 1


@pytest.mark.parametrize(
    ("name", "speaker"),
    [
        ("yes/0c540988_nohash_2.wav", "0c540988"),
        ("bed_0c540988_nohash_0.wav", "0c540988"),
        ("my_own_recording.wav", "my_own_recording"),
        ("1037.wav", "1037"),
    ],
)
def test_speaker_of(name, speaker):
    assert speaker_of(name) == speaker


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=1), st.floats(0, 50), st.floats(0, 50))
def test_a_speaker_has_one_split(speaker, validation, test):
    split = split_of(speaker, validation, test)
    assert split in SPLITS
    assert split == split_of(speaker, validation, test)
    # Growing the test split never moves anyone out of it.
    assert split != "test" or split_of(speaker, validation, test + 1) == "test"


def test_shares_of_the_splits():
    splits = [split_of(f"{i:08x}") for i in range(4000)]
    assert splits.count("test") / 4000 == pytest.approx(0.2, abs=0.02)
    assert splits.count("validation") / 4000 == pytest.approx(0.1, abs=0.02)


def test_no_speaker_in_two_splits(speech):
    data = load(speech, ["yes", "no"])
    speakers = [set(getattr(data, name).speakers) for name in SPLITS]
    assert all(speakers)
    assert not (speakers[0] & speakers[1] or speakers[0] & speakers[2] or speakers[1] & speakers[2])


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"no recordings in {RECORDINGS.parent.name}/speech_commands")
def test_real_recordings_share_no_speaker():
    data = load(RECORDINGS, ["yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"])
    parts = [getattr(data, name) for name in SPLITS]
    speakers = [set(part.speakers) for part in parts]
    assert sum(map(len, speakers)) == len(set.union(*speakers))
    assert len(data.test) >= 600
    assert all(np.bincount(part.labels, minlength=12).min() >= 10 for part in parts)


def test_classes_and_counts(speech):
    data = load(speech, ["yes", "no"])
    assert data.labels == ("yes", "no", "unknown", "silence")
    counts = sum(np.bincount(getattr(data, name).labels, minlength=4) for name in SPLITS)
    # 40 from _unknown_, 40 from the word "tree": as many as hotwords; 40 s of noise.
    assert counts.tolist() == [40, 40, 80, 40]
    assert data.train.samples.dtype == np.int16
    assert data.train.samples.shape[1:] == (16_000,)
    assert [len(n) for n in data.noise] == [40 * 16_000]


def test_unknown_is_no_larger_than_the_hotwords(speech):
    data = load(speech, ["yes"])
    counts = sum(np.bincount(getattr(data, name).labels, minlength=3) for name in SPLITS)
    assert counts[1] == 40


def test_loading_is_deterministic(speech):
    one, two = (load(speech, ["no"]) for _ in range(2))
    np.testing.assert_array_equal(one.train.samples, two.train.samples)
    assert one.test.speakers == two.test.speakers


@pytest.mark.parametrize(
    ("hotwords", "says"),
    [
        ([], "at least one"),
        (["yes", "yes"], "each once"),
        (["unknown"], "'unknown' cannot be a hotword"),
        (["hey  you"], "'hey  you' cannot be a hotword"),
        (["route 66"], "'route 66' cannot be a hotword"),
        (["hey you"], "no folder for hey you"),
        (["maybe"], "no folder for maybe; it has: no, tree, yes"),
    ],
)
def test_bad_hotwords(speech, hotwords, says):
    with pytest.raises(AudioError, match=says):
        load(speech, hotwords)


def test_missing_folder(tmp_path):
    with pytest.raises(AudioError, match="is no folder"):
        load(tmp_path / "nowhere", ["yes"])


def test_too_few_speakers(tmp_path):
    for word in ("yes", "_unknown_", "_silence_"):
        (tmp_path / word).mkdir()
        write_wav(tmp_path / word / "one_nohash_0.wav", clip())
    with pytest.raises(AudioError, match="add more speakers"):
        load(tmp_path, ["yes"])


def test_no_silence_and_no_noise(tmp_path):
    (tmp_path / "yes").mkdir()
    write_wav(tmp_path / "yes" / "one_nohash_0.wav", clip())
    with pytest.raises(AudioError, match="_silence_ nor _background_noise_"):
        load(tmp_path, ["yes"])


def test_labels_keep_the_users_order():
    assert class_labels(["stop", "go"]) == ("stop", "go", "unknown", "silence")


def test_other_sounds_are_read_and_noted(speech, tmp_path):
    for speaker in range(40):
        for word, rate in (("yes", 8_000), ("_unknown_", 16_000), ("_silence_", 16_000)):
            (tmp_path / word).mkdir(exist_ok=True)
            soundfile.write(tmp_path / word / f"{speaker:08x}_nohash_0.flac", np.zeros(rate), rate)
    data = load(tmp_path, ["yes"])
    assert data.notes[0].startswith(f"{tmp_path}/yes/00000000_nohash_0.flac and 39 more: 8000 Hz, resampled")
    assert [note.split(": ")[1:] for note in data.notes[1:]] == [["silent", "every sample is 0"]]
    assert load(speech, ["yes"]).notes == ()


def test_broken_files_are_refused_by_name(tmp_path):
    for word in ("yes", "_unknown_", "_silence_"):
        (tmp_path / word).mkdir()
        (tmp_path / word / "one_nohash_0.wav").write_bytes(b"RIFF")
    with pytest.raises(AudioError, match="yes/one_nohash_0.wav' cannot be read"):
        load(tmp_path, ["yes"])
