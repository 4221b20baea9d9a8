# SPDX-License-Identifier: Apache-2.0
"""Folders of recorded or synthetic speech go in; levels of the mel bands, rendered in many rooms, come out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shrinkfit.audio.dataset import UNKNOWN_FOLDER, speaker_of
from shrinkfit.audio.features import AudioError, FeatureConfig, as_float, features
from shrinkfit.audio.rooms import recorded, room_response, room_spectra
from shrinkfit.audio.sound import SAMPLE_RATE_HZ, read_folder, read_sound

SPACE_SAMPLES = 25_920  # what is said and what is around it: 1.6 s, so that a window of a second can move about
ROOMS = 300
CLIPS_AT_ONCE = 64
ACTIVE_DB = 22.0  # how far below the loudest moment speech still counts as such
SHORTEST_SAMPLES = 6_400  # 0.4 s: what is counted as speech of a recording at least
NOT_A_WORD = ""


@dataclass(frozen=True, eq=False)
class Spoken:
    """What somebody said, clip by clip.

    Args:
        samples: int16 [samples] of each clip.
        labels: int64 [n], index into the hotwords; their count for all else.
        words: what is said, or NOT_A_WORD for phrases and parts of words.
        speakers: who says it.
        lengths: how many samples in the middle of each clip are speech; all of it where that is left out.
    """

    samples: tuple[np.ndarray, ...]
    labels: np.ndarray
    words: tuple[str, ...]
    speakers: tuple[str, ...]
    lengths: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.lengths:
            object.__setattr__(self, "lengths", tuple(len(clip) for clip in self.samples))

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: Sequence[int] | np.ndarray) -> Spoken:
        """The clips of these numbers."""
        samples, lengths = tuple(self.samples[i] for i in index), tuple(self.lengths[i] for i in index)
        words, speakers = tuple(self.words[i] for i in index), tuple(self.speakers[i] for i in index)
        return Spoken(samples, self.labels[np.asarray(index, int)], words, speakers, lengths)


@dataclass(frozen=True, eq=False)
class Rendered:
    """Levels of what is said, in the middle of a longer stretch of nothing.

    Args:
        levels: float16 [copies, n, frames, bands], log2 of a band's power.
        lengths: float32 [n], frames that are said.
    """

    levels: np.ndarray
    lengths: np.ndarray


def read_synthesized(folder: str | Path, hotwords: list[str]) -> Spoken:
    """Read what `synthesize` wrote, at its full length."""
    folder = Path(folder)
    entries = [(path, label, word) for label, word in enumerate(hotwords) for path in (folder / word).glob("*.wav")]
    for path in (folder / UNKNOWN_FOLDER).glob("*.wav"):
        said = path.stem.rsplit("_", 3)[0]
        entries.append((path, len(hotwords), NOT_A_WORD if "+" in said or said == "part" else said))
    entries.sort()
    if not entries:
        raise AudioError(f"'{folder}' holds no synthesized speech; expected folders {hotwords} and {UNKNOWN_FOLDER}")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        samples = tuple(pool.map(lambda entry: read_sound(entry[0]).samples, entries))
    speakers = tuple(speaker_of(path) for path, _, _ in entries)
    return Spoken(samples, np.array([label for _, label, _ in entries]), tuple(e[2] for e in entries), speakers)


def read_recordings(
    folder: str | Path, label: int, word: str = NOT_A_WORD, tell: Callable[[str], None] = print
) -> Spoken:
    """Read all sound files below a folder of recordings, each cut to what is said in it and some room around it.

    Args:
        label: index into the hotwords, or their count for what is none.
        word: what is said, where it is the same everywhere.
        tell: called with what had to be changed, and which files were left out.
    Raises:
        AudioError: there is no such folder, or nothing in it.
    """
    read = read_folder(folder)
    for note in read.notes:
        tell(note)
    cut = tuple(cut_to_speech(clip) for clip in read.samples)
    speakers = tuple(speaker_of(path) for path in read.paths)
    return Spoken(cut, np.full(len(cut), label), (word,) * len(cut), speakers, tuple(map(speech_samples, cut)))


def cut_to_speech(clip: np.ndarray, length: int = SPACE_SAMPLES) -> np.ndarray:
    """What is said, in the middle, with as much of the recording around it as fits; int16, at most `length` samples."""
    middle = _middle_of_speech(clip)
    half = min(length // 2, max(middle, len(clip) - middle))
    start, end = middle - half, middle + half
    return np.pad(clip[max(0, start) : end], (max(0, -start), max(0, end - len(clip))))


def speech_samples(clip: np.ndarray) -> int:
    """How many samples of a recording are speech; SHORTEST_SAMPLES at least: soft ends of a word are not found."""
    start, end = _span_of_speech(clip)
    return max(end - start, min(SHORTEST_SAMPLES, len(clip)))


def _middle_of_speech(clip: np.ndarray) -> int:
    return sum(_span_of_speech(clip)) // 2


def _span_of_speech(clip: np.ndarray) -> tuple[int, int]:
    """First sample of the stretch around the loudest moment, and the first behind it."""
    hop = SAMPLE_RATE_HZ // 50
    count = len(clip) // hop
    if count < 3:
        return 0, len(clip)
    power = np.square(clip[: count * hop].astype(np.float64)).reshape(count, hop).mean(axis=1)
    smooth = np.convolve(power, np.ones(5) / 5, "same")
    loud = np.flatnonzero(smooth >= smooth.max() / 10 ** (ACTIVE_DB / 10))
    peak = int(np.argmax(smooth))
    # Pauses as short as those inside a word do not end it.
    breaks = np.flatnonzero(np.diff(loud) > 10)
    runs = np.split(loud, breaks + 1)
    run = next(run for run in runs if run[0] <= peak <= run[-1])
    return int(run[0]) * hop, int(run[-1] + 1) * hop


def render(
    spoken: Spoken,
    copies: int,
    *,
    seed: int = 0,
    share: float = 1.0,
    config: FeatureConfig | None = None,
    progress: str = "",
) -> Rendered:
    """Let every clip be said in random rooms and recorded by random microphones.

    Args:
        copies: how many renderings of each clip.
        share: lowers the shares of rooms and microphones, for what was recorded already.
        progress: title of a progress bar; none when empty.
    """
    ears = [(config or FeatureConfig(), copies)]
    return render_for(spoken, ears, seed=seed, share=share, progress=progress)[0]


def render_for(
    spoken: Spoken,
    ears: Sequence[tuple[FeatureConfig, int]],
    *,
    seed: int = 0,
    share: float = 1.0,
    progress: str = "",
) -> list[Rendered]:
    """The same recordings as several kinds of features: `render` for each of them, sooner.

    Args:
        ears: features, and copies of each clip.
        seed, share, progress: as of `render`.
    """
    from rich.progress import track

    rng = np.random.default_rng([seed, 2])
    rooms = room_spectra([room_response(rng) for _ in range(ROOMS)], SPACE_SAMPLES)
    most = max(copies for _, copies in ears)
    blocks = [(copy, start) for copy in range(most) for start in range(0, len(spoken), CLIPS_AT_ONCE)]

    def block(place: tuple[int, int]) -> list[np.ndarray | None]:
        copy, start = place
        rng = np.random.default_rng([seed, 3, copy, start])
        clips = np.stack(
            [recorded(clip, SPACE_SAMPLES, rooms, rng, share) for clip in spoken.samples[start : start + CLIPS_AT_ONCE]]
        )
        return [levels(clips, config) if copy < copies else None for config, copies in ears]

    # Threads do: NumPy lets go of the interpreter's lock in its loops over a clip's samples.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = list(track(pool.map(block, blocks), progress, len(blocks), disable=not progress))
    rendered = []
    for (config, copies), parts in zip(ears, zip(*rows, strict=True), strict=True):
        made = np.concatenate([part for part in parts if part is not None])
        lengths = np.array(spoken.lengths, np.float32) / config.hop_samples
        rendered.append(Rendered(made.reshape(copies, len(spoken), *made.shape[1:]), lengths))
    return rendered


def levels(clips: np.ndarray, config: FeatureConfig | None = None) -> np.ndarray:
    """log2 of the bands' powers, as the features see them before they are scaled.

    Args:
        clips: int16 [n, samples].
    Returns:
        float16 [n, frames, bands].
    """
    config = config or FeatureConfig()
    return from_features(as_float(features(clips, config, threads=1)), config).astype(np.float16)


def from_features(values: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Levels in log2 of features in [-1, 1]."""
    half = (config.ceiling_log2 - config.floor_log2) / 2
    return (values + np.float32(1)) * np.float32(half) + np.float32(config.floor_log2)


def to_features(levels: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Features in [-1, 1] of levels in log2."""
    half = (config.ceiling_log2 - config.floor_log2) / 2
    return np.clip((levels - np.float32(config.floor_log2)) / np.float32(half) - 1, -1, 1).astype(np.float32)


def merged(parts: Sequence[Spoken]) -> Spoken:
    """All clips of several, one behind the other."""
    return Spoken(
        sum((part.samples for part in parts), ()),
        np.concatenate([part.labels for part in parts]),
        sum((part.words for part in parts), ()),
        sum((part.speakers for part in parts), ()),
        sum((part.lengths for part in parts), ()),
    )
