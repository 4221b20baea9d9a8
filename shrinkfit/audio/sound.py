# SPDX-License-Identifier: Apache-2.0
"""A sound file, or a folder of them, of nearly any kind goes in; int16 samples of one channel at one rate come out.

libsndfile (the package soundfile) reads, libsoxr (soxr) resamples. What had to be changed on the way is said in notes;
what cannot be used is refused by name.
"""

from __future__ import annotations

import io
import os
import struct
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from shrinkfit.audio.features import AudioError
from shrinkfit.errors import near_files

SAMPLE_RATE_HZ = 16_000
SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64")
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 4_000, 768_000
_BLOCK_SAMPLES = 1 << 20  # of all channels
_FULL_SCALE = 32_768
# Programs that write into a pipe do not know the length and put a number from here on into the header.
_UNKNOWN_BYTES = 0x7FFF_0000
# Mixed channels whose mean power falls below this share of theirs have opposite signs.
_CANCELLED = 0.01


class Sound(NamedTuple):
    """What a file holds.

    Args:
        samples: int16 [samples].
        notes: what was changed or is odd, one short sentence each; none for a plain file at the wanted rate.
    """

    samples: np.ndarray
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class SoundFolder:
    """What a folder holds, in the order of the paths.

    Args:
        paths: the files that were read.
        samples: int16 [samples] of each.
        notes: what was changed, and which files were left out and why.
    """

    paths: tuple[Path, ...]
    samples: tuple[np.ndarray, ...]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)


def read_sound(path: str | os.PathLike[str], sample_rate_hz: int = SAMPLE_RATE_HZ) -> Sound:
    """Read a sound file: wav with 8, 16, 24, 32 bits or float, FLAC, Ogg, MP3, AIFF and what else libsndfile reads.

    Channels are averaged, other rates resampled, values rounded to int16 and clipped; 16-bit mono at the wanted rate
    comes back as it is. A wav file that ends too early is read as far as it goes.

    Args:
        sample_rate_hz: of the samples that come out.
    Returns:
        Sound: samples and notes.
    Raises:
        AudioError: the file is missing, no sound file, damaged, without a sample, or has values that are no numbers.
    """
    rate, sound, notes = _read(Path(path))
    if rate != sample_rate_hz:
        sound = _resample(sound, rate, sample_rate_hz)
        lost = f"; nothing above {rate / 2:g} Hz is in it" if rate < sample_rate_hz else ""
        notes.append(f"{rate} Hz, resampled to {sample_rate_hz} Hz{lost}")
    samples = np.clip(np.rint(sound * np.float32(_FULL_SCALE)), -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
    if not len(samples):
        raise AudioError(f"'{path}' has no sound in it: it is too short for a single sample at {sample_rate_hz} Hz")
    if not samples.any():
        notes.append("silent: every sample is 0")
    return Sound(samples, tuple(notes))


def read_folder(folder: str | os.PathLike[str], sample_rate_hz: int = SAMPLE_RATE_HZ) -> SoundFolder:
    """Read all sound files of a folder and of the folders in it, in the order of their paths.

    Files that cannot be used are left out, with a note that names them. Other files are not looked at.

    Raises:
        AudioError: there is no such folder, or no usable sound file in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise AudioError(
            f"'{folder}' is no folder; expected one with sound files in it ({', '.join(SUFFIXES[:4])} ...)"
        )
    paths, samples, notes, refused = [], [], [], []
    for path in sound_files(folder, deep=True):
        try:
            sound = read_sound(path, sample_rate_hz)
        except AudioError as error:
            refused.append(f"left out: {error}")
            continue
        paths.append(path)
        samples.append(sound.samples)
        notes += [(path, note) for note in sound.notes]
    if not paths:
        why = f"; the first of {len(refused)} was {refused[0]}" if refused else ""
        raise AudioError(f"'{folder}' has no usable sound file; expected {', '.join(SUFFIXES)}{why}")
    return SoundFolder(tuple(paths), tuple(samples), (*gather_notes(notes), *refused))


def sound_files(folder: Path, *, deep: bool = False) -> list[Path]:
    """The paths in a folder (deep: and below it) that end as sound files do, sorted."""
    found = folder.rglob("*") if deep else folder.glob("*")
    return sorted(path for path in found if path.suffix.lower() in SUFFIXES and path.is_file())


def gather_notes(notes: Iterable[tuple[Path, str]]) -> tuple[str, ...]:
    """One line for each kind of note, with the first file that has it and how many do."""
    first: dict[str, Path] = {}
    count: Counter[str] = Counter()
    for path, note in notes:
        first.setdefault(note, path)
        count[note] += 1
    more = {note: f" and {count[note] - 1} more" if count[note] > 1 else "" for note in first}
    return tuple(f"{path}{more[note]}: {note}" for note, path in first.items())


def _read(path: Path) -> tuple[int, np.ndarray, list[str]]:
    """Sample rate, float32 [samples] of one channel in [-1, 1] (float files may go beyond), notes."""
    soundfile = _libsndfile()
    try:
        # By number: soundfile would take a file that is called x.raw for samples without a header.
        with open(path, "rb") as named, open(named.fileno(), "rb", closefd=False) as file:
            # libsndfile seeks; a pipe cannot.
            source = file if file.seekable() else io.BytesIO(file.read())
            if not source.read(1):
                raise AudioError(f"'{path}' is empty: 0 bytes")
            notes = _cut_short(source)
            source.seek(0)
            with soundfile.SoundFile(source) as opened:
                _check_rate(path, opened.samplerate)
                return opened.samplerate, _one_channel(path, opened, notes), notes
    except soundfile.SoundFileError as error:
        why = str(error).rsplit(": ", 1)[-1].rstrip(".")
        raise AudioError(f"'{path}' cannot be read: it is no sound file, damaged or cut short ({why})") from error
    except OSError as error:
        near = near_files(path, SUFFIXES) if isinstance(error, FileNotFoundError) else ""
        raise AudioError(f"'{path}' cannot be read: {error.strerror or error}{near}") from error


def _libsndfile() -> Any:
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise AudioError(
            f"sound is read with the package soundfile and the library libsndfile ({error}): pip install soundfile, "
            "apt-get install libsndfile1"
        ) from error
    return soundfile


def _check_rate(path: Path, rate: int) -> None:
    if not LOWEST_RATE_HZ <= rate <= HIGHEST_RATE_HZ:
        raise AudioError(f"'{path}' has a sample rate of {rate} Hz; expected {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz")


def _one_channel(path: Path, opened: Any, notes: list[str]) -> np.ndarray:
    """The mean of the channels, block by block: a day of sound is not held in all its channels at once."""
    blocks, power, mixed_power, beyond = [np.zeros(0, np.float32)], 0.0, 0.0, 0
    for block in opened.blocks(max(1, _BLOCK_SAMPLES // opened.channels), dtype="float32", always_2d=True):
        if not np.isfinite(block).all():
            raise AudioError(f"'{path}' has samples that are no numbers (NaN or infinite)")
        blocks.append(block.mean(axis=1, dtype=np.float32))
        power += float(np.square(block, dtype=np.float64).mean(axis=1).sum())
        mixed_power += float(np.square(blocks[-1], dtype=np.float64).sum())
        beyond += int((np.abs(block) > 1).sum())
    sound = np.concatenate(blocks)
    if not len(sound):
        raise AudioError(f"'{path}' has no sound in it: its header is there, but not one sample")
    if opened.channels > 1:
        cancelled = "; they nearly cancel out: record one alone" if mixed_power < _CANCELLED * power else ""
        notes.append(f"{opened.channels} channels, averaged{cancelled}")
    if beyond:
        notes.append(f"{beyond} samples beyond full scale, clipped")
    if 0 < len(sound) < opened.frames and not any("cut short" in note for note in notes):
        notes.append(f"cut short: {len(sound)} of {opened.frames} samples are there")
    return sound


def _cut_short(file: BinaryIO) -> list[str]:
    """A note where a wav file ends before its header says; libsndfile takes such a file without a word."""
    file.seek(0, os.SEEK_END)
    end = file.tell()
    file.seek(0)
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return []
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        here = end - file.tell()
        if name == b"data":
            missing = size > here and size < _UNKNOWN_BYTES
            return [f"cut short: {here} of {size} bytes of sound are there"] if missing else []
        file.seek(size + size % 2, os.SEEK_CUR)
    return []


def _resample(sound: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    import soxr

    if isinstance(wanted, bool) or int(wanted) != wanted or not LOWEST_RATE_HZ <= wanted <= HIGHEST_RATE_HZ:
        raise AudioError(f"sample_rate_hz is {wanted!r}; expected {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ}")
    return soxr.resample(sound, rate, wanted)
