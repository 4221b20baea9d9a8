# SPDX-License-Identifier: Apache-2.0
"""How often features, frames and detector pass each place in their loops; cycles.json says what a pass takes.

benchmarks/listening_costs.py fits these rows as benchmarks/cycle_costs.py fits the kernels'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shrinkfit.device import Device
from shrinkfit.price.cycles import load, variant

LISTENING = FEATURES, FRAMES, DETECT = "sf_features_take", "sf_frames_take", "sf_detect"


@dataclass(frozen=True)
class Hearing:
    """What the cycles around a network depend on.

    Args:
        window_samples, hop_samples, bands: of a frame.
        kind: of the FFT: its size, and what else makes its code another one.
        moved_samples: of a window's that make room for the next hop, for each frame.
        bins: of the FFT that the bands take in.
        coefficients: of the cosine transform; 0 where there is none.
        tracks_noise: whether each band's noise is estimated.
        width: bytes of a frame; frames: of a run.
        has_table: whether a frame's bytes go through a table.
        hotwords: that the detector looks for.
    """

    window_samples: int
    hop_samples: int
    kind: str
    moved_samples: float
    bands: int
    bins: int
    coefficients: int
    tracks_noise: bool
    width: int
    frames: int
    has_table: bool
    hotwords: int

    def of_a_frame(self) -> dict[str, float]:
        """sf_features_take, all its calls until a frame is there."""
        counts: dict[str, float] = {f"fft_{self.kind}": 1, f"window_{self.kind}": self.window_samples}
        counts |= {"hop": self.hop_samples}
        counts |= {"moved": self.moved_samples, "bins": self.bins, "bands": self.bands}
        counts |= {"noise": self.bands if self.tracks_noise else 0}
        cosines = {"coefficients": self.coefficients, "products": self.bands * self.coefficients}
        # Bands that are no features yet when their levels are there.
        return counts | cosines | {"apart": self.bands if self.coefficients or self.tracks_noise else 0}

    def of_keeping(self) -> dict[str, int]:
        """sf_frames_take, of a frame after which the network does not run."""
        return {"frame": 1, "table": self.width} if self.has_table else {"frame": 1, "copied": self.width}

    def of_an_input(self) -> dict[str, int]:
        """What sf_frames_take does on top where it does."""
        return {"input": 1, "given": self.width * self.frames}

    def of_detecting(self) -> dict[str, int]:
        """sf_detect."""
        return {"call": 1, "hotwords": self.hotwords}


@dataclass(frozen=True)
class Second:
    """Cycles of a second of sound by part; None where one was not measured."""

    features: int | None
    frames: int | None
    detector: int | None


def second_of_sound(hearing: Hearing, device: Device, frames_per_second: float, runs_per_second: float) -> Second:
    """What features, frames and detector take, in a Cortex-M4's cycles.

    Args:
        hearing: what it depends on.
        device: says which of the kernels run.
        frames_per_second, runs_per_second: of features, and of the network.
    """
    table = load(variant(device))

    def cycles(symbol: str, *parts: tuple[Mapping[str, float], float]) -> int | None:
        if symbol not in table:
            return None
        total = 0.0
        for counts, times in parts:
            each = table[symbol].of(counts)
            if each is None:
                return None
            total += each * times
        return round(total)

    kept, given = (hearing.of_keeping(), frames_per_second), (hearing.of_an_input(), runs_per_second)
    return Second(
        features=cycles(FEATURES, (hearing.of_a_frame(), frames_per_second)),
        frames=cycles(FRAMES, kept, given),
        detector=cycles(DETECT, (hearing.of_detecting(), runs_per_second)),
    )
