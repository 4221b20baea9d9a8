# SPDX-License-Identifier: Apache-2.0
"""A folder in Speech Commands layout goes in; clips in three splits that share no speaker come out."""

from __future__ import annotations

import hashlib
import re
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shrinkfit.audio.features import AudioError
from shrinkfit.audio.sound import SAMPLE_RATE_HZ, gather_notes, read_sound, sound_files

CLIP_SAMPLES = SAMPLE_RATE_HZ
NOISE_FOLDER, SILENCE_FOLDER, UNKNOWN_FOLDER = "_background_noise_", "_silence_", "_unknown_"
UNKNOWN, SILENCE = "unknown", "silence"
HOTWORD = re.compile(r"[A-Za-z][A-Za-z0-9'-]*( [A-Za-z][A-Za-z0-9'-]*)*")
SPLITS = ("train", "validation", "test")
Entry = tuple[str, int, np.ndarray]  # speaker, label, samples


@dataclass(frozen=True, eq=False)
class Clips:
    """One split.

    Args:
        samples: int16 [n, CLIP_SAMPLES].
        labels: int64 [n], index into the data set's labels.
        speakers: n names, one per clip.
    """

    samples: np.ndarray
    labels: np.ndarray
    speakers: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class SpeechData:
    """Three splits without a common speaker, and the noise to mix in.

    Args:
        labels: the hotwords, then "unknown" and "silence".
        noise: int16 arrays [samples], each longer than a clip; empty when the folder has none.
        notes: what had to be changed to read the files, such as another sample rate.
    """

    labels: tuple[str, ...]
    train: Clips
    validation: Clips
    test: Clips
    noise: tuple[np.ndarray, ...]
    notes: tuple[str, ...] = ()


def write_wav(path: str | Path, samples: np.ndarray) -> None:
    """Write int16 [samples] as a 16 kHz mono wav file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(np.asarray(samples, "<i2").tobytes())


def fit_length(samples: np.ndarray, length: int = CLIP_SAMPLES) -> np.ndarray:
    """Centre a clip in `length` samples: zeros around a short one, the ends of a long one cut off."""
    extra = len(samples) - length
    if extra >= 0:
        return samples[extra // 2 : extra // 2 + length]
    return np.pad(samples, (-extra // 2, -extra - -extra // 2))


def speaker_of(path: str | Path) -> str:
    """The speaker's name inside a file name: `0c540988` in `0c540988_nohash_2.wav` and `bed_0c540988_nohash_2.wav`.

    A file name without `_nohash_` is its own speaker.
    """
    stem = Path(path).stem
    found = re.fullmatch(r"(?:.*_)?([^_]+)_nohash_.*", stem)
    return found.group(1) if found else stem


def split_of(speaker: str, validation_percent: float = 10, test_percent: float = 20) -> str:
    """Which split a speaker belongs to, from the SHA-1 of the name, as Speech Commands does: stable for ever."""
    position = int(hashlib.sha1(speaker.encode()).hexdigest(), 16) % 10_000 / 100
    if position < test_percent:
        return "test"
    return "validation" if position < test_percent + validation_percent else "train"


def load(
    folder: str | Path, hotwords: list[str], *, validation_percent: float = 10.0, test_percent: float = 20.0
) -> SpeechData:
    """Load a folder in Speech Commands layout: one folder per word, each with sound files of about a second.

    "unknown" comes from `_unknown_` and the words that are no hotwords, at most as many clips as the hotwords have;
    "silence" from `_silence_`, or cut from `_background_noise_` where there is no such folder.

    Args:
        folder: where the word folders are.
        hotwords: words to be told apart, each the name of a folder.
        validation_percent, test_percent: share of the speakers.
    Raises:
        AudioError: a folder or file is missing or unusable; a split would be without one of the classes.
    """
    folder = Path(folder)
    labels = class_labels(hotwords)
    files = _list_words(folder, hotwords)
    notes: list[tuple[Path, str]] = []

    def read(path: Path) -> np.ndarray:
        sound = read_sound(path, SAMPLE_RATE_HZ)
        # A silent clip of a word would teach that silence is the word; that it is silent is worth a note there alone.
        notes.extend((path, note) for note in sound.notes if path.parent.name != SILENCE_FOLDER or "silent" not in note)
        return sound.samples

    noise = tuple(read(path) for path in sound_files(folder / NOISE_FOLDER))
    noise = tuple(samples for samples in noise if len(samples) >= CLIP_SAMPLES)
    entries: list[Entry] = []
    for label, paths in enumerate(files):
        entries += [(speaker_of(path), label, fit_length(read(path))) for path in paths]
    if not files[labels.index(SILENCE)]:
        entries += _cut_silence(noise, labels.index(SILENCE), folder)
    split: dict[str, list[Entry]] = {name: [] for name in SPLITS}
    for entry in entries:
        split[split_of(entry[0], validation_percent, test_percent)].append(entry)
    train, validation, test = (_to_clips(name, split[name], labels, folder) for name in SPLITS)
    return SpeechData(labels, train, validation, test, noise, gather_notes(notes))


def class_labels(hotwords: list[str]) -> tuple[str, ...]:
    """The hotwords, then "unknown" and "silence"."""
    if not hotwords or len(set(hotwords)) != len(hotwords):
        raise AudioError(f"hotwords are {hotwords}; expected at least one, each once")
    bad = [word for word in hotwords if word in (UNKNOWN, SILENCE) or not HOTWORD.fullmatch(word)]
    if bad:
        raise AudioError(
            f"{', '.join(map(repr, bad))} cannot be a hotword: expected words of letters, one space between two of "
            "them, and no class's name"
        )
    return (*hotwords, UNKNOWN, SILENCE)


def _list_words(folder: Path, hotwords: list[str]) -> list[list[Path]]:
    """Paths per class, in the order of the labels."""
    if not folder.is_dir():
        raise AudioError(f"{folder} is no folder; expected one with a folder of sound files per word")
    words = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("_"))
    missing = [word for word in hotwords if word not in words]
    if missing:
        raise AudioError(f"{folder} has no folder for {', '.join(missing)}; it has: {', '.join(words) or 'none'}")
    by_word = {word: sound_files(folder / word) for word in [*words, UNKNOWN_FOLDER, SILENCE_FOLDER]}
    empty = [word for word in hotwords if not by_word[word]]
    if empty:
        raise AudioError(f"no sound file in the folder for {', '.join(empty)} of {folder}")
    unknown = [path for word in words if word not in hotwords for path in by_word[word]]
    # Ordered by hash, so that a cut takes from every word and speaker alike, the same ones each time.
    unknown.sort(key=lambda path: hashlib.sha1(f"{path.parent.name}/{path.name}".encode()).digest())
    limit = max(0, sum(len(by_word[word]) for word in hotwords) - len(by_word[UNKNOWN_FOLDER]))
    return [*(by_word[word] for word in hotwords), by_word[UNKNOWN_FOLDER] + unknown[:limit], by_word[SILENCE_FOLDER]]


def _cut_silence(noise: tuple[np.ndarray, ...], label: int, folder: Path) -> list[Entry]:
    if not noise:
        raise AudioError(
            f"{folder} has neither {SILENCE_FOLDER} nor {NOISE_FOLDER}; expected sound files in one of them"
        )
    starts = [(i, s) for i, n in enumerate(noise) for s in range(0, len(n) - CLIP_SAMPLES + 1, CLIP_SAMPLES)]
    return [(f"noise{i}-{start}", label, noise[i][start : start + CLIP_SAMPLES]) for i, start in starts]


def _to_clips(name: str, entries: list[Entry], labels: tuple[str, ...], folder: Path) -> Clips:
    present = {label for _, label, _ in entries}
    lacking = [word for label, word in enumerate(labels) if label not in present]
    if lacking:
        raise AudioError(f"no clip of {', '.join(lacking)} falls in the {name} split of {folder}: add more speakers")
    speakers, numbers, samples = zip(*entries, strict=True)
    return Clips(np.stack(samples), np.array(numbers, np.int64), speakers)
