# SPDX-License-Identifier: Apache-2.0
"""How sound becomes features: the numbers that a user chooses, checked once."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from shrinkfit.errors import ShrinkfitError

FFT_SIZES = (128, 256, 512, 1024)
KINDS = ("log_mel", "mfcc")
MEL_SCALES = ("htk", "slaney")
MOST_LEVEL_LOG2 = 48  # no level of int16 sound is further from 0, whatever the window; keeps int32 products whole


class AudioError(ShrinkfitError):
    """Sound or a folder of it that cannot be used; the message says what came and what was expected."""


@dataclass(frozen=True)
class FeatureConfig:
    """How sound becomes int8 features. The defaults give 49 frames of 40 bands for one second.

    Args:
        sample_rate_hz: samples per second.
        window_samples, hop_samples: length of a frame and distance between frames.
        fft_size: 128, 256, 512 or 1024, at least window_samples.
        bands: mel bands between low_hz and high_hz, to each side no narrower than the bins that they are made of.
        floor_log2, ceiling_log2: log2 of a band's mean power (in squared int16 steps) that become -1 and 1.
        kind: "log_mel", or "mfcc" for a cosine transform of it.
        coefficients: how many of the cosine transform are kept; for "mfcc" only.
        noise_reduction: share of each band's estimated noise power that is taken off; 0 is off, below 1.
        gain_normalization: share of each band's noise level (in log2) that is taken off, so that what a microphone
            or a room does to all sound counts less; 0 is off, 1 brings all noise to one level.
        fine: make the bands of all bins of the FFT. Without it they are made of every second one, which lie
            2 * sample_rate_hz / fft_size apart and cost much less; a window's peak is several bins wide anyhow.
        noise_rise_s, noise_fall_s: how quickly the estimate of the noise follows, upwards and downwards.
        mel_scale: "htk", or "slaney" (linear up to 1 kHz, logarithmic above), in which many pretrained networks hear.

    Raises:
        AudioError: a number that does not suit the others.
    """

    sample_rate_hz: int = 16_000
    window_samples: int = 480
    hop_samples: int = 320
    fft_size: int = 512
    bands: int = 40
    low_hz: float = 60.0
    high_hz: float = 7_600.0
    floor_log2: float = 0.0
    ceiling_log2: float = 28.0
    kind: str = "log_mel"
    coefficients: int = 13
    noise_reduction: float = 0.0
    gain_normalization: float = 0.0
    fine: bool = False
    noise_rise_s: float = 2.0
    noise_fall_s: float = 0.1
    mel_scale: str = "htk"

    def __post_init__(self) -> None:
        self._check_frames()
        self._check_levels()
        if not 0 <= self.low_hz < self.high_hz <= self.sample_rate_hz / 2 or self.bands < 1:
            raise AudioError(
                f"{self.bands} bands from {self.low_hz} to {self.high_hz} Hz do not lie between 0 and "
                f"{self.sample_rate_hz / 2:g} Hz, half the sample rate"
            )
        bins = (self.high_hz - self.low_hz) * self.fft_size / self.sample_rate_hz / self.bin_step
        if self.bands + 1 > bins:
            raise AudioError(
                f"{self.bands} bands from {self.low_hz} to {self.high_hz} Hz do not fit in {bins:.1f} bins of an FFT "
                f"of {self.fft_size}; take at most {max(1, int(bins) - 1)} bands, a larger fft_size, or fine=True"
            )
        for name, known in (("kind", KINDS), ("mel_scale", MEL_SCALES)):
            if getattr(self, name) not in known:
                raise AudioError(f"{name} is {getattr(self, name)!r}; expected one of {', '.join(known)}")
        if self.kind == "mfcc" and not 1 <= self.coefficients <= self.bands:
            raise AudioError(f"{self.coefficients} coefficients of {self.bands} bands; expected 1 to {self.bands}")

    def _check_frames(self) -> None:
        if self.fft_size not in FFT_SIZES:
            raise AudioError(f"an FFT of {self.fft_size} is none of {', '.join(map(str, FFT_SIZES))}")
        if not 2 <= self.window_samples <= self.fft_size or not 1 <= self.hop_samples <= 0xFFFF:
            raise AudioError(
                f"a window of {self.window_samples} samples, hop {self.hop_samples}, does not suit an FFT of "
                f"{self.fft_size}: the window has to be in [2, FFT size] and the hop in [1, 65535]"
            )

    def _check_levels(self) -> None:
        if self.floor_log2 >= self.ceiling_log2:
            raise AudioError(f"floor_log2 {self.floor_log2} is not below ceiling_log2 {self.ceiling_log2}")
        if self.ceiling_log2 - self.floor_log2 < 8 or max(-self.floor_log2, self.ceiling_log2) > MOST_LEVEL_LOG2:
            raise AudioError(
                f"floor_log2 {self.floor_log2} and ceiling_log2 {self.ceiling_log2}: expected at least 8 apart and "
                f"within {MOST_LEVEL_LOG2} of 0"
            )
        if not 0 <= self.noise_reduction < 1 or not 0 <= self.gain_normalization <= 1:
            raise AudioError(
                f"noise_reduction {self.noise_reduction} and gain_normalization {self.gain_normalization}: expected "
                "shares from 0 to 1, the first below 1"
            )
        if not 0 < self.noise_fall_s <= 1000 or not 0 < self.noise_rise_s <= 1000:
            raise AudioError(
                f"noise_rise_s {self.noise_rise_s} and noise_fall_s {self.noise_fall_s}: expected seconds in (0, 1000]"
            )

    @property
    def width(self) -> int:
        """Bytes of a frame."""
        return self.coefficients if self.kind == "mfcc" else self.bands

    @property
    def scale(self) -> float:
        """Of an int8 feature: what a step is worth; the zero_point is 0."""
        return 1 / 128

    @property
    def zero_point(self) -> int:
        """Of an int8 feature."""
        return 0

    @property
    def bin_step(self) -> int:
        """From one bin that the bands are made of to the next."""
        return 1 if self.fine else 2

    @property
    def tracks_noise(self) -> bool:
        """Whether the levels follow an estimate of the noise."""
        return self.noise_reduction > 0 or self.gain_normalization > 0

    @property
    def blocks(self) -> int:
        """Hops that a window touches."""
        return -(-self.window_samples // self.hop_samples)

    @property
    def spare_samples(self) -> int:
        """Room for one more hop, where that is cheap: what stays of the window then moves every second time only."""
        cheap = self.hop_samples % 2 == 0 and 2 * self.hop_samples <= self.window_samples
        return self.hop_samples if cheap else 0

    @property
    def state_bytes(self) -> int:
        """What sf_features keeps between calls: four words, one per hop, noise per band, the window's samples."""
        noise = 4 * self.bands if self.tracks_noise else 0
        return _whole(16 + 4 * self.blocks + noise + 2 * _whole(self.window_samples + self.spare_samples, 2))

    @property
    def scratch_bytes(self) -> int:
        """What sf_features needs while it computes a frame: the FFT's points, and the power of each bin."""
        return _whole(2 * self.fft_size + 4 * (self.fft_size // 2 + 1))

    def frames(self, samples: int) -> int:
        """How many whole windows fit in a clip of that many samples."""
        return max(0, (samples - self.window_samples) // self.hop_samples + 1)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and text, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FeatureConfig:
        """What to_dict gave.

        Raises:
            AudioError: a name that is no field, or a value that does not suit.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise AudioError(
                f"{', '.join(unknown)} is no setting of features; expected some of {', '.join(sorted(known))}"
            )
        return cls(**values)


def _whole(size: int, unit: int = 8) -> int:
    return -(-size // unit) * unit
