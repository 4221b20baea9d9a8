# SPDX-License-Identifier: Apache-2.0
"""`shrinkfit detect` with a real exported folder: recordings and live sound are heard as the Python twin hears them."""

import json
import shutil

import numpy as np
import pytest
import soundfile

from shrinkfit.audio.live import hear_live
from tests.audio import listening

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
RATE, STEP = 16_000, listening.FEATURES.hop_samples


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A folder with a listener, sound, and what the twin hears in it."""
    from shrinkfit.audio.listen import listen_python

    place, samples = tmp_path_factory.mktemp("ear"), listening.sound(30_000, seed=4)
    graph = listening.write(place / "ear", listening.network())
    return place / "ear", samples, listen_python(place / "ear", samples, graph)


def test_a_recording(exported, run, tmp_path):
    folder, samples, twin = exported
    soundfile.write(tmp_path / "sound.flac", samples, RATE)
    status, out, _ = run("detect", folder, "--wav", tmp_path / "sound.flac", "--json")
    told = json.loads(out)
    labels = listening.LABELS
    expected = [(sample, labels[label], score / 65_536) for sample, label, score in twin.detections]
    assert status == 0 and len(expected) > 5
    assert [(one["sample"], one["label"], one["score"]) for one in told["detections"]] == expected
    assert told["runs"] == len(twin.scores) and told["seconds"] == len(samples) / RATE
    nearest = told["nearest"]
    steps = (round(nearest["seconds"] * RATE) - twin.detections[0][0]) / STEP
    assert nearest["score"] >= max(score for _, _, score in expected) and steps == int(steps)


def test_live_sound(exported):
    folder, samples, twin = exported
    blocks = np.split(samples.astype("<i2"), [1, 2, 500, 501, 4_000, 20_000])
    found = hear_live(folder, (block.tobytes() for block in blocks))
    assert [one.sample for one in found] == [sample for sample, _, _ in twin.detections]
