# SPDX-License-Identifier: Apache-2.0
"""An utterance goes in, sound comes out: espeak-ng's voices, random ones made for it, recorded and made-up people's."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shrinkfit.audio import neural
from shrinkfit.audio.dataset import UNKNOWN_FOLDER
from shrinkfit.audio.features import AudioError
from shrinkfit.audio.people import is_foreign, is_person, people, speak_command
from shrinkfit.audio.sound import SAMPLE_RATE_HZ
from shrinkfit.audio.utterance import Utterance
from shrinkfit.errors import ToolMissingError

# Some twice, so that half of what is said sounds American.
ACCENTS = (
    *("en-us",) * 4,
    *("en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029", "en-us-nyc"),
)
SAME_AS_PEOPLE = 6  # recorded people say the more, the more of them there are: four 40 % of it, thirty 83 %
MADE_UP_SHARES = (0.45, 0.08)  # of the hotwords, and of all else: each takes nearly half a second to make
FOREIGN_SHARE = 0.25  # of what recorded people say, by those whose own language is another
RANDOM, RANDOM_VOICES, VOICES_A_FOLDER = "random", 400, 20
ENGLISH_DATA = ("phondata", "phonindex", "phontab", "intonations", "en_dict")
SHORTEST_TRACT, LONGEST_TRACT = 0.85, 1.25  # scale of the formants: a tall man, a child
PEAK = 20_000
QUIETEST = 1.0  # of 2**15
WAV_HEADER_BYTES = 44


def require_tools() -> None:
    """Raise ToolMissingError without espeak-ng; recorded people are a help, no need."""
    if shutil.which("espeak-ng") is None:
        raise ToolMissingError("espeak-ng is not installed, and hotwords are spoken with it: apt install espeak-ng")


def espeak_voices() -> list[str]:
    """Names of espeak-ng's voice variants, whispering ones left out: they have no pitch to vary."""
    listing = subprocess.run(["espeak-ng", "--voices=variant"], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"!v/(.+?)\s*(?:\(.*\))?$", listing, re.MULTILINE)
    return sorted({name.strip() for name in names if "whisper" not in name})


@dataclass(frozen=True)
class Cast:
    """Who can speak.

    Args:
        voices: espeak-ng's variants, and random ones.
        people: recorded people.
        made_up: people who do not exist.
        made_up_part: how much of what these say at most (MADE_UP_SHARES) they do say, 0 to 1.
    """

    voices: tuple[str, ...]
    people: tuple[str, ...]
    made_up: tuple[str, ...]
    made_up_part: float = 1.0

    @classmethod
    def here(cls) -> Cast:
        """Everybody who is installed."""
        return cls((*espeak_voices(), *random_voice_names()), people(), neural.made_up_people())

    def draw(self, folder: str, text: str, rng: np.random.Generator) -> Utterance:
        """Choose who says it, and how; `[[phonemes]]` are left to espeak-ng."""
        pace, words = int(rng.integers(105, 221)), not text.startswith("[[")
        share = self.made_up_part * MADE_UP_SHARES[folder == UNKNOWN_FOLDER]
        if words and self.made_up and rng.random() < share:
            return self._made_up(folder, text, pace, rng)
        if words and rng.random() < len(self.people) / (len(self.people) + SAME_AS_PEOPLE):
            return self._recorded(folder, text, pace, rng)
        voice, accent = str(rng.choice(self.voices)), str(rng.choice(ACCENTS))
        return Utterance(folder, text, voice, accent, pace, int(rng.integers(10, 90)))

    def _recorded(self, folder: str, text: str, pace: int, rng: np.random.Generator) -> Utterance:
        tract = float(rng.uniform(SHORTEST_TRACT, LONGEST_TRACT))
        # Who has a short vocal tract speaks high, mostly.
        pitch = int(np.clip((tract - SHORTEST_TRACT) * 225 + rng.normal(0, 20), 0, 110))
        foreign = [name for name in self.people if is_foreign(name)]
        natives = [name for name in self.people if name not in foreign]
        group = foreign if not natives or (foreign and rng.random() < FOREIGN_SHARE) else natives
        lively = int(rng.integers(8, 40))
        return Utterance(folder, text, str(rng.choice(group)), "", pace, pitch, round(tract, 2), lively)

    def _made_up(self, folder: str, text: str, pace: int, rng: np.random.Generator) -> Utterance:
        voice, accent = str(rng.choice(self.made_up)), str(rng.choice(neural.ACCENTS))
        ending = str(rng.choice(neural.ENDINGS))
        return Utterance(folder, text, voice, accent, pace, 50, neural.tract(voice), ending=ending)


def random_voice_names() -> list[str]:
    """What `random_voices` makes."""
    return [f"{RANDOM}{i}" for i in range(RANDOM_VOICES)]


@contextmanager
def random_voices() -> Iterator[Path]:
    """A folder of folders for espeak-ng's --path, with its own English data and VOICES_A_FOLDER random voices each.

    espeak-ng 1.51 knows 349 voices at most, falls back to its default voice behind that, and reads them all each time.
    """
    version = subprocess.run(["espeak-ng", "--version"], capture_output=True, text=True, check=True).stdout
    data = Path(version.partition("Data at:")[2].strip())
    languages = [*data.glob("lang/*/en*"), *data.glob("voices/en*")]
    if not languages or not (data / "en_dict").is_file():
        raise AudioError(f"espeak-ng's English voice is not where it says, in '{data}'; expected lang/gmw/en there")
    with tempfile.TemporaryDirectory(prefix="shrinkfit-voices-") as home:
        for number, name in enumerate(random_voice_names()):
            base = _folder_of(name, Path(home)) / "espeak-ng-data"
            if not base.is_dir():
                (base / "voices" / "!v").mkdir(parents=True)
                for path in [*(data / part for part in ENGLISH_DATA), *languages]:
                    link = base / path.relative_to(data)
                    link.parent.mkdir(parents=True, exist_ok=True)
                    link.symlink_to(path)
            (base / "voices" / "!v" / name).write_text(_random_voice(name, np.random.default_rng(number)))
        yield Path(home)


def _folder_of(voice: str, home: Path) -> Path:
    return home / str(int(voice.removeprefix(RANDOM)) // VOICES_A_FOLDER)


def _random_voice(name: str, rng: np.random.Generator) -> str:
    """A voice file of espeak-ng: vocal tract, pitch, breath, roughness and rhythm of somebody (its docs/voices.md)."""
    tract = rng.uniform(SHORTEST_TRACT, LONGEST_TRACT)
    low = np.clip(80 + (tract - SHORTEST_TRACT) * 330 * rng.uniform(0.5, 1.3), 70, 300)
    lines = ["language variant", f"name {name}", "gender male", f"pitch {low:.0f} {low * rng.uniform(1.2, 1.9):.0f}"]
    for formant in range(9):
        scale = 100 * (1 + (tract - 1) * (0.6 if formant < 2 else 1)) * rng.uniform(0.94, 1.06)
        height = 100 * rng.uniform(0.6, 1.3) if formant < 6 else rng.uniform(10, 110)
        lines.append(f"formant {formant} {scale:.0f} {height:.0f} {100 * rng.uniform(0.7, 1.6):.0f}")
    lines += [f"flutter {rng.integers(0, 20)}", f"roughness {rng.integers(0, 5)}", f"voicing {rng.integers(50, 170)}"]
    if rng.random() < 0.5:
        lines.append("breath " + " ".join(map(str, rng.integers(0, 9, 8))))
    if rng.random() < 0.25:
        lines.append(f"klatt {rng.integers(1, 7)}")  # another synthesizer inside espeak-ng
    if rng.random() < 0.5:
        lines.append(f"consonants {rng.integers(50, 160)} {rng.integers(50, 160)}")
    if rng.random() < 0.4:
        lines.append(f"intonation {rng.integers(1, 5)}")
    if rng.random() < 0.5:
        lengths = np.array((150, 140, 180, 180, 0, 0, 230, 250)) * rng.uniform(0.7, 1.3, 8)
        lines.append("stressLength " + " ".join(f"{length:.0f}" for length in lengths))
    return "\n".join(lines) + "\n"


def speak(utterance: Utterance, home: Path | None = None) -> np.ndarray:
    """Have an utterance spoken.

    Args:
        home: from `random_voices`; needed for these voices only.
    Returns:
        int16 [samples], what is said and little around it.
    Raises:
        AudioError: the synthesizer failed or said nothing.
    """
    sound, rate = _made_up(utterance) if neural.is_made_up(utterance.voice) else _synthesized(utterance, home)
    # A voice that is played faster has its formants higher; its pitch and pace were asked for with that in mind.
    sound = resample(sound, round(rate * utterance.tract), SAMPLE_RATE_HZ)
    peak = np.abs(sound).max(initial=0)
    if peak < QUIETEST:
        raise AudioError(f"{utterance.voice} gave silence for {utterance.text!r}")
    loud = np.flatnonzero(np.abs(sound) > peak / 50)
    said = sound[max(0, loud[0] - SAMPLE_RATE_HZ // 100) : loud[-1] + SAMPLE_RATE_HZ // 40]
    return np.rint(said * (PEAK / peak)).astype(np.int16)


def _made_up(utterance: Utterance) -> tuple[np.ndarray, int]:
    return neural.say(utterance) * np.float32(2**15), neural.SAMPLE_RATE_HZ


def _synthesized(utterance: Utterance, home: Path | None) -> tuple[np.ndarray, int]:
    """What a command says, and its sample rate; float32, full scale is 2**15."""
    with tempfile.TemporaryDirectory(prefix="shrinkfit-said-") as work:
        path = Path(work) / "said.wav"
        command = _command(utterance, path, home)
        done = subprocess.run(command, input=utterance.text.encode(), capture_output=True, check=False)
        if done.returncode != 0 or not path.is_file() or path.stat().st_size < WAV_HEADER_BYTES:
            raise AudioError(
                f"{' '.join(command)} failed (exit status {done.returncode}): "
                f"{done.stderr.decode(errors='replace').strip() or 'no sound came'}"
            )
        with wave.open(str(path)) as file:
            return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32), file.getframerate()


def _command(u: Utterance, path: Path, home: Path | None) -> list[str]:
    if is_person(u.voice):
        return speak_command(u, path)
    data = [f"--path={_folder_of(u.voice, home)}"] if home is not None and u.voice.startswith(RANDOM) else []
    settings = ["-v", f"{u.accent}+{u.voice}", "-s", str(u.words_per_minute), "-p", str(u.pitch)]
    return ["espeak-ng", *data, *settings, "-w", str(path), u.text]


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
