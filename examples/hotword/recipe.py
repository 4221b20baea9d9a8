# SPDX-License-Identifier: Apache-2.0
"""How the network is trained: what it sees in each epoch, and how fast it learns."""

import keras
import numpy as np

BATCH = 64
SHIFT_FRAMES = 4
MASK_FRAMES, MASK_BANDS = 8, 6
MIXUP = 0.2
SMOOTHING = 0.1
TEACHER_SHARE = 0.7


class TrainingBatches(keras.utils.PyDataset):
    """Each epoch shows every clip once: one of its copies, shifted, masked (SpecAugment) and mixed with another.

    Args:
        copies: float16 [copies, n, frames, bands] from `augmented_features`.
        labels: int [n].
        classes: how many.
        teacher: a trained model; its probabilities are mixed into the targets (knowledge distillation).
    """

    def __init__(self, copies, labels, classes, *, seed=0, teacher=None):
        super().__init__()
        self.copies, self.teacher = copies, teacher
        self.targets = np.eye(classes, dtype="float32")[labels] * (1 - SMOOTHING) + SMOOTHING / classes
        self.rng = np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self):
        return max(1, len(self.x) // BATCH)

    def __getitem__(self, i):
        batch = slice(i * BATCH, (i + 1) * BATCH)
        return self.x[batch], self.y[batch]

    def on_epoch_end(self):
        """Draw the next epoch."""
        n = self.copies.shape[1]
        order = self.rng.permutation(n)
        x = self.copies[self.rng.integers(len(self.copies), size=n), order].astype("float32")
        x = mask(mask(shift(x, self.rng), 1, MASK_FRAMES, self.rng), 2, MASK_BANDS, self.rng)
        y = self.targets[order]
        share = self.rng.beta(MIXUP, MIXUP, size=n).astype("float32")
        other = self.rng.permutation(n)
        self.x = share[:, None, None] * x + (1 - share)[:, None, None] * x[other]
        self.y = share[:, None] * y + (1 - share)[:, None] * y[other]
        if self.teacher is not None:
            taught = self.teacher.predict(self.x, batch_size=512, verbose=0)
            self.y = (1 - TEACHER_SHARE) * self.y + TEACHER_SHARE * taught


def shift(x, rng):
    """Move each clip by some frames; the frame at the edge is repeated into the gap."""
    clips, frames, _ = x.shape
    moved = np.arange(frames) + rng.integers(-SHIFT_FRAMES, SHIFT_FRAMES + 1, size=(clips, 1))
    return x[np.arange(clips)[:, None], np.clip(moved, 0, frames - 1)]


def mask(x, axis, widest, rng):
    """Replace a random stretch along an axis by the clip's mean (SpecAugment, Park et al. 2019)."""
    length = x.shape[axis]
    width = rng.integers(0, widest + 1, size=(len(x), 1))
    start = rng.integers(0, length - width + 1)
    position = np.arange(length)
    covered = np.expand_dims((position >= start) & (position < start + width), 3 - axis)
    return np.where(covered, x.mean(axis=(1, 2), keepdims=True), x)


def compile_model(model, steps, learning_rate):
    """AdamW, warmed up over a tenth of the steps, then down along a cosine."""
    warm_up = max(1, steps // 10)
    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate / 10, steps - warm_up, alpha=0.01, warmup_target=learning_rate, warmup_steps=warm_up
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=0.02)
    model.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
