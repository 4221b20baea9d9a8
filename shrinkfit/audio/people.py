# SPDX-License-Identifier: Apache-2.0
"""Voices cut or learned from people's recordings: which of them are installed, and how each is told what to say.

They are few, but of another kind than espeak-ng's formants, so each is heard with vocal tracts of several lengths.
"""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from pathlib import Path
from xml.sax.saxutils import escape

from shrinkfit.audio.utterance import NATURAL_WORDS_PER_MINUTE, Utterance

FLITE_OF_8_KHZ = {"kal", "awb_time"}
PICO_ACCENTS = ("en-US", "en-GB")
MBROLA_OCTAVE = 55  # of espeak-ng's -p; measured on us2
# Where espeak-ng looks for a voice's file, and for a folder of its name with the file in it.
MBROLA_HOMES = ("/usr/share/mbrola", "/usr/share/mbrola/voices")


def people() -> tuple[str, ...]:
    """Names of all that are installed, as `speak_command` takes them: `flite:slt`, `mbrola:us1`, `pico:en-GB`, ..."""
    names = [f"flite:{name}" for name in _flite()]
    names += [f"mbrola:{name}" for name in _mbrola()]
    names += [f"pico:{name}" for name in PICO_ACCENTS if shutil.which("pico2wave")]
    names += [f"rhvoice:{name}" for name in _rhvoice()]
    return tuple(names)


def is_person(voice: str) -> bool:
    """Whether a voice is one of `people`, not one of espeak-ng's own."""
    return voice.partition(":")[0] in _COMMANDS


def is_foreign(voice: str) -> bool:
    """Whether somebody speaks English with the sounds of another language."""
    return voice.startswith("mbrola:") and voice.endswith("-en")


def _flite() -> list[str]:
    if not shutil.which("flite"):
        return []
    listing = subprocess.run(["flite", "-lv"], capture_output=True, text=True, check=False).stdout
    return sorted(set(listing.partition(":")[2].split()) - FLITE_OF_8_KHZ)


def _mbrola() -> list[str]:
    """MBROLA's voices that espeak-ng can have speak English: it lists all that it knows, installed or not."""
    if not shutil.which("mbrola"):
        return []
    listing = subprocess.run(["espeak-ng", "--voices=en"], capture_output=True, text=True, check=False).stdout
    known = re.findall(r"\bmb/mb-(\S+)", listing)
    return sorted(name for name in set(known) if _has_database(name.removesuffix("-en")))


def _has_database(name: str) -> bool:
    return any((Path(home) / name / name).is_file() or (Path(home) / name).is_file() for home in MBROLA_HOMES)


def _rhvoice() -> list[str]:
    tool = shutil.which("RHVoice-test")
    home = Path(tool).parent.parent / "share" / "RHVoice" / "voices" if tool else None
    infos = sorted(home.glob("*/voice.info")) if home else []
    return [info.parent.name for info in infos if "language=English" in info.read_text().split()]


def speak_command(utterance: Utterance, path: Path) -> list[str]:
    """The command that has a voice of `people` speak into a wav file; RHVoice reads the text from stdin."""
    engine, _, name = utterance.voice.partition(":")
    return _COMMANDS[engine](name, utterance, str(path))


def _flite_command(name: str, u: Utterance, path: str) -> list[str]:
    options = [
        f"duration_stretch={u.stretch:.3f}",
        f"int_f0_target_mean={(80 + 1.6 * u.pitch) / u.tract:.0f}",
        f"int_f0_target_stddev={u.liveliness_hz}",
    ]
    settings = [part for option in options for part in ("--setf", option)]
    return ["flite", "-voice", name, *settings, "-t", u.text, "-o", path]


def _mbrola_command(name: str, u: Utterance, path: str) -> list[str]:
    pace, pitch = NATURAL_WORDS_PER_MINUTE / u.stretch, 50 + MBROLA_OCTAVE * math.log2(u.pitch_share)
    settings = ["-s", f"{max(80, pace):.0f}", "-p", f"{min(99, max(0, pitch)):.0f}"]
    return ["espeak-ng", "-v", f"mb-{name}", *settings, "-w", path, u.text]


def _pico_command(name: str, u: Utterance, path: str) -> list[str]:
    pace, pitch = (f"{min(200, max(50, 100 * share)):.0f}" for share in (1 / u.stretch, u.pitch_share))
    said = f'<speed level="{pace}"><pitch level="{pitch}">{escape(u.text)}</pitch></speed>'
    return ["pico2wave", "-l", name, "-w", path, said]


def _rhvoice_command(name: str, u: Utterance, path: str) -> list[str]:
    pace, pitch = (f"{100 * share:.0f}" for share in (1 / u.stretch, u.pitch_share))
    return ["RHVoice-test", "-p", name, "-r", pace, "-t", pitch, "-o", path]


_COMMANDS = {"flite": _flite_command, "mbrola": _mbrola_command, "pico": _pico_command, "rhvoice": _rhvoice_command}
