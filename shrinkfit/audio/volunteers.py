# SPDX-License-Identifier: Apache-2.0
"""Hotwords go in; recordings of people who say something else come out, where Debian's packages of them are installed.

Volunteers recorded words and letters for two of KDE's games for children, each with a microphone of their own, in some
thirty languages. A network that hears real voices say its hotword, and synthetic ones all else, takes any real voice
for the hotword; these tell it otherwise.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from shrinkfit.audio.features import AudioError
from shrinkfit.audio.sound import read_sound, sound_files
from shrinkfit.audio.spoken import NOT_A_WORD, Spoken, cut_to_speech, speech_samples

# Debian package -> where its recordings lie, a folder for each language.
PACKAGES = {"klettres-data": "/usr/share/klettres", "ktuberling-data": "/usr/share/ktuberling/sounds"}
QUIETEST = 300  # of 2**15: below that there is no voice


def missing_packages(packages: Mapping[str, str] | None = None) -> list[str]:
    """Names of those that are not installed."""
    return [name for name, home in (packages or PACKAGES).items() if not Path(home).is_dir()]


def read_volunteers(hotwords: Collection[str], packages: Mapping[str, str] | None = None) -> Spoken:
    """Read what is installed, each recording cut to what is said and some room around it.

    Files are named by what is said in them, in English mostly: those with a hotword's name are left out, and so is what
    cannot be read or is silent.

    Args:
        hotwords: their count is the label of all that comes.
        packages: package -> folder; None for PACKAGES.
    Returns:
        the recordings; none where no package is installed.
    """
    words = {word.lower() for word in hotwords}
    homes = [Path(home) for home in (packages or PACKAGES).values()]
    found = [(home, path) for home in homes if home.is_dir() for path in sound_files(home, deep=True)]
    found = [(home, path) for home, path in found if not words & set(re.split(r"[^a-z0-9']+", path.stem.lower()))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        clips = list(pool.map(_voice, [path for _, path in found]))
    kept = [(clip, home, path) for clip, (home, path) in zip(clips, found, strict=True) if clip is not None]
    speakers = tuple(f"{home.name}:{path.relative_to(home).parts[0]}" for _, home, path in kept)
    label, samples = np.full(len(kept), len(hotwords)), tuple(clip for clip, _, _ in kept)
    return Spoken(samples, label, (NOT_A_WORD,) * len(kept), speakers, tuple(map(speech_samples, samples)))


def _voice(path: Path) -> np.ndarray | None:
    try:
        clip = read_sound(path).samples
    except AudioError:
        return None
    return cut_to_speech(clip) if np.abs(clip.astype(int)).max() >= QUIETEST else None
