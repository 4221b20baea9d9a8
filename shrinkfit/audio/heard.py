# SPDX-License-Identifier: Apache-2.0
"""What was heard, what it took, and whether all heard the same: records, and their words."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class SoundCost:
    """What a second of sound takes, counted on the emulated core.

    Args:
        features, network, detector, rest: Cortex-M4 cycles a second, of the parts; the rest keeps frames and calls.
        counted_seconds: over how much sound.
        load: share of the device's clock; None where that is not known.
        energy_uj: a second while the core runs; sleeping comes on top. None where the current is not known.
        energy_source: where the current was read.
        verifier: cycles of verifying one hotword, which no other figure counts; None where that did not happen.
    """

    features: float
    network: float
    detector: float
    rest: float
    counted_seconds: float
    load: float | None
    energy_uj: float | None
    energy_source: str
    verifier: float | None = None

    @property
    def cycles(self) -> float:
        """Of all parts but a verifier's network, a second of sound."""
        return self.features + self.network + self.detector + self.rest


@dataclass(frozen=True)
class Heard:
    """What was heard.

    Args:
        on: "host", "cortex-m4", "qemu" or "python".
        sample_rate_hz: of the positions.
        labels: the network's classes.
        detections: (samples taken until then, label, score in 1/65536), in their order.
        scores: int8 [runs that count, classes].
        cost: None where cycles were not counted.
        stack_bytes: the deepest stack of a call; None where it was not measured.
        flash_bytes, ram_bytes: of the linked image; None on the host.
        verified: int8 [runs that count, classes], the verifier's scores, -128 where it did not run; None without one.
    """

    on: str
    sample_rate_hz: int
    labels: tuple[str, ...]
    detections: list[tuple[int, int, int]]
    scores: np.ndarray = field(repr=False)
    cost: SoundCost | None = None
    stack_bytes: int | None = None
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    verified: np.ndarray | None = field(default=None, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Everything but the scores, for JSON."""
        plain = {key: value for key, value in vars(self).items() if key not in ("scores", "verified", "cost")}
        cost = None if self.cost is None else asdict(self.cost) | {"cycles": self.cost.cycles}
        return plain | {"runs": len(self.scores), "cost": cost}

    def lines(self) -> list[str]:
        """One line per detection: when, what, how sure."""
        return [
            f"{position / self.sample_rate_hz:9.3f} s  {self.labels[label]}  {score / 65536:.3f}"
            for position, label, score in self.detections
        ]


@dataclass(frozen=True)
class SoundCheck:
    """Whether everything that listens heard the same.

    Args:
        name: the model's name.
        on: where the C ran.
        seconds: of sound.
        differences: score bytes that differ from the twin's, and detections that only one of them has.
        first_difference: where the first one is; empty when there is none.
        heard: by the C; of several programs the first.
        predicted: flash_bytes, ram_bytes and stack_bytes as export reported them.
    """

    name: str
    on: str
    seconds: float
    differences: int
    first_difference: str
    heard: Heard
    predicted: dict[str, int]

    @property
    def exact(self) -> bool:
        """Every score and every detection is the twin's."""
        return self.differences == 0

    held = exact

    def as_dict(self) -> dict[str, Any]:
        """Everything but the scores, for JSON."""
        return {**vars(self), "heard": self.heard.as_dict(), "exact": self.exact}

    def __str__(self) -> str:
        heard, verdict = self.heard, "every score and detection as in Python"
        verdict = verdict if self.exact else f"{self.differences} differ: {self.first_difference}"
        lines = [f"{self.name} on {self.on}: {self.seconds:.1f} s of sound, {len(heard.scores)} runs, {verdict}"]
        lines += [f"  {line}" for line in heard.lines()] or ["  nothing detected"]
        for what in ("flash_bytes", "ram_bytes", "stack_bytes"):
            if getattr(heard, what) is not None:
                shown = f"{getattr(heard, what):,} bytes, {self.predicted[what]:,} predicted"
                lines.append(f"  {what.removesuffix('_bytes'):<12} {shown}")
        return "\n".join(lines + _cost_lines(heard.cost))


def _cost_lines(cost: SoundCost | None) -> list[str]:
    if cost is None:
        return []
    parts = {"cycles": cost.cycles} | {p: getattr(cost, p) for p in ("features", "network", "detector", "rest")}
    lines = [f"  {name:<12} {value:>12,.0f} a second of sound" for name, value in parts.items()]
    if cost.verifier is not None:
        lines.append(f"  {'verifier':<12} {cost.verifier:>12,.0f} a hotword that is verified")
    if cost.load is not None:
        lines.append(f"  {'load':<12} {100 * cost.load:>10.1f} % of the clock")
    if cost.energy_uj is not None:
        lines.append(f"  {'energy':<12} {cost.energy_uj:>12,.1f} µJ a second, without sleep ({cost.energy_source})")
    return lines
