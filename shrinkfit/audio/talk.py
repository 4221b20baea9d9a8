# SPDX-License-Identifier: Apache-2.0
"""Hotwords go in; a folder of talk without them comes out, to be said for hours in a stream.

What is near to a hotword is not said more often than by chance, and no sentence twice: a stream that says few things
over and over chooses the threshold by the one that happens to be taken for the hotword.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from shrinkfit.audio.features import AudioError
from shrinkfit.audio.synth import cached_folder, negative_texts, speaker_name, write_speech
from shrinkfit.audio.utterance import Utterance
from shrinkfit.audio.voices import Cast, require_tools

FEWEST_WORDS, MOST_WORDS = 3, 8
MOST_DRAWS = 1_000  # for each sentence that is wanted


def synthesize_talk(
    hotwords: list[str],
    cache: str | Path,
    *,
    clips: int,
    speakers: Callable[[str], bool] = lambda speaker: True,
    seed: int = 0,
    progress: bool = True,
) -> Path:
    """Speak sentences of everyday words, none of them a hotword, unless the cache holds them already.

    Made-up people are left out: they take too long over a sentence.

    Args:
        cache: folder under which they get a folder of their own.
        clips: how many sentences, of FEWEST_WORDS to MOST_WORDS words, two seconds on average.
        speakers: whether somebody with this name may speak, as `speaker_of` finds it in the names of files.
    Returns:
        A folder of wav files; a file's name begins with what is said.
    Raises:
        ToolMissingError: espeak-ng is not installed.
        AudioError: a hotword cannot be spoken, or next to nobody may speak.
    """
    require_tools()
    planned = plan_talk(hotwords, clips, seed, Cast.here(), speakers)
    key = json.dumps([asdict(utterance) for utterance in planned])
    name = "_".join(["talk", *sorted(hotwords)])
    return cached_folder(Path(cache), name, key, lambda folder: write_speech(planned, folder, progress))


def plan_talk(
    hotwords: list[str], clips: int, seed: int, cast: Cast, speakers: Callable[[str], bool]
) -> list[Utterance]:
    """What to say, with which voices; the same arguments give the same list."""
    rng = np.random.default_rng([seed, 4])
    near, far = negative_texts(hotwords)
    words = [text for text in (*near, *far) if " " not in text and not text.startswith("[[")]
    cast = replace(cast, made_up=())
    planned: list[Utterance] = []
    for _ in range(MOST_DRAWS * clips):
        chosen = rng.integers(len(words), size=rng.integers(FEWEST_WORDS, MOST_WORDS + 1))
        sentence = " ".join(words[i] for i in chosen)
        drawn = cast.draw("", sentence, rng)
        if speakers(speaker_name(drawn)) and not any(f" {hotword} " in f" {sentence} " for hotword in hotwords):
            planned.append(drawn)
        if len(planned) == clips:
            return planned
    raise AudioError(f"of {MOST_DRAWS * clips:,} voices that were drawn, {len(planned)} may speak; expected {clips}")
