# SPDX-License-Identifier: Apache-2.0
"""Sound files of every kind: what comes out, what is noted, what is refused by name."""

import os
import struct
import sys
import threading
import wave

import numpy as np
import pytest
import soundfile

from shrinkfit.audio.features import AudioError
from shrinkfit.audio.sound import SUFFIXES, read_folder, read_sound, sound_files

RNG = np.random.default_rng(0)


def tone(seconds=0.5, hz=440.0, rate=16_000):
    """float64 [samples] at half of full scale."""
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


def as_int16(sound):
    return np.clip(np.rint(np.asarray(sound) * 32_768), -32_768, 32_767).astype(np.int16)


# (format, subtype, largest difference in int16 steps)
KINDS = [
    ("wav", "PCM_U8", 256),
    ("wav", "PCM_16", 1),
    ("wav", "PCM_24", 1),
    ("wav", "PCM_32", 1),
    ("wav", "FLOAT", 0),
    ("wav", "DOUBLE", 0),
    ("wav", "ULAW", 600),
    ("flac", "PCM_S8", 129),
    ("flac", "PCM_16", 1),
    ("flac", "PCM_24", 1),
    ("aiff", "PCM_16", 1),
    ("ogg", "VORBIS", 3000),
    ("mp3", "MPEG_LAYER_III", 3000),
]


@pytest.mark.parametrize(("kind", "subtype", "close"), KINDS)
def test_every_width_is_read(tmp_path, kind, subtype, close):
    path = tmp_path / f"tone.{kind}"
    soundfile.write(path, tone(), 16_000, subtype=subtype, format=kind.upper())
    sound = read_sound(path)
    assert sound.samples.dtype == np.int16 and sound.notes == ()
    assert np.abs(sound.samples - as_int16(tone()).astype(int)).max() <= close
    assert f".{kind}" in SUFFIXES


def test_every_16_bit_value_comes_back(tmp_path):
    values = np.arange(-32_768, 32_768).astype("<i2")
    with wave.open(str(tmp_path / "all.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(values.tobytes())
    np.testing.assert_array_equal(read_sound(tmp_path / "all.wav").samples, values)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_other_rates_are_resampled(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", tone(1.0, rate=rate), rate)
    samples, notes = read_sound(tmp_path / "a.wav")
    middle = slice(1_000, 15_000)  # resamplers ring at the ends
    assert len(samples) == 16_000
    assert np.abs(samples[middle] - as_int16(tone(1.0)).astype(int)[middle]).max() <= 8
    assert len(notes) == 1 and f"{rate} Hz, resampled to 16000 Hz" in notes[0]
    assert ("nothing above 4000 Hz" in notes[0]) == (rate == 8_000)


def test_other_rates_are_given(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(), 16_000)
    assert len(read_sound(tmp_path / "a.wav", 8_000).samples) == 4_000
    with pytest.raises(AudioError, match="sample_rate_hz is 0; expected"):
        read_sound(tmp_path / "a.wav", 0)


def test_channels_are_averaged(tmp_path):
    left = tone()
    soundfile.write(tmp_path / "a.wav", np.stack([left, 0 * left], axis=1), 16_000, subtype="FLOAT")
    samples, notes = read_sound(tmp_path / "a.wav")
    np.testing.assert_array_equal(samples, as_int16(left.astype(np.float32) / 2))
    assert notes == ("2 channels, averaged",)


def test_channels_that_cancel_are_noted(tmp_path):
    soundfile.write(tmp_path / "a.flac", np.stack([tone(), -tone()], axis=1), 16_000)
    assert read_sound(tmp_path / "a.flac").notes[0] == "2 channels, averaged; they nearly cancel out: record one alone"


def test_silence_is_noted(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 16_000)
    samples, notes = read_sound(tmp_path / "a.wav")
    assert len(samples) == 100 and notes == ("silent: every sample is 0",)


def test_float_beyond_full_scale_is_clipped(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.array([0.5, 1.0, 1.5, -1.0, -7.0]), 16_000, subtype="FLOAT")
    samples, notes = read_sound(tmp_path / "a.wav")
    assert samples.tolist() == [16_384, 32_767, 32_767, -32_768, -32_768]
    assert notes == ("2 samples beyond full scale, clipped",)


def write_wav(path, *, promised=None, junk=b""):
    """1000 samples by hand, with a header that promises `promised` bytes and a chunk of junk in front."""
    data = as_int16(tone())[:1000].astype("<i2").tobytes()
    extra = b"junk" + struct.pack("<I", len(junk)) + junk + bytes(len(junk) % 2) if junk else b""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 16_000, 32_000, 2, 16)
    body = b"WAVE" + form + extra + b"data" + struct.pack("<I", len(data) if promised is None else promised) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


@pytest.mark.parametrize(
    ("promised", "junk", "notes"),
    [
        (None, b"", ()),
        (None, b"odd", ()),
        (4000, b"", ("cut short: 2000 of 4000 bytes of sound are there",)),
        (4000, b"odd", ("cut short: 2000 of 4000 bytes of sound are there",)),
        (0x7FFF_FFFF, b"", ()),
        (0xFFFF_FFFF, b"", ()),
    ],
)
def test_wav_that_ends_early_is_read_as_far_as_it_goes(tmp_path, promised, junk, notes):
    write_wav(tmp_path / "a.wav", promised=promised, junk=junk)
    sound = read_sound(tmp_path / "a.wav")
    np.testing.assert_array_equal(sound.samples, as_int16(tone())[:1000])
    assert sound.notes == notes


def test_a_name_says_nothing(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(), 16_000)
    (tmp_path / "a.wav").rename(tmp_path / "a.raw")
    assert len(read_sound(str(tmp_path / "a.raw")).samples) == 8_000


def test_a_pipe_is_read(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(), 16_000)
    sent = (tmp_path / "a.wav").read_bytes()
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(sent))
    writer.start()
    assert len(read_sound(tmp_path / "pipe").samples) == 8_000
    writer.join()


def test_many_channels_take_no_more_memory(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.full((50, 1_000), 0.25), 16_000)
    samples, notes = read_sound(tmp_path / "a.wav")
    assert set(samples.tolist()) <= {8_191, 8_192} and notes == ("1000 channels, averaged",)


def test_without_libsndfile(tmp_path, monkeypatch):
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(AudioError, match="pip install soundfile"):
        read_sound(tmp_path / "a.wav")


def put_nan(path):
    soundfile.write(path, np.array([0.1, np.nan, 0.2]), 16_000, subtype="FLOAT")


def put_slow(path):
    soundfile.write(path, tone(), 100)


def put_short(path):
    soundfile.write(path, np.full(1, 0.5), 768_000)


def put_empty(path):
    soundfile.write(path, np.zeros(0), 16_000)


def put_cut_flac(path):
    soundfile.write(path, RNG.uniform(-1, 1, 16_000), 16_000, format="FLAC")
    path.write_bytes(path.read_bytes()[:7_000])


BAD = {
    "missing": (None, "cannot be read: No such file"),
    "folder": (lambda path: path.mkdir(), "cannot be read: Is a directory"),
    "no bytes": (lambda path: path.write_bytes(b""), "is empty: 0 bytes"),
    "text": (lambda path: path.write_bytes(b"no sound at all" * 10), "no sound file, damaged or cut short"),
    "half a header": (lambda path: path.write_bytes(b"RIFF\0\0\0\0WAVEfmt "), "no sound file, damaged or cut short"),
    "no samples": (put_empty, "has no sound in it"),
    "cut FLAC": (put_cut_flac, "damaged or cut short"),
    "NaN": (put_nan, "samples that are no numbers"),
    "rate": (put_slow, "a sample rate of 100 Hz; expected 4000 to 768000 Hz"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_used_is_refused_by_name(tmp_path, case):
    put, says = BAD[case]
    if put:
        put(tmp_path / "bad.wav")
    with pytest.raises(AudioError, match=rf"bad\.wav'.*{says}"):
        read_sound(tmp_path / "bad.wav")


def test_too_short_for_a_sample(tmp_path):
    put_short(tmp_path / "a.wav")
    with pytest.raises(AudioError, match="a.wav' has no sound in it: it is too short"):
        read_sound(tmp_path / "a.wav", 4_000)


def test_random_bytes_never_crash(tmp_path):
    """Whatever is broken in a file: sound, or one error that names it."""
    path = tmp_path / "fuzz.wav"
    for kind in ("WAV", "FLAC"):
        soundfile.write(path, tone(0.05), 16_000, format=kind)
        good = np.frombuffer(path.read_bytes(), np.uint8)
        for _ in range(150):
            bad = good.copy()
            bad[RNG.integers(0, min(len(bad), 60), 3)] = RNG.integers(0, 256, 3)
            path.write_bytes(bad.tobytes()[: RNG.integers(1, len(bad) + 1)])
            try:
                assert read_sound(path).samples.dtype == np.int16
            except AudioError as error:
                assert "fuzz.wav" in str(error)


def test_a_folder_is_read_in_order(tmp_path):
    (tmp_path / "b").mkdir()
    for name, rate in (("z.wav", 16_000), ("a.flac", 8_000), ("b/c.WAV", 8_000)):
        soundfile.write(tmp_path / name, tone(rate=rate), rate, format="FLAC" if "flac" in name else "WAV")
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    (tmp_path / "notes.txt").write_text("not looked at")
    folder = read_folder(tmp_path)
    assert [path.name for path in folder.paths] == ["a.flac", "c.WAV", "z.wav"]
    assert [len(samples) for samples in folder.samples] == [8_000] * 3 and len(folder) == 3
    resampled, left_out = folder.notes
    assert resampled.startswith(f"{tmp_path}/a.flac and 1 more: 8000 Hz, resampled")
    assert left_out.startswith(f"left out: '{tmp_path}/broken.wav' cannot be read")
    assert [path.name for path in sound_files(tmp_path)] == ["a.flac", "broken.wav", "z.wav"]


def test_bad_folders_are_refused(tmp_path):
    with pytest.raises(AudioError, match="nowhere' is no folder"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(AudioError, match="has no usable sound file; expected .wav, .flac"):
        read_folder(tmp_path)
    (tmp_path / "broken.wav").write_bytes(b"")
    with pytest.raises(AudioError, match="the first of 1 was left out: .*broken.wav' is empty"):
        read_folder(tmp_path)
