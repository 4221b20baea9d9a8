# SPDX-License-Identifier: Apache-2.0
"""Hotwords go in; a folder in Speech Commands layout, spoken by espeak-ng and flite, comes out."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import wave
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shrinkfit.audio.dataset import (
    CLIP_SAMPLES,
    NOISE_FOLDER,
    SAMPLE_RATE_HZ,
    SILENCE_FOLDER,
    UNKNOWN_FOLDER,
    class_labels,
    fit_length,
    write_wav,
)
from shrinkfit.audio.features import AudioError
from shrinkfit.audio.noise import background_noise, silence_clips
from shrinkfit.audio.words import WORDS
from shrinkfit.errors import ToolMissingError

FORMAT = 1  # part of the cache's key: raise it when the same arguments shall give other clips
ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-029")
FLITE_VOICES = ("awb", "kal16", "rms", "slt")
FLITE_SHARE = 0.15  # four voices only, but of another kind than espeak-ng's formants
HOTWORD_SHARE, SILENCE_SHARE = 0.45, 0.13
NEAR_WORDS = 30


@dataclass(frozen=True)
class Utterance:
    """One clip to be spoken.

    Args:
        folder: word folder it goes to.
        text: a word, or `[[phonemes]]`, which only espeak-ng understands.
        voice: an espeak-ng variant, or `flite:NAME`; it stands for the speaker.
        accent: espeak-ng language.
        words_per_minute, pitch: espeak-ng's -s and -p (0..99); flite gets the same in its own units.
        level: peak of the clip, in (0, 1].
    """

    folder: str
    text: str
    voice: str
    accent: str
    words_per_minute: int
    pitch: int
    level: float


def synthesize(hotwords: list[str], cache: str | Path, *, clips: int = 2_000, seed: int = 0, progress=True) -> Path:
    """Speak a data set, unless the cache holds it already.

    Near half of the clips are hotwords, the rest near misses, other words, parts of the hotwords, and noise.

    Args:
        hotwords: words to be spoken.
        cache: folder under which the data set gets a folder of its own.
        clips: how many clips in all, noise included.
        seed: of voices, speeds and pitches.
        progress: show a progress bar.
    Returns:
        A folder that `dataset.load` reads.
    Raises:
        ToolMissingError: espeak-ng or flite is not installed.
        AudioError: a hotword cannot be spoken, or clips is too small for three splits.
    """
    class_labels(hotwords)
    if clips < 100:
        raise AudioError(f"{clips} clips are too few for three splits of speakers; expected at least 100")
    key = hashlib.sha256(json.dumps([FORMAT, sorted(hotwords), clips, seed]).encode()).hexdigest()[:12]
    folder = Path(cache) / f"{'_'.join(sorted(hotwords))[:40]}-{key}"
    if folder.is_dir():
        return folder
    require_tools()
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    try:
        _write_speech(plan_utterances(hotwords, clips, seed), part, progress)
        _write_noise(part, round(clips * SILENCE_SHARE), seed)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def require_tools() -> None:
    """Raise ToolMissingError for a synthesizer that is not installed."""
    for tool in ("espeak-ng", "flite"):
        if shutil.which(tool) is None:
            raise ToolMissingError(f"{tool} is not installed, and hotwords are spoken with it: apt install {tool}")


def plan_utterances(hotwords: list[str], clips: int, seed: int) -> list[Utterance]:
    """What to say, with which voices; the same arguments and espeak-ng give the same list."""
    rng = np.random.default_rng(seed)
    spoken = round(clips * HOTWORD_SHARE)
    other = clips - spoken - round(clips * SILENCE_SHARE)
    texts = [(word, word) for word in hotwords for _ in range(-(-spoken // len(hotwords)))][:clips]
    near, far = negative_texts(hotwords)
    texts += [(UNKNOWN_FOLDER, str(rng.choice(near if i % 2 else far))) for i in range(other)]
    voices = espeak_voices()
    return [_draw_utterance(folder, text, voices, rng) for folder, text in texts]


def _draw_utterance(folder: str, text: str, voices: list[str], rng: np.random.Generator) -> Utterance:
    voice = str(rng.choice(voices))
    if not text.startswith("[[") and rng.random() < FLITE_SHARE:
        voice = f"flite:{rng.choice(FLITE_VOICES)}"
    accent = str(rng.choice(ACCENTS))
    speed, pitch, level = int(rng.integers(120, 211)), int(rng.integers(15, 86)), float(rng.uniform(0.1, 0.9))
    return Utterance(folder, text, voice, accent, speed, pitch, level)


def espeak_voices() -> list[str]:
    """Names of espeak-ng's voice variants, whispering ones left out: they have no pitch to vary."""
    listing = subprocess.run(["espeak-ng", "--voices=variant"], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"!v/(.+?)\s*(?:\(.*\))?$", listing, re.MULTILINE)
    return sorted({name.strip() for name in names if "whisper" not in name})


def negative_texts(hotwords: list[str]) -> tuple[list[str], list[str]]:
    """Texts that are no hotword.

    Returns:
        near: the words that sound most like a hotword, and halves of the hotwords as `[[phonemes]]`.
        far: all other words.
    """
    wanted = [phonemes(word) for word in hotwords]
    spoken = {word: sounds for word, sounds in zip(WORDS, phonemes(*WORDS), strict=True)}
    distance = {word: min(_distance(sounds, w[0]) for w in wanted) for word, sounds in spoken.items()}
    ranked = sorted((word for word in WORDS if distance[word] > 0), key=lambda word: (distance[word], word))
    halves = []
    for (sounds,) in wanted:
        if len(sounds) >= 4:
            middle = len(sounds) // 2
            halves += [f"[[{''.join(sounds[:middle])}]]", f"[[{''.join(sounds[middle:])}]]"]
    return ranked[:NEAR_WORDS] + halves, ranked[NEAR_WORDS:]


def phonemes(*words: str) -> list[list[str]]:
    """Each word as espeak-ng's phonemes, American English; stress stays with its vowel."""
    command = ["espeak-ng", "-q", "-x", "--sep=_", "-v", "en-us"]
    listing = subprocess.run(command, input="\n".join(words), capture_output=True, text=True, check=True).stdout
    lines = listing.strip().splitlines()
    if len(lines) != len(words):
        raise AudioError(f"espeak-ng spelled {len(words)} words as {len(lines)}; expected single words")
    return [line.strip().split("_") for line in lines]


def _distance(a: list[str], b: list[str]) -> float:
    """Edit distance between phonemes, in shares of the longer one; stress marks do not count."""
    a, b = ([sound.strip("',") for sound in sounds] for sounds in (a, b))
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1] / max(len(a), len(b), 1)


def speak(utterance: Utterance) -> np.ndarray:
    """Have an utterance spoken.

    Returns:
        int16 [CLIP_SAMPLES], the word in the middle.
    Raises:
        AudioError: the synthesizer failed or said nothing.
    """
    done = subprocess.run(_command(utterance), capture_output=True, check=False)
    if done.returncode != 0 or len(done.stdout) < 100:
        raise AudioError(
            f"{' '.join(_command(utterance))} failed (exit status {done.returncode}): "
            f"{done.stderr.decode(errors='replace').strip() or 'no sound came'}"
        )
    with wave.open(io.BytesIO(done.stdout)) as file:
        rate = file.getframerate()
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32)
    return _finish(resample(sound, rate, SAMPLE_RATE_HZ), utterance)


def _command(u: Utterance) -> list[str]:
    if u.voice.startswith("flite:"):
        # espeak-ng's speeds around 165 words a minute are flite's natural pace; its pitch is in Hz.
        options = [f"duration_stretch={165 / u.words_per_minute:.3f}", f"int_f0_target_mean={80 + 1.6 * u.pitch:.0f}"]
        settings = [part for option in options for part in ("--setf", option)]
        return ["flite", "-voice", u.voice.removeprefix("flite:"), *settings, "-t", u.text, "-o", "/dev/stdout"]
    return [
        "espeak-ng",
        "-v",
        f"{u.accent}+{u.voice}",
        "-s",
        str(u.words_per_minute),
        "-p",
        str(u.pitch),
        "--stdout",
        u.text,
    ]


def _finish(sound: np.ndarray, utterance: Utterance) -> np.ndarray:
    peak = np.abs(sound).max(initial=0)
    if peak < 1:
        raise AudioError(f"{' '.join(_command(utterance))} gave silence for {utterance.text!r}")
    loud = np.flatnonzero(np.abs(sound) > peak / 50)
    trimmed = sound[loud[0] : loud[-1] + 1] * (utterance.level * 32767 / peak)
    return fit_length(np.rint(trimmed).astype(np.int16), CLIP_SAMPLES)


def resample(sound: np.ndarray, rate_hz: int, target_hz: int) -> np.ndarray:
    """Resample by cutting (or padding) the spectrum, which is an ideal low-pass filter.

    Args:
        sound: float32 [samples].
    Returns:
        float32 [about samples * target_hz / rate_hz].
    """
    if rate_hz == target_hz or not len(sound):
        return sound
    length = max(1, round(len(sound) * target_hz / rate_hz))
    spectrum = np.fft.rfft(sound)[: length // 2 + 1]
    return (np.fft.irfft(spectrum, length) * (length / len(sound))).astype(np.float32)


def _write_speech(utterances: list[Utterance], folder: Path, progress: bool) -> None:
    from rich.progress import track

    for name in {u.folder for u in utterances}:
        (folder / name).mkdir(parents=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        sounds = pool.map(speak, utterances)
        rows = enumerate(zip(utterances, sounds, strict=True))
        text = f"Speaking {len(utterances)} clips"
        for number, (u, sound) in track(rows, description=text, total=len(utterances), disable=not progress):
            speaker = hashlib.sha1(u.voice.encode()).hexdigest()[:8]
            write_wav(folder / u.folder / f"{speaker}_nohash_{number}.wav", sound)


def _write_noise(folder: Path, silences: int, seed: int) -> None:
    noise = background_noise(seed)
    for name in (NOISE_FOLDER, SILENCE_FOLDER):
        (folder / name).mkdir(parents=True)
    for name, samples in noise.items():
        write_wav(folder / NOISE_FOLDER / f"{name}.wav", samples)
    for number, samples in enumerate(silence_clips(list(noise.values()), silences, seed)):
        write_wav(folder / SILENCE_FOLDER / f"{number:04d}.wav", samples)
