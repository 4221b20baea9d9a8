# SPDX-License-Identifier: Apache-2.0
"""The second listener: a pretrained speech embedding and a small head, which hears again what the first took for it.

The embedding (`shrinkfit.audio.embedding`) knows real voices, so the head alone is trained, on the same scenes of
synthetic speech as the first network, within a minute or two once they are embedded.
"""

import os

import keras
import numpy as np
from keras import layers
from recipe import compile_model, listen_for_words, smoothed, without_words

from shrinkfit.audio.embedding import EMBEDDING_FEATURES, embed, speech_embedding

# Longer than a scene, as it is asked 0.4 s after the first network was sure, and a word that ended before that is to be
# heard whole. Trained on scenes of that length it hears no better, by real recordings of three words.
FRAMES = 132
BATCH, LEARNING_RATE = 128, 0.003
DRAWN_AT_ONCE = 256
HIDDEN, KERNEL = 64, 3
# Logits are halved in the end: where a word is told from one that rhymes with it, scores lie above 0.99, which is among
# the last of 256 steps.
TEMPERATURE = 2


def train_verifier(scenes, classes, words, seed, *, draws, epochs=16):
    """A network that hears a hotword again.

    Args:
        scenes: a shrinkfit.audio.scenes.Scenes of EMBEDDING_FEATURES.
        classes: hotwords, unknown and silence.
        words: how many different words are said in the scenes; which one is a second output while it is trained.
        seed: of the scenes, the weights and the order.
        draws: scenes that are drawn, once; each epoch shows all.
    Returns:
        a float model from features [FRAMES, 32] to class probabilities.
    Raises:
        ValueError: scenes of other features.
        AudioError: the weights of the embedding are missing.
    """
    keras.utils.set_random_seed(seed)
    embedded, labels, said = heard(scenes, draws, seed)
    head = build_head(embedded.shape[1], classes)
    trained = listen_for_words(head, words)
    compile_model(trained, epochs * -(-len(embedded) // BATCH), LEARNING_RATE, classes - 2, average=True)
    targets = {"classes": smoothed(labels, classes), "words": said}
    trained.fit(embedded, targets, batch_size=BATCH, epochs=epochs, verbose=0)
    return joined(without_words(trained))


def heard(scenes, draws, seed):
    """Scenes as the embedding hears them.

    Returns:
        float32 [draws, positions, 96], labels int [draws], words int [draws] as `Scenes.draw` gives them.
    """
    if scenes.config != EMBEDDING_FEATURES:
        raise ValueError(f"scenes of {scenes.config}; the verifier hears {EMBEDDING_FEATURES}: render them with it")
    parts = []
    for start in range(0, draws, DRAWN_AT_ONCE):
        rng = np.random.default_rng([seed, 4, start])
        x, labels, words = scenes.draw(min(DRAWN_AT_ONCE, draws - start), rng)
        parts.append((embed(x, os.cpu_count() or 1), labels, words))
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def build_head(positions, classes):
    """From embeddings [positions, 96] to class probabilities."""
    inputs = keras.Input((positions, 96), name="embedded")
    x = layers.BatchNormalization(momentum=0.9, name="norm")(inputs)
    x = layers.Dropout(0.2, name="dropout_in")(x)
    return keras.Model(inputs, listening(x, classes), name="head")


def listening(x, classes):
    """What three embeddings in a row say, at its clearest: from normalized ones to class probabilities."""
    x = layers.Conv1D(HIDDEN, KERNEL, activation="relu", name="hear")(x)
    x = layers.GlobalMaxPooling1D(name="clearest")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    return layers.Dense(classes, activation="softmax", name="classes")(x)


def joined(head, frames=FRAMES):
    """The embedding of so many frames and the trained head behind it, as one model that shrinkfit reads.

    The head's normalization is multiplied into the embedding's last convolution, which nothing but a reshape parts it
    from: so all 96 numbers take the int8 range of their tensor alike, and nothing is left to compute.
    """
    embedding = speech_embedding(frames)
    *_, last = (layer for layer in embedding.layers if isinstance(layer, layers.Conv2D))
    last.set_weights(normalized(last, head.get_layer("norm")))
    outputs = listening(embedding.output, head.output_shape[-1])
    model = keras.Model(embedding.input, outputs, name="verifier")
    model.get_layer("hear").set_weights(head.get_layer("hear").get_weights())
    model.get_layer("classes").set_weights([w / TEMPERATURE for w in head.get_layer("classes").get_weights()])
    return model


def normalized(conv, norm):
    """Kernel and bias of a convolution that normalizes its output, too."""
    gamma, beta, mean, variance = norm.get_weights()
    factor = gamma / np.sqrt(variance + norm.epsilon)
    kernel, bias = conv.get_weights()
    return [kernel * factor, (bias - mean) * factor + beta]


def calibration(scenes, count, seed):
    """Scenes as long as the verifier hears, float [count, FRAMES, 32]: two in a row, as in talk."""
    x, *_ = scenes.draw(2 * count, np.random.default_rng([seed, 5]))
    return np.concatenate([x[:count], x[count:]], axis=1)[:, -FRAMES:]
