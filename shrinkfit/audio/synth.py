# SPDX-License-Identifier: Apache-2.0
"""Hotwords go in; a folder in Speech Commands layout, spoken by synthetic voices, comes out."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from shrinkfit.audio import neural
from shrinkfit.audio.dataset import NOISE_FOLDER, SILENCE_FOLDER, UNKNOWN_FOLDER, class_labels, write_wav
from shrinkfit.audio.features import AudioError
from shrinkfit.audio.noise import background_noise, silence_clips
from shrinkfit.audio.utterance import Utterance
from shrinkfit.audio.voices import Cast, random_voices, require_tools, speak
from shrinkfit.audio.words import COMMANDS, WORDS

FORMAT = 5  # part of the cache's key: raise it when the same arguments shall give other clips
SILENCE_SHARE, PHRASE_SHARE = 0.05, 0.1
HOTWORD_SHARES = (0.2, 0.25, 0.3, 0.35)  # of one hotword, of two, three and more, all together
FEWEST_CLIPS = 200
FEWEST_SILENCES = 60  # so that each split gets some
NEAR_SHARE, COMMAND_SHARE = 0.12, 0.5  # of the single words that are no hotword
NEAR_WORDS, NEAR_HALVES, NEAR_PHRASES, HALF_SAID = 40, 12, 60, 60
SAME_BELOW = 0.4  # a phrase that differs in fewer of its sounds is the hotword in another accent
NOISE_ROUNDS = 10
MADE_UP_SECONDS, MADE_UP_SECONDS_A_CLIP = 60, 0.0125  # by the clock: at least, and for each clip of the data set
CROWD_WORDS = 500


def synthesize(
    hotwords: list[str], cache: str | Path, *, clips: int = 2_000, seed: int = 0, progress: bool = True
) -> Path:
    """Speak a data set, unless the cache holds it already.

    A fifth of the clips are hotwords (of four and more a third), the rest what is said to devices, near misses, other
    words, phrases, parts of the hotwords, and noise. A file's name begins with what is said (`+` between the words of a
    phrase, `part` for a part of a hotword); what is said fills the file, whatever its length. Made-up people get
    a minute, or two and a half for 12,000 clips; on a machine on which they need longer, others say what is left.

    Args:
        hotwords: words or phrases to be spoken.
        cache: folder under which the data set gets a folder of its own.
        clips: how many clips in all, noise included.
        seed: of voices, speeds and pitches.
        progress: show progress bars.
    Returns:
        A folder that `dataset.load` reads.
    Raises:
        ToolMissingError: espeak-ng is not installed.
        AudioError: a hotword cannot be spoken, or clips is too small for three splits.
    """
    class_labels(hotwords)
    if clips < FEWEST_CLIPS:
        raise AudioError(f"{clips} clips are too few for three splits of speakers; expected at least {FEWEST_CLIPS}")
    require_tools()
    cast = Cast.here()
    key = json.dumps([FORMAT, sorted(hotwords), clips, seed, cast.people, cast.made_up])

    def write(folder: Path) -> None:
        words = write_speech(_plan_in_time(hotwords, clips, seed, cast, progress), folder, progress)
        _write_noise(folder, _silences(clips), words, seed, progress)

    return cached_folder(Path(cache), "_".join(sorted(hotwords)), key, write)


def cached_folder(cache: Path, name: str, key: str, write: Callable[[Path], object]) -> Path:
    """The folder that was written for this key, or is written now: whole or not at all.

    Args:
        name: what the folder's own name begins with.
        key: all that what is in it depends on.
        write: fills a folder that is not there yet.
    """
    folder = cache / f"{name[:40]}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    if folder.is_dir():
        return folder
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    try:
        write(part)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def plan_utterances(hotwords: list[str], clips: int, seed: int, cast: Cast) -> list[Utterance]:
    """What to say, with which voices; the same arguments give the same list."""
    rng = np.random.default_rng(seed)
    spoken = round(clips * HOTWORD_SHARES[min(len(hotwords), len(HOTWORD_SHARES)) - 1])
    phrases = round(clips * PHRASE_SHARE)
    other = max(0, clips - spoken - phrases - _silences(clips))
    texts = [(word, word) for word in hotwords for _ in range(-(-spoken // len(hotwords)))][:clips]
    near, far = negative_texts(hotwords)
    few, told = round(other * NEAR_SHARE), round(other * COMMAND_SHARE)
    commands = [word for word in COMMANDS if word in near or word in far]
    texts += [(UNKNOWN_FOLDER, str(rng.choice(near))) for _ in range(few)]
    # Round and round, so that every word is said before one is said once more.
    texts += [(UNKNOWN_FOLDER, text) for text in _rounds(commands, told, rng) + _rounds(far, other - few - told, rng)]
    texts += [(UNKNOWN_FOLDER, " ".join(rng.choice(far, rng.integers(2, 5)))) for _ in range(phrases)]
    return [cast.draw(folder, text, rng) for folder, text in texts]


def _plan_in_time(hotwords: list[str], clips: int, seed: int, cast: Cast, progress: bool) -> list[Utterance]:
    """A plan whose made-up people are done in their time here; on a slow machine others say the rest."""
    planned = plan_utterances(hotwords, clips, seed, cast)
    made_up = sum(neural.is_made_up(utterance.voice) for utterance in planned)
    if not made_up:
        return planned
    a_clip = neural.seconds_a_clip()
    seconds = max(MADE_UP_SECONDS, MADE_UP_SECONDS_A_CLIP * clips)
    affordable = seconds * (os.cpu_count() or 1) / a_clip
    if made_up <= affordable:
        return planned
    if progress:
        some = f"about {affordable:,.0f} clips instead of {made_up:,}"
        print(f"Kokoro takes {a_clip:.1f} s a clip here, so it speaks {some}, and others the rest")
    return plan_utterances(hotwords, clips, seed, replace(cast, made_up_part=affordable / made_up))


def _silences(clips: int) -> int:
    return max(FEWEST_SILENCES, round(clips * SILENCE_SHARE))


def _rounds(texts: list[str], count: int, rng: np.random.Generator) -> list[str]:
    rounds = [rng.permutation(texts) for _ in range(-(-count // len(texts)))]
    return [str(text) for text in np.concatenate(rounds)[:count]] if rounds else []


def negative_texts(hotwords: list[str]) -> tuple[list[str], list[str]]:
    """Texts that are no hotword.

    Returns:
        near: the words that sound most like a hotword, the words of a phrase, halves of the hotwords as `[[phonemes]]`,
            phrases of two words that sound like the halves, and a phrase with another first or last word.
        far: all other words.
    """
    spoken = dict(zip(WORDS, phonemes(*WORDS), strict=True))
    spelled = _spelled(*hotwords)
    wanted = [sum(words, []) for words in spelled]
    others = [word for word in WORDS if min(_distance(spoken[word], sounds) for sounds in wanted) > 0]
    near, more = {}, []  # a dictionary keeps the order, and each word once
    for hotword, words, sounds in zip(hotwords, spelled, wanted, strict=True):
        ranked = sorted(others, key=lambda word: (_distance(spoken[word], sounds), word))
        near.update(dict.fromkeys(ranked[:NEAR_WORDS]))
        parts = [part for part in hotword.split() if part not in hotwords]  # none but a phrase has any
        near.update(dict.fromkeys(parts))
        if len(sounds) >= 4:
            halves = _halves(words)
            # Half a phrase may be a hotword, too: "hey computer", "computer".
            more += [f"[[{''.join(half)}]]" for half in halves if min(_distance(half, other) for other in wanted) > 0]
            known = spoken | dict(zip(parts, phonemes(*parts), strict=True))
            more += _near_phrases(halves, sounds, known, [*dict.fromkeys(others + parts)])
        if " " in hotword:
            said = phonemes(*hotword.split())
            more += _half_said(hotword, [word for word in others if min(_distance(spoken[word], x) for x in said) > 0])
    more = [text for text in more if not any(f" {hotword} " in f" {text} " for hotword in hotwords)]
    return [*near, *more], [word for word in others if word not in near]


def _halves(words: list[list[str]]) -> tuple[list[str], list[str]]:
    """The phonemes of a word or phrase in two parts, between words where it is a phrase."""
    sounds = sum(words, [])
    ends = np.cumsum([len(word) for word in words[:-1]]) if words[1:] else np.array([len(sounds) // 2])
    middle = int(ends[np.argmin(np.abs(ends - len(sounds) / 2))])
    return sounds[:middle], sounds[middle:]


def _half_said(phrase: str, words: list[str]) -> list[str]:
    """The phrase with another first or last word."""
    end, beginning = phrase.split(" ", 1)[1], phrase.rsplit(" ", 1)[0]
    some = words[:: -(-len(words) // HALF_SAID)]
    return [f"{word} {end}" for word in some[::2]] + [f"{beginning} {word}" for word in some[1::2]]


def _near_phrases(
    halves: tuple[list[str], list[str]], whole: list[str], spoken: dict[str, list[str]], words: list[str]
) -> list[str]:
    first, second = (
        sorted(words, key=lambda word: (_distance(spoken[word], half), word))[:NEAR_HALVES] for half in halves
    )
    pairs = [(a, b) for a in first for b in second if _distance(spoken[a] + spoken[b], whole) >= SAME_BELOW]
    pairs.sort(key=lambda pair: (_distance(spoken[pair[0]] + spoken[pair[1]], whole), pair))
    return [" ".join(pair) for pair in pairs[:NEAR_PHRASES]]


def phonemes(*texts: str) -> list[list[str]]:
    """Each word or phrase as espeak-ng's phonemes, American English; stress stays with its vowel."""
    return [sum(words, []) for words in _spelled(*texts)]


def _spelled(*texts: str) -> list[list[list[str]]]:
    """The phonemes of each word of each text."""
    if not texts:
        return []
    command = ["espeak-ng", "-q", "-x", "--sep=_", "-v", "en-us"]
    listing = subprocess.run(command, input="\n".join(texts), capture_output=True, text=True, check=True).stdout
    lines = listing.strip().splitlines()
    if len(lines) != len(texts):
        raise AudioError(f"espeak-ng spelled {len(texts)} words as {len(lines)} lines; expected one line for each")
    return [[word.split("_") for word in line.split()] for line in lines]


def _distance(a: list[str], b: list[str]) -> float:
    """Edit distance between phonemes, in shares of the longer one; stress marks do not count."""
    a, b = ([sound.strip("',") for sound in sounds] for sounds in (a, b))
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1] / max(len(a), len(b), 1)


def write_speech(utterances: list[Utterance], folder: Path, progress: bool) -> list[np.ndarray]:
    """Write all clips as `<said>_<speaker>_nohash_<number>.wav`; returns some of them, to make crowds of."""
    from rich.progress import track

    for name in {u.folder for u in utterances}:
        (folder / name).mkdir(parents=True)
    kept = []
    with random_voices() as home, ThreadPoolExecutor(os.cpu_count()) as pool:
        sounds = pool.map(lambda utterance: speak(utterance, home), utterances)
        rows = enumerate(zip(utterances, sounds, strict=True))
        text = f"Speaking {len(utterances):,} clips"
        for number, (u, sound) in track(rows, description=text, total=len(utterances), disable=not progress):
            said = "part" if u.text.startswith("[[") else re.sub(r"[^A-Za-z0-9']+", "+", u.text)
            write_wav(folder / u.folder / f"{said}_{speaker_name(u)}_nohash_{number}.wav", sound)
            if number % max(1, len(utterances) // CROWD_WORDS) == 0:
                kept.append(sound)
    return kept


def speaker_name(utterance: Utterance) -> str:
    """Who says it, as in the names of files."""
    return hashlib.sha1(utterance.speaker.encode()).hexdigest()[:8]


def _write_noise(folder: Path, silences: int, words: list[np.ndarray], seed: int, progress: bool) -> None:
    from rich.progress import Progress

    with Progress(disable=not progress) as bar:
        task = bar.add_task("Making noise", total=NOISE_ROUNDS)
        noise = background_noise(seed, words, NOISE_ROUNDS, lambda: bar.advance(task))
    for name in (NOISE_FOLDER, SILENCE_FOLDER):
        (folder / name).mkdir(parents=True)
    for name, samples in noise.items():
        write_wav(folder / NOISE_FOLDER / f"{name}.wav", samples)
    for number, samples in enumerate(silence_clips(list(noise.values()), silences, seed)):
        write_wav(folder / SILENCE_FOLDER / f"{number:04d}.wav", samples)
