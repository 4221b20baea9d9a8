# SPDX-License-Identifier: Apache-2.0
"""The second listener of the hotword example: its head trains, and more frames are heard as the same in a row."""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from shrinkfit.audio.embedding import EMBEDDING_FEATURES, PACKAGE
from shrinkfit.audio.features import FeatureConfig
from shrinkfit.audio.scenes import SceneMix, Scenes, Voices
from shrinkfit.audio.spoken import Rendered

TOOLS = ("gcc", "arm-none-eabi-gcc", "qemu-system-arm")
needs_tools = pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"needs {', '.join(TOOLS)}")
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "hotword"
pytestmark = pytest.mark.skipif(not find_spec(PACKAGE), reason="the verifier extra is not installed")


@pytest.fixture
def verifier(monkeypatch):
    """The module, importable as it is beside the script; forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(EXAMPLE)
    import verifier

    yield verifier
    for name in {path.stem for path in EXAMPLE.glob("*.py")} & (set(sys.modules) - before):
        del sys.modules[name]


def scenes(frames=100, config=EMBEDDING_FEATURES):
    """Of four words, each a few bands that sound for 40 frames; the first is the hotword. And a little noise."""
    rng = np.random.default_rng(0)
    words = np.arange(24) % 4
    levels = np.full((1, 24, 160, config.bands), 4.0)
    for clip, word in enumerate(words):
        levels[0, clip, 60:100, 7 * word : 7 * word + 6] = rng.uniform(14, 18)
    rendered = Rendered(levels.astype(np.float16), np.full(24, 40, np.float32))
    noise = [rng.uniform(2, 5, (200, config.bands)).astype(np.float16)]
    voices = Voices(rendered, (words > 0).astype(int), words, np.ones(24))
    return Scenes([voices], noise, 1, frames, config=config, mix=SceneMix(company=0))


@pytest.fixture
def trained(verifier):
    return verifier.train_verifier(scenes(), 3, 4, 0, draws=384, epochs=30)


def test_it_learns_a_word_and_says_so_of_a_longer_stretch(verifier, trained):
    x, labels, _ = scenes(132).draw(64, np.random.default_rng(1))
    assert trained.input_shape == (None, 132, 32) and trained.output_names == ["classes"]
    said = trained.predict_on_batch(x)
    np.testing.assert_allclose(said.sum(axis=1), 1, rtol=1e-5)
    assert np.mean(said.argmax(axis=1) == labels) > 0.8


def test_a_longer_stretch_is_heard_as_the_clearest_of_its_parts(verifier):
    import keras

    keras.utils.set_random_seed(3)
    head = verifier.build_head(4, 3)
    norm = head.get_layer("norm")
    norm.set_weights([np.random.default_rng(i).uniform(0.5, 2, 96) for i in range(4)])
    x = scenes(132).draw(8, np.random.default_rng(2))[0]

    def pooled(frames):
        model = verifier.joined(head, frames)
        return keras.Model(model.input, model.get_layer("clearest").output)

    short = pooled(100)
    parts = [short.predict_on_batch(x[:, start : start + 100]) for start in range(0, 33, 8)]
    np.testing.assert_allclose(pooled(132).predict_on_batch(x), np.max(parts, axis=0), rtol=1e-5, atol=1e-5)


def test_the_normalization_is_part_of_what_comes_before_it(verifier):
    import keras

    from shrinkfit.audio.embedding import speech_embedding

    keras.utils.set_random_seed(3)
    head = verifier.build_head(4, 3)
    head.get_layer("norm").set_weights([np.random.default_rng(i).uniform(0.5, 2, 96) for i in range(4)])
    x = scenes(100).draw(8, np.random.default_rng(2))[0]
    apart = head.predict_on_batch(speech_embedding(100).predict_on_batch(x))
    softer = apart ** (1 / verifier.TEMPERATURE)
    softer /= softer.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(verifier.joined(head, 100).predict_on_batch(x), softer, atol=1e-4)


def test_shrinkfit_reads_all_of_it(verifier):
    from shrinkfit import price

    cost = price(verifier.joined(verifier.build_head(8, 3)), "efm32")
    assert {"hear", "clearest", "classes"} < {layer.name for layer in cost.layers}
    assert cost.ram_bytes < 128 * 1024 and cost.flash_bytes < 512 * 1024


def test_scenes_of_other_features_are_refused(verifier):
    with pytest.raises(ValueError, match="the verifier hears"):
        verifier.train_verifier(scenes(config=FeatureConfig()), 3, 4, 0, draws=64)


@needs_tools
def test_firmware_asks_the_verifier(verifier, tmp_path):
    """Networks that learned next to nothing: what counts is that all agree on what they say."""
    from types import SimpleNamespace

    import hotword
    import keras
    import listening
    import outcome

    rng = np.random.default_rng(0)
    keras.utils.set_random_seed(0)

    class Scenes:
        """Stands for what the first network learns from."""

        def draw(self, count, rng):
            return rng.uniform(-1, 1, (count, 49, 40)).astype(np.float32), np.arange(count) % 3, np.full(count, -1)

    def sounds():
        """A hotword, other sounds and noise."""
        loud = [rng.normal(0, 3_000, 12_000).astype(np.int16) for _ in range(8)]
        return [(0, clip) for clip in loud[:3]], loud[3:], [rng.normal(0, 40, 48_000).astype(np.int16)]

    x, y, _ = Scenes().draw(60, rng)
    clips = np.stack([clip[:12_000] for clip in sounds()[1]]), np.array([0, 1, 2, 0, 1])
    clips = np.pad(clips[0], ((0, 0), (2_000, 2_000))), clips[1]
    speech = SimpleNamespace(
        labels=("yes", "_unknown_", "_silence_"),
        scenes=Scenes(),
        copies=None,
        words=4,
        validation=(x, y),
        sources="",
        verified=scenes(),
        sounds={"validation": sounds(), "test": sounds()},
        clips=clips,
    )
    args = SimpleNamespace(seed=0, steps=2, epochs=2, baseline_epochs=1, hotwords=["yes"], quick=True)
    around = listening.verifier_of(verifier.joined(verifier.build_head(8, 3)), speech, 0)
    fit = hotword.fit_to_device(hotword.train_baseline(speech, args), speech, args, around)
    chosen, figures = listening.deploy(
        fit, tmp_path / "firmware", speech, {"validation": 60, "test": 60}, 0.5, 0, around
    )
    assert figures.words > 0 and chosen["verifier"]["verified_per_hour"] >= 0 and set(chosen["threshold"]) == {"yes"}
    report = hotword.check_firmware(fit, tmp_path, speech)
    assert report["exact"] == {"clips": 5, "differences": 0}
    assert report["linked"]["ram_bytes"] == fit.cost.ram_bytes == report["costs"]["ram_bytes"]
    cost = report["verifying"]
    assert cost["cycles"] > 50e6 and cost["samples_meanwhile"] > 16_000
    names = [figure.name for figure in outcome.verifying_figures(report | chosen, fit.budget.limits())]
    assert "RAM with the sound meanwhile" in names
    assert any("verifier hears again" in note for note in notes_of(outcome, report | chosen))
    scores, found = listening.score_clips(tmp_path / "firmware", list(clips[0]), lambda clip, said: clip)
    assert scores.shape == found.shape == (5,) and ((scores >= 0) & (scores < 1)).all()


def notes_of(outcome, report):
    return outcome.told(report | {"demo_quality": True})["notes"]
