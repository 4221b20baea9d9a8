# SPDX-License-Identifier: Apache-2.0
"""What rounding features to integers costs a network: the same one on float log-mel and on those of sf_features.c.

    python benchmarks/features_accuracy.py ../shared/speech_commands     # ten words, unknown, silence

Every clip is judged once, by a network that has not heard its speaker (folds by speaker), so that all clips count.
Exits with status 1 where the integers cost more than half a point. Some minutes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from keras import layers
from rich.console import Console
from rich.table import Table

from shrinkfit.audio.dataset import fit_length, speaker_of
from shrinkfit.audio.features import FeatureConfig, as_float, features
from shrinkfit.audio.sound import read_sound
from shrinkfit.audio.tables import mel_edges

WINDOW_HOP = {"window_samples": 400, "hop_samples": 320}
LOST_AT_MOST = 0.005
BATCH, LEARNING_RATE = 64, 3e-3
SHIFTS = (-1600, -800, 0, 800, 1600)  # samples; each epoch hears every clip moved by one of them
# (channels, kernel, stride), after examples/hotword with half the channels.
CONVOLUTIONS = ((8, 5, (2, 2)), (16, 3, (1, 2)), (24, 3, (2, 2)), (48, 3, (2, 2)))


def float_features(clips: np.ndarray) -> np.ndarray:
    """Log-mel in floating point, of all bins of the FFT: float32 [n, frames, 40], mapped as the integers are."""
    config = FeatureConfig(**WINDOW_HOP, fine=True)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(config.window_samples) / config.window_samples)
    edges, bins = mel_edges(config), np.arange(config.fft_size // 2 + 1)[:, None]
    rising, falling = (bins - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - bins) / np.diff(edges)[1:]
    filters = np.maximum(0, np.minimum(rising, falling))
    filters /= filters.sum(axis=0) * np.sum(window**2)
    found = []
    for start in range(0, len(clips), 64):
        frames = np.lib.stride_tricks.sliding_window_view(clips[start : start + 64], config.window_samples, axis=1)
        power = np.abs(np.fft.rfft(frames[:, :: config.hop_samples] * window, config.fft_size)) ** 2
        found.append(np.log2(power @ filters + 1))
    middle, half = (config.ceiling_log2 + config.floor_log2) / 2, (config.ceiling_log2 - config.floor_log2) / 2
    return np.clip((np.concatenate(found) - middle) / half, -1, 1).astype(np.float32)


KINDS = {
    "float log-mel": float_features,
    "integers": lambda clips: as_float(features(clips, FeatureConfig(**WINDOW_HOP))),
    "integers, fine": lambda clips: as_float(features(clips, FeatureConfig(**WINDOW_HOP, fine=True))),
}


def load(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples int16 [n, 16000], classes, folds; a speaker's clips share a fold."""
    words = sorted(path for path in folder.iterdir() if path.is_dir() and path.name != "_background_noise_")
    files = [(label, path) for label, word in enumerate(words) for path in sorted(word.glob("*.wav"))]
    samples = np.stack([fit_length(read_sound(path).samples) for _, path in files])
    digests = [hashlib.sha1(speaker_of(path).encode()).digest()[0] for _, path in files]
    return samples, np.array([label for label, _ in files]), np.array(digests)


def network(shape: tuple[int, int], classes: int) -> keras.Model:
    x = inputs = keras.Input(shape)
    x = layers.Reshape((*shape, 1))(x)
    for channels, kernel, stride in CONVOLUTIONS:
        x = layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(classes)(x))


def heard(kind: str, moved: np.ndarray, labels: np.ndarray, training: np.ndarray, epochs: int, seed: int) -> np.ndarray:
    """Classes that a network trained on `training` gives all other clips; moved: [shifts, n, frames, bands]."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    model = network(moved.shape[2:], int(labels.max()) + 1)
    own = np.flatnonzero(training)
    steps = epochs * (len(own) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=0.02), loss)
    for _ in range(epochs):
        order = rng.permutation(own)[: len(own) // BATCH * BATCH]
        x = moved[rng.integers(len(SHIFTS), size=len(order)), order]
        model.fit(x, labels[order], batch_size=BATCH, epochs=1, shuffle=False, verbose=0)
    still = moved[SHIFTS.index(0)]
    return model.predict(still[~training], batch_size=256, verbose=0).argmax(axis=1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="recordings in Speech Commands layout")
    parser.add_argument("--folds", type=int, default=4, help="(%(default)s)")
    parser.add_argument("--epochs", type=int, default=20, help="(%(default)s)")
    parser.add_argument("--seeds", type=int, default=1, help="networks per fold (%(default)s)")
    args = parser.parse_args()
    console = Console(width=100)
    samples, labels, digests = load(args.folder)
    folds = digests % args.folds
    right = {kind: np.zeros((args.seeds, len(labels)), bool) for kind in KINDS}
    for kind, compute in KINDS.items():
        moved = np.stack([compute(np.roll(samples, shift, axis=1)) for shift in SHIFTS])
        for seed in range(args.seeds):
            for fold in range(args.folds):
                out = folds == fold
                right[kind][seed, out] = heard(kind, moved, labels, ~out, args.epochs, seed) == labels[out]
                console.print(f"{kind}, seed {seed}, fold {fold}: {right[kind][seed, out].mean():.2%}")
    return show(console, right)


def show(console: Console, right: dict[str, np.ndarray]) -> int:
    table = Table(
        "features", "accuracy", "against float", "standard error", title=f"{right['integers'].shape[1]} clips"
    )
    base, worst = right["float log-mel"].astype(float), 0.0
    for kind, own in right.items():
        # Seeds of one clip are not independent of each other; clips are.
        difference = (own - base).mean(axis=0)
        error = difference.std() / np.sqrt(len(difference))
        table.add_row(kind, f"{own.mean():.2%}", f"{100 * difference.mean():+.2f} points", f"{100 * error:.2f}")
        worst = min(worst, difference.mean())
    console.print(table)
    return int(-worst > LOST_AT_MOST)


if __name__ == "__main__":
    sys.exit(main())
