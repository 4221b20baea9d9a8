# SPDX-License-Identifier: Apache-2.0
"""A second network, which hears the newest sound once more where the first one's detector thinks of a hotword.

A network that is small enough to run all the time lets other words through; one that knows voices better may be too
large to run but now and then. Together they are as good as the large one and nearly as cheap as the small one.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np

from shrinkfit.audio.around import aligned, check_output, counted, input_of, input_table
from shrinkfit.audio.detect import ONE, Detector, mixed
from shrinkfit.audio.features import FeatureConfig
from shrinkfit.errors import ExportError, ShrinkfitError
from shrinkfit.graph.ir import Graph
from shrinkfit.graph.optimize import optimize
from shrinkfit.price.second import Second
from shrinkfit.read.source import read_source

HEAD_BYTES = 8  # struct past in sf_verify.c
LONGEST_DELAY = (1 << 16) - 1


@dataclass(frozen=True, eq=False)
class Verifier:
    """A second network and what stands around it.

    Args:
        network: a Keras model, the path of a .tflite, .keras or .h5 file, or a Graph; from frames of the features to
            the classes of the listener's detector. It keeps nothing from run to run.
        features: its own; of the sample rate of the listener's.
        detector: decides on its outputs, each alone (a smoothing of 1); the labels and hotwords are the listener's. Its
            refractory counts runs of the first network.
        delay: after how many runs of the first network, since its detector detected something, this one hears the
            newest sound: time for the word to end, and for a window that is longer than the word to hold all of it. At
            most the refractory time of the listener's detector, which is best as long as this network takes to run.
        calibration: float [n, ...], example inputs for a Keras model; its biases make up for what rounding does to the
            means of its sums (`read_keras(correct_biases=True)`).
        first_share: how much the first network has to say, 0 to 1 (rounded to 1/65536): the log odds of a hotword's
            score are the mean of those of what this network says and of the highest mean that the listener's detector
            has had since it detected something, which counts for so much. Networks that differ are wrong about other
            sounds, and what one is sure to be none is none.
    Raises:
        ShrinkfitError: features or detector is something else. ExportError: a delay or share that cannot be, or
            smoothing.
    """

    network: Any = field(repr=False)
    features: FeatureConfig
    detector: Detector
    delay: int = 0
    calibration: Any = field(default=None, repr=False)
    first_share: float = 0.0

    def __post_init__(self) -> None:
        for name, kind in (("features", FeatureConfig), ("detector", Detector)):
            given = getattr(self, name)
            if not isinstance(given, kind):
                raise ShrinkfitError(f"a verifier's {name} is a {type(given).__name__}, expected a {kind.__name__}")
        object.__setattr__(self, "delay", counted(self.delay, "verifier's delay", 0, LONGEST_DELAY))
        share = self.first_share
        if isinstance(share, bool) or not isinstance(share, Real) or not 0 <= share <= 1:
            raise ExportError(f"the verifier's first_share is {self.first_share!r}; expected a number from 0 to 1")
        object.__setattr__(self, "first_share", round(share * ONE) / ONE)
        if self.detector.smoothing != 1:
            raise ExportError(
                f"the verifier's detector has a smoothing of {self.detector.smoothing}; expected 1: its network runs "
                "once for a hotword"
            )

    @cached_property
    def second(self) -> Second:
        """The network as it is exported.

        Raises:
            ShrinkfitError: it cannot be read.
        """
        graph, _ = optimize(read_source(self.network, calibration=self.calibration, correct_biases=True))
        if graph.variables:
            raise ExportError(
                f"the verifier's network '{graph.name}' keeps state from run to run; expected none that does"
            )
        return Second(graph)

    @property
    def graph(self) -> Graph:
        """The integer graph, for the Python twin."""
        return self.second.graph

    def with_threshold(self, threshold: Any) -> Verifier:
        """The same with other thresholds, and the same graph, which is not read again.

        Args:
            threshold: as of Detector.
        """
        made = replace(self, detector=replace(self.detector, threshold=threshold))
        made.__dict__["second"] = self.second
        return made

    def beside(self, features: FeatureConfig, detector: Detector) -> Verifying:
        """What it is around its network, next to a listener's features and detector.

        Args:
            features, detector: the listener's.
        Raises:
            ExportError: they do not go together; says what does not.
        """
        own = self.detector
        for name in ("labels", "hotwords"):
            if getattr(own, name) != getattr(detector, name):
                raise ExportError(
                    f"the verifier's {name} are {list(getattr(own, name))} and the listener's "
                    f"{list(getattr(detector, name))}; expected the same"
                )
        if self.features.sample_rate_hz != features.sample_rate_hz:
            raise ExportError(
                f"the verifier's features are of {self.features.sample_rate_hz} samples a second and the listener's of "
                f"{features.sample_rate_hz}; expected the same"
            )
        if self.delay > detector.refractory:
            raise ExportError(
                f"the verifier's delay is {self.delay} runs and the refractory time of the listener's detector "
                f"{detector.refractory}; expected a delay no longer than that, or the next hotword comes before it"
            )
        graph = self.graph
        source, target = input_of(graph, self.features), graph.tensors[graph.outputs[0]]
        check_output(graph, own)
        scaled = replace(own, scale=target.scale, zero_point=target.zero_point)
        frames = source.size_bytes // self.features.width
        return Verifying(self.features, scaled, frames, self.delay, source.scale, source.zero_point, self.first_share)


@dataclass(frozen=True)
class Verifying:
    """A verifier around its network.

    Args:
        features, detector, delay: as of Verifier.
        frames: that it hears.
        input_scale, input_zero_point: of its network's input.
        first_share: as of Verifier.
    """

    features: FeatureConfig
    detector: Detector
    frames: int
    delay: int
    input_scale: float
    input_zero_point: int
    first_share: float = 0.0

    @property
    def samples(self) -> int:
        """How much sound it hears: so many samples."""
        return self.features.window_samples + (self.frames - 1) * self.features.hop_samples

    @property
    def state_bytes(self) -> int:
        """Twin of sf_verify_state_bytes."""
        head = HEAD_BYTES + 4 * len(self.detector.hotwords)
        return -(-(head + 2 * self.samples) // 4) * 4

    @property
    def share(self) -> int:
        """first_share in 1/65536, as the C has it."""
        return round(self.first_share * ONE)

    def means(self, scores: np.ndarray, first: np.ndarray, runs: np.ndarray) -> np.ndarray:
        """The means that its detector compares with the thresholds.

        Args:
            scores: int8 [steps, classes], its network's outputs; those at runs count.
            first: int32 [steps, hotwords], the means of the listener's detector.
            runs: int [verified], the steps at which its network ran.
        Returns:
            int32 [steps, hotwords]; the lowest, which detects nothing, at all other steps.
        """
        decided = np.full(first.shape, self.detector.score_range[0], np.int32)
        own = self.detector.smooth(scores[runs])
        # Since the listener's detector detected something.
        highest = [first[run - self.delay : run + 1].max(axis=0) for run in runs.tolist()]
        decided[runs] = mixed(own, np.reshape(highest, own.shape), self.share)
        return decided

    @property
    def scratch_bytes(self) -> int:
        """What the features keep and compute in, while they make its input."""
        return aligned(self.features.state_bytes) + aligned(self.features.scratch_bytes)

    @property
    def kept_bytes(self) -> int:
        """All that it takes but the arena."""
        return aligned(self.state_bytes) + self.scratch_bytes + aligned(self.detector.state_bytes)

    def table(self) -> np.ndarray | None:
        """As Listening.table, of its own input."""
        return input_table(self.features, self.input_scale, self.input_zero_point)

    def layout(self, start: int, arena_bytes: int) -> VerifierLayout:
        """Where its parts lie behind a listener's own, which end at start."""
        arena = start + aligned(self.state_bytes)
        scratch = arena + aligned(arena_bytes)
        detector = scratch + self.scratch_bytes
        return VerifierLayout(start, arena, scratch, detector, detector + aligned(self.detector.state_bytes))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` makes the same of them."""
        nested = {"features": self.features.to_dict(), "detector": self.detector.to_dict()}
        return asdict(self) | nested | {"samples": self.samples}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Verifying:
        """What `to_dict` wrote down."""
        features, detector = FeatureConfig.from_dict(record["features"]), Detector.from_dict(record["detector"])
        plain = ("frames", "delay", "input_scale", "input_zero_point", "first_share")
        return cls(features, detector, **{key: record[key] for key in plain})


@dataclass(frozen=True)
class VerifierLayout:
    """Where a verifier's parts lie in a listener's memory, in bytes from its begin.

    Args:
        sound: the newest samples.
        arena: of its network.
        scratch: of its features.
        detector: what that keeps.
        end: behind all of it.
    """

    sound: int
    arena: int
    scratch: int
    detector: int
    end: int
