# SPDX-License-Identifier: Apache-2.0
"""`check --wav` and `profile` of a folder with a listener: statuses, tables, JSON."""

import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from shrinkfit import cli
from shrinkfit.audio import listen
from shrinkfit.audio.dataset import write_wav
from shrinkfit.audio.heard import Heard, SoundCheck
from tests.audio import listening

needs_arm = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("listening") / "fw"
    listening.write(folder, listening.network(), streaming=1)
    return folder


@pytest.fixture
def run(monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["shrinkfit", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return (stopped.value.code or 0, *capsys.readouterr())

    return call


@pytest.fixture
def wav(tmp_path):
    write_wav(tmp_path / "s.wav", listening.sound(5_000))
    return tmp_path / "s.wav"


@needs_arm
def test_check_hears_a_recording(run, folder, wav):
    status, out, _ = run("check", folder, "--wav", wav, "--on", "cortex-m4")
    assert status == 0 and "every score and detection as in Python" in out
    for wanted in (
        "ear on cortex-m4: 0.3 s of sound",
        "  no  0.",
        "features",
        "network",
        "µJ a second",
        "of the clock",
    ):
        assert wanted in out


@pytest.mark.parametrize("differences, status", [(0, 0), (3, 1)])
def test_status_says_whether_all_hear_the_same(run, folder, wav, monkeypatch, differences, status):
    def double(folder, samples, on):
        heard = listen.listen_python(folder, samples)
        return SoundCheck("ear", on, 0.1, differences, "run 7" if differences else "", heard, {})

    monkeypatch.setattr("shrinkfit.check_sound", double)
    found, out, _ = run("check", folder, "--wav", wav, "--json")
    record = json.loads(out)
    assert (found, record["differences"]) == (status, differences) and record["heard"]["runs"] == 33
    assert run("check", folder, "--wav", wav)[0] == status


@pytest.mark.parametrize("option", [["--trace"], ["--inputs", "x.npy"]], ids=lambda option: option[0])
def test_a_recording_goes_alone(run, folder, wav, option):
    status, _, error = run("check", folder, "--wav", wav, *option)
    assert status == 2 and "neither --inputs nor --trace" in error


def test_no_sound_file(run, folder, tmp_path):
    (tmp_path / "s.wav").write_bytes(b"no sound")
    status, _, error = run("check", folder, "--wav", tmp_path / "s.wav")
    assert status == 2 and "s.wav" in error


@needs_arm
def test_profile_shows_a_second_of_sound(run, folder):
    pytest.importorskip("unicorn")
    status, out, _ = run("profile", folder)
    assert status == 0
    for wanted in ("a second of sound on an emulated cortex-m4", "133.333 frames", "memory of the image that listens"):
        assert wanted in out


def test_profile_as_json(run, folder, wav, monkeypatch):
    asked, deepest = [], []

    def double(folder, samples):
        asked.append(samples)
        scores = np.zeros((7, 4), np.int8)
        return Heard("cortex-m4", 16_000, listening.LABELS, [(5, 1, 9)], scores, None, deepest.pop())

    measured = SimpleNamespace(as_dict=lambda: {"name": "ear"}, held=True)
    monkeypatch.setattr("shrinkfit.profile", lambda folder, inputs: measured)
    monkeypatch.setattr(listen, "profile_sound", double)
    bound = json.loads((folder / "report.json").read_text())["listener"]["cost"]["listen_stack_bytes"]
    for stack_bytes, wanted in ((bound, 0), (bound + 1, 1)):
        deepest.append(stack_bytes)
        status, out, _ = run("profile", folder, "--wav", wav, "--json")
        assert (status, json.loads(out)["name"], json.loads(out)["listening"]["runs"]) == (wanted, "ear", 7)
    np.testing.assert_array_equal(asked[0], listening.sound(5_000))
