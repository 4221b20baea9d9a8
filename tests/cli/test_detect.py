# SPDX-License-Identifier: Apache-2.0
"""`shrinkfit detect`: what it prints about a recording and from a microphone; the listening itself is a double here."""

import json
import os
import stat
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from shrinkfit.audio import live
from shrinkfit.audio.detect import Detector
from shrinkfit.audio.live import hear_live
from shrinkfit.errors import CheckError
from shrinkfit.report.heard import clock
from shrinkfit.write.export import write_folder
from tests.write import nets

RATE, FIRST, STEP = 8_000, 8_000, 800
DETECTOR = Detector(["yes", "no", "other"], ["yes", "no"], smoothing=2, threshold=(0.5, 0.75), refractory=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What export writes, with what it says of a listener."""
    folder = tmp_path_factory.mktemp("firmware") / "chain"
    write_folder(nets.chain(), folder, name="chain")
    report = json.loads((folder / "report.json").read_text())
    report["listener"] = {"detector": DETECTOR.to_dict(), "features": {"sample_rate_hz": RATE}}
    report["listener"] |= {"first_samples": FIRST - STEP, "step_samples": STEP, "settle": 1}
    (folder / "report.json").write_text(json.dumps(report))
    return folder


@pytest.fixture
def listen(monkeypatch):
    """The double: "yes" as loud as the sound is; keeps what it was asked."""
    asked = SimpleNamespace()

    def double(folder, samples, on="host"):
        asked.folder, asked.samples, asked.on = folder, samples, on
        ends = range(FIRST, len(samples) + 1, STEP)
        loudness = [int(np.abs(samples[end - STEP : end]).max()) >> 7 for end in ends]
        scores = np.full((len(loudness), 3), -128, np.int8)
        scores[:, 0] = np.array(loudness, int) - 128
        found = [(FIRST + step * STEP, label, score) for step, label, score in DETECTOR.detect(scores)]
        return SimpleNamespace(detections=found, scores=scores)

    monkeypatch.setitem(sys.modules, "shrinkfit.audio.listen", SimpleNamespace(listen=double))
    return asked


def bursts(path, *seconds, rate=RATE, level=0.9, length=5.0):
    """A recording, silent but for 0.3 s from each of the times on."""
    sound = np.zeros(round(length * rate))
    for at in seconds:
        sound[round(at * rate) : round((at + 0.3) * rate)] = level
    soundfile.write(path, sound, rate)
    return path


def test_times_and_scores(run, folder, listen, tmp_path):
    status, out, err = run("detect", folder, "--wav", bursts(tmp_path / "a.wav", 2.0, 4.0))
    lines = [line.split() for line in out.splitlines() if line.split()[1:2] == ["yes"]]
    assert (status, err) == (0, "")
    assert lines == [["0:02.200", "yes", "0.898"], ["0:04.200", "yes", "0.898"]]
    assert "a.wav: 0:05.000 at 8000 Hz, on host" in out and "note" not in out
    assert listen.folder == folder and listen.on == "host"


def test_json(run, folder, listen, tmp_path):
    status, out, _ = run("detect", folder, "--wav", bursts(tmp_path / "a.wav", 2.0), "--json", "--on", "qemu")
    told = json.loads(out)
    assert status == 0 and listen.on == told["on"] == "qemu"
    (one,) = told["detections"]
    assert one == {"seconds": 2.2, "sample": 17_600, "label": "yes", "score": pytest.approx(230 / 256)}
    assert told["runs"] == 41 and told["seconds"] == 5.0 and told["notes"] == []
    assert told["nearest"]["threshold"] == 0.5


def test_other_sounds_are_brought_to_the_listeners_rate(run, folder, listen, tmp_path):
    status, out, _ = run("detect", folder, "--wav", bursts(tmp_path / "a.flac", 2.0, rate=16_000))
    assert status == 0 and "0:02." in out and "note: 16000 Hz, resampled to 8000 Hz" in out
    assert len(listen.samples) == 5 * RATE and listen.samples.dtype == np.int16


def test_nothing_detected_says_what_came_nearest(run, folder, listen, tmp_path):
    status, out, _ = run("detect", folder, "--wav", bursts(tmp_path / "a.wav", 2.0, level=0.4))
    assert status == 0
    assert "nothing detected; nearest came 'yes' with 0.398 at 0:02.200, where 0.500 is needed" in out


def test_a_recording_too_short_for_a_run(run, folder, listen, tmp_path):
    status, out, _ = run("detect", folder, "--wav", bursts(tmp_path / "a.wav", length=0.5))
    assert status == 0 and "too short for the network to run once" in out


def bad_text(tmp_path):
    (tmp_path / "a.wav").write_text("no sound")
    return ["--wav", tmp_path / "a.wav"]


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (lambda _: [], 2, "give either --wav FILE or --microphone"),
        (lambda _: ["--wav", "a.wav", "--microphone"], 2, "give either --wav FILE or --microphone"),
        (lambda _: ["--microphone", "--on", "qemu"], 2, "on the host only"),
        (lambda tmp: ["--wav", tmp / "none.wav"], 2, "none.wav' cannot be read: No such file"),
        (bad_text, 2, "a.wav' cannot be read: it is no sound file"),
    ],
)
def test_bad_usage(run, folder, listen, tmp_path, arguments, status, says):
    found, out, err = run("detect", folder, *arguments(tmp_path))
    assert (found, out) == (status, "") and says in err


def test_folders_without_a_listener(run, listen, tmp_path):
    wav = bursts(tmp_path / "a.wav", 2.0)
    write_folder(nets.chain(), tmp_path / "chain", name="chain")
    for folder, says in ((tmp_path / "chain", "has no listener"), (tmp_path, "has no report.json")):
        status, _, err = run("detect", folder, "--wav", wav)
        assert status == 2 and says in err


def test_an_old_listener_is_refused(run, folder, listen, tmp_path):
    report = json.loads((folder / "report.json").read_text())
    del report["listener"]["step_samples"]
    (tmp_path / "report.json").write_text(json.dumps(report))
    status, _, err = run("detect", tmp_path, "--wav", bursts(tmp_path / "a.wav", 2.0))
    assert status == 1 and "lacks 'step_samples'; export again" in err


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00.000"), (59.9996, "1:00.000"), (3.2, "0:03.200"), (3723.4567, "1:02:03.457")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text


PROGRAM = """#!{python}
import sys
heard = 0
while block := sys.stdin.buffer.read1(1 << 16):
    for value in block[::2]:
        heard += 1
        if value == 77:
            print(f"1.000 s  yes  0.9  (sample {{heard}}, label 0, score 58982)", flush=True)
    if b"die" in block:
        sys.exit("no more")
"""


@pytest.fixture
def program(monkeypatch):
    """In place of the listening program: a detection at each sample of 77."""

    def build(folder, place, *, use_dsp, listen):
        path = place / "double"
        path.write_text(PROGRAM.format(python=sys.executable))
        os.chmod(path, stat.S_IRWXU)
        return path

    monkeypatch.setattr(live, "build_host", build)


def block(*values, length=400):
    samples = np.zeros(length, "<i2")
    samples[[*values]] = 77
    return samples.tobytes()


def test_sound_as_it_comes(folder, program):
    found = list(hear_live(folder, iter([block(9), block(), block(0, 399)])))
    assert [one.sample for one in found] == [10, 801, 1200]
    assert [one.seconds for one in found] == [10 / RATE, 801 / RATE, 1200 / RATE]
    assert {(one.label, round(one.score, 3)) for one in found} == {("yes", 0.9)}


def test_detections_come_while_sound_goes_on(folder, program):
    def endless():
        while True:
            yield block(5)

    found = hear_live(folder, endless())
    assert [next(found).sample for _ in range(3)] == [6, 406, 806]
    found.close()


def test_a_program_that_fails_is_told(folder, program):
    with pytest.raises(CheckError, match="ended with status 1: no more"):
        list(hear_live(folder, iter([block(), b"die!", *[block()] * 200])))


def test_sound_that_fails_is_told(folder, program):
    def broken():
        yield block()
        raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        list(hear_live(folder, broken()))


class Stream:
    """A double of sounddevice's stream: three blocks, then Ctrl-C."""

    def __init__(self, samplerate, channels, dtype, blocksize):
        assert (samplerate, channels, dtype) == (RATE, 1, "int16")
        self._left = [block(9), block(), block(7)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def read(self, frames):
        assert frames == RATE // 20
        if not self._left:
            raise KeyboardInterrupt
        return self._left.pop(0), False


def test_the_microphone(run, folder, program, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", SimpleNamespace(RawInputStream=Stream, PortAudioError=RuntimeError))
    status, out, err = run("detect", folder, "--microphone")
    assert status == 0 and "stopped" in err
    assert set(out.split()) <= {"0:00.001", "0:00.101", "yes", "0.900"}


def test_no_microphone(run, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    status, _, err = run("detect", folder, "--microphone")
    assert status == 2 and "pip install sounddevice" in err

    def refuses(**_):
        raise RuntimeError("no input device")

    monkeypatch.setitem(
        sys.modules, "sounddevice", SimpleNamespace(RawInputStream=refuses, PortAudioError=RuntimeError)
    )
    status, _, err = run("detect", folder, "--microphone")
    assert status == 2 and "cannot be opened at 8000 Hz: no input device" in err
