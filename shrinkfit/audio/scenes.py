# SPDX-License-Identifier: Apache-2.0
"""Rendered speech and noise go in; scenes come out: a second of sound each, as features, never the same twice.

Mixing is done on the levels of the mel bands, where a louder voice, a shorter vocal tract, a slower speaker, another
voice before the word or a noise behind it cost microseconds, not a spectrum of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from shrinkfit.audio.features import FeatureConfig
from shrinkfit.audio.mel import to_hz, to_mel
from shrinkfit.audio.spoken import Rendered, to_features

DB_PER_LOG2 = 10 * np.log10(2)
Rng = np.random.Generator


@dataclass(frozen=True)
class SceneMix:
    """What scenes are made of.

    Args:
        hotwords, silences: shares of scenes with a hotword, and of scenes with noise alone.
        cut_hotwords: share of the hotwords that are cut in two; what is left is none.
        company: share of the scenes in which something else is said before or after.
        stretch, tract: how far pace and vocal tract change, as a natural logarithm.
        wander_db: how far the microphone's response wanders over the bands, for voice and noise each.
        gain_db: range of levels, against the level of the renderings.
        noisy, snr_db: share of the scenes with noise, and its range below the voice.
        frames_off, bands_off: longest stretch that is wiped out (SpecAugment, Park et al. 2019).
    """

    hotwords: float = 0.4
    silences: float = 0.1
    cut_hotwords: float = 0.04
    company: float = 0.1
    stretch: float = 0.15
    tract: float = 0.12
    wander_db: float = 4.0
    gain_db: tuple[float, float] = (-30.0, 8.0)
    noisy: float = 0.8
    snr_db: tuple[float, float] = (0.0, 40.0)
    frames_off: int = 5
    bands_off: int = 5


@dataclass(frozen=True, eq=False)
class Voices:
    """Speech that scenes choose from.

    Args:
        rendered: what is said.
        labels: int [n], the hotword's number, or their count.
        words: int [n], number of the word that is said, or -1.
        weights: float [n], how often each clip is chosen, against others of its label.
    """

    rendered: Rendered
    labels: np.ndarray
    words: np.ndarray
    weights: np.ndarray


class Scenes:
    """Draws scenes.

    Args:
        voices: one or several sets of speech, all rendered with the same config.
        noise: float16 [frames, bands] levels of each noise, longer than a scene.
        hotwords: how many.
        frames: of a scene.
    """

    def __init__(
        self,
        voices: list[Voices],
        noise: list[np.ndarray],
        hotwords: int,
        frames: int,
        *,
        mix: SceneMix | None = None,
        config: FeatureConfig | None = None,
    ) -> None:
        self.noise, self.hotwords, self.frames = noise, hotwords, frames
        self.mix, self.config = mix or SceneMix(), config or FeatureConfig()
        self.sets = [part.rendered.levels for part in voices]
        self.set_of = np.concatenate([np.full(len(part.labels), i) for i, part in enumerate(voices)])
        self.row_of = np.concatenate([np.arange(len(part.labels)) for part in voices])
        self.lengths = np.concatenate([part.rendered.lengths for part in voices])
        self.words = np.concatenate([part.words for part in voices])
        labels = np.concatenate([part.labels for part in voices])
        weights = np.concatenate([part.weights for part in voices])
        self.choices = []
        for label in range(hotwords + 1):
            index = np.flatnonzero(labels == label)
            self.choices.append((index, np.cumsum(weights[index]) / max(weights[index].sum(), 1e-9)))

    def draw(self, count: int, rng: Rng) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw scenes.

        Returns:
            features: float32 [count, frames, bands] in [-1, 1].
            labels: int [count]: hotwords, then unknown, then silence.
            words: int [count], the word that is said whole, or -1.
        """
        mix, spoken, silent = self.mix, round(count * self.mix.hotwords), round(count * self.mix.silences)
        labels = np.full(count, self.hotwords)
        labels[:spoken] = rng.integers(self.hotwords, size=spoken)
        clips = self._choose(labels, rng)
        words = self.words[clips]
        levels, labels, words = self._say(clips, labels, words, rng)
        levels += self._wander(count, rng) + rng.uniform(*mix.gain_db, (count, 1, 1)).astype(np.float32) / DB_PER_LOG2
        power = np.exp2(levels)
        power[count - silent :], labels[count - silent :], words[count - silent :] = 0, self.hotwords + 1, -1
        power += self._noise(power, silent, rng)
        features = to_features(np.log2(power + 1), self.config)
        features = wipe(wipe(features, 1, mix.frames_off, rng), 2, mix.bands_off, rng)
        order = rng.permutation(count)
        return features[order], labels[order], words[order]

    def _choose(self, labels: np.ndarray, rng: Rng) -> np.ndarray:
        chosen = np.empty(len(labels), int)
        for label in np.unique(labels):
            index, shares = self.choices[label]
            wanted = np.flatnonzero(labels == label)
            chosen[wanted] = index[np.minimum(np.searchsorted(shares, rng.random(len(wanted))), len(index) - 1)]
        return chosen

    def _say(
        self, clips: np.ndarray, labels: np.ndarray, words: np.ndarray, rng: Rng
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Place what is said, cut some hotwords, and have others talk before or after."""
        mix, count = self.mix, len(clips)
        stretch = np.exp(rng.uniform(-mix.stretch, mix.stretch, count)).astype(np.float32)
        tract = np.exp(rng.uniform(-mix.tract, mix.tract, count))
        length = self.lengths[clips] / stretch
        room = np.maximum((self.frames - length) / 2 + 3, 3)  # anywhere in the window, and a little beyond
        middle = rng.uniform(-1, 1, count) * room + (labels == self.hotwords) * rng.normal(0, 4, count)
        levels = self._play(clips, stretch, tract, middle, rng)
        cut = np.flatnonzero((labels < self.hotwords) & (rng.random(count) < mix.cut_hotwords))
        for i in cut:
            where = int(np.clip(self.frames / 2 + middle[i], 1, self.frames - 1))
            levels[i, slice(where, None) if rng.random() < 0.5 else slice(0, where)] = 0
        labels, words = labels.copy(), words.copy()
        labels[cut], words[cut] = self.hotwords, -1
        beside = np.flatnonzero(rng.random(count) < mix.company)
        if len(beside):
            others = self._choose(np.full(len(beside), self.hotwords), rng)
            away = (length[beside] + self.lengths[others]) / 2 + rng.uniform(1, 8, len(beside))
            where = middle[beside] + rng.choice((-1, 1), len(beside)) * away
            said = self._play(others, np.ones(len(beside), np.float32), tract[beside], where, rng)
            levels[beside] = np.logaddexp2(levels[beside], said)
        return levels, labels, words

    def _play(
        self, clips: np.ndarray, stretch: np.ndarray, tract: np.ndarray, middle: np.ndarray, rng: Rng
    ) -> np.ndarray:
        """Levels of clips, their middle moved by so many frames, faster or slower, with a longer or shorter tract."""
        space = self.sets[0].shape[2]
        time = (np.arange(self.frames) - (self.frames - 1) / 2 - middle[:, None]) * stretch[:, None] + (space - 1) / 2
        time = np.clip(time, 0, space - 1.001)
        frame = time.astype(int)
        part = (time - frame).astype(np.float32)[..., None]
        levels = np.empty((len(clips), self.frames, self.sets[0].shape[3]), np.float32)
        for number, levels_of in enumerate(self.sets):
            rows = np.flatnonzero(self.set_of[clips] == number)
            if len(rows):
                copy, row = rng.integers(len(levels_of), size=(len(rows), 1)), self.row_of[clips[rows], None]
                one, two = levels_of[copy, row, frame[rows]], levels_of[copy, row, frame[rows] + 1]
                levels[rows] = one * (1 - part[rows]) + two * part[rows]
        return self._warp(levels, tract)

    def _warp(self, levels: np.ndarray, tract: np.ndarray) -> np.ndarray:
        """Vocal tract length perturbation (Jaitly and Hinton 2013): each band reads where its formant came from."""
        mel, hz = self._bands
        position = np.interp(to_mel(hz * tract[:, None], self.config.mel_scale), mel, np.arange(len(mel)))
        position = np.clip(position, 0, len(mel) - 1.001)
        band = position.astype(int)[:, None]
        part = (position[:, None] - band).astype(np.float32)
        return np.take_along_axis(levels, band, 2) * (1 - part) + np.take_along_axis(levels, band + 1, 2) * part

    @cached_property
    def _bands(self) -> tuple[np.ndarray, np.ndarray]:
        """Middles of the bands, in mel and in Hz."""
        low, high = to_mel(np.array([self.config.low_hz, self.config.high_hz]), self.config.mel_scale)
        mel = np.linspace(low, high, self.config.bands + 2)[1:-1]
        return mel, to_hz(mel, self.config.mel_scale)

    def _wander(self, count: int, rng: Rng) -> np.ndarray:
        """A smooth random frequency response for each scene, in log2; float32 [count, 1, bands]."""
        knots = np.cumsum(rng.normal(0, self.mix.wander_db / DB_PER_LOG2 / 2, (count, 6)), axis=1)
        knots -= knots.mean(axis=1, keepdims=True)
        place = np.linspace(0, 5, self.config.bands)
        left = np.minimum(place.astype(int), 4)
        part = place - left
        return (knots[:, left] * (1 - part) + knots[:, left + 1] * part)[:, None].astype(np.float32)

    def _noise(self, speech: np.ndarray, silent: int, rng: Rng) -> np.ndarray:
        """Power of noise that suits the speech, a recorder's own hiss included; the last scenes are noise alone."""
        mix, count = self.mix, len(speech)
        chosen = [self.noise[i] for i in rng.integers(len(self.noise), size=count)]
        starts = [int(rng.integers(len(noise) - self.frames + 1)) for noise in chosen]
        cut = np.stack([noise[s : s + self.frames] for noise, s in zip(chosen, starts, strict=True)])
        noise = np.exp2(cut.astype(np.float32) + self._wander(count, rng))
        loud, level = self._loudness(noise), self._loudness(speech)
        gain = level / (loud + 1e-9) * 10 ** (-rng.uniform(*mix.snr_db, count) / 10) * (rng.random(count) < mix.noisy)
        gain[count - silent :] = 10 ** rng.uniform(-5, 2, silent)
        tilt = rng.normal(0, 0.6, (count, 1, 1)) * np.linspace(-1, 1, self.config.bands)
        steady = np.exp2(rng.uniform(-6, 7, (count, 1, 1)) + tilt)
        steady = steady + level[:, None, None] * 10 ** -rng.uniform(2.5, 8.5, (count, 1, 1))
        hiss = steady.astype(np.float32) * np.sqrt(rng.standard_exponential(speech.shape, np.float32))
        return noise * gain[:, None, None].astype(np.float32) + hiss

    def _loudness(self, power: np.ndarray) -> np.ndarray:
        """Mean power over all frequencies: a wide band counts for more."""
        _, hz = self._bands
        width = np.gradient(hz)
        return (power @ (width / width.sum()).astype(np.float32)).mean(axis=1)


def wipe(x: np.ndarray, axis: int, widest: int, rng: Rng) -> np.ndarray:
    """Replace a random stretch along an axis by the scene's mean (SpecAugment, Park et al. 2019).

    Args:
        x: float32 [n, frames, bands].
        axis: 1 for frames, 2 for bands.
        widest: of the stretch; its width is drawn from 0 on for each scene.
    """
    length = x.shape[axis]
    width = rng.integers(0, widest + 1, size=(len(x), 1))
    start = rng.integers(0, length - width + 1)
    place = np.arange(length)
    covered = np.expand_dims((place >= start) & (place < start + width), 3 - axis)
    return np.where(covered, x.mean(axis=(1, 2), keepdims=True), x)
