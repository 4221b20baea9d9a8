# SPDX-License-Identifier: Apache-2.0
"""How the network is trained: what it sees in each epoch, and how fast it learns."""

import keras
import numpy as np

from shrinkfit.audio.scenes import wipe

BATCH = 128
SMOOTHING = 0.05
TEACHER_SHARE = 0.7
WORDS_WEIGHT = 0.5
FALSE_ACCEPTS = 0.005
# Of clips of a second, which are seen as they are.
CLIP_BATCH, CLIP_SMOOTHING = 64, 0.1
SHIFT_FRAMES = 4
MASK_FRAMES, MASK_BANDS = 8, 6
MIXUP = 0.2


class SceneBatches(keras.utils.PyDataset):
    """Scenes, never the same twice; an epoch is a number of batches.

    Args:
        scenes: a shrinkfit.audio.scenes.Scenes.
        classes: hotwords, unknown and silence.
        steps: batches of an epoch.
        words: True also gives which word is said, for `listen_for_words`.
        teacher: a trained model; its probabilities are mixed into the targets (knowledge distillation).
    """

    def __init__(self, scenes, classes, steps, *, seed=0, words=False, teacher=None):
        super().__init__(workers=2, max_queue_size=8)
        self.scenes, self.classes, self.steps, self.seed = scenes, classes, steps, seed
        self.words, self.teacher, self.epoch = words, teacher, 0

    def __len__(self):
        return self.steps

    def __getitem__(self, i):
        rng = np.random.default_rng([self.seed, self.epoch, i])
        x, labels, words = self.scenes.draw(BATCH, rng)
        targets = smoothed(labels, self.classes)
        if self.teacher is not None:
            taught = keras.ops.convert_to_numpy(self.teacher(x, training=False))
            targets = (1 - TEACHER_SHARE) * targets + TEACHER_SHARE * taught
        return (x, {"classes": targets, "words": words}) if self.words else (x, targets)

    def on_epoch_end(self):
        self.epoch += 1


class ClipBatches(keras.utils.PyDataset):
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
        self.targets = smoothed(labels, classes, CLIP_SMOOTHING)
        self.rng = np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self):
        return max(1, len(self.x) // CLIP_BATCH)

    def __getitem__(self, i):
        batch = slice(i * CLIP_BATCH, (i + 1) * CLIP_BATCH)
        return self.x[batch], self.y[batch]

    def on_epoch_end(self):
        """Draw the next epoch."""
        n = self.copies.shape[1]
        order = self.rng.permutation(n)
        x = self.copies[self.rng.integers(len(self.copies), size=n), order].astype("float32")
        x = wipe(wipe(shift(x, self.rng), 1, MASK_FRAMES, self.rng), 2, MASK_BANDS, self.rng)
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


def smoothed(labels, classes, share=SMOOTHING):
    """One-hot targets with a share spread over all classes, so that scores stay below 1 and can be told apart."""
    return np.eye(classes, dtype="float32")[labels] * (1 - share) + np.float32(share / classes)


@keras.saving.register_keras_serializable("hotword")
class Recall(keras.metrics.Metric):
    """Share of the hotwords that are heard when FALSE_ACCEPTS of everything else is taken for one.

    Args:
        hotwords: how many; the first classes.
    """

    BINS = 1024

    def __init__(self, hotwords, name="recall", **others):
        super().__init__(name=name, **others)
        self.hotwords = hotwords
        self.counts = self.add_weight(shape=(2, self.BINS), initializer="zeros", name="counts")

    def get_config(self):
        return {**super().get_config(), "hotwords": self.hotwords}

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count scores: of the right hotword where one is said, of the likeliest one where none is."""
        ops = keras.ops
        said, heard = y_true[:, : self.hotwords], y_pred[:, : self.hotwords]
        is_hotword = ops.max(said, axis=1) > 0.5
        own = ops.sum(ops.where(said > 0.5, heard, 0.0), axis=1)
        score = ops.clip(ops.where(is_hotword, own, ops.max(heard, axis=1)), 1e-6, 1 - 1e-6)
        # In logits the bins lie close where the scores do.
        place = (ops.log(score) - ops.log(1 - score) + 14) / 28 * self.BINS
        bins = ops.one_hot(ops.cast(ops.clip(place, 0, self.BINS - 1), "int32"), self.BINS)
        kind = ops.cast(ops.stack([is_hotword, ops.logical_not(is_hotword)]), "float32")
        self.counts.assign_add(ops.matmul(kind, bins))

    def result(self):
        """Recall, in [0, 1]."""
        ops = keras.ops
        above = ops.flip(ops.cumsum(ops.flip(self.counts, axis=1), axis=1), axis=1)
        shares = above / ops.maximum(above[:, :1], 1.0)
        return ops.max(ops.where(shares[1] <= FALSE_ACCEPTS, shares[0], 0.0))


def listen_for_words(model, words):
    """The model with a second output, trained along: which of so many words is said. It stays behind in the end.

    Three classes can be told apart by less than a new voice takes to be understood.
    """
    heard = keras.layers.Dense(words, name="words")(model.get_layer("dropout").output)
    return keras.Model(model.input, {"classes": model.output, "words": heard}, name=model.name)


def without_words(model):
    """What ships of it; made of the same layers."""
    return keras.Model(model.input, model.output["classes"], name=model.name) if hears_words(model) else model


def hears_words(model):
    """Whether it has that second output."""
    return "words" in model.output_names


def compile_model(model, steps, learning_rate, hotwords, *, average=False):
    """AdamW, warmed up over a tenth of the steps, then down along a cosine.

    Args:
        average: use the moving average of the weights in the end, which hears better than any single step's.
    """
    warm_up = max(1, steps // 10)
    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate / 10, steps - warm_up, alpha=0.01, warmup_target=learning_rate, warmup_steps=warm_up
    )
    ema = {"use_ema": True, "ema_momentum": 0.99, "ema_overwrite_frequency": None} if average else {}
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=0.02, **ema)
    metrics = ["accuracy", Recall(hotwords)]
    if not hears_words(model):
        model.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=metrics)
        return
    words = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    model.compile(
        optimizer=optimizer,
        loss={"classes": "categorical_crossentropy", "words": words},
        loss_weights={"classes": 1.0, "words": WORDS_WEIGHT},
        metrics={"classes": metrics},
    )
