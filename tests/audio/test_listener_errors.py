# SPDX-License-Identifier: Apache-2.0
"""What does not go together is refused in one sentence; what the C is handed wrongly is, too."""

import shutil
import struct
import subprocess

import numpy as np
import pytest

from shrinkfit.audio.detect import Detector
from shrinkfit.audio.features import AudioError, FeatureConfig
from shrinkfit.audio.listen import check_sound, listen, listen_python
from shrinkfit.audio.listener import Listener
from shrinkfit.errors import CheckError, ExportError
from shrinkfit.write.export import write_folder
from tests.audio import listening
from tests.write import nets
from tests.write.stateful import delays

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
WIDE = FeatureConfig(window_samples=200, hop_samples=120, fft_size=256, bands=13)


REFUSED = {
    "width": (lambda: listening.network(), {"features": WIDE}, r"\[1, 9, 1, 12\].* 13 values a frame"),
    "classes": (lambda: listening.network(classes=3), {}, r"\[1, 3\].*4 labels \(yes, no"),
    "two inputs": (delays, {}, "one input and one output; .* has 2 and 3"),
    "hop 0": (lambda: listening.network(), {"hop_frames": 0}, "hop_frames is 0; expected a whole number from 1 to 9"),
    "long hop": (lambda: listening.network(), {"hop_frames": 10}, "hop_frames is 10"),
    "half a hop": (lambda: listening.network(), {"hop_frames": 1.5}, "hop_frames is 1.5"),
    "settle": (lambda: listening.network(), {"settle": -1}, "settle is -1"),
    "state": (lambda: listening.network(), {"streaming": 2, "hop_frames": 3}, "takes 2 new frames at each run"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path, case):
    make, options, said = REFUSED[case]
    with pytest.raises(ExportError, match=said):
        listening.write(tmp_path / "fw", make(), **options)
    assert not list(tmp_path.iterdir())


def test_other_labels_are_refused(tmp_path):
    listener = Listener(listening.FEATURES, listening.DETECTOR)
    with pytest.raises(ExportError, match="the detector's"):
        write_folder(listening.network(), tmp_path / "fw", name="ear", labels=list("abcd"), listener=listener)


@pytest.mark.parametrize("call", [listen, listen_python, check_sound])
def test_folder_without_a_listener(tmp_path, call):
    write_folder(nets.tiny(), tmp_path / "fw", name="net")
    assert not list((tmp_path / "fw").rglob("listen*")) and not (tmp_path / "fw" / "sf_detect.c").exists()
    with pytest.raises(CheckError, match="has no listener; export with listener="):
        call(tmp_path / "fw", np.zeros(100, np.int16))


@pytest.mark.parametrize("samples", [np.zeros(9, np.float32), np.zeros((2, 9), np.int16)], ids=["float", "two axes"])
def test_samples_of_another_kind(tmp_path, samples):
    listening.write(tmp_path / "fw", listening.network())
    for call in (listen, listen_python, check_sound):
        with pytest.raises(AudioError, match=r"expected int16 \[n\]"):
            call(tmp_path / "fw", samples)


def test_unknown_place(tmp_path):
    listening.write(tmp_path / "fw", listening.network())
    with pytest.raises(CheckError, match="cannot run on 'moon'; expected one of host, cortex-m4, qemu"):
        listen(tmp_path / "fw", np.zeros(100, np.int16), "moon")


def test_no_sound_is_no_run(tmp_path):
    listening.write(tmp_path / "fw", listening.network())
    for count in (0, 1, 199, 200 + 7 * 120 + 119):
        heard = listen_python(tmp_path / "fw", np.zeros(count, np.int16))
        assert heard.scores.shape == (0, 4) and heard.detections == []


def test_one_label_is_enough(tmp_path):
    alone = Detector(("yes",), "yes", threshold=0.2)
    listening.write(tmp_path / "fw", listening.network(classes=1), detector=alone)
    assert listen_python(tmp_path / "fw", listening.sound()).scores.shape[1] == 1


def wav(samples=b"\0\0" * 300, tag=1, channels=1, rate=16_000, bits=16, chunks=b"", data_bytes=None):
    frame = channels * bits // 8
    head = struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits)
    size = len(samples) if data_bytes is None else data_bytes
    body = (
        b"WAVE" + b"fmt " + struct.pack("<I", len(head)) + head + chunks + b"data" + struct.pack("<I", size) + samples
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


SCORE_BYTES = 4 * 16  # of 24 frames, nine to a run
SOUND = listening.sound(3_000).astype("<i2").tobytes()
# bytes -> what the program says, or how many bytes of scores it writes.
FILES = {
    "plain": (wav(SOUND), SCORE_BYTES),
    "odd chunk before": (wav(SOUND, chunks=b"LIST" + struct.pack("<I", 5) + b"12345\0"), SCORE_BYTES),
    "extensible": (wav(SOUND, tag=0xFFFE), SCORE_BYTES),
    "open end": (wav(SOUND, data_bytes=0xFFFFFFFF), SCORE_BYTES),
    "trailer": (wav(SOUND + b"junk" * 1000, data_bytes=len(SOUND)), SCORE_BYTES),
    "cut short": (wav(SOUND, data_bytes=10 * len(SOUND)), SCORE_BYTES),
    "no sound": (wav(b""), 0),
    "empty": (b"", "is no wav file"),
    "text": (b"hello, this is no sound at all", "is no wav file"),
    "only a head": (wav()[:30], "is no wav file"),
    "8 bits": (wav(bits=8), "is not 16-bit mono"),
    "float": (wav(tag=3, bits=32), "is not 16-bit mono"),
    "stereo": (wav(channels=2), "is not 16-bit mono"),
    "other rate": (wav(rate=44_100), "has another sample rate than the model"),
}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The host program that listens, by the folder's own Makefile."""
    folder = tmp_path_factory.mktemp("program") / "fw"
    listening.write(folder, listening.network(), hop_frames=1)
    flags = "CFLAGS=-std=c11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover -Wall -Wextra -Werror"
    subprocess.run(["make", "-s", "-C", str(folder), "listen", flags], check=True)
    return folder / "build" / "ear_listen"


@needs_gcc
@pytest.mark.parametrize("case", FILES)
def test_wav_files(program, tmp_path, case):
    content, expected = FILES[case]
    (tmp_path / "s.wav").write_bytes(content)
    done = subprocess.run([program, "s.wav", "scores"], cwd=tmp_path, capture_output=True, text=True)
    if isinstance(expected, str):
        assert (done.returncode, done.stderr) == (1, f"s.wav: {expected}\n")
    else:
        assert done.returncode == 0 and (tmp_path / "scores").stat().st_size == expected


@needs_gcc
def test_raw_samples_on_standard_input(program, tmp_path):
    done = subprocess.run([program, "-", "scores", "100"], cwd=tmp_path, input=SOUND, capture_output=True)
    assert done.returncode == 0 and (tmp_path / "scores").stat().st_size == SCORE_BYTES


@needs_gcc
@pytest.mark.parametrize("arguments", [[], ["a", "b", "0"], ["a", "b", "4097"], ["a", "b", "1", "c"]])
def test_usage(program, arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    assert done.returncode == 2 and "usage:" in done.stderr and "16000 Hz" in done.stderr


@needs_gcc
def test_a_bad_memory_is_refused(tmp_path):
    listening.write(tmp_path / "fw", listening.network())
    ear = listening.Ear(tmp_path / "fw", 4_096)
    assert ear.reset(0) == 1 and ear.reset(ear.words.ctypes.data + 4) == 2


def test_a_recording_without_a_run_checks_nothing(tmp_path):
    listening.write(tmp_path / "fw", listening.network())
    with pytest.raises(AudioError, match="too short for the network to run once: it has 6 ms.* give a longer one"):
        check_sound(tmp_path / "fw", listening.sound(100))
