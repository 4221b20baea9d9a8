# SPDX-License-Identifier: Apache-2.0
"""Clips and noise go in; a long stream of sound comes out, with the times at which which word is said in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from shrinkfit.audio.features import AudioError
from shrinkfit.audio.sound import SAMPLE_RATE_HZ

FADE_SECONDS = 0.01  # a clip's hard edge would click
BOUND_FRAME_SECONDS = 0.01
BOUND_BELOW_PEAK_DB, BOUND_ABOVE_FLOOR_DB = 25.0, 6.0
SILENT_CLIPS_LEVEL = 100.0  # what noise is compared with where all clips are silent, in int16 steps
_BLOCK_SAMPLES = 1 << 22


@dataclass(frozen=True)
class Word:
    """A hotword in a stream.

    Args:
        label: class index.
        start, end: the samples between which it is said; end is the first one behind it.
        clip: which of the positives it is.
    """

    label: int
    start: int
    end: int
    clip: int


@dataclass(frozen=True, eq=False)
class Stream:
    """Sound with known words in it.

    Args:
        samples: int16 [samples].
        words: in the order of time, not overlapping.
        recipe: how it was made: plain values for the report.
    """

    samples: np.ndarray
    words: tuple[Word, ...]
    sample_rate_hz: int
    recipe: dict[str, Any]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.sample_rate_hz


@dataclass(frozen=True)
class Mixture:
    """What a stream is made of; what has a range is drawn uniformly.

    Args:
        words_per_hour: hotwords, spread evenly with chance in between.
        gap_seconds: (shortest, longest) pause before each clip.
        after_word_seconds: shortest pause behind a hotword, so that a late detection is told from a false one.
        snr_db: (noisiest, cleanest): the median level of all clips against the noise below them.
        gain_db: (lowest, highest) gain of a clip.
        noise_seconds: (shortest, longest) time until the noise is another one.
    """

    words_per_hour: float = 400.0
    gap_seconds: tuple[float, float] = (0.1, 1.5)
    after_word_seconds: float = 1.0
    snr_db: tuple[float, float] = (10.0, 30.0)
    gain_db: tuple[float, float] = (-6.0, 6.0)
    noise_seconds: tuple[float, float] = (5.0, 20.0)

    def __post_init__(self) -> None:
        for name in ("gap_seconds", "snr_db", "gain_db", "noise_seconds"):
            low, high = getattr(self, name)
            if not low <= high or (name.endswith("seconds") and low < 0):
                raise AudioError(f"{name} is {(low, high)}; expected (lowest, highest)")
        if self.words_per_hour <= 0 or self.after_word_seconds < 0 or self.noise_seconds[1] <= 0:
            raise AudioError(f"no stream can be made of {self}: times and words per hour have to be above 0")


def build_stream(
    positives: Sequence[tuple[int, np.ndarray]],
    negatives: Sequence[np.ndarray],
    noise: Sequence[np.ndarray],
    *,
    seconds: float,
    seed: int = 0,
    mixture: Mixture | None = None,
    sample_rate_hz: int = SAMPLE_RATE_HZ,
) -> Stream:
    """Say clips one after the other in noise, hotwords at known times among all else.

    Every positive and negative is used once before any is used again; the noise changes now and then. Where a word
    begins and ends inside its clip is estimated by `word_bounds`.

    Args:
        positives: (class index, int16 [samples]) of clips with a hotword each.
        negatives: int16 [samples] of any length: other words, speech, music. None: only noise lies between hotwords.
        noise: int16 [samples] to lie below everything; none where it is empty.
        seconds: of the stream.
        seed: the same one gives the same stream.
    Raises:
        AudioError: no positive, samples that are not int16, or too little time for a single word.
    """
    mixture = mixture or Mixture()
    _check([clip for _, clip in positives], negatives, noise, seconds)
    rng = np.random.default_rng(seed)
    layout = _lay_out(positives, negatives, round(seconds * sample_rate_hz), rng, mixture, sample_rate_hz)
    if not any(is_word for _, _, is_word in layout):
        raise AudioError(f"no hotword fits into {seconds:g} s of stream; expected a longer one")
    clips = [clip for _, clip in positives]
    levels = [level for clip in (*clips, *negatives) if (level := _level(clip, sample_rate_hz)) > 0]
    reference = float(np.median(levels or [SILENT_CLIPS_LEVEL]))
    mixed = _bed(noise, round(seconds * sample_rate_hz), reference, rng, mixture, sample_rate_hz)
    words = []
    for start, number, is_word in layout:
        clip = clips[number] if is_word else negatives[number]
        _add(mixed, clip, start, 10 ** (rng.uniform(*mixture.gain_db) / 20), sample_rate_hz)
        if is_word:
            begin, end = word_bounds(clip, sample_rate_hz)
            words.append(Word(positives[number][0], start + begin, start + end, number))
    recipe = {"seconds": float(seconds), "seed": seed, "mixture": asdict(mixture)}
    recipe |= {"positive_clips": len(positives), "negative_clips": len(negatives), "noises": len(noise)}
    recipe |= {"words": len(words), "other_clips": len(layout) - len(words)}
    return Stream(_to_int16(mixed), tuple(words), sample_rate_hz, recipe)


def word_bounds(clip: np.ndarray, sample_rate_hz: int = SAMPLE_RATE_HZ) -> tuple[int, int]:
    """Where the sound in a clip begins and ends, by its energy in frames of 10 ms.

    A frame belongs to the word where it is at most 25 dB below the loudest and at least 6 dB above the quietest tenth.
    The first and the last such frame are the bounds: an estimate, off by some 10 ms, more with noise or a soft last
    sound.

    Args:
        clip: int16 [samples].
    Returns:
        first sample, and the first one behind the last; the whole clip where nothing stands out.
    """
    frame = max(1, round(BOUND_FRAME_SECONDS * sample_rate_hz))
    whole = clip[: len(clip) // frame * frame].astype(np.float64).reshape(-1, frame)
    if not len(whole):
        return 0, len(clip)
    level_db = 10 * np.log10(np.square(whole).mean(axis=1) + 1)
    floor = np.percentile(level_db, 10)
    if level_db.max() < floor + BOUND_ABOVE_FLOOR_DB:
        return 0, len(clip)
    loud = np.flatnonzero(level_db >= max(level_db.max() - BOUND_BELOW_PEAK_DB, floor + BOUND_ABOVE_FLOOR_DB))
    return int(loud[0]) * frame, (int(loud[-1]) + 1) * frame


def _check(
    positives: Sequence[np.ndarray], negatives: Sequence[np.ndarray], noise: Sequence[np.ndarray], seconds: float
) -> None:
    if not positives:
        raise AudioError("there is no positive clip to put into a stream; expected at least one with a hotword")
    for kind, clips in (("positive", positives), ("negative", negatives), ("noise", noise)):
        for number, clip in enumerate(clips):
            if getattr(clip, "dtype", None) != np.int16 or clip.ndim != 1 or not len(clip):
                shape = f"{getattr(clip, 'dtype', type(clip).__name__)} {getattr(clip, 'shape', '')}"
                raise AudioError(f"{kind} {number} is {shape}, expected int16 [samples]")
    if not seconds > 0:
        raise AudioError(f"a stream of {seconds} s cannot be made; expected more than 0")


class _Turns:
    """Numbers below n in chance order; each comes once before any comes again."""

    def __init__(self, n: int, rng: np.random.Generator) -> None:
        self._n, self._rng = n, rng
        self._left: list[int] = []

    def next(self) -> int:
        if not self._left:
            self._left = self._rng.permutation(self._n).tolist()
        return self._left.pop()


def _lay_out(
    positives: Sequence[tuple[int, np.ndarray]],
    negatives: Sequence[np.ndarray],
    length: int,
    rng: np.random.Generator,
    mixture: Mixture,
    rate: int,
) -> list[tuple[int, int, bool]]:
    """(first sample, number of the clip, whether it is a hotword), in the order of time."""
    wanted = max(1, round(length / rate / 3600 * mixture.words_per_hour))
    due = (np.arange(wanted) + rng.random(wanted)) * (length / wanted)
    turns, others = _Turns(len(positives), rng), _Turns(len(negatives), rng)
    pause = round(mixture.after_word_seconds * rate)
    at, layout = 0, []
    for time in due:
        # The clip that runs over the hotword's time is not cut, so that long ones are heard too: the hotword waits.
        while len(negatives) and at < time:
            number = others.next()
            start = at + round(rng.uniform(*mixture.gap_seconds) * rate)
            if start + len(negatives[number]) > length:
                break
            layout.append((start, number, False))
            at = start + len(negatives[number])
        number = turns.next()
        start = max(at + round(rng.uniform(*mixture.gap_seconds) * rate), round(time))
        if start + len(positives[number][1]) + pause > length:
            break
        layout.append((start, number, True))
        at = start + len(positives[number][1]) + pause
    return layout


def _level(clip: np.ndarray, rate: int) -> float:
    """Root mean square of the part that stands out."""
    start, end = word_bounds(clip, rate)
    return float(np.sqrt(np.square(clip[start:end].astype(np.float64)).mean()))


def _bed(
    noise: Sequence[np.ndarray],
    length: int,
    reference: float,
    rng: np.random.Generator,
    mixture: Mixture,
    rate: int,
) -> np.ndarray:
    """float32 [length] of noise, a piece after the other."""
    bed = np.zeros(length, np.float32)
    at, fade = 0, round(FADE_SECONDS * rate)
    while len(noise) and at < length:
        source = noise[int(rng.integers(len(noise)))]
        count = max(1, min(round(rng.uniform(*mixture.noise_seconds) * rate), length - at))
        start = int(rng.integers(len(source)))
        piece = np.take(source, np.arange(start, start + count), mode="wrap").astype(np.float32)
        level = np.sqrt(np.square(source.astype(np.float64)).mean())
        if level > 0:
            piece *= np.float32(reference / 10 ** (rng.uniform(*mixture.snr_db) / 20) / level)
            bed[at : at + count] = _faded(piece, fade)
        at += count
    return bed


def _faded(sound: np.ndarray, fade: int) -> np.ndarray:
    fade = min(fade, len(sound) // 2)
    ramp = (np.arange(fade, dtype=np.float32) + np.float32(0.5)) / np.float32(max(1, fade))
    sound[:fade] *= ramp
    sound[len(sound) - fade :] *= ramp[::-1]
    return sound


def _add(mixed: np.ndarray, clip: np.ndarray, start: int, gain: float, rate: int) -> None:
    mixed[start : start + len(clip)] += _faded(clip.astype(np.float32) * np.float32(gain), round(FADE_SECONDS * rate))


def _to_int16(mixed: np.ndarray) -> np.ndarray:
    """Block by block: an hour is 230 MB as float32 already."""
    samples = np.empty(len(mixed), np.int16)
    for start in range(0, len(mixed), _BLOCK_SAMPLES):
        block = slice(start, start + _BLOCK_SAMPLES)
        samples[block] = np.clip(np.rint(mixed[block]), -32_768, 32_767)
    return samples
