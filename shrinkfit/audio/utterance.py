# SPDX-License-Identifier: Apache-2.0
"""One clip that a synthesizer is going to speak."""

from __future__ import annotations

from dataclasses import dataclass

NATURAL_WORDS_PER_MINUTE = 165  # of a voice that is asked for no pace


@dataclass(frozen=True)
class Utterance:
    """One clip to be spoken.

    Args:
        folder: word folder it goes to.
        text: words, or `[[phonemes]]`, which only espeak-ng understands.
        voice: an espeak-ng variant, or one of `people` or `made_up_people`.
        accent: espeak-ng language.
        words_per_minute, pitch: espeak-ng's -s and -p (0..99; 50 is a voice's own); others get it in their own units.
        tract: how much faster a recorded person is played, which moves the formants up; espeak-ng's voices bring
            their own.
        liveliness_hz: how far flite's pitch moves.
        ending: punctuation behind the text, which Kokoro gives another melody.
    """

    folder: str
    text: str
    voice: str
    accent: str
    words_per_minute: int
    pitch: int
    tract: float = 1.0
    liveliness_hz: int = 15
    ending: str = ""

    @property
    def speaker(self) -> str:
        """Who it sounds like."""
        return f"{self.voice}:{self.tract:.2f}"

    @property
    def stretch(self) -> float:
        """How long the sound has to last, against a voice's own pace, before it is played faster."""
        return self.tract * NATURAL_WORDS_PER_MINUTE / self.words_per_minute

    @property
    def pitch_share(self) -> float:
        """Pitch against the voice's own, before it is played faster: half of that shall not be heard as pitch."""
        return 2 ** ((self.pitch - 50) / 150) / self.tract**0.5
